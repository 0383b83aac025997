/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a VMM may take of the host: a systemd scope, where the host runs systemd, or else a cgroup of ours. A scope also keeps
 * systemd from ending VMMs with the daemon's own unit.
 *
 * Owner: the main thread.
 */
#pragma once

#include "appliance/desktops/desktop.h"

typedef void (*BoundsDone)(void *user, const GError *error);

/*
 * Puts a process that waits (spawn_hold()) under its desktop's limits. @done within the call or later; not after the cancellable was
 * cancelled. What this host cannot limit is left out; an error is that it cannot be kept apart from us.
 */
void bounds_apply(const DesktopsSettings *settings, const Spec *spec, pid_t pid, GCancellable *cancellable,
                  BoundsDone done, void *user);
/* The VMM has ended: what is left of a cgroup goes. */
void bounds_clear(const DesktopsSettings *settings, const char *desktop);
