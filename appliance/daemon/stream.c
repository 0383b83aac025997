/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/stream.h"

/* So many may wait; after so many the connection is asked whether they are gone. */
#define WAITING_MAX 4096
#define ASK_EVERY 64

struct Stream {
    gatomicrefcount refs; /* the owner's, and that of a flush under way */
    GDBusConnection *connection;
    StreamGoesOn goes_on; /* NULL: freed */
    void *data;
    unsigned waiting; /* sent, perhaps not taken */
    unsigned asked;   /* those of them that the flush under way is about; 0: there is none */
    bool missed;
};

static void
stream_unref(Stream *stream)
{
    if (!g_atomic_ref_count_dec(&stream->refs))
        return;
    g_object_unref(stream->connection);
    g_free(stream);
}

Stream *
stream_new(GDBusConnection *connection, StreamGoesOn goes_on, void *data)
{
    Stream *stream = g_new0(Stream, 1);

    g_atomic_ref_count_init(&stream->refs);
    stream->connection = g_object_ref(connection);
    stream->goes_on = goes_on;
    stream->data = data;
    return stream;
}

void
stream_free(Stream *stream)
{
    if (!stream)
        return;
    stream->goes_on = NULL;
    stream_unref(stream);
}

static void ask(Stream *stream);

static void
taken(GObject *source, GAsyncResult *result, gpointer data)
{
    Stream *stream = data;
    bool open = g_dbus_connection_flush_finish(G_DBUS_CONNECTION(source), result, NULL);

    stream->waiting -= stream->asked;
    stream->asked = 0;
    if (open && stream->goes_on && stream->missed) {
        stream->missed = false;
        stream->goes_on(stream, stream->data);
    }
    if (open && stream->goes_on && stream->waiting >= ASK_EVERY)
        ask(stream);
    stream_unref(stream);
}

static void
ask(Stream *stream)
{
    if (stream->asked)
        return;
    stream->asked = stream->waiting;
    g_atomic_ref_count_inc(&stream->refs);
    g_dbus_connection_flush(stream->connection, NULL, taken, stream);
}

bool
stream_send(Stream *stream, guint32 subscription, const char *topic, GVariant *data)
{
    g_autoptr(GVariant) held = g_variant_ref_sink(data);

    if (stream->waiting >= WAITING_MAX) {
        stream->missed = true;
        return false;
    }
    g_dbus_connection_emit_signal(stream->connection, NULL, "/org/carrel/Host1", "org.carrel.Host1", "Event",
                                  g_variant_new("(us@a{sv})", subscription, topic, held), NULL);
    if (++stream->waiting >= ASK_EVERY)
        ask(stream);
    return true;
}
