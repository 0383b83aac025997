/* SPDX-License-Identifier: Apache-2.0 */
/* One object with two halves that do nothing but call the session. */
#include "web-ui/server/tls/stream.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/socket.h>

#define TLS_TYPE_INPUT tls_input_get_type()
G_DECLARE_FINAL_TYPE(TlsInput, tls_input, TLS, INPUT, GInputStream)
#define TLS_TYPE_OUTPUT tls_output_get_type()
G_DECLARE_FINAL_TYPE(TlsOutput, tls_output, TLS, OUTPUT, GOutputStream)

struct _TlsStream {
    GIOStream parent;
    TlsSession *session;
    TlsStreamClosed closed;
    void *data;
    TlsInput *input;
    TlsOutput *output;
};

struct _TlsInput {
    GInputStream parent;
    TlsStream *stream; /* which owns this */
};

struct _TlsOutput {
    GOutputStream parent;
    TlsStream *stream;
};

static void tls_input_pollable(GPollableInputStreamInterface *interface);
static void tls_output_pollable(GPollableOutputStreamInterface *interface);

G_DEFINE_FINAL_TYPE(TlsStream, tls_stream, G_TYPE_IO_STREAM)
G_DEFINE_FINAL_TYPE_WITH_CODE(TlsInput, tls_input, G_TYPE_INPUT_STREAM,
                              G_IMPLEMENT_INTERFACE(G_TYPE_POLLABLE_INPUT_STREAM, tls_input_pollable))
G_DEFINE_FINAL_TYPE_WITH_CODE(TlsOutput, tls_output, G_TYPE_OUTPUT_STREAM,
                              G_IMPLEMENT_INTERFACE(G_TYPE_POLLABLE_OUTPUT_STREAM, tls_output_pollable))

static gssize
fail(GError **error, int code)
{
    g_set_error_literal(error, G_IO_ERROR, g_io_error_from_errno(-code), g_strerror(-code));
    return -1;
}

static GSource *
wait_for(TlsStream *stream, GIOCondition condition, bool ready)
{
    g_autoptr(GSource) child = ready || !stream || !stream->session
                                   ? g_idle_source_new()
                                   : g_unix_fd_source_new(tls_session_get_fd(stream->session), condition);

    if (ready)
        g_source_set_priority(child, G_PRIORITY_DEFAULT);
    return g_steal_pointer(&child);
}

static GSource *
pollable(GObject *half, GSource *child, GCancellable *cancellable)
{
    GSource *source = g_pollable_source_new_full(half, child, cancellable);

    g_source_unref(child);
    return source;
}

static gboolean
is_ready(TlsStream *stream, short events)
{
    GPollFD poll = {.fd = stream && stream->session ? tls_session_get_fd(stream->session) : -1, .events = events};

    return poll.fd < 0 || g_poll(&poll, 1, 0) > 0;
}

/* --- reading --- */

static gssize
tls_input_read_nonblocking(GPollableInputStream *pollable_stream, void *bytes, gsize len, GError **error)
{
    TlsStream *stream = TLS_INPUT(pollable_stream)->stream;

    if (!stream || !stream->session)
        return fail(error, -ECONNRESET);
    ssize_t n = tls_session_read(stream->session, bytes, len);
    return n >= 0 ? n : fail(error, n);
}

static gssize
tls_input_read(GInputStream *input, void *bytes, gsize len, GCancellable *cancellable, GError **error)
{
    return tls_input_read_nonblocking(G_POLLABLE_INPUT_STREAM(input), bytes, len, error);
}

static gboolean
tls_input_is_readable(GPollableInputStream *pollable_stream)
{
    TlsStream *stream = TLS_INPUT(pollable_stream)->stream;

    return (stream && stream->session && tls_session_is_pending(stream->session)) || is_ready(stream, G_IO_IN);
}

static GSource *
tls_input_create_source(GPollableInputStream *pollable_stream, GCancellable *cancellable)
{
    TlsStream *stream = TLS_INPUT(pollable_stream)->stream;
    bool ready = stream && stream->session && tls_session_is_pending(stream->session);

    return pollable(G_OBJECT(pollable_stream), wait_for(stream, G_IO_IN | G_IO_HUP | G_IO_ERR, ready), cancellable);
}

static void
tls_input_pollable(GPollableInputStreamInterface *interface)
{
    interface->is_readable = tls_input_is_readable;
    interface->create_source = tls_input_create_source;
    interface->read_nonblocking = tls_input_read_nonblocking;
}

static void
tls_input_init(TlsInput *input)
{
}

static void
tls_input_class_init(TlsInputClass *class)
{
    G_INPUT_STREAM_CLASS(class)->read_fn = tls_input_read;
}

/* --- writing --- */

static gssize
tls_output_write_nonblocking(GPollableOutputStream *pollable_stream, const void *bytes, gsize len, GError **error)
{
    TlsStream *stream = TLS_OUTPUT(pollable_stream)->stream;

    if (!stream || !stream->session)
        return fail(error, -EPIPE);
    ssize_t n = tls_session_write(stream->session, bytes, len);
    return n >= 0 ? n : fail(error, n);
}

static gssize
tls_output_write(GOutputStream *output, const void *bytes, gsize len, GCancellable *cancellable, GError **error)
{
    return tls_output_write_nonblocking(G_POLLABLE_OUTPUT_STREAM(output), bytes, len, error);
}

static gboolean
tls_output_is_writable(GPollableOutputStream *pollable_stream)
{
    return is_ready(TLS_OUTPUT(pollable_stream)->stream, G_IO_OUT);
}

static GSource *
tls_output_create_source(GPollableOutputStream *pollable_stream, GCancellable *cancellable)
{
    return pollable(G_OBJECT(pollable_stream),
                    wait_for(TLS_OUTPUT(pollable_stream)->stream, G_IO_OUT | G_IO_HUP | G_IO_ERR, false), cancellable);
}

static void
tls_output_pollable(GPollableOutputStreamInterface *interface)
{
    interface->is_writable = tls_output_is_writable;
    interface->create_source = tls_output_create_source;
    interface->write_nonblocking = tls_output_write_nonblocking;
}

static void
tls_output_init(TlsOutput *output)
{
}

static void
tls_output_class_init(TlsOutputClass *class)
{
    G_OUTPUT_STREAM_CLASS(class)->write_fn = tls_output_write;
}

/* --- both --- */

static GInputStream *
tls_stream_get_input(GIOStream *stream)
{
    return G_INPUT_STREAM(TLS_STREAM(stream)->input);
}

static GOutputStream *
tls_stream_get_output(GIOStream *stream)
{
    return G_OUTPUT_STREAM(TLS_STREAM(stream)->output);
}

static gboolean
tls_stream_close(GIOStream *io_stream, GCancellable *cancellable, GError **error)
{
    TlsStream *stream = TLS_STREAM(io_stream);
    bool open = stream->session;

    g_clear_pointer(&stream->session, tls_session_free);
    if (open && stream->closed)
        stream->closed(stream->data);
    return TRUE;
}

static void
tls_stream_finalize(GObject *object)
{
    TlsStream *stream = TLS_STREAM(object);

    stream->input->stream = NULL;
    stream->output->stream = NULL;
    g_clear_object(&stream->input);
    g_clear_object(&stream->output);
    G_OBJECT_CLASS(tls_stream_parent_class)->finalize(object);
}

static void
tls_stream_init(TlsStream *stream)
{
    stream->input = g_object_new(TLS_TYPE_INPUT, NULL);
    stream->input->stream = stream;
    stream->output = g_object_new(TLS_TYPE_OUTPUT, NULL);
    stream->output->stream = stream;
}

static void
tls_stream_class_init(TlsStreamClass *class)
{
    GIOStreamClass *io = G_IO_STREAM_CLASS(class);

    G_OBJECT_CLASS(class)->finalize = tls_stream_finalize;
    io->get_input_stream = tls_stream_get_input;
    io->get_output_stream = tls_stream_get_output;
    io->close_fn = tls_stream_close;
}

TlsStream *
tls_stream_new(TlsSession *session, TlsStreamClosed closed, void *data)
{
    TlsStream *stream = g_object_new(TLS_TYPE_STREAM, NULL);

    stream->session = session;
    stream->closed = closed;
    stream->data = data;
    return stream;
}

void
tls_stream_hang_up(TlsStream *stream)
{
    if (stream->session)
        shutdown(tls_session_get_fd(stream->session), SHUT_RDWR);
}

TlsSession *
tls_stream_steal(TlsStream *stream)
{
    return g_steal_pointer(&stream->session);
}
