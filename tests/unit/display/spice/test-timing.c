/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms of how long things took. */
#include "display/spice/timing.h"

#include <glib.h>

static void
test_add(void)
{
    Timing timing = {0};

    timing_add(&timing, 0);
    timing_add(&timing, 2000); /* a bound belongs to what it bounds */
    timing_add(&timing, 2001);
    timing_add(&timing, 1000001);
    g_assert_cmpuint(timing.count, ==, 4);
    g_assert_cmpuint(timing.total_us, ==, 1004002);
    g_assert_cmpuint(timing.within[0], ==, 2);
    g_assert_cmpuint(timing.within[1], ==, 3);
    g_assert_cmpuint(timing.within[TIMING_BOUNDS - 1], ==, 3);
}

static void
test_no_time_runs_backwards(void)
{
    Timing timing = {0};

    timing_add(&timing, -5);
    g_assert_cmpuint(timing.count, ==, 1);
    g_assert_cmpuint(timing.total_us, ==, 0);
    g_assert_cmpuint(timing.within[0], ==, 1);
}

static void
test_bounds_ascend(void)
{
    for (unsigned i = 1; i < TIMING_BOUNDS; i++)
        g_assert_cmpuint(timing_bounds_us[i - 1], <, timing_bounds_us[i]);
}

static void
test_merge(void)
{
    Timing one = {0}, other = {0};

    timing_add(&one, 3000);
    timing_add(&other, 1000);
    timing_add(&other, 700000);
    timing_merge(&one, &other);
    g_assert_cmpuint(one.count, ==, 3);
    g_assert_cmpuint(one.total_us, ==, 704000);
    g_assert_cmpuint(one.within[0], ==, 1);
    g_assert_cmpuint(one.within[1], ==, 2);
    g_assert_cmpuint(one.within[TIMING_BOUNDS - 1], ==, 3);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/spice/timing/add", test_add);
    g_test_add_func("/spice/timing/no-time-runs-backwards", test_no_time_runs_backwards);
    g_test_add_func("/spice/timing/bounds-ascend", test_bounds_ascend);
    g_test_add_func("/spice/timing/merge", test_merge);
    return g_test_run();
}
