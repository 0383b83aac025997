/* SPDX-License-Identifier: Apache-2.0 */
/* Which subnet a network gets. */
#include "appliance/network/subnet.h"

#define ID "6f1d3c52-4b5e-4d0a-9d0c-0000000000a1"

static NetworkSubnet
subnet_of(const char *text)
{
    NetworkSubnet subnet;

    g_assert_true(network_subnet_parse(text, &subnet));
    return subnet;
}

static void
test_parse(void)
{
    static const char *const bad[] = {
        "", "10.0.0.0/33", "10.0.0.1/8", "10.0.0/8", "10.0.0.0/", "10.0.0.0/8/8", "10.0.0.0/-1", "::1", "x"};
    static const char *const good[] = {"10.0.0.0/8", "0.0.0.0/0", "192.0.2.255/32", "100.64.16.0/20"};
    NetworkSubnet subnet;

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(network_subnet_parse(bad[i], &subnet));
    for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
        NetworkSubnet read = subnet_of(good[i]);
        g_autofree char *text = network_subnet_text(&read);
        g_assert_cmpstr(text, ==, good[i]);
    }
    g_assert_cmpuint(subnet_of("1.2.3.4").length, ==, 32);
}

static bool
overlap(const char *a, const char *b)
{
    NetworkSubnet one = subnet_of(a), other = subnet_of(b);

    g_assert_cmpint(network_subnet_overlap(&one, &other), ==, network_subnet_overlap(&other, &one));
    return network_subnet_overlap(&one, &other);
}

static void
test_overlap(void)
{
    g_assert_true(overlap("10.0.0.0/8", "10.255.255.255"));
    g_assert_true(overlap("0.0.0.0/0", "10.0.0.0/8"));
    g_assert_true(overlap("10.0.0.0/8", "10.0.0.0/8"));
    g_assert_false(overlap("10.0.0.0/9", "10.128.0.0/9"));
}

static void
test_choose(void)
{
    NetworkSubnet range = subnet_of("100.64.0.0/18"), subnet, again;
    g_autoptr(GArray) taken = g_array_new(FALSE, FALSE, sizeof(NetworkSubnet));

    /* Four there are: each once, then no more. */
    for (unsigned i = 0; i < 4; i++) {
        g_assert_true(network_subnet_choose(&range, ID, taken, &subnet));
        g_assert_true(network_subnet_choose(&range, ID, taken, &again));
        g_assert_cmpuint(subnet.address, ==, again.address);
        g_assert_true(network_subnet_overlap(&range, &subnet));
        g_assert_true(network_subnet_possible(&range, &subnet));
        for (unsigned k = 0; k < taken->len; k++)
            g_assert_false(network_subnet_overlap(&subnet, &g_array_index(taken, NetworkSubnet, k)));
        g_array_append_val(taken, subnet);
    }
    g_assert_false(network_subnet_choose(&range, ID, taken, &subnet));
    range.length = 21;
    g_array_set_size(taken, 0);
    g_assert_false(network_subnet_choose(&range, ID, taken, &subnet));
}

static void
test_possible(void)
{
    NetworkSubnet range = subnet_of("100.64.0.0/10"), other = subnet_of("100.64.0.0/21"),
                  outside = subnet_of("10.0.0.0/20");

    g_assert_false(network_subnet_possible(&range, &other));
    g_assert_false(network_subnet_possible(&range, &outside));
}

static void
test_places(void)
{
    NetworkSubnet subnet = subnet_of("100.64.16.0/20");
    g_autofree char *gateway = network_address_text(network_subnet_gateway(&subnet));
    g_autofree char *first = network_address_text(network_subnet_place(&subnet, 0));
    g_autofree char *last = network_address_text(network_subnet_place(&subnet, network_subnet_places(&subnet) - 1));

    g_assert_cmpstr(gateway, ==, "100.64.16.1");
    g_assert_cmpstr(first, ==, "100.64.16.2");
    g_assert_cmpstr(last, ==, "100.64.31.254");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/network/subnet/parse", test_parse);
    g_test_add_func("/network/subnet/overlap", test_overlap);
    g_test_add_func("/network/subnet/choose", test_choose);
    g_test_add_func("/network/subnet/possible", test_possible);
    g_test_add_func("/network/subnet/places", test_places);
    return g_test_run();
}
