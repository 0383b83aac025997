/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/net/dev, read. */
#include "appliance/network/counters.h"

#include <glib.h>

static const char text[] = "Inter-|   Receive                                                |  Transmit\n"
                           " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs "
                           "drop fifo colls carrier compressed\n"
                           "    lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
                           "ct0123456789ab0:18446744073709551615 2 3 4 5 6 7 8 42 10 11 12 13 14 15 16\n"
                           "  ct1: 5 6\n";

static void
test_find(void)
{
    uint64_t received = 0, sent = 0;

    g_assert_true(network_counters_find(text, "lo", &received, &sent));
    g_assert_true(received == 1 && sent == 9);
    g_assert_true(network_counters_find(text, "ct0123456789ab0", &received, &sent));
    g_assert_true(received == UINT64_MAX && sent == 42);
    g_assert_false(network_counters_find(text, "ct0", &received, &sent));
    g_assert_false(network_counters_find(text, "ct1", &received, &sent));
    g_assert_false(network_counters_find("", "lo", &received, &sent));
    g_assert_true(received == UINT64_MAX && sent == 42);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/network/counters/find", test_find);
    return g_test_run();
}
