/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames over a stream socket.
 *
 * Received bytes gather in one buffer, and frames are handed out where they lie: the length before a frame and the end of
 * the frame before it make room for the virtio header. A peer that sends a length no frame has is gone for good, since what
 * follows cannot be told apart any more.
 *
 * A frame the socket took only in part is kept until the rest is sent; the driver has its buffer back meanwhile.
 */
#include "vmm/net/stream.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LENGTH_SIZE 4u
/* Room before the first frame's length for the rest of its virtio header. */
#define HEADROOM (NET_HEADER_SIZE - LENGTH_SIZE)
/* The longest frame fits twice, so that the buffer is moved down rarely. */
#define BUFFER_SIZE (HEADROOM + 2 * (LENGTH_SIZE + NET_FRAME_MAX))

typedef struct {
    NetBackend base;
    int fd;
    bool lost;
    uint8_t *in;     /* while open */
    size_t in_start; /* the next frame's length … */
    size_t in_end;   /* … and where what was received ends */
    uint8_t *out;    /* the rest of a frame, NULL: none */
    size_t out_at, out_len;
} StreamBackend;

static int
stream_fd(NetBackend *backend, unsigned pair)
{
    return ((StreamBackend *)backend)->fd;
}

static void
stream_open(NetBackend *backend, unsigned pair)
{
    StreamBackend *stream = (StreamBackend *)backend;

    if (stream->in)
        return;
    stream->in = g_malloc(BUFFER_SIZE);
    stream->in_start = stream->in_end = HEADROOM;
}

static NetSend
lose(StreamBackend *stream)
{
    stream->lost = true;
    return NET_SEND_LOST;
}

static ssize_t
send_some(StreamBackend *stream, struct iovec *iov, size_t n_iov)
{
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = n_iov};
    ssize_t sent;
    do
        sent = sendmsg(stream->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 && errno == EAGAIN ? 0 : sent;
}

static NetSend
stream_flush(NetBackend *backend, unsigned pair)
{
    StreamBackend *stream = (StreamBackend *)backend;

    if (stream->lost)
        return NET_SEND_LOST;
    if (!stream->out)
        return NET_SEND_DONE;
    struct iovec rest = {stream->out + stream->out_at, stream->out_len - stream->out_at};
    ssize_t sent = send_some(stream, &rest, 1);
    if (sent < 0)
        return lose(stream);
    stream->out_at += sent;
    if (stream->out_at < stream->out_len)
        return NET_SEND_BLOCKED;
    g_clear_pointer(&stream->out, g_free);
    return NET_SEND_DONE;
}

/* Keeps what is left of @iov after @sent bytes. */
static void
keep_rest(StreamBackend *stream, const struct iovec *iov, size_t n_iov, size_t sent, size_t len)
{
    stream->out_at = 0;
    stream->out_len = len - sent;
    stream->out = g_malloc(stream->out_len);
    size_t at = 0;
    for (size_t i = 0; i < n_iov; i++) {
        size_t skip = MIN(sent, iov[i].iov_len);
        sent -= skip;
        memcpy(stream->out + at, (const uint8_t *)iov[i].iov_base + skip, iov[i].iov_len - skip);
        at += iov[i].iov_len - skip;
    }
}

/* The frame's buffers behind its virtio header, with its length before them; returns their number. */
static size_t
frame_buffers(struct iovec *to, uint32_t *length, const struct iovec *iov, unsigned n_iov)
{
    size_t skip = NET_HEADER_SIZE, n = 0;

    to[n++] = (struct iovec){length, LENGTH_SIZE};
    for (unsigned i = 0; i < n_iov; i++) {
        size_t skipped = MIN(skip, iov[i].iov_len);
        skip -= skipped;
        if (skipped < iov[i].iov_len)
            to[n++] = (struct iovec){(uint8_t *)iov[i].iov_base + skipped, iov[i].iov_len - skipped};
    }
    return n;
}

static NetSend
stream_send(NetBackend *backend, unsigned pair, const struct iovec *iov, unsigned n_iov, size_t len)
{
    StreamBackend *stream = (StreamBackend *)backend;
    uint32_t length = GUINT32_TO_BE(len - NET_HEADER_SIZE);
    struct iovec few[16];
    g_autofree struct iovec *many = NULL;
    struct iovec *buffers = few;

    NetSend before = stream_flush(backend, pair);
    if (before != NET_SEND_DONE)
        return before;
    if (n_iov >= G_N_ELEMENTS(few))
        buffers = many = g_new(struct iovec, n_iov + 1);
    size_t n = frame_buffers(buffers, &length, iov, n_iov);
    if (n > IOV_MAX)
        return NET_SEND_DROPPED; /* a thousand buffers for one frame: no driver does it */
    ssize_t sent = send_some(stream, buffers, n);
    if (sent < 0)
        return lose(stream);
    size_t total = LENGTH_SIZE + len - NET_HEADER_SIZE;
    if (sent == 0)
        return NET_SEND_BLOCKED;
    if ((size_t)sent == total)
        return NET_SEND_DONE;
    keep_rest(stream, buffers, n, sent, total);
    return NET_SEND_BUFFERED;
}

/* Whether a whole frame lies at in_start; negative where there can be none. */
static int
has_frame(const StreamBackend *stream, uint32_t *length)
{
    size_t held = stream->in_end - stream->in_start;

    if (held < LENGTH_SIZE)
        return 0;
    memcpy(length, stream->in + stream->in_start, LENGTH_SIZE);
    *length = GUINT32_FROM_BE(*length);
    if (*length < NET_FRAME_MIN || *length > NET_FRAME_MAX)
        return -1;
    return held >= LENGTH_SIZE + *length;
}

/* Receives more; moves what is held down first where the end is near. Bytes, or as recv does. */
static ssize_t
fill(StreamBackend *stream)
{
    size_t held = stream->in_end - stream->in_start;

    if (!held || BUFFER_SIZE - stream->in_start < LENGTH_SIZE + NET_FRAME_MAX) {
        memmove(stream->in + HEADROOM, stream->in + stream->in_start, held);
        stream->in_start = HEADROOM;
        stream->in_end = HEADROOM + held;
    }
    ssize_t got;
    do
        got = recv(stream->fd, stream->in + stream->in_end, BUFFER_SIZE - stream->in_end, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got > 0)
        stream->in_end += got;
    return got;
}

static ssize_t
stream_receive(NetBackend *backend, unsigned pair, uint8_t **frame)
{
    StreamBackend *stream = (StreamBackend *)backend;
    uint32_t length;
    int has;

    while (!(has = stream->lost ? -1 : has_frame(stream, &length))) {
        ssize_t got = fill(stream);
        if (got < 0 && errno == EAGAIN)
            return NET_RECEIVE_NOTHING;
        if (got <= 0)
            has = -1;
        if (has)
            break;
    }
    if (has < 0) {
        lose(stream);
        return NET_RECEIVE_LOST;
    }
    uint8_t *start = stream->in + stream->in_start + LENGTH_SIZE - NET_HEADER_SIZE;
    memset(start, 0, NET_HEADER_SIZE);
    stream->in_start += LENGTH_SIZE + length;
    *frame = start;
    return NET_HEADER_SIZE + length;
}

static void
stream_free(NetBackend *backend)
{
    StreamBackend *stream = (StreamBackend *)backend;

    close(stream->fd);
    g_free(stream->in);
    g_free(stream->out);
}

NetBackend *
stream_backend_new(int fd, const char *name)
{
    static const NetBackendOps ops = {
        .fd = stream_fd,
        .open = stream_open,
        .send = stream_send,
        .flush = stream_flush,
        .receive = stream_receive,
        .free = stream_free,
    };
    StreamBackend *stream = g_new0(StreamBackend, 1);

    net_backend_init(&stream->base, &ops, name, 1);
    stream->fd = fd;
    return &stream->base;
}

NetBackend *
net_backend_stream_new(int fd)
{
    return stream_backend_new(fd, "the network peer");
}
