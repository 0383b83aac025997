/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a network back end does, as the card's data path sees it.
 *
 * A frame here is always a virtio_net_hdr_v1 of NET_HEADER_SIZE bytes and an Ethernet frame behind it, whatever the back
 * end's own form is. Each queue pair is a channel of its own.
 *
 * Owner: the main thread until the card is made, then the I/O thread, but for free.
 */
#pragma once

#include "vmm/net/net.h"

#include <sys/uio.h>

#define NET_HEADER_SIZE 12u
#define NET_FRAME_MIN 14u /* an Ethernet header */
/* The largest packet a segmentation offload makes, and its Ethernet header with a VLAN tag. */
#define NET_FRAME_MAX (65535u + 18u)

typedef enum {
    NET_SEND_DONE,
    NET_SEND_DROPPED,  /* it could not be sent and never will be */
    NET_SEND_BLOCKED,  /* no room: not sent; try again when the descriptor is writable */
    NET_SEND_BUFFERED, /* sent, and no room for another until flush() succeeds when the descriptor is writable */
    NET_SEND_LOST,     /* the back end is gone */
} NetSend;

/* What receive() returns beside lengths. */
#define NET_RECEIVE_NOTHING 0
#define NET_RECEIVE_LOST (-1)

/* Mandatory but where it says so. I/O thread. */
typedef struct {
    /* To be watched; -1: none. */
    int (*fd)(NetBackend *backend, unsigned pair);
    /* The card's pair starts or stops using the channel. May be NULL. */
    void (*open)(NetBackend *backend, unsigned pair);
    void (*close)(NetBackend *backend, unsigned pair);
    /* @iov holds @len bytes, header and frame, and belongs to the guest. */
    NetSend (*send)(NetBackend *backend, unsigned pair, const struct iovec *iov, unsigned n_iov, size_t len);
    /* NET_SEND_DONE, _BLOCKED or _LOST. NULL where send never gives NET_SEND_BUFFERED. */
    NetSend (*flush)(NetBackend *backend, unsigned pair);
    /* The next frame's length, header included; *@frame may be written to, and is good until the next call. */
    ssize_t (*receive)(NetBackend *backend, unsigned pair, uint8_t **frame);
    /* The driver uses this many pairs. May be NULL. */
    void (*set_pairs)(NetBackend *backend, unsigned n_pairs);
    /* The driver agreed to @features (VIRTIO_NET_F_…): what it takes from receive() is limited to these. May be NULL. */
    void (*set_features)(NetBackend *backend, uint64_t features);
    void (*free)(NetBackend *backend); /* everything but the part below */
} NetBackendOps;

struct NetBackend {
    const NetBackendOps *ops;
    const char *name; /* for messages: "passt" */
    unsigned n_pairs;
    uint64_t features; /* VIRTIO_NET_F_… offered because of it */
    int *vhost_fds;    /* one a pair, owned; NULL: no vhost-net */
};

/* Fills the common part. */
void net_backend_init(NetBackend *backend, const NetBackendOps *ops, const char *name, unsigned n_pairs);
