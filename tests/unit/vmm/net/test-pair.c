/* SPDX-License-Identifier: Apache-2.0 */
/* Frames in and out of a queue pair, in every shape of ring and buffer, with too few buffers and with a back end that is full. */
#include "net_driver.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
fill(uint8_t *bytes, size_t len, uint32_t seed)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (seed = seed * 1664525 + 1013904223) >> 24;
}

/* A card on a datagram socket; @peer is the test's end, and carries a virtio header before each frame. */
static NetDriver *
on_socket(VirtioDriverFlags flags, uint64_t without, int *peer)
{
    int ends[2];
    net_socket_pair(SOCK_SEQPACKET, ends);
    NetDriver *net = net_driver_new(flags, &(VirtioNetOptions){.backend = net_backend_frames_new(&ends[0], 1, 0)});
    net_driver_start(net, net_driver_features(net) & ~without);
    *peer = ends[1];
    return net;
}

static bool
try_send(int peer, const uint8_t *frame, size_t len)
{
    g_autofree uint8_t *bytes = g_malloc0(NET_HEADER_SIZE + len);
    memcpy(bytes + NET_HEADER_SIZE, frame, len);
    return send(peer, bytes, NET_HEADER_SIZE + len, MSG_DONTWAIT) >= 0;
}

static void
peer_send(int peer, const uint8_t *frame, size_t len)
{
    while (!try_send(peer, frame, len)) {
        g_assert_cmpint(errno, ==, EAGAIN);
        g_usleep(100);
    }
}

static size_t
peer_receive(int peer, uint8_t *bytes, size_t room)
{
    for (int i = 0; i < 100000; i++) {
        ssize_t len = recv(peer, bytes, room, MSG_DONTWAIT);
        if (len >= 0)
            return len;
        g_assert_cmpint(errno, ==, EAGAIN);
        g_usleep(100);
    }
    g_assert_not_reached();
}

static const size_t lengths[] = {14, 15, 60, 61, 1514, 4096, 9014, 65535 + 18};

static void
test_receive(gconstpointer flags)
{
    int peer;
    g_autoptr(NetDriver) net = on_socket(GPOINTER_TO_UINT(flags), 0, &peer);
    g_autofree uint8_t *wanted = g_malloc(NET_FRAME_MAX), *got = g_malloc(NET_FRAME_MAX);
    static const uint32_t buffer_sizes[] = {1526, 2048, 4096, 12, 13, 65536 + 30};
    struct virtio_net_hdr_v1 header;
    uint64_t first = net->driver->next;

    for (size_t b = 0; b < G_N_ELEMENTS(buffer_sizes); b++) {
        for (size_t l = 0; l < G_N_ELEMENTS(lengths); l++) {
            uint32_t size = buffer_sizes[b];
            unsigned n = (NET_HEADER_SIZE + lengths[l] + size - 1) / size;
            if (n > 200)
                continue;
            net->driver->next = first;
            fill(wanted, lengths[l], b + l);
            net_driver_post(net, 0, n, size);
            peer_send(peer, wanted, lengths[l]);
            size_t len = net_driver_receive(net, 0, &header, got, NET_FRAME_MAX);
            g_assert_cmpmem(got, len, wanted, lengths[l]);
            g_assert_cmpuint(GUINT16_FROM_LE(header.num_buffers), ==, n);
            g_assert_cmpuint(header.flags, ==, 0);
        }
    }
    close(peer);
}

/* Frames come before there are buffers, and many at once; none is lost, and they keep their order. */
static void
test_waits_for_buffers(gconstpointer flags)
{
    int peer;
    g_autoptr(NetDriver) net = on_socket(GPOINTER_TO_UINT(flags), 0, &peer);
    uint8_t wanted[3000], got[3000];
    struct virtio_net_hdr_v1 header;
    uint64_t first = net->driver->next;
    enum { ROUNDS = 20, FRAMES = 16 };

    for (unsigned round = 0; round < ROUNDS; round++) {
        net->driver->next = first;
        for (unsigned i = 0; i < FRAMES; i++) {
            fill(wanted, sizeof(wanted), round * FRAMES + i);
            peer_send(peer, wanted, sizeof(wanted));
        }
        net_driver_post(net, 0, 1, 2000); /* half of what a frame needs */
        net_driver_expect_nothing(net, 0);
        net_driver_post(net, 0, 2 * FRAMES - 1, 2000);
        for (unsigned i = 0; i < FRAMES; i++) {
            fill(wanted, sizeof(wanted), round * FRAMES + i);
            g_assert_cmpuint(net_driver_receive(net, 0, &header, got, sizeof(got)), ==, sizeof(got));
            g_assert_cmpmem(got, sizeof(got), wanted, sizeof(wanted));
        }
    }
    close(peer);
}

/* Without mergeable buffers a frame has one; what does not fit is dropped, and the buffer waits for one that does. */
static void
test_not_mergeable(gconstpointer flags)
{
    int peer;
    g_autoptr(NetDriver) net = on_socket(GPOINTER_TO_UINT(flags), BIT(VIRTIO_NET_F_MRG_RXBUF), &peer);
    uint8_t wanted[2000], got[2000];
    struct virtio_net_hdr_v1 header;

    fill(wanted, sizeof(wanted), 1);
    net_driver_post(net, 0, 2, 1526);
    peer_send(peer, wanted, 1515);
    net_driver_wait_count(net, offsetof(VirtioNetStats, rx_dropped), 1);
    peer_send(peer, wanted, 1514);
    peer_send(peer, wanted + 1, 100);
    g_assert_cmpuint(net_driver_receive(net, 0, &header, got, sizeof(got)), ==, 1514);
    g_assert_cmpmem(got, 1514, wanted, 1514);
    g_assert_cmpuint(GUINT16_FROM_LE(header.num_buffers), ==, 1);
    g_assert_cmpuint(net_driver_receive(net, 0, &header, got, sizeof(got)), ==, 100);
    close(peer);
}

static void
test_send(gconstpointer flags)
{
    int peer;
    g_autoptr(NetDriver) net = on_socket(GPOINTER_TO_UINT(flags), 0, &peer);
    g_autofree uint8_t *wanted = g_malloc(NET_FRAME_MAX), *got = g_malloc(NET_FRAME_MAX + NET_HEADER_SIZE);
    VirtioNetStats stats;

    for (size_t l = 0; l < G_N_ELEMENTS(lengths); l++) {
        fill(wanted, lengths[l], l);
        net_driver_send(net, 0, wanted, lengths[l], 1 + l);
        size_t len = peer_receive(peer, got, NET_FRAME_MAX + NET_HEADER_SIZE);
        g_assert_cmpmem(got + NET_HEADER_SIZE, len - NET_HEADER_SIZE, wanted, lengths[l]);
    }
    virtio_net_stats(net->device, &stats);
    g_assert_cmpuint(stats.tx_frames, ==, G_N_ELEMENTS(lengths));
    g_assert_cmpuint(stats.tx_dropped, ==, 0);
    close(peer);
}

/* What is no frame is given back and goes nowhere. */
static void
test_bad_sizes(gconstpointer flags)
{
    int peer;
    g_autoptr(NetDriver) net = on_socket(GPOINTER_TO_UINT(flags), 0, &peer);
    VirtioDriver *driver = net->driver;
    uint64_t ram = virtio_driver_alloc(driver, 100000);
    static const uint32_t sizes[] = {1, 11, 12, 13, 25, 12 + 65535 + 19, 100000};
    VirtioUsed used;
    uint8_t byte;

    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        virtio_driver_add(driver, 1, (VirtioBuffer[]){{ram, sizes[i], false}}, 1);
        virtio_driver_kick(driver, 1);
        virtio_driver_wait_used(driver, 1, &used);
        g_assert_cmpuint(used.len, ==, 0);
    }
    virtio_driver_add(driver, 1, (VirtioBuffer[]){{ram, 100, true}}, 1); /* nothing to send at all */
    virtio_driver_kick(driver, 1);
    virtio_driver_wait_used(driver, 1, &used);
    net_driver_wait_count(net, offsetof(VirtioNetStats, tx_dropped), G_N_ELEMENTS(sizes) + 1);
    g_assert_cmpint(recv(peer, &byte, 1, MSG_DONTWAIT), ==, -1);
    g_assert_cmpint(errno, ==, EAGAIN);
    g_assert_false(virtio_driver_needs_reset(driver));

    /* A receive buffer that cannot hold the header is the driver's fault (virtio 1.2, 5.1.6.3.1). */
    uint8_t frame[60] = {0};
    net_driver_post(net, 0, 1, 11);
    net_driver_post(net, 0, 1, 2000);
    peer_send(peer, frame, sizeof(frame));
    for (int i = 0; i < 100000 && !virtio_driver_needs_reset(driver); i++)
        g_usleep(100);
    g_assert_true(virtio_driver_needs_reset(driver));
    close(peer);
}

/* The other side does not read: frames wait in the ring, and go out in order once it does. */
static void
test_full_back_end(gconstpointer flags)
{
    int peer;
    g_autoptr(NetDriver) net = on_socket(GPOINTER_TO_UINT(flags), 0, &peer);
    VirtioDriver *driver = net->driver;
    enum { FRAMES = 64, LEN = 60000 };
    g_autofree uint8_t *got = g_malloc(LEN + NET_HEADER_SIZE);
    uint64_t ram = virtio_driver_alloc(driver, FRAMES * 16 + NET_HEADER_SIZE + LEN);
    VirtioUsed used;
    int small = 200000;

    g_assert_cmpint(setsockopt(peer, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), ==, 0);
    for (unsigned i = 0; i < FRAMES; i++) {
        uint8_t *number = virtio_driver_at(driver, ram + NET_HEADER_SIZE + i * 16, 16);
        memset(number, i, 16);
        virtio_driver_add(driver, 1,
                          (VirtioBuffer[]){{ram, NET_HEADER_SIZE, false},
                                           {ram + NET_HEADER_SIZE + i * 16, 16, false},
                                           {ram + NET_HEADER_SIZE + FRAMES * 16, LEN - 16, false}},
                          3);
    }
    virtio_driver_kick(driver, 1);
    for (unsigned i = 0; i < FRAMES; i++) {
        g_assert_cmpuint(peer_receive(peer, got, LEN + NET_HEADER_SIZE), ==, LEN + NET_HEADER_SIZE);
        for (int b = 0; b < 16; b++)
            g_assert_cmpuint(got[NET_HEADER_SIZE + b], ==, i);
    }
    for (unsigned i = 0; i < FRAMES; i++)
        virtio_driver_wait_used(driver, 1, &used);
    close(peer);
}

/* Reset and pause at any moment: with frames waiting, buffers held, the back end full. */
static void
test_stops(gconstpointer flags)
{
    int peer;
    g_autoptr(NetDriver) net = on_socket(GPOINTER_TO_UINT(flags), 0, &peer);
    uint8_t frame[3000], got[3000];
    struct virtio_net_hdr_v1 header;
    uint64_t features = net_driver_features(net);

    for (unsigned round = 0; round < 30; round++) {
        fill(frame, sizeof(frame), round);
        while (try_send(peer, frame, sizeof(frame)))
            ;
        if (round % 2) {
            net_driver_post(net, 0, 1, 2000);
            net_driver_expect_nothing(net, 0); /* half of what a frame needs: it is held */
        }
        g_mutex_lock(&net->device->lock);
        virtio_device_quiesce(net->device);
        virtio_device_resume(net->device);
        g_mutex_unlock(&net->device->lock);
        net_driver_post(net, 0, round % 2 ? 1 : 2, 2000); /* what was held is there again */
        g_assert_cmpuint(net_driver_receive(net, 0, &header, got, sizeof(got)), ==, sizeof(got));
        virtio_driver_reset(net->driver);
        net->driver->next = 0x10000;
        net_driver_start(net, features);
        while (recv(peer, got, sizeof(got), MSG_DONTWAIT) >= 0)
            ;
    }
    close(peer);
}

/* The back end goes away: the cable is pulled, the driver is told, what it sends is dropped. */
static void
test_lost(gconstpointer flags)
{
    int peer;
    g_autoptr(NetDriver) net = on_socket(GPOINTER_TO_UINT(flags), 0, &peer);
    uint8_t frame[60] = {0};

    g_assert_true(net_driver_link_is_up(net));
    net_driver_post(net, 0, 4, 2000);
    close(peer);
    for (int i = 0; i < 100000 && !__atomic_load_n(&net->reports, __ATOMIC_SEQ_CST); i++)
        g_usleep(100);
    g_assert_cmpuint(net->reports, ==, 1);
    g_assert_cmpstr(net->report, ==, "net0: the socket is gone: the cable is pulled");
    g_assert_false(net_driver_link_is_up(net));
    g_assert_cmpuint(__atomic_load_n(&net->driver->config_interrupts, __ATOMIC_SEQ_CST), ==, 1);
    net_driver_send(net, 0, frame, sizeof(frame), 1);
    net_driver_wait_count(net, offsetof(VirtioNetStats, tx_dropped), 1);
    virtio_net_set_link(net->device, false);
    virtio_net_set_link(net->device, true); /* no use */
    g_assert_false(net_driver_link_is_up(net));
    g_assert_cmpuint(net->reports, ==, 1);
    g_assert_false(virtio_driver_needs_reset(net->driver));
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        GTestDataFunc test;
    } tests[] = {
        {"receive", test_receive},
        {"waits-for-buffers", test_waits_for_buffers},
        {"not-mergeable", test_not_mergeable},
        {"send", test_send},
        {"bad-sizes", test_bad_sizes},
        {"full-back-end", test_full_back_end},
        {"stops", test_stops},
        {"lost", test_lost},
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned flags = 0; flags <= VIRTIO_DRIVER_ALL; flags++)
        for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
            g_autofree char *path = g_strdup_printf(
                "/net/pair/%s/%s%s%s", tests[i].name, flags & VIRTIO_DRIVER_PACKED ? "packed" : "split",
                flags & VIRTIO_DRIVER_INDIRECT ? "-indirect" : "", flags & VIRTIO_DRIVER_EVENT_INDEX ? "-event" : "");
            g_test_add_data_func(path, GUINT_TO_POINTER(flags), tests[i].test);
        }
    return g_test_run();
}
