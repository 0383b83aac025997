/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/allowance.h"

#define SECOND INT64_C(1000000)
#define NOW (7 * SECOND)

static const AllowanceRate rate = {.at_once = 10, .a_second = 2};

static unsigned
take_all(Allowance *allowance, const char *user, int64_t now)
{
    unsigned n = 0;

    while (!allowance_take(allowance, user, &rate, now))
        n++;
    return n;
}

static void
test_at_once(void)
{
    g_autoptr(Allowance) allowance = allowance_new();

    g_assert_cmpuint(take_all(allowance, "anna", NOW), ==, 10);
    g_assert_cmpint(allowance_take(allowance, "anna", &rate, NOW), ==, SECOND / 2);
    g_assert_cmpuint(take_all(allowance, "ben", NOW), ==, 10);
}

static void
test_comes_back(void)
{
    g_autoptr(Allowance) allowance = allowance_new();

    take_all(allowance, "anna", NOW);
    g_assert_cmpuint(take_all(allowance, "anna", NOW + SECOND / 2 - 1), ==, 0);
    g_assert_cmpuint(take_all(allowance, "anna", NOW + SECOND / 2), ==, 1);
    g_assert_cmpuint(take_all(allowance, "anna", NOW + 3 * SECOND), ==, 5);
    g_assert_cmpuint(take_all(allowance, "anna", NOW + 3600 * SECOND), ==, 10);
}

/* Asking too often makes nobody wait longer. */
static void
test_refusals_do_not_count(void)
{
    g_autoptr(Allowance) allowance = allowance_new();

    take_all(allowance, "anna", NOW);
    for (unsigned i = 0; i < 1000; i++)
        g_assert_cmpint(allowance_take(allowance, "anna", &rate, NOW), >, 0);
    g_assert_cmpuint(take_all(allowance, "anna", NOW + SECOND), ==, 2);
}

static void
test_remembers_no_longer_than_it_must(void)
{
    g_autoptr(Allowance) allowance = allowance_new();

    take_all(allowance, "anna", NOW);
    allowance_take(allowance, "ben", &rate, NOW);
    g_assert_cmpuint(allowance_sweep(allowance, NOW), ==, 2);
    g_assert_cmpuint(allowance_sweep(allowance, NOW + SECOND), ==, 1);
    g_assert_cmpuint(take_all(allowance, "anna", NOW + SECOND), ==, 2);
    g_assert_cmpuint(allowance_sweep(allowance, NOW + 7 * SECOND), ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/allowance/at-once", test_at_once);
    g_test_add_func("/allowance/comes-back", test_comes_back);
    g_test_add_func("/allowance/refusals-do-not-count", test_refusals_do_not_count);
    g_test_add_func("/allowance/remembers-no-longer-than-it-must", test_remembers_no_longer_than_it_must);
    return g_test_run();
}
