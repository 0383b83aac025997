/* SPDX-License-Identifier: Apache-2.0 */
/* passt: found or not, started or not, its DHCP answers the guest, and it ends with the card. */
#include "net_driver.h"

#include <stdio.h>
#include <string.h>

static const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

static void
test_missing(void)
{
    g_autofree char *path = g_strdup(g_getenv("PATH"));
    g_autoptr(GError) error = NULL;

    g_setenv("PATH", "/nowhere", TRUE);
    NetBackend *backend = net_backend_passt_new(&error);
    g_setenv("PATH", path, TRUE);
    g_assert_null(backend);
    g_assert_error(error, NET_ERROR, NET_ERROR_PASST);
    g_assert_nonnull(strstr(error->message, "install it"));
}

/* Something of that name that fails says why. */
static void
test_does_not_start(void)
{
    g_autofree char *path = g_strdup(g_getenv("PATH"));
    g_autofree char *folder = g_dir_make_tmp("carrel-passt-XXXXXX", NULL);
    g_autofree char *program = g_build_filename(folder, "passt", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_true(g_file_set_contents_full(program, "#!/bin/sh\necho first >&2\necho no tap for you >&2\nexit 3\n", -1,
                                           G_FILE_SET_CONTENTS_NONE, 0755, NULL));
    g_setenv("PATH", folder, TRUE);
    NetBackend *backend = net_backend_passt_new(&error);
    g_setenv("PATH", path, TRUE);
    g_assert_null(backend);
    g_assert_error(error, NET_ERROR, NET_ERROR_PASST);
    g_assert_cmpstr(error->message, ==, "passt does not start: no tap for you");
    g_assert_cmpint(remove(program), ==, 0);
    g_assert_cmpint(remove(folder), ==, 0);
}

static uint16_t
checksum(const uint8_t *bytes, size_t len)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < len; i += 2)
        sum += bytes[i] << 8 | bytes[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~sum;
}

/* A DHCP DISCOVER as a guest's first frame (RFC 2131, 4.4.1). */
static size_t
dhcp_discover(uint8_t *frame)
{
    enum { ETHERNET = 14, IP = 20, UDP = 8, DHCP = 240 + 8 };
    static const uint8_t options[] = {0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255};
    uint8_t *ip = frame + ETHERNET, *udp = ip + IP, *dhcp = udp + UDP;
    const size_t len = ETHERNET + IP + UDP + DHCP;

    memset(frame, 0, len);
    memset(frame, 0xff, 6);
    memcpy(frame + 6, mac, 6);
    frame[12] = 0x08;
    ip[0] = 0x45;
    ip[3] = IP + UDP + DHCP - 256;
    ip[2] = 1;
    ip[8] = 64;
    ip[9] = 17;
    memset(ip + 16, 0xff, 4);
    uint16_t sum = checksum(ip, IP);
    ip[10] = sum >> 8;
    ip[11] = sum;
    udp[1] = 68;
    udp[3] = 67;
    udp[4] = 1;
    udp[5] = UDP + DHCP - 256;
    dhcp[0] = dhcp[1] = 1;
    dhcp[2] = 6;
    memcpy(dhcp + 4, "carl", 4);
    memcpy(dhcp + 28, mac, 6);
    memcpy(dhcp + 236, options, sizeof(options));
    return len;
}

static bool
is_dhcp_offer(const uint8_t *frame, size_t len)
{
    const uint8_t *udp = frame + 34, *dhcp = frame + 42;
    return len > 290 && frame[12] == 0x08 && frame[13] == 0 && frame[23] == 17 && udp[1] == 67 && udp[3] == 68 &&
           dhcp[0] == 2 && memcmp(dhcp + 4, "carl", 4) == 0 && memcmp(dhcp + 28, mac, 6) == 0;
}

static void
test_dhcp(void)
{
    g_autoptr(GError) error = NULL;
    NetBackend *backend = net_backend_passt_new(&error);
    if (!backend) {
        g_test_skip(error->message); /* no passt, no user namespaces, or no network at all */
        return;
    }
    VirtioNetOptions options = {.backend = backend};
    memcpy(options.mac, mac, sizeof(mac));
    g_autoptr(NetDriver) net = net_driver_new(VIRTIO_DRIVER_ALL, &options);
    uint8_t frame[400];

    net_driver_start(net, net_driver_features(net));
    net_driver_post(net, 0, 16, 2048);
    size_t len = dhcp_discover(frame);
    net_driver_send(net, 0, frame, len, 2);
    net_driver_receive_until(net, 0, is_dhcp_offer);
    g_assert_true(net_driver_link_is_up(net));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/passt/missing", test_missing);
    g_test_add_func("/net/passt/does-not-start", test_does_not_start);
    g_test_add_func("/net/passt/dhcp", test_dhcp);
    return g_test_run();
}
