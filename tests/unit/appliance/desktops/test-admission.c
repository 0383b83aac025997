/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/admission.h"

#include "appliance/desktops/desktops.h"

#include <string.h>

#define GIB (UINT64_C(1) << 30)

static bool
admits(uint64_t memory, uint64_t promised, uint64_t all, unsigned percent)
{
    g_autoptr(GError) error = NULL;
    bool admitted = admission_check(memory, promised, all, percent, &error);

    if (!admitted)
        g_assert_error(error, DESKTOPS_ERROR, DESKTOPS_ERROR_FULL);
    return admitted;
}

static void
test_reserve(void)
{
    g_assert_cmpuint(admission_for_desktops(GIB), ==, GIB / 2);
    g_assert_cmpuint(admission_for_desktops(4 * GIB), ==, 3 * GIB);
    g_assert_cmpuint(admission_for_desktops(32 * GIB), ==, 28 * GIB);
    g_assert_cmpuint(admission_for_desktops(512 * GIB), ==, 504 * GIB);
}

static void
test_limit(void)
{
    g_assert_true(admits(4 * GIB, 12 * GIB, 16 * GIB, 100));
    g_assert_false(admits(4 * GIB + 1, 12 * GIB, 16 * GIB, 100));
    g_assert_false(admits(1, 17 * GIB, 16 * GIB, 100)); /* less became of it meanwhile */
    g_assert_false(admits(G_MAXUINT64, 12 * GIB, 16 * GIB, 100));
}

static void
test_overcommit(void)
{
    g_assert_true(admits(4 * GIB, 20 * GIB, 16 * GIB, 150));
    g_assert_false(admits(5 * GIB, 20 * GIB, 16 * GIB, 150));
}

static void
test_numbers(void)
{
    g_autoptr(GError) error = NULL;

    admission_check(4 * GIB, 14 * GIB, 16 * GIB, 100, &error);
    g_assert_nonnull(strstr(error->message, "4.0"));
    g_assert_nonnull(strstr(error->message, "16.0"));
    g_assert_nonnull(strstr(error->message, "2.0"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/admission/reserve", test_reserve);
    g_test_add_func("/admission/limit", test_limit);
    g_test_add_func("/admission/overcommit", test_overcommit);
    g_test_add_func("/admission/numbers", test_numbers);
    return g_test_run();
}
