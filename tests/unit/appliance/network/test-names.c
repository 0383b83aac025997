/* SPDX-License-Identifier: Apache-2.0 */
/* Names of interfaces, MAC addresses, host names. */
#include "appliance/network/names.h"

#include <string.h>

#define DESKTOP "0b64d9d1-8f5a-4c3e-8a11-0123456789ab"

static void
test_interfaces(void)
{
    NetworkName name;

    network_bridge_name(DESKTOP, name);
    g_assert_cmpstr(name, ==, "cn0123456789ab");
    network_uplink_name(DESKTOP, name);
    g_assert_cmpstr(name, ==, "cv0123456789ab");
    network_card_name(DESKTOP, 7, name);
    g_assert_cmpstr(name, ==, "ct0123456789ab7");
    g_assert_cmpuint(strlen(name), ==, IFNAMSIZ - 1);
}

static void
test_valid(void)
{
    static const char *const bad_names[] = {"", "-x", ".", "..", "a/b", "a b", "a\nb", "a;b", "\"", "0123456789abcdef",
                                            "ü"};
    static const char *const bad_macs[] = {"",
                                           "52:54:00:12:34:5",
                                           "52:54:00:12:34:567",
                                           "52-54-00-12-34-56",
                                           "53:54:00:12:34:56",
                                           "00:00:00:00:00:00",
                                           "52:54:00:12:34:5G",
                                           "52:54:00:12:34:5A",
                                           "52:54:00:12:34\n56"};

    for (unsigned i = 0; i < G_N_ELEMENTS(bad_names); i++)
        g_assert_false(network_interface_valid(bad_names[i]));
    for (unsigned i = 0; i < G_N_ELEMENTS(bad_macs); i++)
        g_assert_false(network_mac_valid(bad_macs[i]));
    g_assert_false(network_interface_valid(NULL));
    g_assert_false(network_mac_valid(NULL));
    g_assert_true(network_interface_valid("br-lan.20_x"));
    g_assert_true(network_mac_valid("52:54:00:ab:cd:ef"));
    g_assert_true(network_id_valid(DESKTOP));
    g_assert_false(network_id_valid("0B64D9D1-8f5a-4c3e-8a11-0123456789ab"));
    g_assert_false(network_id_valid("0b64d9d1"));
    g_assert_false(network_id_valid(NULL));
}

static void
test_mac(void)
{
    g_autofree char *one = network_card_mac(DESKTOP, 0), *same = network_card_mac(DESKTOP, 0);
    g_autofree char *other = network_card_mac(DESKTOP, 1);

    g_assert_cmpstr(one, ==, same);
    g_assert_cmpstr(one, !=, other);
    g_assert_true(network_mac_valid(one));
    g_assert_cmpint(g_ascii_xdigit_value(one[1]) & 3, ==, 2);
}

static void
test_host_names(void)
{
    static const struct {
        const char *name, *host;
    } names[] = {
        {"Anna", "anna"}, {"Anna’s PC", "annas-pc"}, {"  --Büro 3--  ", "buro-3"},       {"日本", NULL},  {"", NULL},
        {NULL, NULL},     {"a,b\nc", "a-b-c"},       {"set:x,1.2.3.4", "set-x-1-2-3-4"}, {"../..", NULL},
    };
    g_autofree char *many = g_strnfill(200, 'x'), *cut = network_dns_name(many);

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *host = network_dns_name(names[i].name);
        g_assert_cmpstr(host, ==, names[i].host);
    }
    g_assert_cmpuint(strlen(cut), ==, 63);
}

static void
test_types(void)
{
    NetworkType type = NETWORK_NAT;

    g_assert_true(network_type_from_name("vlan", &type));
    g_assert_cmpint(type, ==, NETWORK_VLAN);
    g_assert_false(network_type_from_name("NAT", &type));
    g_assert_false(network_type_from_name(NULL, &type));
    g_assert_cmpint(type, ==, NETWORK_VLAN);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/network/names/interfaces", test_interfaces);
    g_test_add_func("/network/names/valid", test_valid);
    g_test_add_func("/network/names/mac", test_mac);
    g_test_add_func("/network/names/host", test_host_names);
    g_test_add_func("/network/names/types", test_types);
    return g_test_run();
}
