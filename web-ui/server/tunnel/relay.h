/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tunnels that are open: bytes between a client's TLS session, perhaps in WebSocket frames, and a desktop's socket.
 *
 *   desktop ─▶ a thread's buffer ─▶ TLS ─▶ client        what the slower side does not take is kept in the tunnel, and
 *   client ─▶ TLS ─▶ a thread's buffer ─▶ desktop        nothing more is read before it is gone
 *
 * A few threads carry all of them. Adding is the main loop's, and so is hearing of the end; a tunnel in between is its
 * thread's alone.
 */
#pragma once

#include "web-ui/server/tls/session.h"

typedef struct Relay Relay;

/* In the main loop. */
typedef void (*RelayEnded)(void *data);

Relay *relay_new(unsigned threads);
/* Ends all tunnels without telling. */
void relay_free(Relay *relay);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Relay, relay_free)

/* Takes the session and the socket (made non-blocking here). */
void relay_add(Relay *relay, TlsSession *client, int desktop, bool websocket, RelayEnded ended, void *data);

typedef struct {
    unsigned open;
    uint64_t to_clients, to_desktops; /* bytes, of ended ones too */
} RelayCounts;
void relay_count(Relay *relay, RelayCounts *counts);
