/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames by read and write.
 *
 * What the guest sends goes to the kernel straight from guest memory: the kernel reads it once and checks the header
 * itself. What comes is read into a buffer first, since only then its length is known.
 */
#include "vmm/net/frames.h"

#include <errno.h>
#include <glib-unix.h>
#include <unistd.h>

#define BUFFER_SIZE (NET_HEADER_SIZE + NET_FRAME_MAX)

int
frames_fd(NetBackend *backend, unsigned pair)
{
    return ((FramesBackend *)backend)->fds[pair];
}

void
frames_open(NetBackend *backend, unsigned pair)
{
    FramesBackend *frames = (FramesBackend *)backend;
    if (!frames->buffers[pair])
        frames->buffers[pair] = g_malloc(BUFFER_SIZE);
}

void
frames_close(NetBackend *backend, unsigned pair)
{
    g_clear_pointer(&((FramesBackend *)backend)->buffers[pair], g_free);
}

NetSend
frames_send(NetBackend *backend, unsigned pair, const struct iovec *iov, unsigned n_iov, size_t len)
{
    ssize_t sent;
    do
        sent = writev(((FramesBackend *)backend)->fds[pair], iov, n_iov);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return NET_SEND_DONE;
    switch (errno) {
    case EAGAIN:
        return NET_SEND_BLOCKED;
    case EBADFD: /* the interface was deleted */
    case EPIPE:
        return NET_SEND_LOST;
    default:
        return NET_SEND_DROPPED; /* a header that makes no sense, an interface that is down, no memory */
    }
}

ssize_t
frames_receive(NetBackend *backend, unsigned pair, uint8_t **frame)
{
    FramesBackend *frames = (FramesBackend *)backend;

    for (;;) {
        ssize_t len = read(frames->fds[pair], frames->buffers[pair], BUFFER_SIZE);
        if (len >= (ssize_t)(NET_HEADER_SIZE + NET_FRAME_MIN)) {
            *frame = frames->buffers[pair];
            return len;
        }
        if (len == 0)
            return NET_RECEIVE_LOST;
        if (len < 0 && errno == EAGAIN)
            return NET_RECEIVE_NOTHING;
        if (len < 0 && errno != EINTR)
            return NET_RECEIVE_LOST;
        /* shorter than a header: nobody's frame */
    }
}

void
frames_free(NetBackend *backend)
{
    FramesBackend *frames = (FramesBackend *)backend;

    for (unsigned i = 0; i < backend->n_pairs; i++) {
        close(frames->fds[i]);
        g_free(frames->buffers[i]);
    }
    g_free(frames->fds);
    g_free(frames->buffers);
}

void
frames_init(FramesBackend *frames, const NetBackendOps *ops, const char *name, const int *fds, unsigned n_pairs)
{
    net_backend_init(&frames->base, ops, name, n_pairs);
    frames->fds = g_memdup2(fds, n_pairs * sizeof(int));
    frames->buffers = g_new0(uint8_t *, n_pairs);
    for (unsigned i = 0; i < n_pairs; i++)
        g_unix_set_fd_nonblocking(fds[i], TRUE, NULL);
}

NetBackend *
net_backend_frames_new(const int *fds, unsigned n_pairs, uint64_t features)
{
    static const NetBackendOps ops = {
        .fd = frames_fd,
        .open = frames_open,
        .close = frames_close,
        .send = frames_send,
        .receive = frames_receive,
        .free = frames_free,
    };
    FramesBackend *frames = g_new0(FramesBackend, 1);

    frames_init(frames, &ops, "the socket", fds, n_pairs);
    frames->base.features = features;
    return &frames->base;
}
