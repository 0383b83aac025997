/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client must not say: spice-server 0.15 ends the whole process at some messages that make sense only while a
 * desktop migrates between servers of its own kind, and at a display channel that begins twice. One of them would end the
 * desktop of everybody who looks at it. Such a message is not passed on; the connection fails instead.
 *
 * spice-server takes its bytes from the socket itself, so this listens where it does so: read(2) is defined here, for the whole
 * process, and does what it always did but for descriptors that are guarded. Messages are followed byte by byte, in
 * WebSocket frames as well, so it does not matter how they come in.
 *
 * Any thread reads; the rest is the main thread's.
 */
#pragma once

#include <stdbool.h>

#include <glib.h>

typedef struct Guard Guard;

/* Guards descriptor @number from its first byte on. NULL: the number is too high. */
Guard *guard_new(int number, bool websocket);
/* The descriptor may be another's by now. */
void guard_free(Guard *guard);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Guard, guard_free)

/* The link is done: what is read from now on are messages of a channel of @type (SPICE_CHANNEL_…). */
void guard_begin(Guard *guard, int type);
/* Whether descriptor @number is guarded now. Any thread. */
bool guard_watches(int number);
