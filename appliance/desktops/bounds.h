/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a VMM may take of the host: a systemd scope, where the host runs systemd, or else a cgroup of ours. A scope also keeps
 * systemd from ending VMMs with the daemon's own unit.
 *
 * Owner: the main thread.
 */
#pragma once

#include "appliance/desktops/desktop.h"
#include "appliance/desktops/host_limits.h"

/* Its disks, open; -1: none at that place. */
typedef struct {
    const int *fds;
    unsigned n;
} BoundsDisks;

typedef void (*BoundsDone)(void *user, const GError *error);

/*
 * Puts a process that waits (spawn_hold()) under its desktop's limits. @done within the call or later; not after the cancellable was
 * cancelled. What this host cannot limit is left out; an error is that it cannot be kept apart from us.
 */
void bounds_apply(const DesktopsSettings *settings, const Spec *spec, const BoundsDisks *disks, pid_t pid,
                  GCancellable *cancellable, BoundsDone done, void *user);
/* The limits that hold for a process of the desktop's, as the kernel has them; all 0 where it is in no group of its own. */
void bounds_read(const char *desktop, pid_t pid, Limits *limits);
/* The VMM has ended: what is left of a cgroup goes. */
void bounds_clear(const DesktopsSettings *settings, const char *desktop);
