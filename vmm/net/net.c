/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network card as the driver sees it: features, configuration space, start and stop, the cable. pair.c moves its frames,
 * control.c answers its control queue.
 */
#include "vmm/net/net_private.h"

#include "vmm/net/vhost.h"

#include <linux/virtio_ring.h>
#include <string.h>

#define NET_QUEUE_SIZE 256
#define NET_MTU_MIN 68 /* virtio 1.2, 5.1.4.1 */

#define BIT(n) (1ull << (n))
/* What vhost has a say in beside the header: see vhost.c. */
#define RING_FEATURES (BIT(VIRTIO_F_RING_PACKED) | BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX))

static uint64_t
features_of(const VirtioNetOptions *options, unsigned n_pairs)
{
    uint64_t features = BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_STATUS) | BIT(VIRTIO_NET_F_MRG_RXBUF) |
                        BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX) | BIT(VIRTIO_NET_F_CTRL_RX_EXTRA) |
                        BIT(VIRTIO_NET_F_CTRL_MAC_ADDR) | BIT(VIRTIO_NET_F_GUEST_ANNOUNCE);
    if (options->mtu)
        features |= BIT(VIRTIO_NET_F_MTU);
    if (n_pairs > 1)
        features |= BIT(VIRTIO_NET_F_MQ);
    return options->backend ? features | options->backend->features : features;
}

/* virtio 1.2, 5.1.3.1: what a feature cannot do without. */
static bool
virtio_net_features_ok(VirtioDevice *device, uint64_t features)
{
    static const struct {
        unsigned feature, needs;
    } rules[] = {
        {VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_GUEST_CSUM},  {VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_GUEST_CSUM},
        {VIRTIO_NET_F_GUEST_USO4, VIRTIO_NET_F_GUEST_CSUM},  {VIRTIO_NET_F_GUEST_USO6, VIRTIO_NET_F_GUEST_CSUM},
        {VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_CSUM},         {VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_CSUM},
        {VIRTIO_NET_F_HOST_USO, VIRTIO_NET_F_CSUM},          {VIRTIO_NET_F_CTRL_RX, VIRTIO_NET_F_CTRL_VQ},
        {VIRTIO_NET_F_CTRL_RX_EXTRA, VIRTIO_NET_F_CTRL_VQ},  {VIRTIO_NET_F_CTRL_MAC_ADDR, VIRTIO_NET_F_CTRL_VQ},
        {VIRTIO_NET_F_GUEST_ANNOUNCE, VIRTIO_NET_F_CTRL_VQ}, {VIRTIO_NET_F_MQ, VIRTIO_NET_F_CTRL_VQ},
    };
    bool guest_tso = features & (BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6));
    bool host_tso = features & (BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6));

    for (size_t i = 0; i < G_N_ELEMENTS(rules); i++)
        if ((features & BIT(rules[i].feature)) && !(features & BIT(rules[i].needs)))
            return false;
    return (guest_tso || !(features & BIT(VIRTIO_NET_F_GUEST_ECN))) &&
           (host_tso || !(features & BIT(VIRTIO_NET_F_HOST_ECN)));
}

static bool
link_is_up(const VirtioNet *net)
{
    return __atomic_load_n(&net->plugged, __ATOMIC_RELAXED) && net->backend &&
           !__atomic_load_n(&net->lost, __ATOMIC_RELAXED);
}

static void
virtio_net_config_read(VirtioDevice *device, uint32_t offset, void *to, uint32_t len)
{
    VirtioNet *net = (VirtioNet *)device;
    struct virtio_net_config config = {
        .max_virtqueue_pairs = GUINT16_TO_LE(net->n_pairs),
        .mtu = GUINT16_TO_LE(net->mtu),
    };
    uint16_t status = link_is_up(net) ? VIRTIO_NET_S_LINK_UP : 0;

    g_mutex_lock(&net->config_lock);
    memcpy(config.mac, net->mac, sizeof(config.mac));
    if (net->announce)
        status |= VIRTIO_NET_S_ANNOUNCE;
    g_mutex_unlock(&net->config_lock);
    config.status = GUINT16_TO_LE(status);
    memcpy(to, (const uint8_t *)&config + offset, len);
}

/* --- on the I/O thread ------------------------------------------------------------------------------------------- */

static void
start_pairs(VirtioNet *net)
{
    for (unsigned i = 0; i < net->n_active; i++)
        net_pair_start(&net->pairs[i]);
}

static void
stop_pairs(VirtioNet *net)
{
    for (unsigned i = 0; i < net->n_pairs; i++)
        net_pair_stop(&net->pairs[i]);
}

void
net_set_active(VirtioNet *net, unsigned n)
{
    NetBackend *backend = net->backend;

    for (unsigned i = n; i < net->n_pairs; i++)
        net_pair_stop(&net->pairs[i]);
    if (backend && backend->ops->set_pairs)
        backend->ops->set_pairs(backend, n);
    net->n_active = n;
    if (net->started)
        start_pairs(net);
}

static void
start_card(void *data)
{
    VirtioNet *net = data;
    NetBackend *backend = net->backend;

    if (backend && backend->ops->set_features)
        backend->ops->set_features(backend, net->device.negotiated);
    net->started = true;
    net_set_active(net, net->n_active);
    net_control_start(net);
}

static void
stop_card(void *data)
{
    VirtioNet *net = data;

    net_control_stop(net);
    stop_pairs(net);
    net->started = false;
}

static void
replug(void *data)
{
    VirtioNet *net = data;

    if (!net->started)
        return;
    stop_pairs(net);
    start_pairs(net);
}

void
net_lost(VirtioNet *net)
{
    io_thread_defer(net->thread, &net->lost_defer);
}

static void
pull_lost(IoDefer *defer)
{
    VirtioNet *net = (VirtioNet *)((char *)defer - offsetof(VirtioNet, lost_defer));

    if (__atomic_exchange_n(&net->lost, true, __ATOMIC_RELAXED))
        return;
    replug(net);
    virtio_device_config_changed(&net->device);
    if (!net->report)
        return;
    g_autofree char *message =
        g_strdup_printf("%s: %s is gone: the cable is pulled", net->device.id, net->backend->name);
    net->report(net->user, message);
}

/* --- the class --------------------------------------------------------------------------------------------------- */

static void
virtio_net_start(VirtioDevice *device)
{
    VirtioNet *net = (VirtioNet *)device;

    io_thread_call(net->thread, start_card, net);
    if (!net->announce_due)
        return;
    net->announce_due = false;
    if (!virtio_device_has(device, VIRTIO_NET_F_GUEST_ANNOUNCE))
        return;
    g_mutex_lock(&net->config_lock);
    net->announce = true;
    g_mutex_unlock(&net->config_lock);
    virtio_device_config_changed(device);
}

static void
virtio_net_stop(VirtioDevice *device)
{
    VirtioNet *net = (VirtioNet *)device;
    io_thread_call(net->thread, stop_card, net);
}

static void
virtio_net_reset(VirtioDevice *device)
{
    VirtioNet *net = (VirtioNet *)device;

    g_mutex_lock(&net->config_lock);
    memcpy(net->mac, net->own_mac, sizeof(net->mac));
    net->rx_mode = 0;
    net->announce = false;
    g_mutex_unlock(&net->config_lock);
    net->announce_due = false;
    net->n_active = 1;
}

static void
virtio_net_finish(VirtioDevice *device)
{
    VirtioNet *net = (VirtioNet *)device;

    for (unsigned i = 0; i < net->n_pairs; i++)
        net_pair_finish(&net->pairs[i]);
    g_free(net->pairs);
    net_backend_free(net->backend);
    g_mutex_clear(&net->config_lock);
}

static bool
net_after_load(void *object, GError **error)
{
    VirtioNet *net = object;

    unsigned most = virtio_device_has(&net->device, VIRTIO_NET_F_MQ) ? net->n_pairs : 1;

    if (net->n_active < 1 || net->n_active > most) {
        g_set_error(error, STATE_ERROR, STATE_ERROR_FOREIGN, "state of %s uses %u queue pairs, here are %u",
                    net->device.id, net->n_active, most);
        return false;
    }
    net->announce_due = true;
    return true;
}

static const StateField net_fields[] = {
    STATE_BYTES(VirtioNet, mac, 1),
    STATE_UINT(VirtioNet, n_active, 1),
    STATE_UINT(VirtioNet, rx_mode, 1),
    STATE_END,
};

static const StateTable net_state = {
    .name = "virtio-net",
    .version = 1,
    .oldest = 1,
    .fields = net_fields,
    .after_load = net_after_load,
};

static const VirtioClass virtio_net_class = {
    .name = "virtio-net",
    .id = VIRTIO_ID_NET,
    .pci_class = 0x0200, /* network, Ethernet */
    .n_queues = 3,
    .queue_size = NET_QUEUE_SIZE,
    .config_size = offsetof(struct virtio_net_config, speed),
    .config_read = virtio_net_config_read,
    .features_ok = virtio_net_features_ok,
    .start = virtio_net_start,
    .stop = virtio_net_stop,
    .reset = virtio_net_reset,
    .state = &net_state,
    .finish = virtio_net_finish,
};

/* Makes vhost's descriptors ready, and offers no more than they can do. */
static bool
prepare_vhost(VirtioNet *net, uint64_t *can, GError **error)
{
    NetBackend *backend = net->backend;

    *can = ~0ull;
    for (unsigned i = 0; backend && backend->vhost_fds && i < backend->n_pairs; i++) {
        uint64_t features;
        if (!vhost_net_init(backend->vhost_fds[i], &features, error))
            return false;
        *can &= features | ~(RING_FEATURES | BIT(VIRTIO_NET_F_MRG_RXBUF));
    }
    return true;
}

VirtioDevice *
virtio_net_new(const char *id, GuestMemory *memory, const VirtioNetOptions *options, GError **error)
{
    unsigned n_pairs = options->n_pairs ? options->n_pairs : options->backend ? options->backend->n_pairs : 1;
    uint64_t can;

    g_assert(n_pairs <= VIRTIO_NET_PAIRS_MAX && options->thread);
    g_assert(!options->backend || n_pairs <= options->backend->n_pairs);
    g_assert(!options->mtu || options->mtu >= NET_MTU_MIN);

    VirtioNet *net = g_new0(VirtioNet, 1);
    VirtioDevice *device = &net->device;
    g_mutex_init(&net->config_lock);
    net->backend = options->backend;
    net->thread = options->thread;
    net->n_pairs = n_pairs;
    net->n_active = 1;
    net->mtu = options->mtu;
    net->plugged = true;
    net->report = options->report;
    net->user = options->user;
    net->lost_defer.run = pull_lost;
    memcpy(net->own_mac, options->mac, sizeof(net->own_mac));
    memcpy(net->mac, options->mac, sizeof(net->mac));
    virtio_device_init(device, &virtio_net_class, id, memory, 2 * n_pairs + 1, features_of(options, n_pairs), NULL);
    net->pairs = g_new(NetPair, n_pairs);
    for (unsigned i = 0; i < n_pairs; i++)
        net_pair_init(&net->pairs[i], net, i);
    net_control_init(net);
    if (!prepare_vhost(net, &can, error)) {
        virtio_device_free(device);
        return NULL;
    }
    device->offered &= can;
    return device;
}

typedef struct {
    VirtioNet *net;
    bool up;
} Plug;

static void
plug(void *data)
{
    Plug *wanted = data;

    if (__atomic_exchange_n(&wanted->net->plugged, wanted->up, __ATOMIC_RELAXED) != wanted->up)
        replug(wanted->net);
}

void
virtio_net_set_link(VirtioDevice *device, bool up)
{
    VirtioNet *net = (VirtioNet *)device;
    bool before = link_is_up(net);

    g_assert(device->class == &virtio_net_class);
    io_thread_call(net->thread, plug, &(Plug){net, up});
    if (link_is_up(net) != before)
        virtio_device_config_changed(device);
}

void
virtio_net_stats(VirtioDevice *device, VirtioNetStats *stats)
{
    const VirtioNetStats *live = &((VirtioNet *)device)->stats;

    g_assert(device->class == &virtio_net_class);
    *stats = (VirtioNetStats){
        .rx_frames = __atomic_load_n(&live->rx_frames, __ATOMIC_RELAXED),
        .rx_bytes = __atomic_load_n(&live->rx_bytes, __ATOMIC_RELAXED),
        .rx_dropped = __atomic_load_n(&live->rx_dropped, __ATOMIC_RELAXED),
        .tx_frames = __atomic_load_n(&live->tx_frames, __ATOMIC_RELAXED),
        .tx_bytes = __atomic_load_n(&live->tx_bytes, __ATOMIC_RELAXED),
        .tx_dropped = __atomic_load_n(&live->tx_dropped, __ATOMIC_RELAXED),
    };
}
