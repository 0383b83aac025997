/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request to the API, from its head to its answer. A handler gets it when what came was held against the route's
 * fields; it asks carreld, perhaps several times, and answers once. The call is gone with the answer.
 *
 * Owner: the main loop.
 */
#pragma once

#include "web-ui/server/api/route.h"
#include "web-ui/server/host/link.h"

#include <libsoup/soup.h>

typedef struct Api Api;

struct ApiCall {
    Api *api;
    SoupServerMessage *message;
    const ApiRoute *route;
    char *parameters[ROUTE_PARAMETERS_MAX]; /* of the path, in order */
    GVariant *query, *body;                 /* a{sv}, held against the route */
    char *session; /* of a route that is not open never empty: carreld would take that for the console */
    bool by_cookie;
    void *state; /* the handler's, freed with g_free() */
};

/*
 * Asks carreld. Where it refuses, the call is answered with that, and @then is not called; else it goes on from there.
 */
typedef void (*ApiThen)(ApiCall *call, GVariant *reply, GUnixFDList *fds);
void api_call_host(ApiCall *call, const char *method, GVariant *arguments, ApiThen then);

/* The answers, each the end of the call. */
void api_answer_nothing(ApiCall *call, unsigned status);
void api_answer_value(ApiCall *call, unsigned status, GVariant *value);
void api_answer_text(ApiCall *call, unsigned status, GString *json); /* takes the text */
void api_answer_bytes(ApiCall *call, const char *type, GBytes *bytes);
void api_refuse(ApiCall *call, unsigned status, const char *code, const char *field, const char *message);
void api_refuse_error(ApiCall *call, const GError *error); /* of HOST_ERROR or API_ERROR */
/* For api_call_host(), where nothing is left to do: the reply's one value; {"items": that}; nothing (204). */
void api_answer_first(ApiCall *call, GVariant *reply, GUnixFDList *fds);
void api_answer_items(ApiCall *call, GVariant *reply, GUnixFDList *fds);
void api_answer_done(ApiCall *call, GVariant *reply, GUnixFDList *fds);
/* The handler goes on with the message by itself (a stream of events): it frees the call, and unpauses the message. */
void api_call_free(ApiCall *call);

/* Where it comes from, as carreld wants to be told: a{sv}, floating. */
GVariant *api_client(ApiCall *call, const char *kind);

/* Sets an error's status, headers and body on a message, which is not paused. */
void api_put_error(SoupServerMessage *message, unsigned status, const char *code, const char *field, const char *text);

const char *api_body_text(ApiCall *call, const char *name);
bool api_body_bool(ApiCall *call, const char *name);
