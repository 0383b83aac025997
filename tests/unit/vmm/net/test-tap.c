/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real tap interfaces, in a network namespace of this test's own: the kernel's stack is the peer, and answers ARP. With
 * vhost-net where there is one.
 */
#include "net_driver.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_ring.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
static bool have_namespace;

static bool
skip(bool vhost)
{
    if (!have_namespace)
        g_test_skip("no network namespace of its own, or no /dev/net/tun");
    else if (vhost && access("/dev/vhost-net", R_OK | W_OK) < 0)
        g_test_skip("no /dev/vhost-net");
    else
        return false;
    return true;
}

/* An interface that stays while nobody has it open, until the test ends. */
static int
persistent_tap(const char *name, bool multi_queue)
{
    int fd = net_tap_new(name, multi_queue, "10.9.8.1");
    g_assert_cmpint(ioctl(fd, TUNSETPERSIST, 1), ==, 0);
    return fd;
}

static void
remove_tap(const char *name, bool multi_queue)
{
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (multi_queue ? IFF_MULTI_QUEUE : 0)};
    g_strlcpy(request.ifr_name, name, IFNAMSIZ);
    g_assert_cmpint(ioctl(fd, TUNSETIFF, &request), ==, 0);
    g_assert_cmpint(ioctl(fd, TUNSETPERSIST, 0), ==, 0);
    close(fd);
}

static NetDriver *
on_backend(VirtioDriverFlags flags, NetBackend *backend)
{
    VirtioNetOptions options = {.backend = backend};
    memcpy(options.mac, mac, sizeof(mac));
    NetDriver *net = net_driver_new(flags, &options);
    net_driver_start(net, net_driver_features(net));
    return net;
}

/* The guest asks who has the interface's address, and the kernel answers. */
static void
expect_arp(NetDriver *net, unsigned pair)
{
    uint8_t frame[NET_ARP_SIZE];
    net_arp_request(frame, mac, inet_addr("10.9.8.2"), inet_addr("10.9.8.1"));
    net_driver_send(net, pair, frame, sizeof(frame), 1);
    net_driver_receive_until(net, pair, net_is_arp_reply);
}

typedef struct {
    VirtioDriverFlags flags;
    bool vhost;
} Way;

static void
test_traffic(gconstpointer data)
{
    const Way *way = data;
    g_autoptr(GError) error = NULL;
    if (skip(way->vhost))
        return;
    close(persistent_tap("carrel0", false));
    NetBackend *backend = net_backend_tap_open("carrel0", 1, way->vhost, &error);
    g_assert_no_error(error);
    g_assert_cmpint(net_backend_is_vhost(backend), ==, way->vhost);
    NetDriver *net = on_backend(way->flags, backend);
    uint64_t features = net_driver_features(net);
    g_assert_cmphex(features & (BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6)),
                    ==, BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6));

    net_driver_post(net, 0, 32, 4096);
    for (int i = 0; i < 20; i++)
        expect_arp(net, 0);
    /* A pause in between: the rings go on where they were. */
    for (int i = 0; i < 10; i++) {
        g_mutex_lock(&net->device->lock);
        virtio_device_quiesce(net->device);
        virtio_device_resume(net->device);
        g_mutex_unlock(&net->device->lock);
        expect_arp(net, 0);
    }
    virtio_net_set_link(net->device, false);
    virtio_net_set_link(net->device, true);
    expect_arp(net, 0);
    virtio_driver_reset(net->driver);
    net->driver->next = 0x10000;
    net_driver_start(net, features);
    net_driver_post(net, 0, 32, 4096);
    expect_arp(net, 0);
    net_driver_free(net);
    remove_tap("carrel0", false);
}

/* As many pairs as the interface was made for; frames go out through each. */
static void
test_pairs(gconstpointer data)
{
    const Way *way = data;
    g_autoptr(GError) error = NULL;
    uint8_t frame[NET_ARP_SIZE];
    if (skip(way->vhost))
        return;
    close(persistent_tap("carrel1", true));
    NetBackend *backend = net_backend_tap_open("carrel1", 4, way->vhost, &error);
    g_assert_no_error(error);
    NetDriver *net = on_backend(way->flags, backend);
    static const uint16_t wanted[] = {4, 2, 1, 3};

    g_assert_cmpuint(net->device->n_queues, ==, 9);
    for (unsigned pair = 0; pair < 4; pair++)
        net_driver_post(net, pair, 16, 4096);
    expect_arp(net, 0);
    net_arp_request(frame, mac, inet_addr("10.9.8.2"), inet_addr("10.9.8.1"));
    for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++) {
        g_assert_cmpuint(net_driver_control(net, VIRTIO_NET_CTRL_MQ, 0, &wanted[i], 2), ==, VIRTIO_NET_OK);
        for (unsigned pair = 0; pair < wanted[i]; pair++)
            net_driver_send(net, pair, frame, sizeof(frame), 1);
    }
    net_driver_free(net);

    /* One queue of an interface made for many. */
    backend = net_backend_tap_open("carrel1", 1, way->vhost, &error);
    g_assert_no_error(error);
    net = on_backend(way->flags, backend);
    net_driver_post(net, 0, 16, 4096);
    expect_arp(net, 0);
    net_driver_free(net);
    remove_tap("carrel1", true);
}

/* What the driver must not do is noticed whoever serves the ring; a reset makes all well again. */
static void
test_broken_ring(gconstpointer data)
{
    const Way *way = data;
    g_autoptr(GError) error = NULL;
    if (skip(way->vhost))
        return;
    close(persistent_tap("carrel7", false));
    NetBackend *backend = net_backend_tap_open("carrel7", 1, way->vhost, &error);
    g_assert_no_error(error);
    NetDriver *net = on_backend(way->flags, backend);
    net_driver_post(net, 0, 32, 4096);
    expect_arp(net, 0);

    const VirtQueueSetup *transmit = &net->driver->queues[1].setup;
    struct vring_avail *avail = virtio_driver_at(net->driver, transmit->driver, 4);
    avail->idx += 2 * transmit->size; /* more than the ring has */
    virtio_device_schedule(net->device, net->device->queues[1]);
    for (int i = 0; i < 100000 && !virtio_driver_needs_reset(net->driver); i++)
        g_usleep(100);
    g_assert_true(virtio_driver_needs_reset(net->driver));

    virtio_driver_reset(net->driver);
    net->driver->next = 0x10000;
    net_driver_start(net, net_driver_features(net));
    net_driver_post(net, 0, 32, 4096);
    expect_arp(net, 0);
    net_driver_free(net);
    remove_tap("carrel7", false);
}

/* A descriptor somebody else opened. */
static void
test_inherited(void)
{
    if (skip(false))
        return;
    g_autoptr(GError) error = NULL;
    int fd = net_tap_new("carrel2", false, "10.9.8.1");
    NetBackend *backend = net_backend_tap_new(&fd, NULL, 1, &error);
    g_assert_no_error(error);
    NetDriver *net = on_backend(VIRTIO_DRIVER_ALL, backend);
    net_driver_post(net, 0, 16, 4096);
    expect_arp(net, 0);
    net_driver_free(net);
}

/* The interface is deleted under the card. */
static void
test_deleted(void)
{
    if (skip(false))
        return;
    int fd = net_tap_new("carrel3", true, "10.9.8.1");
    g_autoptr(GError) error = NULL;
    NetBackend *backend = net_backend_tap_new(&fd, NULL, 1, &error);
    g_assert_no_error(error);
    NetDriver *net = on_backend(0, backend);
    net_driver_post(net, 0, 64, 4096); /* room for all that the kernel's IPv6 has to say: the end comes behind it */
    g_assert_cmpint(system("ip link delete carrel3"), ==, 0);
    /* The kernel wakes a reader a moment before the queue is gone; one that looks so soon learns it from its next frame. */
    uint8_t frame[NET_ARP_SIZE];
    net_arp_request(frame, mac, inet_addr("10.9.8.2"), inet_addr("10.9.8.1"));
    net_driver_send(net, 0, frame, sizeof(frame), 1);
    for (int i = 0; i < 100000 && !__atomic_load_n(&net->reports, __ATOMIC_SEQ_CST); i++)
        g_usleep(100);
    g_assert_cmpstr(net->report, ==, "net0: the tap interface is gone: the cable is pulled");
    g_assert_false(net_driver_link_is_up(net));
    net_driver_free(net);
}

static void
expect_refused(NetBackend *backend, GError **error, const char *words)
{
    g_assert_null(backend);
    g_assert_error(*error, NET_ERROR, NET_ERROR_TAP);
    if (!strstr((*error)->message, words))
        g_test_message("%s", (*error)->message);
    g_assert_nonnull(strstr((*error)->message, words));
    g_clear_error(error);
}

static void
test_refused(void)
{
    GError *error = NULL;
    int fds[2];

    expect_refused(net_backend_tap_open("carrel-none", 1, true, &error), &error, "carrel-none: there is none: make it");
    fds[0] = open("/dev/null", O_RDWR);
    expect_refused(net_backend_tap_new(fds, NULL, 1, &error), &error, "not of a tap");
    g_assert_cmpint(fcntl(fds[0], F_GETFD), ==, -1); /* taken all the same */
    if (skip(false))
        return;

    expect_refused(net_backend_tap_open("lo", 1, true, &error), &error, "lo: it is no tap interface");
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI, .ifr_name = "carrel4"};
    fds[0] = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    g_assert_cmpint(ioctl(fds[0], TUNSETIFF, &request), ==, 0);
    expect_refused(net_backend_tap_new(fds, NULL, 1, &error), &error, "IFF_VNET_HDR");
    fds[0] = net_tap_new("carrel5", false, "10.9.8.1");
    fds[1] = dup(fds[0]);
    expect_refused(net_backend_tap_new(fds, NULL, 2, &error), &error, "IFF_MULTI_QUEUE");

    int held = net_tap_new("carrel6", false, "10.9.8.1");
    expect_refused(net_backend_tap_open("carrel6", 1, false, &error), &error, "carrel6: another process has it open");
    expect_refused(net_backend_tap_open("carrel6", 2, false, &error), &error, "carrel6");
    close(held);
}

int
main(int argc, char **argv)
{
    static const Way ways[] = {
        {0, false},
        {VIRTIO_DRIVER_PACKED, false},
        {VIRTIO_DRIVER_ALL, false},
        {0, true},
        {VIRTIO_DRIVER_INDIRECT | VIRTIO_DRIVER_EVENT_INDEX, true},
    };

    have_namespace = net_namespace_new(); /* before there are threads */
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
        g_autofree char *traffic =
            g_strdup_printf("/net/tap/traffic/%s-%d", ways[i].vhost ? "vhost" : "here", ways[i].flags);
        g_autofree char *pairs =
            g_strdup_printf("/net/tap/pairs/%s-%d", ways[i].vhost ? "vhost" : "here", ways[i].flags);
        g_autofree char *broken =
            g_strdup_printf("/net/tap/broken-ring/%s-%d", ways[i].vhost ? "vhost" : "here", ways[i].flags);
        g_test_add_data_func(traffic, &ways[i], test_traffic);
        if (!(ways[i].flags & VIRTIO_DRIVER_PACKED)) /* which has no index */
            g_test_add_data_func(broken, &ways[i], test_broken_ring);
        g_test_add_data_func(pairs, &ways[i], test_pairs);
    }
    g_test_add_func("/net/tap/inherited", test_inherited);
    g_test_add_func("/net/tap/deleted", test_deleted);
    g_test_add_func("/net/tap/refused", test_refused);
    return g_test_run();
}
