/* SPDX-License-Identifier: Apache-2.0 */
/* What dnsmasq(8) reads. */
#include "appliance/network/dns.h"

#include <string.h>

static void
test_config(void)
{
    NetworkDnsOptions options = {.folder = "/run/x", .bridge = "cnA", .subnet = {0x64401000, 20}, .user = "nobody"};
    g_autofree char *text = network_dns_config(&options);

    g_assert_nonnull(strstr(text, "\ninterface=cnA\nexcept-interface=lo\nbind-dynamic\n"));
    g_assert_nonnull(strstr(text, "\ndhcp-range=100.64.16.0,static,255.255.240.0,12h\n"));
    g_assert_nonnull(strstr(text, "\ndhcp-hostsfile=/run/x/hosts\ndhcp-leasefile=/run/x/leases\n"));
    g_assert_nonnull(strstr(text, "\nno-hosts\n"));
}

static void
test_hosts(void)
{
    const NetworkDnsCard cards[] = {{"52:54:00:00:00:01", 0x64401002, "anna"}, {"52:54:00:00:00:02", 0x64401003, NULL}};
    g_autofree char *text = network_dns_hosts(cards, 2), *none = network_dns_hosts(NULL, 0);

    g_assert_cmpstr(text, ==, "52:54:00:00:00:01,100.64.16.2,anna\n52:54:00:00:00:02,100.64.16.3\n");
    g_assert_cmpstr(none, ==, "");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/network/dns/config", test_config);
    g_test_add_func("/network/dns/hosts", test_hosts);
    return g_test_run();
}
