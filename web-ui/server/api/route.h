/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every request that the API knows, in one table: which path, what goes in and out, who answers it. Requests are held
 * against it, and the OpenAPI document is made from it.
 *
 * Constant after the start: any thread.
 */
#pragma once

#include "web-ui/server/api/catalog.h"

typedef struct ApiCall ApiCall;
typedef void (*ApiHandler)(ApiCall *call);

typedef enum {
    ROUTE_OPEN = 1 << 0,   /* nobody needs to be signed in */
    ROUTE_STREAM = 1 << 1, /* the body is bytes, which the handler takes as they come */
    ROUTE_LIST = 1 << 2,   /* answers {"items": [.answer]} */
    ROUTE_PAGE = 1 << 3,   /* a list with "next" and "count" */
    ROUTE_MAP = 1 << 4,    /* answers {ID: .answer} */
    ROUTE_TAGGED = 1 << 5, /* answers with an ETag */
    ROUTE_SEEN = 1 << 6,   /* takes If-Match */
    ROUTE_JOB = 1 << 7,    /* 202 {"job"}, or 204 when all is done */
    ROUTE_RESULT = 1 << 8, /* answers {"sequence"} and what the command says */
} RouteFlags;

typedef struct {
    const char *method; /* "GET" */
    const char *path;   /* "/users/{id}", under /api/v1; a part in braces is any text */
    const char *id;     /* unique: "listUsers" */
    const char *about;
    const char *role; /* who may do it to anything: "user", "operator", "admin"; the daemon decides */
    unsigned flags;   /* RouteFlags */
    unsigned status;  /* when it goes well */
    const ApiField *query, *body, *answer; /* NULL: none */
    const char *const *words;              /* what the last {…} may be, or NULL */
    const char *media;                     /* of an answer that is no JSON, else NULL */
    ApiHandler handler;
    const CatalogKind *kind;       /* or NULL */
    const CatalogCommand *command; /* or NULL */
} ApiRoute;

#define ROUTE_PARAMETERS_MAX 2

/* All of them; ends with a NULL method. */
const ApiRoute *routes_get(void);

typedef struct {
    const ApiRoute *route;                  /* NULL: none */
    char *parameters[ROUTE_PARAMETERS_MAX]; /* in order, decoded; free with g_free() */
    bool other_method;                      /* there is such a path, but not for this method */
} RouteMatch;

void route_match_clear(RouteMatch *match);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RouteMatch, route_match_clear)

/* @path as it came, percent-encoded, without /api/v1. */
void routes_find(const char *method, const char *path, RouteMatch *match);
