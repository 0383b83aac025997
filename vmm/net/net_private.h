/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside a virtio-net device: shared by net.c (the card as the driver sees it), pair.c (a queue pair at work) and
 * control.c (the control queue).
 *
 * Owners. The I/O thread, while the card is started: pairs, control, back end. config_lock: what the configuration space
 * shows, which a vCPU reads and the control queue changes. The device's lock is taken by neither.
 */
#pragma once

#include "vmm/net/backend.h"

#include <linux/virtio_net.h>

typedef struct VirtioNet VirtioNet;

typedef enum {
    NET_PAIR_STOPPED,
    NET_PAIR_UNPLUGGED, /* what the guest sends is dropped, and nothing comes */
    NET_PAIR_HERE,      /* served by this process */
    NET_PAIR_VHOST,     /* served by the kernel */
} NetPairState;

/* What the kernel tells by an eventfd of a queue it serves, to be passed on by hand. */
typedef struct {
    IoWatch watch;
    VirtQueue *queue;
    int fd; /* -1: not needed */
} NetRelay;

typedef struct {
    VirtioNet *net;
    unsigned index;
    NetPairState state;
    VirtQueue *queues[2]; /* receive, transmit */
    NetRelay calls[2];    /* interrupts, where the guest has no message for them */
    NetRelay faults[2];   /* the driver broke the rules */

    IoQueue rx;
    IoDefer rx_notify;
    IoWatch readable;
    bool may_read;  /* the back end was not found empty yet */
    bool starved;   /* the guest posts too few buffers: kicks are asked for */
    uint8_t *frame; /* waits for buffers; the back end's; NULL: none */
    size_t frame_len;
    VirtChain *held;   /* popped and not yet used; room for held_room of them */
    uint32_t *written; /* scratch, as long */
    unsigned n_held, held_room;

    IoQueue tx;
    IoDefer tx_notify;
    IoWatch writable;
    bool blocked; /* the back end takes nothing */
    VirtChain tx_chain;
} NetPair;

struct VirtioNet {
    VirtioDevice device;
    NetBackend *backend; /* NULL: none */
    IoThread *thread;
    unsigned n_pairs; /* offered */
    NetPair *pairs;
    void (*report)(void *user, const char *message);
    void *user;
    uint16_t mtu;
    uint8_t own_mac[6];

    bool plugged; /* somebody wants the cable in; changed on the I/O thread */
    bool lost;    /* the back end is gone for good */
    IoDefer lost_defer;
    bool started;      /* on the I/O thread */
    uint16_t n_active; /* pairs the driver uses */

    IoQueue control;
    IoDefer control_notify;
    VirtQueue *control_queue; /* while started; NULL: not negotiated */

    GMutex config_lock;
    uint8_t mac[6];
    uint8_t rx_mode;   /* a bit for each command of VIRTIO_NET_CTRL_RX; kept for the driver, filtering is its own */
    bool announce;     /* the driver is asked to announce itself, until it has */
    bool announce_due; /* after a load, once it starts */

    VirtioNetStats stats;
};

/* One thread at a time counts, others read. */
#define net_count(net, field, by) __atomic_store_n(&(net)->stats.field, (net)->stats.field + (by), __ATOMIC_RELAXED)

/* --- pair.c; I/O thread but for init and finish --- */

void net_pair_init(NetPair *pair, VirtioNet *net, unsigned index);
void net_pair_finish(NetPair *pair);
/* By the kernel, here, or unplugged, whatever fits best. */
void net_pair_start(NetPair *pair);
void net_pair_stop(NetPair *pair);

/* --- control.c; I/O thread --- */

void net_control_init(VirtioNet *net);
void net_control_start(VirtioNet *net);
void net_control_stop(VirtioNet *net);

/* --- net.c; I/O thread --- */

/* The driver uses the first @n pairs from here on. */
void net_set_active(VirtioNet *net, unsigned n);
/* The back end is gone: at the end of this round the cable is pulled. */
void net_lost(VirtioNet *net);
