/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Byte streams to the host, on one GSource a stream.
 *
 * stream_write() fills a ring under the lock and, where the ring was empty, readies the source. Its dispatch writes from
 * the ring outside the lock: it alone takes bytes out, so those it looks at stay put. A descriptor is polled for output only
 * after it took less than offered, and for input only while the user has room; one with nothing to wait for is not polled
 * at all, because poll() would report its hang-up again and again.
 */
#include "vmm/board/stream_private.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_CHUNK 4096
/* A console writes byte by byte: those of a millisecond go out together, unless they fill half the buffer. */
#define GATHER_US 1000

typedef struct {
    GSource source;
    Stream *stream;
} StreamSource;

static void
watch(Stream *stream, Watch *watched, GIOCondition events)
{
    if (watched->fd < 0)
        events = 0;
    if (watched->events == events)
        return;
    if (watched->tag)
        g_source_remove_unix_fd(stream->source, watched->tag);
    watched->tag = events ? g_source_add_unix_fd(stream->source, watched->fd, events) : NULL;
    watched->events = events;
}

static void
schedule(Stream *stream)
{
    g_source_set_ready_time(stream->source, 0);
}

/* From here on what is written is swallowed, and nobody waits for room. */
static void
close_output(Stream *stream)
{
    watch(stream, &stream->out, 0);
    if (stream->out.fd >= 0 && stream->out.fd != stream->in.fd)
        close(stream->out.fd);
    stream->out.fd = -1;

    g_mutex_lock(&stream->lock);
    bool tell = stream->was_full;
    stream->deaf = true;
    stream->head = stream->used = 0;
    stream->was_full = false;
    g_mutex_unlock(&stream->lock);
    if (tell && stream->ops && stream->ops->drained)
        stream->ops->drained(stream->user);
}

static void
close_input(Stream *stream)
{
    watch(stream, &stream->in, 0);
    if (stream->in.fd >= 0 && stream->in.fd != stream->out.fd)
        close(stream->in.fd);
    stream->in.fd = -1;
}

/* Closes the peer; a listener waits for the next. */
static void
disconnect(Stream *stream)
{
    bool was_connected = stream->in.fd >= 0;

    close_output(stream);
    close_input(stream);
    if (was_connected && stream->listener.fd >= 0 && stream->ops && stream->ops->connected)
        stream->ops->connected(stream->user, false);
}

/* One direction ended or failed: of a socket that is both; of a terminal, or two pipes, the other goes on. */
static void
end_direction(Stream *stream, void (*close_it)(Stream *stream))
{
    if (stream->in.fd == stream->out.fd)
        disconnect(stream);
    else
        close_it(stream);
}

/* Takes @written bytes out of the ring. Returns whether somebody waits for the room. */
static bool
ring_drop(Stream *stream, size_t written)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&stream->lock);
    stream->head = (stream->head + written) % STREAM_BUFFER_SIZE;
    stream->used -= written;
    bool tell = written && stream->was_full;
    if (tell)
        stream->was_full = false;
    return tell;
}

/*
 * At most one buffer's worth at a time: a vCPU that writes as fast as the descriptor takes does not keep the loop from
 * others. All that was there when it is called goes out, where the descriptor takes it.
 */
static void
write_out(Stream *stream)
{
    size_t left = STREAM_BUFFER_SIZE;

    while (stream->out.fd >= 0) {
        g_mutex_lock(&stream->lock);
        const uint8_t *bytes = stream->ring + stream->head;
        size_t len = MIN(stream->used, STREAM_BUFFER_SIZE - stream->head);
        g_mutex_unlock(&stream->lock);
        if (len && !left) {
            schedule(stream);
            return;
        }
        len = MIN(len, left);
        if (!len) {
            watch(stream, &stream->out, 0);
            return;
        }

        ssize_t written = write(stream->out.fd, bytes, len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno == EAGAIN) {
            watch(stream, &stream->out, G_IO_OUT);
            return;
        }
        if (written < 0) {
            end_direction(stream, close_output);
            return;
        }
        left -= written;
        if (ring_drop(stream, written) && stream->ops && stream->ops->drained)
            stream->ops->drained(stream->user);
    }
}

static void
read_in(Stream *stream)
{
    uint8_t bytes[INPUT_CHUNK];

    if (stream->in.fd < 0)
        return;
    size_t room = stream->ops ? stream->ops->room(stream->user) : 0;
    if (!room) {
        watch(stream, &stream->in, 0);
        return;
    }
    /* Once a dispatch: a peer that never stops sending does not keep the loop from others. */
    ssize_t len = read(stream->in.fd, bytes, MIN(room, sizeof(bytes)));
    if (len > 0)
        stream->ops->input(stream->user, bytes, len);
    if (len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR)) {
        end_direction(stream, close_input);
        return;
    }
    if (stream->in.fd >= 0)
        watch(stream, &stream->in, stream->ops && stream->ops->room(stream->user) ? G_IO_IN : 0);
}

static void
accept_peer(Stream *stream)
{
    int peer = accept4(stream->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (peer < 0)
        return;
    stream->in.fd = stream->out.fd = peer;
    g_mutex_lock(&stream->lock);
    stream->deaf = false;
    g_mutex_unlock(&stream->lock);
    if (stream->ops && stream->ops->connected)
        stream->ops->connected(stream->user, true);
}

static gboolean
source_dispatch(GSource *source, GSourceFunc callback, gpointer user)
{
    Stream *stream = ((StreamSource *)source)->stream;

    g_source_set_ready_time(source, -1);
    if (stream->listener.tag && g_source_query_unix_fd(source, stream->listener.tag))
        accept_peer(stream);
    write_out(stream);
    read_in(stream);
    /* One peer at a time: the next one waits in the kernel's queue, unpolled. */
    watch(stream, &stream->listener, stream->in.fd < 0 ? G_IO_IN : 0);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {.dispatch = source_dispatch};

static Stream *
stream_new(GMainContext *context)
{
    Stream *stream = g_new0(Stream, 1);
    g_mutex_init(&stream->lock);
    stream->ring = g_malloc(STREAM_BUFFER_SIZE);
    stream->listener.fd = stream->in.fd = stream->out.fd = -1;
    stream->source = g_source_new(&source_funcs, sizeof(StreamSource));
    ((StreamSource *)stream->source)->stream = stream;
    g_source_set_static_name(stream->source, "stream");
    g_source_attach(stream->source, context);
    return stream;
}

Stream *
stream_new_fds(int in, int out, GMainContext *context)
{
    Stream *stream = stream_new(context);
    stream->in.fd = in;
    stream->out.fd = out;
    stream->deaf = out < 0;
    if (in >= 0)
        g_unix_set_fd_nonblocking(in, TRUE, NULL);
    if (out >= 0)
        g_unix_set_fd_nonblocking(out, TRUE, NULL);
    schedule(stream);
    return stream;
}

Stream *
stream_new_listener(int listener, GMainContext *context)
{
    Stream *stream = stream_new(context);
    stream->listener.fd = listener;
    stream->deaf = true;
    g_unix_set_fd_nonblocking(listener, TRUE, NULL);
    schedule(stream);
    return stream;
}

void
stream_free(Stream *stream)
{
    if (!stream)
        return;
    stream_set_user(stream, NULL, NULL);
    write_out(stream);
    if (stream->terminal_changed)
        tcsetattr(stream->in.fd, TCSADRAIN, &stream->terminal);
    disconnect(stream);
    watch(stream, &stream->listener, 0);
    if (stream->listener.fd >= 0)
        close(stream->listener.fd);
    g_source_destroy(stream->source);
    g_source_unref(stream->source);
    g_free(stream->ring);
    g_mutex_clear(&stream->lock);
    g_free(stream);
}

void
stream_set_user(Stream *stream, const StreamOps *ops, void *user)
{
    g_assert(!ops || (ops->room && ops->input));
    stream->ops = ops;
    stream->user = user;
    schedule(stream);
}

size_t
stream_write(Stream *stream, const void *bytes, size_t len)
{
    g_mutex_lock(&stream->lock);
    if (stream->deaf) {
        g_mutex_unlock(&stream->lock);
        return len;
    }
    size_t take = MIN(len, STREAM_BUFFER_SIZE - stream->used);
    size_t tail = (stream->head + stream->used) % STREAM_BUFFER_SIZE;
    size_t first = MIN(take, STREAM_BUFFER_SIZE - tail);
    memcpy(stream->ring + tail, bytes, first);
    memcpy(stream->ring, (const uint8_t *)bytes + first, take - first);
    bool first_bytes = take && !stream->used;
    bool half = stream->used < STREAM_BUFFER_SIZE / 2 && stream->used + take >= STREAM_BUFFER_SIZE / 2;
    stream->used += take;
    stream->was_full |= stream->used == STREAM_BUFFER_SIZE;
    g_mutex_unlock(&stream->lock);
    /* Other bytes that join what is there are on their way already, or wait with it for the descriptor. */
    if (half)
        schedule(stream);
    else if (first_bytes)
        g_source_set_ready_time(stream->source, g_get_monotonic_time() + GATHER_US);
    return take;
}

bool
stream_full(Stream *stream)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&stream->lock);
    return stream->used == STREAM_BUFFER_SIZE;
}

void
stream_resume_input(Stream *stream)
{
    schedule(stream);
}

void
stream_flush(Stream *stream)
{
    write_out(stream);
}
