/* SPDX-License-Identifier: Apache-2.0 */
/* The pixel pool: blocks are whole and apart, used again, and go back. */
#include "display/spice/pixels.h"

#include <stdint.h>
#include <string.h>

#include <glib.h>

static void
test_blocks_are_apart(void)
{
    PixelPool pool;
    uint8_t *blocks[40];
    size_t sizes[40];

    pixel_pool_init(&pool);
    for (unsigned round = 0; round < 20; round++) {
        size_t total = 0;
        for (size_t i = 0; i < G_N_ELEMENTS(blocks); i++) {
            sizes[i] = (size_t)g_test_rand_int_range(4, i % 4 ? 200000 : 2000000);
            blocks[i] = pixel_pool_take(&pool, sizes[i]);
            g_assert_nonnull(blocks[i]);
            memset(blocks[i], (int)i, sizes[i]);
            total += sizes[i];
        }
        g_assert_cmpuint(pool.bytes, ==, total);
        for (size_t i = 0; i < G_N_ELEMENTS(blocks); i++) {
            g_assert_cmpuint(blocks[i][0], ==, i);
            g_assert_cmpuint(blocks[i][sizes[i] - 1], ==, i);
            pixel_pool_give(&pool, blocks[i]);
        }
        g_assert_cmpuint(pool.bytes, ==, 0);
        g_assert_cmpuint(pool.idle.length, <=, 3);
    }
    pixel_pool_finish(&pool);
}

static void
test_a_frame_is_used_again(void)
{
    PixelPool pool;

    pixel_pool_init(&pool);
    void *frame = pixel_pool_take(&pool, 8 << 20);
    pixel_pool_give(&pool, frame);
    g_assert_true(pixel_pool_take(&pool, 8 << 20) == frame);
    pixel_pool_give(&pool, frame);
    void *part = pixel_pool_take(&pool, 1 << 20); /* a part fits as well, */
    g_assert_true(part == frame);
    pixel_pool_give(&pool, part);
    void *small = pixel_pool_take(&pool, 100000); /* but a large block is not spent on a corner */
    g_assert_true(small != frame);
    pixel_pool_give(&pool, small);
    pixel_pool_trim(&pool);
    g_assert_cmpuint(pool.idle.length, ==, 0);
    pixel_pool_finish(&pool);
}

static void
test_too_much_is_refused(void)
{
    PixelPool pool;

    pixel_pool_init(&pool);
    g_assert_null(pixel_pool_take(&pool, (size_t)1 << 60));
    g_assert_cmpuint(pool.bytes, ==, 0);
    pixel_pool_finish(&pool);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pixels/apart", test_blocks_are_apart);
    g_test_add_func("/pixels/again", test_a_frame_is_used_again);
    g_test_add_func("/pixels/too-much", test_too_much_is_refused);
    return g_test_run();
}
