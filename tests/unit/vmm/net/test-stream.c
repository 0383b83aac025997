/* SPDX-License-Identifier: Apache-2.0 */
/* Frames over a stream socket: cut anywhere by the socket, and by a peer that means ill. */
#include "net_driver.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static NetDriver *
on_stream(VirtioDriverFlags flags, int *peer)
{
    int ends[2];
    net_socket_pair(SOCK_STREAM, ends);
    NetDriver *net = net_driver_new(flags, &(VirtioNetOptions){.backend = net_backend_stream_new(ends[0])});
    net_driver_start(net, net_driver_features(net));
    *peer = ends[1];
    return net;
}

static void
fill(uint8_t *bytes, size_t len, uint32_t seed)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (seed = seed * 1664525 + 1013904223) >> 24;
}

static void
write_all(int peer, const uint8_t *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t sent = send(peer, bytes + at, len - at, MSG_NOSIGNAL);
        if (sent < 0) {
            g_assert_cmpint(errno, ==, EAGAIN);
            g_usleep(100);
        } else {
            at += sent;
        }
    }
}

static void
read_all(int peer, uint8_t *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t got = recv(peer, bytes + at, len - at, 0);
        g_assert_cmpint(got, !=, 0);
        if (got < 0) {
            g_assert_cmpint(errno, ==, EAGAIN);
            g_usleep(100);
        } else {
            at += got;
        }
    }
}

/* Appends a frame of @len bytes to @to, with its length. */
static void
append_frame(GByteArray *to, size_t len, uint32_t seed)
{
    uint32_t length = GUINT32_TO_BE(len);
    g_autofree uint8_t *frame = g_malloc(len);
    fill(frame, len, seed);
    g_byte_array_append(to, (const uint8_t *)&length, 4);
    g_byte_array_append(to, frame, len);
}

/* Many frames in one write, one frame in many writes, and all in between. */
static void
test_receive(gconstpointer flags)
{
    static const size_t lengths[] = {14, 60, 1514, 65535 + 18, 15, 9000, 64, 65535 + 18, 65535 + 17, 14};
    static const size_t pieces[] = {1u << 20, 70000, 4096, 1000, 17};
    g_autofree uint8_t *wanted = g_malloc(NET_FRAME_MAX), *got = g_malloc(NET_FRAME_MAX);

    for (size_t p = 0; p < G_N_ELEMENTS(pieces); p++) {
        int peer;
        g_autoptr(NetDriver) net = on_stream(GPOINTER_TO_UINT(flags), &peer);
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        struct virtio_net_hdr_v1 header;
        uint64_t first = net->driver->next;
        size_t at = 0, sent_until = 0;

        for (size_t l = 0; l < G_N_ELEMENTS(lengths); l++)
            append_frame(bytes, lengths[l], l);
        for (size_t l = 0; l < G_N_ELEMENTS(lengths); l++) {
            net->driver->next = first;
            net_driver_post(net, 0, (NET_HEADER_SIZE + lengths[l] + 4095) / 4096, 4096);
            /* As much as this frame needs; the last piece goes beyond it. */
            at += 4 + lengths[l];
            while (sent_until < at) {
                size_t len = MIN(pieces[p], bytes->len - sent_until);
                write_all(peer, bytes->data + sent_until, MIN(len, 200000));
                sent_until += MIN(len, 200000);
            }
            size_t len = net_driver_receive(net, 0, &header, got, NET_FRAME_MAX);
            fill(wanted, lengths[l], l);
            g_assert_cmpmem(got, len, wanted, lengths[l]);
            g_assert_cmpuint(header.flags, ==, 0);
            g_assert_cmpuint(header.gso_type, ==, VIRTIO_NET_HDR_GSO_NONE);
        }
        close(peer);
    }
}

/* A reader that takes little at a time: frames are cut by the socket and join again. */
static void
test_send(gconstpointer flags)
{
    int peer;
    g_autoptr(NetDriver) net = on_stream(GPOINTER_TO_UINT(flags), &peer);
    VirtioDriver *driver = net->driver;
    enum { FRAMES = 48 };
    static const size_t lengths[] = {65535 + 18, 14, 30000, 1514};
    g_autofree uint8_t *wanted = g_malloc(NET_FRAME_MAX), *got = g_malloc(NET_FRAME_MAX);
    uint64_t header = virtio_driver_alloc(driver, NET_HEADER_SIZE);
    VirtioUsed used;

    for (unsigned i = 0; i < FRAMES; i++) {
        size_t len = lengths[i % G_N_ELEMENTS(lengths)];
        uint64_t frame = virtio_driver_alloc(driver, len);
        fill(virtio_driver_at(driver, frame, len), len, i);
        virtio_driver_add(
            driver, 1,
            (VirtioBuffer[]){
                {header, 5, false}, {header + 5, 7, false}, {frame, 13, false}, {frame + 13, len - 13, false}},
            4);
    }
    virtio_driver_kick(driver, 1);
    for (unsigned i = 0; i < FRAMES; i++) {
        size_t len = lengths[i % G_N_ELEMENTS(lengths)];
        uint32_t length;
        read_all(peer, (uint8_t *)&length, 4);
        g_assert_cmpuint(GUINT32_FROM_BE(length), ==, len);
        for (size_t at = 0; at < len; at += MIN(len - at, 5000))
            read_all(peer, got + at, MIN(len - at, 5000));
        fill(wanted, len, i);
        g_assert_cmpmem(got, len, wanted, len);
    }
    for (unsigned i = 0; i < FRAMES; i++)
        virtio_driver_wait_used(driver, 1, &used);
    close(peer);
}

/* Stopped in the middle of a frame, both ways, it goes on in the middle. */
static void
test_stop_inside_a_frame(gconstpointer flags)
{
    int peer;
    g_autoptr(NetDriver) net = on_stream(GPOINTER_TO_UINT(flags), &peer);
    VirtioDriver *driver = net->driver;
    enum { FRAMES = 16, LEN = 60000 };
    g_autofree uint8_t *wanted = g_malloc(LEN), *got = g_malloc(LEN);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    struct virtio_net_hdr_v1 header;
    uint64_t frame = virtio_driver_alloc(driver, NET_HEADER_SIZE + LEN);
    VirtioUsed used;

    fill(wanted, LEN, 9);
    memcpy((uint8_t *)virtio_driver_at(driver, frame, NET_HEADER_SIZE + LEN) + NET_HEADER_SIZE, wanted, LEN);
    append_frame(bytes, LEN, 9);
    for (unsigned i = 0; i < FRAMES; i++)
        virtio_driver_add(driver, 1, (VirtioBuffer[]){{frame, NET_HEADER_SIZE + LEN, false}}, 1);
    virtio_driver_kick(driver, 1); /* more than the socket takes */
    write_all(peer, bytes->data, 30000);
    net_driver_post(net, 0, 20, 4096);
    net_driver_expect_nothing(net, 0);
    g_mutex_lock(&net->device->lock);
    virtio_device_quiesce(net->device);
    virtio_device_resume(net->device);
    g_mutex_unlock(&net->device->lock);
    write_all(peer, bytes->data + 30000, bytes->len - 30000);
    g_assert_cmpuint(net_driver_receive(net, 0, &header, got, LEN), ==, LEN);
    g_assert_cmpmem(got, LEN, wanted, LEN);
    for (unsigned i = 0; i < FRAMES; i++) {
        uint32_t length;
        read_all(peer, (uint8_t *)&length, 4);
        g_assert_cmpuint(GUINT32_FROM_BE(length), ==, LEN);
        read_all(peer, got, LEN);
        g_assert_cmpmem(got, LEN, wanted, LEN);
        virtio_driver_wait_used(driver, 1, &used);
    }
    close(peer);
}

static void
expect_lost(NetDriver *net)
{
    for (int i = 0; i < 100000 && !__atomic_load_n(&net->reports, __ATOMIC_SEQ_CST); i++)
        g_usleep(100);
    g_assert_cmpuint(net->reports, ==, 1);
    g_assert_cmpstr(net->report, ==, "net0: the network peer is gone: the cable is pulled");
    g_assert_false(net_driver_link_is_up(net));
    g_assert_false(virtio_driver_needs_reset(net->driver)); /* it is not the guest's fault */
}

/* A length no frame has: the peer is believed no more. */
static void
test_bad_lengths(void)
{
    static const uint32_t lengths[] = {0, 1, 13, 65535 + 19, 0x7fffffff, 0x80000000, UINT32_MAX};

    for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
        int peer;
        g_autoptr(NetDriver) net = on_stream(0, &peer);
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        struct virtio_net_hdr_v1 header;
        uint8_t got[100];
        uint32_t length = GUINT32_TO_BE(lengths[i]);

        net_driver_post(net, 0, 4, 2000);
        append_frame(bytes, 60, 1); /* a good one before it still arrives */
        g_byte_array_append(bytes, (const uint8_t *)&length, 4);
        write_all(peer, bytes->data, bytes->len);
        g_assert_cmpuint(net_driver_receive(net, 0, &header, got, sizeof(got)), ==, 60);
        expect_lost(net);
        net_driver_send(net, 0, got, 60, 1);
        net_driver_wait_count(net, offsetof(VirtioNetStats, tx_dropped), 1);
        close(peer);
    }
}

static void
test_peer_ends(gconstpointer flags)
{
    int peer;
    g_autoptr(NetDriver) net = on_stream(GPOINTER_TO_UINT(flags), &peer);
    uint8_t half[] = {0, 0, 0, 60, 1, 2, 3};

    net_driver_post(net, 0, 4, 2000);
    write_all(peer, half, sizeof(half));
    close(peer);
    expect_lost(net);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        GTestDataFunc test;
    } tests[] = {
        {"receive", test_receive},
        {"send", test_send},
        {"stop-inside-a-frame", test_stop_inside_a_frame},
        {"peer-ends", test_peer_ends},
    };
    static const VirtioDriverFlags flags[] = {0, VIRTIO_DRIVER_PACKED, VIRTIO_DRIVER_ALL};

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/stream/bad-lengths", test_bad_lengths);
    for (size_t f = 0; f < G_N_ELEMENTS(flags); f++)
        for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
            g_autofree char *path = g_strdup_printf("/net/stream/%s/%d", tests[i].name, flags[f]);
            g_test_add_data_func(path, GUINT_TO_POINTER(flags[f]), tests[i].test);
        }
    return g_test_run();
}
