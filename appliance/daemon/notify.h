/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What systemd is told (sd_notify(3)): that the daemon is ready, what it does, and at intervals that its main loop runs
 * (WatchdogSec=). Nothing where it was not started by systemd.
 *
 * Owner: the main thread.
 */
#pragma once

#include <glib.h>

/* Such as "READY=1" or "STATUS=…"; several lines are possible. */
void notify_tell(const char *what);

/* A source that feeds the watchdog twice in its time; 0: there is none. */
guint notify_feed_watchdog(void);
