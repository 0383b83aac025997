/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tap interfaces: opening or adopting them, and telling the kernel what the driver agreed to.
 *
 * Offloads cost nothing here: the kernel's frames carry the very header virtio-net's carry, so a 64 KiB segment passes
 * from guest to guest, or to the card, without being cut.
 */
#include "vmm/net/frames.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BIT(n) (1ull << (n))

typedef struct {
    FramesBackend frames;
    bool multi_queue;
    unsigned n_attached; /* queues the kernel delivers to */
} TapBackend;

/* What the driver may take, and what the kernel calls it. Each implies GUEST_CSUM (virtio 1.2, 5.1.3.1). */
static const struct {
    unsigned feature, flag;
} offloads[] = {
    {VIRTIO_NET_F_GUEST_CSUM, TUN_F_CSUM}, {VIRTIO_NET_F_GUEST_TSO4, TUN_F_TSO4},
    {VIRTIO_NET_F_GUEST_TSO6, TUN_F_TSO6}, {VIRTIO_NET_F_GUEST_ECN, TUN_F_TSO_ECN},
    {VIRTIO_NET_F_GUEST_USO4, TUN_F_USO4}, {VIRTIO_NET_F_GUEST_USO6, TUN_F_USO6},
};

static void
tap_set_features(NetBackend *backend, uint64_t features)
{
    TapBackend *tap = (TapBackend *)backend;
    unsigned flags = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(offloads); i++)
        if (features & BIT(offloads[i].feature))
            flags |= offloads[i].flag;
    /* One interface, so any of its descriptors serves. Refused: it goes on as it was, with frames nobody must cut. */
    ioctl(tap->frames.fds[0], TUNSETOFFLOAD, flags);
}

static void
tap_set_pairs(NetBackend *backend, unsigned n_pairs)
{
    TapBackend *tap = (TapBackend *)backend;

    if (!tap->multi_queue)
        return;
    for (unsigned i = MIN(n_pairs, tap->n_attached); i < MAX(n_pairs, tap->n_attached); i++) {
        struct ifreq request = {.ifr_flags = i < n_pairs ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE};
        ioctl(tap->frames.fds[i], TUNSETQUEUE, &request);
    }
    tap->n_attached = n_pairs;
}

static const NetBackendOps tap_ops = {
    .fd = frames_fd,
    .open = frames_open,
    .close = frames_close,
    .send = frames_send,
    .receive = frames_receive,
    .set_pairs = tap_set_pairs,
    .set_features = tap_set_features,
    .free = frames_free,
};

static bool
fail(GError **error, const char *what)
{
    g_set_error_literal(error, NET_ERROR, NET_ERROR_TAP, what);
    return false;
}

/* Whether @fd is a queue of a tap interface as it is needed here; brings its header to size. */
static bool
adopt(int fd, unsigned n_pairs, GError **error)
{
    struct ifreq request = {0};
    int header = NET_HEADER_SIZE, little_endian = 1;

    if (ioctl(fd, TUNGETIFF, &request) < 0)
        return fail(error, "the descriptor is not of a tap interface");
    if (!(request.ifr_flags & IFF_TAP) || !(request.ifr_flags & IFF_NO_PI) || !(request.ifr_flags & IFF_VNET_HDR))
        return fail(error, "the tap descriptor was not opened with IFF_TAP, IFF_NO_PI and IFF_VNET_HDR");
    if (n_pairs > 1 && !(request.ifr_flags & IFF_MULTI_QUEUE))
        return fail(error, "the tap descriptors were not opened with IFF_MULTI_QUEUE, and there are several");
    if (ioctl(fd, TUNSETVNETHDRSZ, &header) < 0 || ioctl(fd, TUNSETVNETLE, &little_endian) < 0)
        return fail(error, "the kernel's tap has no virtio 1.0 header");
    return true;
}

/* Segmentation offload of UDP came with Linux 6.2. */
static bool
has_uso(int fd)
{
    bool has = ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6) == 0;
    ioctl(fd, TUNSETOFFLOAD, 0);
    return has;
}

static uint64_t
features_of(int fd)
{
    uint64_t features =
        BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_HOST_ECN);
    bool uso = has_uso(fd);

    if (uso)
        features |= BIT(VIRTIO_NET_F_HOST_USO);
    for (size_t i = 0; i < G_N_ELEMENTS(offloads); i++)
        if (uso || !(offloads[i].flag & (TUN_F_USO4 | TUN_F_USO6)))
            features |= BIT(offloads[i].feature);
    return features;
}

NetBackend *
net_backend_tap_new(const int *tap_fds, const int *vhost_fds, unsigned n_pairs, GError **error)
{
    g_assert(n_pairs >= 1 && n_pairs <= VIRTIO_NET_PAIRS_MAX);
    TapBackend *tap = g_new0(TapBackend, 1);

    frames_init(&tap->frames, &tap_ops, "the tap interface", tap_fds, n_pairs);
    g_autoptr(NetBackend) backend = &tap->frames.base;
    if (vhost_fds)
        backend->vhost_fds = g_memdup2(vhost_fds, n_pairs * sizeof(int));
    for (unsigned i = 0; i < n_pairs; i++)
        if (!adopt(tap_fds[i], n_pairs, error))
            return NULL;
    backend->features = features_of(tap_fds[0]);
    tap->multi_queue = n_pairs > 1;
    tap->n_attached = n_pairs;
    tap_set_pairs(backend, 1);
    return g_steal_pointer(&backend);
}

/* One more queue of the interface; -1 with errno. */
static int
open_queue(const char *name, bool multi_queue)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (multi_queue ? IFF_MULTI_QUEUE : 0)};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return -1;
    g_strlcpy(request.ifr_name, name, sizeof(request.ifr_name));
    if (ioctl(fd, TUNSETIFF, &request) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static bool
open_failed(const char *name, unsigned n_pairs, GError **error)
{
    const char *multi_queue = n_pairs > 1 ? " multi_queue" : "";

    if (errno == EPERM || errno == EACCES)
        g_set_error(error, NET_ERROR, NET_ERROR_TAP,
                    "tap interface %s: not allowed: make it for this user (ip tuntap add %s mode tap%s user …)", name,
                    name, multi_queue);
    else if (errno == EINVAL)
        g_set_error(error, NET_ERROR, NET_ERROR_TAP,
                    "tap interface %s: it is no tap interface, or was not made for %u queue%s (ip tuntap add %s mode "
                    "tap%s)",
                    name, n_pairs, n_pairs > 1 ? "s" : "", name, multi_queue);
    else
        g_set_error(error, NET_ERROR, NET_ERROR_TAP, "tap interface %s: %s", name,
                    errno == EBUSY ? "another process has it open" : g_strerror(errno));
    return false;
}

static void
close_all(int *fds, unsigned n)
{
    while (n--)
        close(fds[n]);
}

static bool
open_queues(const char *name, unsigned n_pairs, int *fds, GError **error)
{
    /* An interface made with multi_queue wants the flag even for one queue. */
    bool multi_queue = n_pairs > 1;

    for (unsigned i = 0; i < n_pairs; i++) {
        fds[i] = open_queue(name, multi_queue);
        if (fds[i] < 0 && errno == EINVAL && !multi_queue)
            fds[i] = open_queue(name, multi_queue = true);
        if (fds[i] < 0) {
            open_failed(name, n_pairs, error);
            close_all(fds, i);
            return false;
        }
    }
    return true;
}

/* All or none. */
static bool
open_vhost(unsigned n_pairs, int *fds)
{
    for (unsigned i = 0; i < n_pairs; i++) {
        fds[i] = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
        if (fds[i] < 0) {
            close_all(fds, i);
            return false;
        }
    }
    return true;
}

NetBackend *
net_backend_tap_open(const char *name, unsigned n_pairs, bool vhost, GError **error)
{
    int tap_fds[VIRTIO_NET_PAIRS_MAX], vhost_fds[VIRTIO_NET_PAIRS_MAX];

    g_assert(n_pairs >= 1 && n_pairs <= VIRTIO_NET_PAIRS_MAX);
    if (!if_nametoindex(name)) { /* the kernel would make one that is connected to nothing */
        g_set_error(error, NET_ERROR, NET_ERROR_TAP,
                    "tap interface %s: there is none: make it with ip tuntap add %s mode tap%s, and set it up", name,
                    name, n_pairs > 1 ? " multi_queue" : "");
        return NULL;
    }
    if (!open_queues(name, n_pairs, tap_fds, error))
        return NULL;
    vhost = vhost && open_vhost(n_pairs, vhost_fds);
    return net_backend_tap_new(tap_fds, vhost ? vhost_fds : NULL, n_pairs, error);
}
