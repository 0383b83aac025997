/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control queue (virtio 1.2, 5.1.6.5): how the driver sets the card's receive mode, address and number of queue pairs.
 *
 * A command is a class, a command and its data, in any number of buffers, and one writable byte for the answer. Receive
 * filters are the driver's wish for less traffic: the card notes the mode and passes everything, as it may (5.1.6.5.1).
 */
#include "vmm/net/net_private.h"

#include <string.h>

#define MAC_SIZE 6
#define TABLE_MAX 4096 /* addresses; a driver with more asks for all frames */
#define RX_COMMANDS 6  /* VIRTIO_NET_CTRL_RX_PROMISC … _NOBCAST */

typedef bool (*Handler)(VirtioNet *net, uint8_t command, VirtChain *chain);

static bool
set_rx_mode(VirtioNet *net, uint8_t command, VirtChain *chain)
{
    bool extra = command >= VIRTIO_NET_CTRL_RX_ALLUNI;
    uint8_t on;

    if (command >= RX_COMMANDS || virt_chain_read(chain, &on, 1) < 1 || on > 1)
        return false;
    if (!virtio_device_has(&net->device, extra ? VIRTIO_NET_F_CTRL_RX_EXTRA : VIRTIO_NET_F_CTRL_RX))
        return false;
    g_mutex_lock(&net->config_lock);
    net->rx_mode = (net->rx_mode & ~(1u << command)) | (unsigned)on << command;
    g_mutex_unlock(&net->config_lock);
    return true;
}

/* One list of addresses: a count and so many of them. Read and forgotten. */
static bool
skip_table(VirtChain *chain)
{
    uint8_t address[MAC_SIZE];
    uint32_t n;

    if (virt_chain_read(chain, &n, sizeof(n)) < sizeof(n))
        return false;
    n = GUINT32_FROM_LE(n);
    if (n > TABLE_MAX || n > virt_chain_readable(chain) / MAC_SIZE)
        return false;
    while (n--)
        virt_chain_read(chain, address, sizeof(address));
    return true;
}

static bool
set_mac(VirtioNet *net, uint8_t command, VirtChain *chain)
{
    uint8_t mac[MAC_SIZE];

    if (command == VIRTIO_NET_CTRL_MAC_TABLE_SET)
        return virtio_device_has(&net->device, VIRTIO_NET_F_CTRL_RX) && skip_table(chain) && skip_table(chain);
    if (command != VIRTIO_NET_CTRL_MAC_ADDR_SET || !virtio_device_has(&net->device, VIRTIO_NET_F_CTRL_MAC_ADDR) ||
        virt_chain_read(chain, mac, sizeof(mac)) < sizeof(mac))
        return false;
    g_mutex_lock(&net->config_lock);
    memcpy(net->mac, mac, sizeof(mac));
    g_mutex_unlock(&net->config_lock);
    return true;
}

static bool
acknowledge_announce(VirtioNet *net, uint8_t command, VirtChain *chain)
{
    if (command != VIRTIO_NET_CTRL_ANNOUNCE_ACK || !virtio_device_has(&net->device, VIRTIO_NET_F_GUEST_ANNOUNCE))
        return false;
    g_mutex_lock(&net->config_lock);
    net->announce = false;
    g_mutex_unlock(&net->config_lock);
    return true;
}

static bool
set_pairs(VirtioNet *net, uint8_t command, VirtChain *chain)
{
    uint16_t n;

    if (command != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET || !virtio_device_has(&net->device, VIRTIO_NET_F_MQ) ||
        virt_chain_read(chain, &n, sizeof(n)) < sizeof(n))
        return false;
    n = GUINT16_FROM_LE(n);
    if (n < VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MIN || n > net->n_pairs)
        return false;
    net_set_active(net, n);
    return true;
}

static bool
carry_out(VirtioNet *net, VirtChain *chain)
{
    static const Handler classes[] = {
        [VIRTIO_NET_CTRL_RX] = set_rx_mode,
        [VIRTIO_NET_CTRL_MAC] = set_mac,
        [VIRTIO_NET_CTRL_ANNOUNCE] = acknowledge_announce,
        [VIRTIO_NET_CTRL_MQ] = set_pairs,
    };
    struct virtio_net_ctrl_hdr header;

    if (virt_chain_read(chain, &header, sizeof(header)) < sizeof(header))
        return false;
    return header.class < G_N_ELEMENTS(classes) && classes[header.class] &&
           classes[header.class](net, header.cmd, chain);
}

static VirtioNet *
from_io(IoQueue *io)
{
    return (VirtioNet *)((char *)io - offsetof(VirtioNet, control));
}

/* One command a round: some are long work. */
static bool
control_serve(IoQueue *io)
{
    VirtioNet *net = from_io(io);
    VirtQueue *queue = net->control_queue;
    g_auto(VirtChain) chain = VIRT_CHAIN_INIT;

    if (!virtqueue_pop(queue, &chain))
        return false;
    if (!chain.in_len) {
        virtio_device_break(&net->device, "queue %u: a command without room for an answer", virtqueue_index(queue));
        return false;
    }
    uint8_t answer = carry_out(net, &chain) ? VIRTIO_NET_OK : VIRTIO_NET_ERR;
    virt_chain_write(&chain, &answer, 1);
    virtqueue_push(queue, &chain, 1);
    io_thread_defer(net->thread, &net->control_notify);
    return virtqueue_has_work(queue);
}

static bool
control_has_work(IoQueue *io)
{
    return virtqueue_has_work(from_io(io)->control_queue);
}

static bool
control_set_kicks(IoQueue *io, bool wanted)
{
    return virtqueue_set_kicks(from_io(io)->control_queue, wanted);
}

static void
control_notify(IoDefer *defer)
{
    VirtioNet *net = (VirtioNet *)((char *)defer - offsetof(VirtioNet, control_notify));
    if (net->control_queue)
        virtqueue_notify(net->control_queue);
}

void
net_control_init(VirtioNet *net)
{
    static const IoQueueOps ops = {
        .serve = control_serve, .has_work = control_has_work, .set_kicks = control_set_kicks};

    net->control.ops = &ops;
    net->control_notify.run = control_notify;
}

void
net_control_start(VirtioNet *net)
{
    /* virtio 1.2, 5.1.2: without MQ it is the third queue, whatever the device has. */
    unsigned index = virtio_device_has(&net->device, VIRTIO_NET_F_MQ) ? 2 * net->n_pairs : 2;
    VirtQueue *queue = net->device.queues[index];

    if (!virtio_device_has(&net->device, VIRTIO_NET_F_CTRL_VQ) || !virtqueue_ready(queue))
        return;
    net->control_queue = queue;
    io_thread_attach(net->thread, &net->control, virtqueue_kick_fd(queue));
}

void
net_control_stop(VirtioNet *net)
{
    if (!net->control_queue)
        return;
    io_thread_detach(net->thread, &net->control);
    net->control_queue = NULL;
}
