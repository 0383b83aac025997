/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a ticket to an open tunnel: a CONNECT of a SPICE client, or a browser's WebSocket. carreld gives the desktop's
 * socket for a ticket that is good; everything else is refused.
 *
 * Owner: the main loop.
 */
#pragma once

#include "web-ui/server/host/link.h"
#include "web-ui/server/port/visitor.h"
#include "web-ui/server/tunnel/relay.h"

#include <libsoup/soup.h>

typedef struct Tunnels Tunnels;

Tunnels *tunnels_new(HostLink *link, unsigned threads);
void tunnels_free(Tunnels *tunnels);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Tunnels, tunnels_free)

/* Of a visitor with a CONNECT's head. */
void tunnels_connect(Tunnels *tunnels, Visitor *visitor, const char *head, size_t len);

#define TUNNEL_PATH "/tunnel/"
/* The protocol that browsers' SPICE clients ask for. */
#define TUNNEL_PROTOCOL "binary"

/* A request whose path begins with TUNNEL_PATH; it gets its status here, or later. */
void tunnels_websocket(Tunnels *tunnels, SoupServerMessage *message, const char *path);

void tunnels_count(Tunnels *tunnels, RelayCounts *counts);
