/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events on their way to one peer. What was sent and not yet taken is bounded: a peer that does not read costs the daemon no memory.
 *
 * Owner: the main thread.
 */
#pragma once

#include <gio/gio.h>
#include <stdbool.h>

typedef struct Stream Stream;

/* Called when a peer that had to miss something reads again. */
typedef void (*StreamGoesOn)(Stream *stream, void *data);

Stream *stream_new(GDBusConnection *connection, StreamGoesOn goes_on, void *data);
/* Nothing is called any more. */
void stream_free(Stream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Stream, stream_free)

/* False: too much waits already; it was not sent, and will not be. A floating value is taken. */
bool stream_send(Stream *stream, guint32 subscription, const char *topic, GVariant *data);
