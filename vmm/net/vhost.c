/* SPDX-License-Identifier: Apache-2.0 */
/* The ioctls of /dev/vhost-net (linux/vhost.h). */
#include "vmm/net/vhost.h"

#include "vmm/net/net.h"

#include <errno.h>
#include <linux/vhost.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <sys/ioctl.h>

#define BIT(n) (1ull << (n))
/* What vhost must agree to; all else of the card is between the driver and the tap. */
#define VHOST_FEATURES                                                                        \
    (BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_RING_PACKED) | BIT(VIRTIO_RING_F_INDIRECT_DESC) | \
     BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_NET_F_MRG_RXBUF))

/* All of it but what is system management mode's, which firmware closes before any driver that uses a tap runs. */
static bool
set_memory(int fd, const GuestMemory *memory)
{
    GuestRegion regions[2];
    size_t n = guest_memory_reachable(memory, regions);
    g_autofree struct vhost_memory *table = g_malloc0(sizeof(*table) + n * sizeof(table->regions[0]));

    table->nregions = n;
    for (size_t i = 0; i < n; i++)
        table->regions[i] = (struct vhost_memory_region){
            .guest_phys_addr = regions[i].gpa,
            .memory_size = regions[i].size,
            .userspace_addr = (uintptr_t)regions[i].host,
        };
    return ioctl(fd, VHOST_SET_MEM_TABLE, table) == 0;
}

bool
vhost_net_init(int fd, uint64_t *features, GError **error)
{
    if (ioctl(fd, VHOST_SET_OWNER) < 0 || ioctl(fd, VHOST_GET_FEATURES, features) < 0) {
        g_set_error(error, NET_ERROR, NET_ERROR_VHOST,
                    "vhost-net cannot be used (%s): load the module, or set vhost=false", g_strerror(errno));
        return false;
    }
    *features &= VHOST_FEATURES;
    return true;
}

/* Queue @index (0: receive, 1: transmit) of the descriptor. */
static bool
start_ring(int fd, unsigned index, VirtQueue *queue, int call_fd, int fault_fd)
{
    GuestMemory *memory = virtqueue_device(queue)->memory;
    VirtQueueRings rings;

    virtqueue_get_rings(queue, &rings);
    uint64_t n = rings.size;
    struct vhost_vring_state size = {.index = index, .num = rings.size};
    /* Packed: both indices in one number. */
    struct vhost_vring_state base = {.index = index,
                                     .num = rings.avail_index | (rings.packed ? (uint32_t)rings.used_index << 16 : 0)};
    struct vhost_vring_addr address = {
        .index = index,
        .desc_user_addr = (uintptr_t)guest_memory_at(memory, rings.descriptors, 16 * n),
        .avail_user_addr = (uintptr_t)guest_memory_at(memory, rings.driver, rings.packed ? 4 : 6 + 2 * n),
        .used_user_addr = (uintptr_t)guest_memory_at(memory, rings.device, rings.packed ? 4 : 6 + 8 * n),
    };
    struct vhost_vring_file kick = {.index = index, .fd = virtqueue_kick_fd(queue)};
    struct vhost_vring_file call = {.index = index, .fd = call_fd};
    struct vhost_vring_file fault = {.index = index, .fd = fault_fd};

    return ioctl(fd, VHOST_SET_VRING_NUM, &size) == 0 && ioctl(fd, VHOST_SET_VRING_BASE, &base) == 0 &&
           ioctl(fd, VHOST_SET_VRING_ADDR, &address) == 0 && ioctl(fd, VHOST_SET_VRING_CALL, &call) == 0 &&
           ioctl(fd, VHOST_SET_VRING_ERR, &fault) == 0 && ioctl(fd, VHOST_SET_VRING_KICK, &kick) == 0;
}

static bool
set_backend(int fd, unsigned index, int tap_fd)
{
    struct vhost_vring_file backend = {.index = index, .fd = tap_fd};
    return ioctl(fd, VHOST_NET_SET_BACKEND, &backend) == 0;
}

int
vhost_net_start(int fd, int tap_fd, VirtQueue *const queues[2], const int call_fds[2], const int fault_fds[2])
{
    uint64_t features = virtqueue_device(queues[0])->negotiated & VHOST_FEATURES;
    bool started = set_memory(fd, virtqueue_device(queues[0])->memory) && ioctl(fd, VHOST_SET_FEATURES, &features) == 0;

    for (unsigned i = 0; started && i < 2; i++)
        started = start_ring(fd, i, queues[i], call_fds[i], fault_fds[i]);
    for (unsigned i = 0; started && i < 2; i++)
        started = set_backend(fd, i, tap_fd);
    if (started)
        return 0;
    int error = -errno;
    for (unsigned i = 0; i < 2; i++)
        set_backend(fd, i, VHOST_FILE_UNBIND);
    return error;
}

/* A split ring's used index is what was written for the driver last; vhost keeps none of its own to ask for. */
static uint16_t
used_index(VirtQueue *queue, const VirtQueueRings *rings)
{
    const struct vring_used *used =
        (const void *)guest_memory_at(virtqueue_device(queue)->memory, rings->device, sizeof(*used));
    return __atomic_load_n(&used->idx, __ATOMIC_ACQUIRE);
}

static void
stop_ring(int fd, unsigned index, VirtQueue *queue)
{
    struct vhost_vring_state base = {.index = index};
    struct vhost_vring_file none = {.index = index, .fd = VHOST_FILE_UNBIND};
    VirtQueueRings rings;

    virtqueue_get_rings(queue, &rings);
    if (ioctl(fd, VHOST_GET_VRING_BASE, &base) == 0)
        virtqueue_set_indices(queue, base.num, rings.packed ? base.num >> 16 : used_index(queue, &rings));
    ioctl(fd, VHOST_SET_VRING_KICK, &none);
    ioctl(fd, VHOST_SET_VRING_CALL, &none);
    ioctl(fd, VHOST_SET_VRING_ERR, &none);
}

void
vhost_net_stop(int fd, VirtQueue *const queues[2])
{
    for (unsigned i = 0; i < 2; i++)
        set_backend(fd, i, VHOST_FILE_UNBIND);
    for (unsigned i = 0; i < 2; i++)
        stop_ring(fd, i, queues[i]);
}
