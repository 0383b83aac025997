/* SPDX-License-Identifier: Apache-2.0 */
/* A network card with a driver around it: see net_driver.h. */
#include "net_driver.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_US (10 * G_USEC_PER_SEC)

static void
report(void *user, const char *message)
{
    NetDriver *net = user;
    __atomic_store_n(&net->report, g_strdup(message), __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&net->reports, 1, __ATOMIC_SEQ_CST);
}

NetDriver *
net_driver_new(VirtioDriverFlags flags, const VirtioNetOptions *given)
{
    g_autoptr(GError) error = NULL;
    NetDriver *net = g_new0(NetDriver, 1);
    VirtioNetOptions options = *given;

    net->thread = io_thread_new("io", &error);
    g_assert_no_error(error);
    net->driver = virtio_driver_new(flags);
    options.thread = net->thread;
    options.report = report;
    options.user = net;
    net->device = virtio_net_new("net0", net->driver->memory, &options, &error);
    g_assert_no_error(error);
    virtio_driver_attach(net->driver, net->device);
    return net;
}

void
net_driver_free(NetDriver *net)
{
    if (!net)
        return;
    virtio_driver_free(net->driver);
    io_thread_free(net->thread);
    g_free(net->report);
    g_free(net);
}

uint64_t
net_driver_features(const NetDriver *net)
{
    return net->device->offered & ~(BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_RING_PACKED) | BIT(28) | BIT(29));
}

void
net_driver_start(NetDriver *net, uint64_t features)
{
    virtio_driver_start(net->driver, net->device, features);
}

void
net_socket_pair(int type, int ends[2])
{
    g_assert_cmpint(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), ==, 0);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
}

void
net_driver_config(NetDriver *net, struct virtio_net_config *config)
{
    g_mutex_lock(&net->device->lock);
    virtio_device_config_read(net->device, 0, config, sizeof(*config));
    g_mutex_unlock(&net->device->lock);
}

bool
net_driver_link_is_up(NetDriver *net)
{
    struct virtio_net_config config;
    net_driver_config(net, &config);
    return config.status & VIRTIO_NET_S_LINK_UP;
}

/* As a driver kicks: if asked to, for @n_requests of @n_buffers each. */
static void
kick(NetDriver *net, unsigned queue, unsigned n_requests, unsigned n_buffers)
{
    VirtioDriverFlags flags = net->driver->flags;
    bool slots = (flags & VIRTIO_DRIVER_PACKED) && !(flags & VIRTIO_DRIVER_INDIRECT);

    if (virtio_driver_wants_kick(net->driver, queue, slots ? n_requests * n_buffers : n_requests))
        g_assert_cmpint(eventfd_write(virtqueue_kick_fd(net->device->queues[queue]), 1), ==, 0);
}

/* --- receiving --- */

/* Where each buffer posted lies, by queue and id. */
static uint64_t posted[VIRTIO_QUEUES_MAX][VIRTQUEUE_SIZE_MAX];

uint64_t
net_driver_post(NetDriver *net, unsigned pair, unsigned n, uint32_t len)
{
    uint64_t first = virtio_driver_alloc(net->driver, (size_t)n * len);

    for (unsigned i = 0; i < n; i++) {
        VirtioBuffer buffer = {first + (uint64_t)i * len, len, true};
        posted[2 * pair][virtio_driver_add(net->driver, 2 * pair, &buffer, 1)] = buffer.address;
    }
    kick(net, 2 * pair, n, 1);
    return first;
}

size_t
net_driver_receive(NetDriver *net, unsigned pair, struct virtio_net_hdr_v1 *header, uint8_t *frame, size_t room)
{
    VirtioUsed used;
    size_t at = 0;

    virtio_driver_wait_used(net->driver, 2 * pair, &used);
    g_assert_cmpuint(used.len, >=, sizeof(*header));
    const uint8_t *bytes = virtio_driver_at(net->driver, posted[2 * pair][used.id], used.len);
    memcpy(header, bytes, sizeof(*header));
    unsigned n = GUINT16_FROM_LE(header->num_buffers);
    g_assert_cmpuint(n, >=, 1);
    bytes += sizeof(*header);
    used.len -= sizeof(*header);
    for (;;) {
        g_assert_cmpuint(at + used.len, <=, room);
        memcpy(frame + at, bytes, used.len);
        at += used.len;
        if (!--n)
            return at;
        /* The driver may count on all of them being there. */
        g_assert_true(virtio_driver_used(net->driver, 2 * pair, &used));
        bytes = virtio_driver_at(net->driver, posted[2 * pair][used.id], used.len);
    }
}

static void
nothing(void *data)
{
}

void
net_driver_expect_nothing(NetDriver *net, unsigned pair)
{
    VirtioUsed used;

    for (int i = 0; i < 3; i++) { /* rounds in which what was sent before would have arrived */
        io_thread_call(net->thread, nothing, NULL);
        g_usleep(2000);
    }
    g_assert_false(virtio_driver_used(net->driver, 2 * pair, &used));
}

void
net_driver_receive_until(NetDriver *net, unsigned pair, bool (*wanted)(const uint8_t *frame, size_t len))
{
    struct virtio_net_hdr_v1 header;
    g_autofree uint8_t *frame = g_malloc(NET_FRAME_MAX);

    for (;;) {
        uint64_t next = net->driver->next;
        size_t len = net_driver_receive(net, pair, &header, frame, NET_FRAME_MAX);
        net->driver->next = next;
        if (wanted(frame, len))
            return;
        net_driver_post(net, pair, GUINT16_FROM_LE(header.num_buffers), 4096);
    }
}

/* --- sending --- */

void
net_driver_send(NetDriver *net, unsigned pair, const uint8_t *frame, size_t len, unsigned n_buffers)
{
    VirtioDriver *driver = net->driver;
    uint64_t before = driver->next;
    uint64_t address = virtio_driver_alloc(driver, NET_HEADER_SIZE + len);
    VirtioBuffer buffers[64] = {{address, NET_HEADER_SIZE, false}};
    VirtioUsed used;

    g_assert_cmpuint(n_buffers, <, G_N_ELEMENTS(buffers));
    memcpy((uint8_t *)virtio_driver_at(driver, address, NET_HEADER_SIZE + len) + NET_HEADER_SIZE, frame, len);
    size_t piece = len / n_buffers;
    for (unsigned i = 0; i < n_buffers; i++)
        buffers[1 + i] = (VirtioBuffer){address + NET_HEADER_SIZE + i * piece,
                                        i + 1 < n_buffers ? piece : len - (n_buffers - 1) * piece, false};
    uint16_t id = virtio_driver_add(driver, 2 * pair + 1, buffers, 1 + n_buffers);
    kick(net, 2 * pair + 1, 1, 1 + n_buffers);
    virtio_driver_wait_used(driver, 2 * pair + 1, &used);
    g_assert_cmpuint(used.id, ==, id);
    driver->next = before;
}

uint8_t
net_driver_control(NetDriver *net, uint8_t class, uint8_t command, const void *data, size_t len)
{
    bool multi_queue = virtio_device_has(net->device, VIRTIO_NET_F_MQ);
    g_autofree uint8_t *out = g_malloc(2 + len);
    uint8_t answer = 0xee;

    out[0] = class;
    out[1] = command;
    if (len)
        memcpy(out + 2, data, len);
    unsigned queue = multi_queue ? net->device->n_queues - 1 : 2;
    g_assert_cmpuint(virtio_driver_call(net->driver, queue, out, 2 + len, &answer, 1), ==, 1);
    return answer;
}

void
net_driver_wait_count(NetDriver *net, size_t counter_offset, uint64_t value)
{
    int64_t end = g_get_monotonic_time() + WAIT_US;
    VirtioNetStats stats;

    for (;;) {
        virtio_net_stats(net->device, &stats);
        uint64_t now = *(uint64_t *)((char *)&stats + counter_offset);
        if (now == value)
            return;
        g_assert_cmpuint(now, <, value);
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(100);
    }
}

/* --- ARP --- */

void
net_arp_request(uint8_t frame[NET_ARP_SIZE], const uint8_t own_mac[6], uint32_t own_address, uint32_t address)
{
    static const uint8_t head[] = {0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1};

    memset(frame, 0, NET_ARP_SIZE);
    memset(frame, 0xff, 6);
    memcpy(frame + 6, own_mac, 6);
    memcpy(frame + 12, head, sizeof(head));
    memcpy(frame + 22, own_mac, 6);
    memcpy(frame + 28, &own_address, 4);
    memcpy(frame + 38, &address, 4);
}

bool
net_is_arp_reply(const uint8_t *frame, size_t len)
{
    return len >= NET_ARP_SIZE && frame[12] == 0x08 && frame[13] == 0x06 && frame[21] == 2;
}

/* --- interfaces --- */

bool
net_namespace_new(void)
{
    return unshare(CLONE_NEWNET) == 0 && access("/dev/net/tun", R_OK | W_OK) == 0;
}

int
net_tap_new(const char *name, bool multi_queue, const char *address)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (multi_queue ? IFF_MULTI_QUEUE : 0)};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    g_strlcpy(request.ifr_name, name, IFNAMSIZ);
    g_assert_cmpint(ioctl(fd, TUNSETIFF, &request), ==, 0);
    struct sockaddr_in *own = (struct sockaddr_in *)&request.ifr_addr;
    memset(own, 0, sizeof(*own));
    own->sin_family = AF_INET;
    own->sin_addr.s_addr = inet_addr(address);
    g_assert_cmpint(ioctl(control, SIOCSIFADDR, &request), ==, 0);
    request.ifr_flags = IFF_UP;
    g_assert_cmpint(ioctl(control, SIOCSIFFLAGS, &request), ==, 0);
    close(control);
    return fd;
}
