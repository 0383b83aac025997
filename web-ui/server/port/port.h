/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The port's listening sockets: those that systemd holds for us (sd_listen_fds(3)), or else those that the configuration
 * names. Whoever comes goes to the guests.
 *
 * Owner: the main loop.
 */
#pragma once

#include "web-ui/server/port/visitor.h"

typedef struct Port Port;

/* @listen: "443" or "[::]:443", both kinds of addresses; "192.0.2.1:443", "[2001:db8::1]:443"; 0 for any port that is free. */
Port *port_new(const char *const *listen, Guests *guests, GError **error);
/* Takes sockets that listen already. */
Port *port_new_for_sockets(int first, unsigned n, Guests *guests, GError **error);
void port_free(Port *port);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Port, port_free)

/* Where the first socket listens, for the log and for tests: "0.0.0.0:443". Free with g_free(). */
char *port_describe(Port *port);
