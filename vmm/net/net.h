/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-net (virtio 1.2, 5.1): a network card of the guest's.
 *
 * A back end says where its frames go: a tap interface, through the kernel's vhost-net or read and written here; passt, for
 * a host without privileges; or nowhere, a card with its cable pulled. Queues run on an I/O thread (block/io_thread.h), or
 * inside the kernel.
 *
 * Owner: the main thread, unless a comment says otherwise.
 */
#pragma once

#include "vmm/block/io_thread.h"
#include "vmm/virtio/device.h"

#define VIRTIO_NET_PAIRS_MAX 64

#define NET_ERROR (net_error_quark())
GQuark net_error_quark(void);
typedef enum {
    NET_ERROR_TAP,   /* no such interface, not allowed, or not a tap descriptor */
    NET_ERROR_VHOST, /* vhost-net cannot be used */
    NET_ERROR_PASST, /* passt is missing or does not start */
} NetError;

/* Where frames go. Made by one of the functions below, then owned by the card. */
typedef struct NetBackend NetBackend;
void net_backend_free(NetBackend *backend);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetBackend, net_backend_free)

/*
 * A tap interface by the descriptors given, one a queue pair (IFF_TAP | IFF_VNET_HDR, and IFF_MULTI_QUEUE where there are
 * several); they become the back end's, also on failure. @vhost_fds: as many descriptors of /dev/vhost-net, likewise; or
 * NULL for none.
 */
NetBackend *net_backend_tap_new(const int *tap_fds, const int *vhost_fds, unsigned n_pairs, GError **error);
/* The same, opening @n_pairs queues of the interface @name by itself, and /dev/vhost-net where @vhost and it is there. */
NetBackend *net_backend_tap_open(const char *name, unsigned n_pairs, bool vhost, GError **error);

/* Starts passt(1); it ends with the back end, or with this process. */
NetBackend *net_backend_passt_new(GError **error);
/*
 * passt's protocol on a stream socket that is connected already: each frame behind its length, four bytes big endian.
 * @fd becomes the back end's. The peer is not trusted.
 */
NetBackend *net_backend_stream_new(int fd);

/* Whether frames go through vhost-net. */
bool net_backend_is_vhost(const NetBackend *backend);

typedef struct {
    NetBackend *backend; /* becomes the card's, also on failure; NULL: the cable is pulled */
    uint8_t mac[6];
    uint16_t mtu;     /* told to the guest, 68 to 65535; 0: not told */
    unsigned n_pairs; /* 1 to VIRTIO_NET_PAIRS_MAX, as many as the back end has; 0: as many as it has */
    IoThread *thread; /* not owned; outlives the card */
    /*
     * One line for the log when the back end is lost (passt ended, or sent what is not a frame): the card's link is down
     * from then on. On the I/O thread; may be NULL.
     */
    void (*report)(void *user, const char *message);
    void *user;
} VirtioNetOptions;

/*
 * Free it with virtio_device_free(). After a load the driver is asked to announce itself, so that switches learn where it
 * is now.
 */
VirtioDevice *virtio_net_new(const char *id, GuestMemory *memory, const VirtioNetOptions *options, GError **error);

/* Plugs the cable in or pulls it; the guest is told. Without a back end it stays pulled. */
void virtio_net_set_link(VirtioDevice *device, bool up);
/* What the card did since it was made; with vhost-net the kernel's counters of the tap tell, and these stay 0. */
typedef struct {
    uint64_t rx_frames, rx_bytes, rx_dropped; /* to the guest */
    uint64_t tx_frames, tx_bytes, tx_dropped; /* from the guest */
} VirtioNetStats;
/* Any thread. Each figure is right by itself. */
void virtio_net_stats(VirtioDevice *device, VirtioNetStats *stats);
