/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is connected: takes connections from the listening socket to spice-server, and makes clients of its channels.
 *
 * A client opens a connection for each channel; the first is the main channel's, and the client is there as long as that
 * one. A connection that has not become a channel within LINK_SECONDS is closed, and there are never more than MAX_LINKING
 * of them: whoever reaches the socket may stall or send garbage.
 *
 * Owner: the main thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>
#include <spice.h>

#include "display/spice/arrival.h"

typedef struct Clients Clients;

/* All mandatory. */
typedef struct {
    void (*connected)(void *user, const char *peer, uint64_t client);
    void (*disconnected)(void *user, const char *peer, uint64_t client);
    /* A client is about to get display channel @id: the worker is told in this turn of the main loop. Takes @arrival. */
    void (*arriving)(void *user, unsigned id, Arrival *arrival);
    /* spice-server is about to close descriptor @number, of a connection for display channel @id. */
    void (*closing)(void *user, unsigned id, int number);
    /* The number of clients that have display channel @id. */
    void (*watching)(void *user, unsigned id, unsigned n);
    /* clients_names() are others. */
    void (*named)(void *user);
} ClientsOps;

/*
 * @compress_unix: send compressed pictures to peers of a Unix socket too. Takes @listen_fd. Nothing is accepted before
 * clients_start().
 */
Clients *clients_new(int listen_fd, bool compress_unix, const ClientsOps *ops, void *user);
void clients_start(Clients *clients, SpiceServer *server);
/* Before the server is destroyed: accepts no more. */
void clients_stop(Clients *clients);
/* After the server is destroyed, and with it all connections. */
void clients_free(Clients *clients);

/* From the core interface. */
void clients_channel_event(Clients *clients, int event, SpiceChannelEventInfo *info);
/* Drops clients whose display channel @id has more to take than they take. */
void clients_drop_blocked(Clients *clients, int id);
/* Whether a listening socket is a Unix socket. */
bool clients_socket_is_unix(int fd);
unsigned clients_count(const Clients *clients);

/*
 * The abstract names of Unix sockets that are connected, channels already or not, up to their last hyphen: each once. Whoever
 * connects on behalf of somebody knows by it whose connections these are. Free it.
 */
char **clients_names(const Clients *clients);
/* Ends all connections of that name. */
void clients_cut(Clients *clients, const char *name);
