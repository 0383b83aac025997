/* SPDX-License-Identifier: Apache-2.0 */
/* Pixels: zero at first, weighed as long as anybody holds them, never more than the budget. */
#include "display/gpu/pixels.h"

#define KIB 1024

static void
test_budget(void)
{
    PixelBudget *budget = pixel_budget_new(8 * KIB);
    Pixels *first = pixels_new(budget, 6 * KIB);

    g_assert_nonnull(first);
    for (size_t i = 0; i < first->len; i++)
        g_assert_cmphex(first->bytes[i], ==, 0);
    g_assert_cmpuint(pixel_budget_used(budget), ==, 6 * KIB);
    g_assert_null(pixels_new(budget, 2 * KIB + 1));
    g_assert_null(pixels_new(budget, UINT64_MAX));
    g_assert_null(pixels_new(budget, UINT64_MAX - 6 * KIB + 1)); /* used + len wraps to 0 */
    g_assert_null(pixels_new(budget, 0));
    g_assert_cmpuint(pixel_budget_used(budget), ==, 6 * KIB);

    Pixels *second = pixels_new(budget, 2 * KIB);
    g_assert_nonnull(second);
    g_assert_cmpuint(pixel_budget_used(budget), ==, 8 * KIB);
    pixels_unref(first);
    pixels_unref(second);
    g_assert_cmpuint(pixel_budget_used(budget), ==, 0);
    pixels_unref(NULL);
    pixel_budget_unref(budget);
    pixel_budget_unref(NULL);
}

static void
test_held_pixels_weigh_on(void)
{
    PixelBudget *budget = pixel_budget_new(4 * KIB);
    Pixels *pixels = pixels_ref(pixels_new(budget, 4 * KIB));

    pixels_unref(pixels); /* the resource is gone, a viewer still looks */
    g_assert_null(pixels_new(budget, 1));
    pixels->bytes[4 * KIB - 1] = 1;
    pixel_budget_unref(budget); /* the device too */
    pixels_unref(pixels);
}

static void
test_host_without_room(void)
{
    PixelBudget *budget = pixel_budget_new(UINT64_MAX);
    g_assert_null(pixels_new(budget, UINT64_MAX - 4095)); /* no such address space */
    g_assert_cmpuint(pixel_budget_used(budget), ==, 0);
    pixel_budget_unref(budget);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pixels/budget", test_budget);
    g_test_add_func("/pixels/held", test_held_pixels_weigh_on);
    g_test_add_func("/pixels/no-room", test_host_without_room);
    return g_test_run();
}
