/* SPDX-License-Identifier: Apache-2.0 */
/* What ip(8) says and is told. */
#include "appliance/network/links.h"

#define ID "6f1d3c52-4b5e-4d0a-9d0c-0000000000a1"

static void
test_links(void)
{
    static const char json[] =
        "[{\"ifname\":\"lo\",\"addr_info\":[{\"family\":\"inet\",\"local\":\"127.0.0.1\",\"prefixlen\":8},"
        "{\"family\":\"inet6\",\"local\":\"::1\",\"prefixlen\":128}]},{},"
        "{\"ifname\":\"br0\",\"linkinfo\":{\"info_kind\":\"bridge\",\"info_data\":{\"vlan_filtering\":1}}},"
        "{\"ifname\":\"t\",\"master\":\"br0\",\"ifalias\":\"x\",\"linkinfo\":{\"info_kind\":\"tun\"},\"addr_info\":7}]";
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) links = network_links_parse(json, &error);

    g_assert_no_error(error);
    g_assert_cmpuint(links->len, ==, 3);
    const NetworkLink *lo = network_links_find(links, "lo"), *bridge = network_links_find(links, "br0");
    const NetworkLink *tap = network_links_find(links, "t");
    g_assert_cmpuint(lo->addresses->len, ==, 1);
    g_assert_cmphex(g_array_index(lo->addresses, NetworkSubnet, 0).address, ==, 0x7f000001);
    g_assert_cmpuint(g_array_index(lo->addresses, NetworkSubnet, 0).length, ==, 8);
    g_assert_cmpstr(bridge->kind, ==, "bridge");
    g_assert_true(bridge->filters);
    g_assert_cmpstr(tap->master, ==, "br0");
    g_assert_cmpstr(tap->alias, ==, "x");
    g_assert_null(network_links_find(links, "none"));
}

static void
test_nonsense(void)
{
    static const char *const texts[] = {"{}", "[", "null", "7", "[7"};

    for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(network_links_parse(texts[i], &error));
        g_assert_error(error, NETWORK_ERROR, NETWORK_ERROR_FAILED);
    }
    g_autoptr(GPtrArray) none = network_routes_parse("", NULL);
    g_assert_cmpuint(none->len, ==, 0);
}

static bool
ours(const char *name, const char *alias)
{
    NetworkLink link = {.name = (char *)name, .alias = (char *)alias};
    return network_link_is_ours(&link);
}

static void
test_ours(void)
{
    g_assert_true(ours("cn0000000000a1", "carrel network " ID));
    g_assert_true(ours("cv0000000000a1", "carrel uplink " ID));
    g_assert_true(ours("ct0000000000a13", "carrel card " ID " 3"));
    g_assert_false(ours("cn0000000000a1", NULL));
    g_assert_false(ours("cn0000000000a1", ""));
    g_assert_false(ours("eth0", "carrel network " ID));
    g_assert_false(ours("ct0000000000a13", "carrel card " ID " 4"));
    g_assert_false(ours("ct0000000000a13", "carrel card " ID " 3 5"));
    g_assert_false(ours("ct0000000000a13", "carrel card " ID));
    g_assert_false(ours("cn0000000000a1", "carrel network x"));
    g_assert_false(ours("cn0000000000a1", "somebody network " ID));
}

static void
test_routes(void)
{
    static const char json[] = "[{\"dst\":\"default\",\"gateway\":\"192.0.2.1\",\"dev\":\"eth0\"},"
                               "{\"dst\":\"10.8.0.0/16\",\"dev\":\"tun0\",\"table\":\"52\"},"
                               "{\"type\":\"local\",\"dst\":\"192.0.2.9\",\"dev\":\"eth0\",\"table\":\"local\"},"
                               "{\"type\":\"blackhole\",\"dst\":\"10.9.0.0/16\"},{\"dst\":\"fd00::/8\"}]";
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) routes = network_routes_parse(json, &error);

    g_assert_no_error(error);
    g_assert_cmpuint(routes->len, ==, 4);
    const NetworkRoute *first = routes->pdata[0], *second = routes->pdata[1], *third = routes->pdata[2];
    g_assert_true(first->main && first->to.length == 0);
    g_assert_cmpstr(first->through, ==, "eth0");
    g_assert_false(second->main);
    g_assert_cmpuint(second->to.length, ==, 16);
    g_assert_cmpuint(third->to.length, ==, 32);
    g_assert_null(((NetworkRoute *)routes->pdata[3])->through);
}

static void
test_lines(void)
{
    g_autoptr(GString) lines = g_string_new(NULL);

    network_links_set_card(lines, "ct0000000000a10", "carrel card " ID " 0", "52:54:00:00:00:01", "br0", 9000, true);
    g_assert_cmpstr(lines->str, ==,
                    "link set dev ct0000000000a10 alias \"carrel card " ID " 0\"\n"
                    "link set dev ct0000000000a10 address fe:54:00:00:00:01 mtu 9000 addrgenmode none master br0\n"
                    "link set dev ct0000000000a10 type bridge_slave isolated on\n"
                    "link set dev ct0000000000a10 up\n");
    g_string_truncate(lines, 0);
    /* Never the guest's own address. */
    network_links_set_card(lines, "t", "a", "fe:54:00:00:00:01", "br0", 1500, false);
    g_assert_nonnull(g_strstr_len(lines->str, -1, "address fa:54:00:00:00:01 "));
    g_string_truncate(lines, 0);
    network_links_make_uplink(lines, ID, "lan0", 20);
    g_assert_true(g_str_has_prefix(lines->str, "link add link lan0 name cv0000000000a1 type vlan id 20\n"));
    g_assert_nonnull(g_strstr_len(lines->str, -1, "master cn0000000000a1 up\n"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/network/links/links", test_links);
    g_test_add_func("/network/links/nonsense", test_nonsense);
    g_test_add_func("/network/links/ours", test_ours);
    g_test_add_func("/network/links/routes", test_routes);
    g_test_add_func("/network/links/lines", test_lines);
    return g_test_run();
}
