/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where callers come in: a D-Bus server without a bus on a Unix socket, which offers org.carrel.Host1 to each peer that the kernel
 * says may have it: root's processes, the daemon's own user's, and those of the user that carrel-web runs as.
 *
 * Owner: the main thread.
 */
#pragma once

#include <gio/gio.h>
#include <stdbool.h>

typedef struct Service Service;
typedef struct Daemon Daemon;

/* One that came in. */
typedef struct {
    Daemon *daemon;
    GDBusConnection *connection;
    char *name; /* "peer7", for logs and for what it carries */
    uid_t uid;
    pid_t pid;
    guint registration;
} Peer;

/* Whoever is root is at the host's own console, where they pass no session. */
bool peer_may_be_console(const Peer *peer);

/* Takes the path over from a daemon that is no more. */
Service *service_new(Daemon *daemon, const char *path, const char *web_user, GError **error);
/* All connections are closed. */
void service_free(Service *service);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Service, service_free)
