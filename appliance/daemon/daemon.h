/* SPDX-License-Identifier: Apache-2.0 */
/*
 * carreld: everything that there is one of, in the order in which it is made; it ends in reverse.
 *
 *     configuration ─▶ store ─▶ people ─▶ events ─▶ jobs ─▶ rooms ─▶ service (callers come in)
 *
 * Owner: the main thread, whose main context runs.
 */
#pragma once

#include "appliance/daemon/allowance.h"
#include "appliance/daemon/commands.h"
#include "appliance/daemon/config.h"
#include "appliance/daemon/events.h"
#include "appliance/daemon/host_figures.h"
#include "appliance/daemon/jobs.h"
#include "appliance/daemon/people.h"
#include "appliance/daemon/pending_secrets.h"
#include "appliance/daemon/rooms.h"
#include "appliance/daemon/service.h"
#include "appliance/daemon/watching.h"
#include "ha/store/reader.h"

typedef struct Daemon {
    DaemonConfig *config;
    char *config_path;
    StoreReader *reader; /* on the main thread: a read takes a fraction of a millisecond (ha/README.md) */
    Commands *commands;
    People *people;
    PendingSecrets *secrets;
    Events *events;
    Jobs *jobs;
    Watching *watching;
    Allowance *allowance; /* of those who are signed in */
    Rooms rooms;
    Service *service;
    HostFigures figures;
    int64_t began;     /* µs since 1970 */
    guint sweep, save; /* sources; save: 0 while nothing is to be saved */
    bool sessions_used;
} Daemon;

/* Opens the host, or makes it if it is new; callers may come in from then on. @path as for daemon_config_read(). */
Daemon *daemon_new(const char *path, GError **error);
/* Desktops run on. */
void daemon_free(Daemon *daemon);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Daemon, daemon_free)

/* A session began, or its user's ways in changed: it is saved in a second. */
void daemon_sessions_changed(Daemon *daemon);

/* Reads the configuration's directory anew; what is wrong with it is logged, and the old one stays. */
void daemon_reload(Daemon *daemon);
