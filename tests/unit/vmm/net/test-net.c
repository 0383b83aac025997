/* SPDX-License-Identifier: Apache-2.0 */
/* A card as a driver meets it: configuration, features, cable, control queue, queue pairs, saved state. */
#include "net_driver.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
#define PAIRS 3

/* A card on @n_pairs datagram sockets. */
static NetDriver *
on_sockets(VirtioDriverFlags flags, unsigned n_pairs, int *peers, uint64_t features)
{
    int fds[VIRTIO_NET_PAIRS_MAX];

    for (unsigned i = 0; i < n_pairs; i++) {
        int ends[2];
        net_socket_pair(SOCK_SEQPACKET, ends);
        fds[i] = ends[0];
        peers[i] = ends[1];
    }
    VirtioNetOptions options = {.backend = net_backend_frames_new(fds, n_pairs, features), .mtu = 9000};
    memcpy(options.mac, mac, sizeof(mac));
    return net_driver_new(flags, &options);
}

static void
close_all(const int *peers, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        close(peers[i]);
}

static void
peer_send(int peer, uint8_t tag)
{
    uint8_t bytes[NET_HEADER_SIZE + 60] = {0};
    memset(bytes + NET_HEADER_SIZE, tag, 60);
    g_assert_cmpint(send(peer, bytes, sizeof(bytes), 0), ==, sizeof(bytes));
}

static void
expect_frame(NetDriver *net, unsigned pair, uint8_t tag)
{
    struct virtio_net_hdr_v1 header;
    uint8_t frame[200];
    g_assert_cmpuint(net_driver_receive(net, pair, &header, frame, sizeof(frame)), ==, 60);
    g_assert_cmpuint(frame[0], ==, tag);
}

/* What the guest sends on @pair comes out at @peer. */
static void
expect_sent(NetDriver *net, unsigned pair, int peer)
{
    uint8_t frame[60], got[200];
    memset(frame, 0x40 + pair, sizeof(frame));
    net_driver_send(net, pair, frame, sizeof(frame), 1);
    g_assert_cmpint(recv(peer, got, sizeof(got), MSG_DONTWAIT), ==, NET_HEADER_SIZE + 60);
    g_assert_cmpmem(got + NET_HEADER_SIZE, 60, frame, 60);
}

static void
test_configuration(void)
{
    int peers[PAIRS];
    g_autoptr(NetDriver) net = on_sockets(0, PAIRS, peers, BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM));
    struct virtio_net_config config;

    net_driver_config(net, &config);
    g_assert_cmpmem(config.mac, 6, mac, 6);
    g_assert_cmpuint(config.status, ==, VIRTIO_NET_S_LINK_UP);
    g_assert_cmpuint(config.max_virtqueue_pairs, ==, PAIRS);
    g_assert_cmpuint(config.mtu, ==, 9000);
    g_assert_cmpuint(net->device->n_queues, ==, 2 * PAIRS + 1);
    g_assert_cmphex(net_driver_features(net), ==,
                    BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_MAC) |
                        BIT(VIRTIO_NET_F_STATUS) | BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_CTRL_VQ) |
                        BIT(VIRTIO_NET_F_CTRL_RX) | BIT(VIRTIO_NET_F_CTRL_RX_EXTRA) | BIT(VIRTIO_NET_F_CTRL_MAC_ADDR) |
                        BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) | BIT(VIRTIO_NET_F_MTU) | BIT(VIRTIO_NET_F_MQ));
    close_all(peers, PAIRS);
}

/* A feature without the one it stands on is refused (virtio 1.2, 5.1.3.1). */
static void
test_features(void)
{
    uint64_t all = BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) |
                   BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_HOST_ECN) | BIT(VIRTIO_NET_F_HOST_USO) |
                   BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN) |
                   BIT(VIRTIO_NET_F_GUEST_USO4) | BIT(VIRTIO_NET_F_GUEST_USO6);
    const struct {
        uint64_t without;
        bool good;
    } cases[] = {
        {0, true},
        {BIT(VIRTIO_NET_F_CSUM), false},
        {BIT(VIRTIO_NET_F_GUEST_CSUM), false},
        {BIT(VIRTIO_NET_F_CTRL_VQ), false},
        {BIT(VIRTIO_NET_F_HOST_TSO4), true},
        {BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6), false}, /* ECN needs one of them */
        {BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6), false},
        {BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_MTU) | BIT(VIRTIO_NET_F_STATUS), true},
    };
    int peers[PAIRS];
    g_autoptr(NetDriver) net = on_sockets(0, PAIRS, peers, all);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        virtio_driver_negotiate(net->driver, net_driver_features(net) & ~cases[i].without);
        bool agreed = virtio_device_status(net->device) & VIRTIO_CONFIG_S_FEATURES_OK;
        g_assert_cmpint(agreed, ==, cases[i].good);
        virtio_driver_reset(net->driver);
    }
    close_all(peers, PAIRS);
}

static void
test_cable(gconstpointer flags)
{
    int peer;
    uint8_t frame[60] = {0}, got[200];
    g_autoptr(NetDriver) net = on_sockets(GPOINTER_TO_UINT(flags), 1, &peer, 0);

    virtio_net_set_link(net->device, false); /* before there is a driver */
    g_assert_false(net_driver_link_is_up(net));
    virtio_net_set_link(net->device, true);
    net_driver_start(net, net_driver_features(net));
    unsigned told = net->driver->config_interrupts;
    net_driver_post(net, 0, 4, 2000);
    for (unsigned round = 1; round < 10; round++) {
        expect_sent(net, 0, peer);
        virtio_net_set_link(net->device, false);
        virtio_net_set_link(net->device, false); /* once is enough */
        g_assert_cmpuint(net->driver->config_interrupts, ==, told + 2 * round - 1);
        g_assert_false(net_driver_link_is_up(net));
        net_driver_send(net, 0, frame, sizeof(frame), 1);
        net_driver_wait_count(net, offsetof(VirtioNetStats, tx_dropped), round);
        g_assert_cmpint(recv(peer, got, sizeof(got), MSG_DONTWAIT), ==, -1);
        peer_send(peer, round);
        net_driver_expect_nothing(net, 0);
        virtio_net_set_link(net->device, true);
        g_assert_cmpuint(net->driver->config_interrupts, ==, told + 2 * round);
        expect_frame(net, 0, round); /* the socket kept it */
        net_driver_post(net, 0, 1, 2000);
    }
    close(peer);
}

static void
test_no_back_end(void)
{
    g_autoptr(NetDriver) net = net_driver_new(0, &(VirtioNetOptions){.n_pairs = 2});
    uint8_t frame[60] = {0};

    net_driver_start(net, net_driver_features(net));
    g_assert_false(net_driver_link_is_up(net));
    net_driver_post(net, 0, 2, 2000);
    net_driver_send(net, 0, frame, sizeof(frame), 1);
    net_driver_wait_count(net, offsetof(VirtioNetStats, tx_dropped), 1);
    virtio_net_set_link(net->device, false);
    virtio_net_set_link(net->device, true);
    g_assert_false(net_driver_link_is_up(net));
}

static void
test_control(gconstpointer flags)
{
    int peer;
    g_autoptr(NetDriver) net = on_sockets(GPOINTER_TO_UINT(flags), 1, &peer, 0);
    struct virtio_net_config config;
    static const uint8_t other[6] = {2, 3, 4, 5, 6, 7};
    uint8_t table[] = {2, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 1, 0, 0, 0, 3, 3, 3, 3, 3, 3};
    uint8_t on = 1, two = 2;

    net_driver_start(net, net_driver_features(net));
    for (uint8_t command = 0; command < 6; command++) {
        g_assert_cmpuint(net_driver_control(net, VIRTIO_NET_CTRL_RX, command, &on, 1), ==, VIRTIO_NET_OK);
        g_assert_cmpuint(net_driver_control(net, VIRTIO_NET_CTRL_RX, command, &two, 1), ==, VIRTIO_NET_ERR);
        g_assert_cmpuint(net_driver_control(net, VIRTIO_NET_CTRL_RX, command, NULL, 0), ==, VIRTIO_NET_ERR);
    }
    g_assert_cmpuint(net_driver_control(net, VIRTIO_NET_CTRL_RX, 6, &on, 1), ==, VIRTIO_NET_ERR);

    uint8_t tables = VIRTIO_NET_CTRL_MAC_TABLE_SET, address = VIRTIO_NET_CTRL_MAC_ADDR_SET;
    g_assert_cmpuint(net_driver_control(net, VIRTIO_NET_CTRL_MAC, tables, table, sizeof(table)), ==, VIRTIO_NET_OK);
    for (size_t len = 0; len < sizeof(table); len++)
        g_assert_cmpuint(net_driver_control(net, VIRTIO_NET_CTRL_MAC, tables, table, len), ==, VIRTIO_NET_ERR);
    memset(table, 0xff, 4); /* four thousand million addresses */
    g_assert_cmpuint(net_driver_control(net, VIRTIO_NET_CTRL_MAC, tables, table, sizeof(table)), ==, VIRTIO_NET_ERR);
    g_autofree uint8_t *large = g_malloc0(2 * 4 + 5000 * 6); /* all there, but more than a card keeps */
    large[0] = 5000 & 0xff, large[1] = 5000 >> 8;
    g_assert_cmpuint(net_driver_control(net, VIRTIO_NET_CTRL_MAC, tables, large, 8 + 5000 * 6), ==, VIRTIO_NET_ERR);
    large[0] = 0, large[1] = 0x10; /* 4096 */
    g_assert_cmpuint(net_driver_control(net, VIRTIO_NET_CTRL_MAC, tables, large, 8 + 4096 * 6), ==, VIRTIO_NET_OK);
    g_assert_cmpuint(net_driver_control(net, VIRTIO_NET_CTRL_MAC, address, other, 5), ==, VIRTIO_NET_ERR);
    g_assert_cmpuint(net_driver_control(net, VIRTIO_NET_CTRL_MAC, 2, other, 6), ==, VIRTIO_NET_ERR);
    net_driver_config(net, &config);
    g_assert_cmpmem(config.mac, 6, mac, 6);
    g_assert_cmpuint(net_driver_control(net, VIRTIO_NET_CTRL_MAC, address, other, 6), ==, VIRTIO_NET_OK);
    net_driver_config(net, &config);
    g_assert_cmpmem(config.mac, 6, other, 6);

    static const uint8_t pairs[2] = {1, 0};
    g_assert_cmpuint(net_driver_control(net, VIRTIO_NET_CTRL_MQ, 0, pairs, 2), ==, VIRTIO_NET_ERR); /* not agreed */
    g_assert_cmpuint(net_driver_control(net, VIRTIO_NET_CTRL_VLAN, 0, pairs, 2), ==, VIRTIO_NET_ERR);
    g_assert_cmpuint(net_driver_control(net, 200, 0, pairs, 2), ==, VIRTIO_NET_ERR);
    g_assert_cmpuint(net_driver_control(net, VIRTIO_NET_CTRL_ANNOUNCE, 0, NULL, 0), ==, VIRTIO_NET_OK);
    g_assert_cmpuint(net_driver_control(net, VIRTIO_NET_CTRL_ANNOUNCE, 1, NULL, 0), ==, VIRTIO_NET_ERR);

    virtio_driver_reset(net->driver); /* and all is as it was */
    net_driver_config(net, &config);
    g_assert_cmpmem(config.mac, 6, mac, 6);
    close(peer);
}

/* A command of a byte or none, and one with no room for an answer. */
static void
test_control_hostile(gconstpointer flags)
{
    int peer;
    g_autoptr(NetDriver) net = on_sockets(GPOINTER_TO_UINT(flags), 1, &peer, 0);
    uint8_t answer, byte = 1;

    net_driver_start(net, net_driver_features(net));
    g_assert_cmpuint(virtio_driver_call(net->driver, 2, &byte, 1, &answer, 1), ==, 1);
    g_assert_cmpuint(answer, ==, VIRTIO_NET_ERR);
    g_assert_cmpuint(virtio_driver_call(net->driver, 2, NULL, 0, &answer, 1), ==, 1);
    g_assert_cmpuint(answer, ==, VIRTIO_NET_ERR);
    virtio_driver_add(net->driver, 2, (VirtioBuffer[]){{virtio_driver_alloc(net->driver, 8), 8, false}}, 1);
    virtio_driver_kick(net->driver, 2);
    for (int i = 0; i < 100000 && !virtio_driver_needs_reset(net->driver); i++)
        g_usleep(100);
    g_assert_true(virtio_driver_needs_reset(net->driver));
    close(peer);
}

/* Only the pairs the driver asked for are served; asking again at any time changes that. */
static void
test_pairs(gconstpointer flags)
{
    int peers[PAIRS];
    g_autoptr(NetDriver) net = on_sockets(GPOINTER_TO_UINT(flags), PAIRS, peers, 0);
    static const uint16_t wanted[] = {1, 2, 3, 1, 3, 2, 1};
    static const uint16_t bad[] = {0, 4, 0x8000, 0xffff};
    unsigned waiting[PAIRS] = {0}; /* frames that came for a pair not in use: its socket keeps them */

    net_driver_start(net, net_driver_features(net));
    for (unsigned pair = 0; pair < PAIRS; pair++)
        net_driver_post(net, pair, 32, 2000);
    for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++) {
        g_assert_cmpuint(net_driver_control(net, VIRTIO_NET_CTRL_MQ, 0, &wanted[i], 2), ==, VIRTIO_NET_OK);
        for (size_t b = 0; b < G_N_ELEMENTS(bad); b++)
            g_assert_cmpuint(net_driver_control(net, VIRTIO_NET_CTRL_MQ, 0, &bad[b], 2), ==, VIRTIO_NET_ERR);
        for (unsigned pair = 0; pair < PAIRS; pair++) {
            peer_send(peers[pair], pair);
            waiting[pair]++;
            if (pair >= wanted[i]) {
                net_driver_expect_nothing(net, pair);
                continue;
            }
            for (; waiting[pair]; waiting[pair]--)
                expect_frame(net, pair, pair);
            expect_sent(net, pair, peers[pair]);
        }
    }
    close_all(peers, PAIRS);
}

/* Without MQ the control queue is the third, whatever the card has (virtio 1.2, 5.1.2). */
static void
test_control_without_pairs(void)
{
    int peers[PAIRS];
    g_autoptr(NetDriver) net = on_sockets(0, PAIRS, peers, 0);
    uint8_t on = 1;

    net_driver_start(net, net_driver_features(net) & ~BIT(VIRTIO_NET_F_MQ));
    g_assert_cmpuint(net_driver_control(net, VIRTIO_NET_CTRL_RX, 0, &on, 1), ==, VIRTIO_NET_OK);
    close_all(peers, PAIRS);
}

static void
test_save_and_load(gconstpointer flags)
{
    int peers[PAIRS];
    g_autoptr(NetDriver) net = on_sockets(GPOINTER_TO_UINT(flags), PAIRS, peers, 0);
    static const uint8_t other[6] = {2, 3, 4, 5, 6, 7};
    static const uint16_t two = 2;
    struct virtio_net_config config;
    g_autoptr(GError) error = NULL;

    net_driver_start(net, net_driver_features(net));
    net_driver_post(net, 1, 4, 2000);
    g_assert_cmpuint(net_driver_control(net, VIRTIO_NET_CTRL_MQ, 0, &two, 2), ==, VIRTIO_NET_OK);
    g_assert_cmpuint(net_driver_control(net, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, other, 6), ==,
                     VIRTIO_NET_OK);
    g_autoptr(GByteArray) saved = g_byte_array_new();
    g_mutex_lock(&net->device->lock);
    virtio_device_quiesce(net->device);
    state_save(&virtio_device_state, net->device, saved);
    virtio_device_reset(net->device);
    g_assert_true(
        state_load(&virtio_device_state, net->device, virtio_device_state.version, saved->data, saved->len, &error));
    g_assert_no_error(error);
    unsigned told = net->driver->config_interrupts;
    virtio_device_resume(net->device);
    g_mutex_unlock(&net->device->lock);

    net_driver_config(net, &config);
    g_assert_cmpmem(config.mac, 6, other, 6);
    g_assert_cmpuint(config.status, ==, VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE);
    g_assert_cmpuint(net->driver->config_interrupts, ==, told + 1);
    g_assert_cmpuint(net_driver_control(net, VIRTIO_NET_CTRL_ANNOUNCE, 0, NULL, 0), ==, VIRTIO_NET_OK);
    net_driver_config(net, &config);
    g_assert_cmpuint(config.status, ==, VIRTIO_NET_S_LINK_UP);
    expect_sent(net, 1, peers[1]); /* the second pair is in use */
    peer_send(peers[1], 7);
    expect_frame(net, 1, 7);

    /* More pairs than there are. */
    int peer;
    g_autoptr(NetDriver) small = on_sockets(GPOINTER_TO_UINT(flags), 1, &peer, 0);
    g_assert_false(
        state_load(&virtio_device_state, small->device, virtio_device_state.version, saved->data, saved->len, &error));
    g_assert_error(error, STATE_ERROR, STATE_ERROR_FOREIGN);
    close(peer);
    close_all(peers, PAIRS);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        GTestDataFunc test;
    } tests[] = {
        {"cable", test_cable},
        {"control", test_control},
        {"control-hostile", test_control_hostile},
        {"pairs", test_pairs},
        {"save-and-load", test_save_and_load},
    };
    static const VirtioDriverFlags flags[] = {0, VIRTIO_DRIVER_PACKED, VIRTIO_DRIVER_ALL};

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/net/configuration", test_configuration);
    g_test_add_func("/net/net/features", test_features);
    g_test_add_func("/net/net/no-back-end", test_no_back_end);
    g_test_add_func("/net/net/control-without-pairs", test_control_without_pairs);
    for (size_t f = 0; f < G_N_ELEMENTS(flags); f++)
        for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
            g_autofree char *path = g_strdup_printf("/net/net/%s/%d", tests[i].name, flags[f]);
            g_test_add_data_func(path, GUINT_TO_POINTER(flags[f]), tests[i].test);
        }
    return g_test_run();
}
