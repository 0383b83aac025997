/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API's door: which route a request is for, whether it may come in by its size, its form and its session, and then
 * to its handler.
 *
 * Owner: the main loop.
 */
#pragma once

#include "web-ui/server/api/call.h"
#include "web-ui/server/http/sessions.h"
#include "web-ui/server/tls/identity.h"

#define API_PREFIX "/api/v1"
/* The most bytes of a body that is no stream. */
#define API_BODY_MAX (256 * 1024)

typedef struct {
    /* For .vv files: the certificate of this moment. */
    TlsIdentity *(*identity)(void *data);
    void *data;
} ApiOps;

Api *api_new(HostLink *link, const ApiOps *ops);
void api_free(Api *api);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Api, api_free)

HostLink *api_get_link(Api *api);
TlsIdentity *api_get_identity(Api *api);

/* The most streams of events that a session may have: a browser's tabs. */
#define API_LISTENERS_MAX 32
/* Counts one more; false: that would be too many. */
bool api_add_listener(Api *api, const char *session);
void api_remove_listener(Api *api, const char *session);

/* When a request's head is there. What is refused here has its status. */
void api_see_head(Api *api, SoupServerMessage *message, const char *path);
/* When its body is, unless it has a status. */
void api_see_body(Api *api, SoupServerMessage *message, const char *path);
