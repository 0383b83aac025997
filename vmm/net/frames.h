/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A back end on descriptors that carry one frame a read or write, each with its virtio header: tap, and datagram sockets.
 *
 * Owner: as in backend.h.
 */
#pragma once

#include "vmm/net/backend.h"

typedef struct {
    NetBackend base;
    int *fds;          /* one a pair; owned */
    uint8_t **buffers; /* one a pair, while it is open: the frame received last */
} FramesBackend;

/* Takes @fds and makes them non-blocking; @features as in NetBackend. */
NetBackend *net_backend_frames_new(const int *fds, unsigned n_pairs, uint64_t features);

/* For back ends built on it: what their own ops are made of. */
void frames_init(FramesBackend *frames, const NetBackendOps *ops, const char *name, const int *fds, unsigned n_pairs);
int frames_fd(NetBackend *backend, unsigned pair);
void frames_open(NetBackend *backend, unsigned pair);
void frames_close(NetBackend *backend, unsigned pair);
NetSend frames_send(NetBackend *backend, unsigned pair, const struct iovec *iov, unsigned n_iov, size_t len);
ssize_t frames_receive(NetBackend *backend, unsigned pair, uint8_t **frame);
void frames_free(NetBackend *backend);
