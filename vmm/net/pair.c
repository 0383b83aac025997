/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue pair at work: frames between the back end and the guest's rings, on the I/O thread; or handing the pair to the
 * kernel and taking it back.
 *
 * Receiving goes on until the back end is empty or the guest's buffers are used up; then a frame waits, and the guest is
 * asked to kick. With mergeable buffers a frame takes as many chains as it needs, which are given back together
 * (virtio 1.2, 5.1.6.4). Sending goes on until the ring is empty or the back end is full.
 */
#include "vmm/net/net_private.h"

#include "vmm/net/vhost.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Frames of one round, so that notifications are timely and queues get their turns. */
#define ROUND_FRAMES 64

/* --- receiving --------------------------------------------------------------------------------------------------- */

/* Room for one chain more. */
static void
held_grow(NetPair *pair)
{
    unsigned room = MAX(pair->held_room * 2, 4);

    pair->held = g_renew(VirtChain, pair->held, room);
    memset(pair->held + pair->held_room, 0, (room - pair->held_room) * sizeof(VirtChain));
    pair->written = g_renew(uint32_t, pair->written, room);
    pair->held_room = room;
}

/* Puts the frame into the first @n chains held and gives them back. */
static void
give_frame(NetPair *pair, unsigned n)
{
    size_t at = 0;

    for (unsigned i = 0; i < n; i++) {
        pair->written[i] = virt_chain_write(&pair->held[i], pair->frame + at, pair->frame_len - at);
        at += pair->written[i];
    }
    virtqueue_push_many(pair->queues[0], pair->held, pair->written, n);
    /* What is left moves to the front; the used ones keep their stores behind it. */
    for (unsigned i = n; i < pair->n_held; i++) {
        VirtChain used = pair->held[i - n];
        pair->held[i - n] = pair->held[i];
        pair->held[i] = used;
    }
    pair->n_held -= n;
    net_count(pair->net, rx_frames, 1);
    net_count(pair->net, rx_bytes, pair->frame_len - NET_HEADER_SIZE);
    io_thread_defer(pair->net->thread, &pair->rx_notify);
}

static bool
break_header(NetPair *pair)
{
    virtio_device_break(&pair->net->device, "queue %u: a receive buffer without room for a header",
                        virtqueue_index(pair->queues[0]));
    return false;
}

/* Takes chains until they hold @len bytes, or one where frames may not be spread. Their number; 0: not enough. */
static unsigned
gather(NetPair *pair, size_t len)
{
    bool spread = virtio_device_has(&pair->net->device, VIRTIO_NET_F_MRG_RXBUF);
    size_t total = 0;

    for (unsigned i = 0;; i++) {
        if (i == pair->n_held) {
            if (i == pair->held_room)
                held_grow(pair);
            if (!virtqueue_pop(pair->queues[0], &pair->held[i]))
                return 0;
            pair->n_held++;
        }
        total += pair->held[i].in_len;
        if (total >= len || !spread)
            return i + 1;
    }
}

/* Gives the waiting frame to the guest, or drops it. false: it goes on waiting, or the device is broken. */
static bool
deliver(NetPair *pair)
{
    unsigned n = gather(pair, pair->frame_len);

    G_STATIC_ASSERT(sizeof(struct virtio_net_hdr_v1) == NET_HEADER_SIZE);
    if (!n)
        return false;
    if (pair->held[0].in_len < NET_HEADER_SIZE)
        return break_header(pair);
    uint16_t count = GUINT16_TO_LE(n);
    /* a frame from a stream lies at any address */
    memcpy((uint8_t *)pair->frame + offsetof(struct virtio_net_hdr_v1, num_buffers), &count, sizeof(count));
    if (n == 1 && pair->held[0].in_len < pair->frame_len)
        net_count(pair->net, rx_dropped, 1); /* the one buffer it may have is too small; it will do for another */
    else
        give_frame(pair, n);
    pair->frame = NULL;
    return true;
}

/* Makes the back end's next frame the waiting one. */
static bool
next_frame(NetPair *pair)
{
    NetBackend *backend = pair->net->backend;

    if (!pair->may_read)
        return false;
    ssize_t len = backend->ops->receive(backend, pair->index, &pair->frame);
    if (len > 0) {
        pair->frame_len = len;
        return true;
    }
    pair->frame = NULL;
    pair->may_read = false;
    if (len == NET_RECEIVE_LOST)
        net_lost(pair->net);
    return false;
}

static NetPair *
from_rx(IoQueue *io)
{
    return (NetPair *)((char *)io - offsetof(NetPair, rx));
}

static bool
rx_has_work(IoQueue *io)
{
    NetPair *pair = from_rx(io);
    return (pair->frame || pair->may_read) && virtqueue_has_work(pair->queues[0]);
}

static bool
rx_serve(IoQueue *io)
{
    NetPair *pair = from_rx(io);

    pair->starved = false;
    for (int n = 0; n < ROUND_FRAMES; n++) {
        if (!pair->frame && !next_frame(pair))
            return false;
        if (!deliver(pair)) {
            pair->starved = true;
            return false;
        }
    }
    return pair->may_read;
}

/* Buffers are of interest only while a frame waits for them. */
static bool
rx_set_kicks(IoQueue *io, bool wanted)
{
    NetPair *pair = from_rx(io);
    return virtqueue_set_kicks(pair->queues[0], wanted && pair->starved) && pair->starved;
}

static void
rx_readable(IoWatch *watch)
{
    NetPair *pair = (NetPair *)((char *)watch - offsetof(NetPair, readable));
    pair->may_read = true;
    io_thread_wake(pair->net->thread, &pair->rx);
}

static void
rx_notify(IoDefer *defer)
{
    virtqueue_notify(((NetPair *)((char *)defer - offsetof(NetPair, rx_notify)))->queues[0]);
}

/* --- sending ----------------------------------------------------------------------------------------------------- */

static NetPair *
from_tx(IoQueue *io)
{
    return (NetPair *)((char *)io - offsetof(NetPair, tx));
}

static bool
tx_has_work(IoQueue *io)
{
    NetPair *pair = from_tx(io);
    return !pair->blocked && virtqueue_has_work(pair->queues[1]);
}

static bool
tx_set_kicks(IoQueue *io, bool wanted)
{
    NetPair *pair = from_tx(io);
    return virtqueue_set_kicks(pair->queues[1], wanted && !pair->blocked) && !pair->blocked;
}

static void
tx_block(NetPair *pair)
{
    NetBackend *backend = pair->net->backend;

    pair->blocked = true;
    io_thread_watch(pair->net->thread, &pair->writable, backend->ops->fd(backend, pair->index), POLLOUT);
}

static NetSend
send_chain(NetPair *pair)
{
    const VirtChain *chain = &pair->tx_chain;
    NetBackend *backend = pair->net->backend;
    size_t len = chain->out_len;

    if (pair->state == NET_PAIR_UNPLUGGED || len < NET_HEADER_SIZE + NET_FRAME_MIN ||
        len > NET_HEADER_SIZE + NET_FRAME_MAX)
        return NET_SEND_DROPPED;
    return backend->ops->send(backend, pair->index, chain->out, chain->n_out, len);
}

static void
tx_done(NetPair *pair, bool sent)
{
    if (sent) {
        net_count(pair->net, tx_frames, 1);
        net_count(pair->net, tx_bytes, pair->tx_chain.out_len - NET_HEADER_SIZE);
    } else {
        net_count(pair->net, tx_dropped, 1);
    }
    virtqueue_push(pair->queues[1], &pair->tx_chain, 0);
    io_thread_defer(pair->net->thread, &pair->tx_notify);
}

static bool
tx_serve(IoQueue *io)
{
    NetPair *pair = from_tx(io);

    for (int n = 0; n < ROUND_FRAMES; n++) {
        if (pair->blocked || !virtqueue_pop(pair->queues[1], &pair->tx_chain))
            return false;
        NetSend result = send_chain(pair);
        switch (result) {
        case NET_SEND_BLOCKED:
            virtqueue_unpop(pair->queues[1], &pair->tx_chain);
            tx_block(pair);
            return false;
        case NET_SEND_BUFFERED:
            tx_done(pair, true);
            tx_block(pair);
            return false;
        case NET_SEND_LOST:
            net_lost(pair->net);
            tx_done(pair, false);
            return false;
        case NET_SEND_DONE:
        case NET_SEND_DROPPED:
            tx_done(pair, result == NET_SEND_DONE);
            break;
        }
    }
    return virtqueue_has_work(pair->queues[1]);
}

static void
tx_writable(IoWatch *watch)
{
    NetPair *pair = (NetPair *)((char *)watch - offsetof(NetPair, writable));
    NetBackend *backend = pair->net->backend;
    NetSend flushed = backend->ops->flush ? backend->ops->flush(backend, pair->index) : NET_SEND_DONE;

    if (flushed == NET_SEND_BLOCKED)
        return;
    io_thread_unwatch(&pair->writable);
    pair->blocked = false;
    if (flushed == NET_SEND_LOST)
        net_lost(pair->net);
    else
        io_thread_wake(pair->net->thread, &pair->tx);
}

static void
tx_notify(IoDefer *defer)
{
    virtqueue_notify(((NetPair *)((char *)defer - offsetof(NetPair, tx_notify)))->queues[1]);
}

/* --- the kernel's part ------------------------------------------------------------------------------------------- */

static NetRelay *
relay_of(IoWatch *watch)
{
    return (NetRelay *)((char *)watch - offsetof(NetRelay, watch));
}

static void
relay_called(IoWatch *watch)
{
    VirtQueue *queue = relay_of(watch)->queue;
    VirtioDevice *device = virtqueue_device(queue);
    device->transport_ops->notify_queue(device->transport, queue);
}

/* vhost-net stops where it is and says no more than that; which rule it was stands in the host's log, if anywhere. */
static void
relay_faulted(IoWatch *watch)
{
    VirtQueue *queue = relay_of(watch)->queue;
    virtio_device_break(virtqueue_device(queue), "queue %u: vhost-net cannot serve it as it is",
                        virtqueue_index(queue));
}

/* The descriptor for the kernel to tell it by. -1 with none left. */
static int
relay_start(NetRelay *relay, IoThread *thread, VirtQueue *queue, void (*ready)(IoWatch *watch))
{
    relay->queue = queue;
    relay->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (relay->fd >= 0) {
        relay->watch.ready = ready;
        io_thread_watch(thread, &relay->watch, relay->fd, POLLIN);
    }
    return relay->fd;
}

static void
relay_stop(NetRelay *relay)
{
    io_thread_unwatch(&relay->watch);
    if (relay->fd >= 0)
        close(relay->fd);
    relay->fd = -1;
}

/* The descriptor for the kernel to interrupt the guest with: the message's own, where there is one. */
static int
call_start(NetPair *pair, unsigned i)
{
    int call_fd = virtqueue_call_fd(pair->queues[i]);
    return call_fd >= 0 ? call_fd : relay_start(&pair->calls[i], pair->net->thread, pair->queues[i], relay_called);
}

static void
relays_stop(NetPair *pair)
{
    for (unsigned i = 0; i < 2; i++) {
        relay_stop(&pair->calls[i]);
        relay_stop(&pair->faults[i]);
    }
}

static bool
start_in_kernel(NetPair *pair)
{
    NetBackend *backend = pair->net->backend;
    int call_fds[2], fault_fds[2];
    bool ready = backend->vhost_fds;

    for (unsigned i = 0; ready && i < 2; i++) {
        call_fds[i] = call_start(pair, i);
        fault_fds[i] = relay_start(&pair->faults[i], pair->net->thread, pair->queues[i], relay_faulted);
        ready = call_fds[i] >= 0 && fault_fds[i] >= 0;
    }
    if (ready && vhost_net_start(backend->vhost_fds[pair->index], backend->ops->fd(backend, pair->index), pair->queues,
                                 call_fds, fault_fds) == 0)
        return true;
    relays_stop(pair);
    return false;
}

static void
stop_in_kernel(NetPair *pair)
{
    vhost_net_stop(pair->net->backend->vhost_fds[pair->index], pair->queues);
    relays_stop(pair);
}

/* --- start and stop ---------------------------------------------------------------------------------------------- */

static bool
is_plugged(const VirtioNet *net)
{
    return net->plugged && net->backend && !net->lost;
}

static void
start_here(NetPair *pair)
{
    VirtioNet *net = pair->net;
    NetBackend *backend = net->backend;

    if (pair->state == NET_PAIR_HERE) {
        if (backend->ops->open)
            backend->ops->open(backend, pair->index);
        io_thread_attach(net->thread, &pair->rx, virtqueue_kick_fd(pair->queues[0]));
        io_thread_watch(net->thread, &pair->readable, backend->ops->fd(backend, pair->index), POLLIN);
        pair->may_read = true;
        /* The rest of a frame that was being sent when the pair stopped. */
        if (backend->ops->flush && backend->ops->flush(backend, pair->index) == NET_SEND_BLOCKED)
            tx_block(pair);
    }
    io_thread_attach(net->thread, &pair->tx, virtqueue_kick_fd(pair->queues[1]));
}

static void
stop_here(NetPair *pair)
{
    NetBackend *backend = pair->net->backend;

    io_thread_detach(pair->net->thread, &pair->tx);
    io_thread_detach(pair->net->thread, &pair->rx);
    io_thread_unwatch(&pair->readable);
    io_thread_unwatch(&pair->writable);
    while (pair->n_held)
        virtqueue_unpop(pair->queues[0], &pair->held[--pair->n_held]);
    if (pair->state == NET_PAIR_HERE && backend->ops->close)
        backend->ops->close(backend, pair->index);
    pair->frame = NULL;
    pair->may_read = pair->starved = pair->blocked = false;
}

void
net_pair_start(NetPair *pair)
{
    if (pair->state != NET_PAIR_STOPPED || !virtqueue_ready(pair->queues[0]) || !virtqueue_ready(pair->queues[1]))
        return;
    if (is_plugged(pair->net) && start_in_kernel(pair)) {
        pair->state = NET_PAIR_VHOST;
        return;
    }
    pair->state = is_plugged(pair->net) ? NET_PAIR_HERE : NET_PAIR_UNPLUGGED;
    start_here(pair);
}

void
net_pair_stop(NetPair *pair)
{
    if (pair->state == NET_PAIR_VHOST)
        stop_in_kernel(pair);
    else if (pair->state != NET_PAIR_STOPPED)
        stop_here(pair);
    pair->state = NET_PAIR_STOPPED;
}

void
net_pair_init(NetPair *pair, VirtioNet *net, unsigned index)
{
    static const IoQueueOps rx_ops = {.serve = rx_serve, .has_work = rx_has_work, .set_kicks = rx_set_kicks};
    static const IoQueueOps tx_ops = {.serve = tx_serve, .has_work = tx_has_work, .set_kicks = tx_set_kicks};

    *pair = (NetPair){
        .net = net,
        .index = index,
        .queues = {net->device.queues[2 * index], net->device.queues[2 * index + 1]},
        .calls = {{.fd = -1}, {.fd = -1}},
        .faults = {{.fd = -1}, {.fd = -1}},
        .rx.ops = &rx_ops,
        .rx_notify.run = rx_notify,
        .readable.ready = rx_readable,
        .tx.ops = &tx_ops,
        .tx_notify.run = tx_notify,
        .writable.ready = tx_writable,
    };
}

void
net_pair_finish(NetPair *pair)
{
    for (unsigned i = 0; i < pair->held_room; i++)
        virt_chain_clear(&pair->held[i]);
    g_free(pair->held);
    g_free(pair->written);
    virt_chain_clear(&pair->tx_chain);
}
