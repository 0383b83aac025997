/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP for visitors whose TLS is there: libsoup reads requests and writes answers, and here it is decided who answers:
 *
 *   /api/v1/…  the API          /tunnel/TICKET  a tunnel          /metrics          all else: the page
 *
 * Every answer has the headers that keep browsers from doing with it what they should not. Each step of a request has
 * its time, which visitors that take longer do not have.
 *
 * Owner: the main loop.
 */
#pragma once

#include "web-ui/server/api/api.h"
#include "web-ui/server/http/page.h"
#include "web-ui/server/port/visitor.h"
#include "web-ui/server/tunnel/tunnels.h"

typedef struct WebServer WebServer;

/* Of its parts, which outlive it, it is told by their users: guests_new() with web_server_guest_ops and this. */
typedef struct {
    Api *api;
    Tunnels *tunnels;
    Page *page;
    HostLink *link;
} WebParts;

WebServer *web_server_new(const WebParts *parts);
void web_server_free(WebServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WebServer, web_server_free)

/* For figures. */
void web_server_set_guests(WebServer *server, Guests *guests);

/* With the server as their data. */
extern const GuestOps web_server_guest_ops;
