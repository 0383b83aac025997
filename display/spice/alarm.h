/* SPDX-License-Identifier: Apache-2.0 */
/* A function run by the main loop at a time that is set, from any thread; not running costs nothing. */
#pragma once

#include <glib.h>

#define ALARM_NEVER (-1)
#define ALARM_NOW 0

/* On the thread's default main context. It stays silent until set, and again after each time it rang. */
GSource *alarm_new(const char *name, void (*ring)(void *user), void *user);
/* Monotonic time, µs, or one of the above. */
void alarm_set(GSource *alarm, gint64 time);
/* NULL is fine; *alarm becomes NULL. */
void alarm_free(GSource **alarm);
