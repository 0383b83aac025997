/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles' numbers: the same for the same pixels, wherever they lie and whoever computes them; different for all others. */
#include "display/spice/tiles.h"

#include <string.h>

#include <glib.h>

#define PIXELS (TILE_WIDTH * TILE_HEIGHT)

static void
fill_random(uint32_t *pixels, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pixels[i] = g_test_rand_int();
}

/* With and without special instructions, at any size and stride and place. */
static void
test_ways_agree(void)
{
    g_autofree uint32_t *pixels = g_new(uint32_t, 4 * PIXELS);

    fill_random(pixels, 4 * PIXELS);
    for (unsigned width = 1; width <= TILE_WIDTH; width++) {
        for (unsigned height = 1; height <= TILE_HEIGHT; height += 5) {
            size_t stride = (width + (unsigned)g_test_rand_int_range(0, 60)) * 4;
            const uint32_t *at = pixels + g_test_rand_int_range(0, 40);
            uint64_t hash = tile_hash(at, stride, width, height);
            g_assert_cmpuint(hash, !=, 0);
            g_assert_cmpuint(hash, ==, tile_hash_plain(at, stride, width, height));

            uint32_t packed[PIXELS];
            for (unsigned y = 0; y < height; y++)
                memcpy(packed + y * width, (const uint8_t *)at + y * stride, width * 4);
            g_assert_cmpuint(hash, ==, tile_hash(packed, width * 4, width, height));
        }
    }
}

/* A copy is the same pixels and has their number, aligned or not; nothing beside it is touched. */
static void
test_copies(void)
{
    g_autofree uint32_t *pixels = g_new(uint32_t, 4 * PIXELS);
    uint32_t *copies = g_aligned_alloc(4 * PIXELS, sizeof *copies, 64);

    fill_random(pixels, 4 * PIXELS);
    for (unsigned i = 0; i < 500; i++) {
        bool whole = i % 2;
        unsigned width = whole ? TILE_WIDTH : (unsigned)g_test_rand_int_range(1, TILE_WIDTH + 1);
        unsigned height = (unsigned)g_test_rand_int_range(1, TILE_HEIGHT + 1);
        unsigned row = width + (unsigned)g_test_rand_int_range(0, 60);
        unsigned to_row = whole && i % 3 ? TILE_WIDTH + (unsigned)g_test_rand_int_range(0, 8) * 8 : row;
        const uint32_t *from = pixels + g_test_rand_int_range(0, 40);
        uint32_t *to = copies + (whole && i % 3 ? 32 : g_test_rand_int_range(1, 40));
        memset(copies, 0xee, 4 * PIXELS * sizeof *copies);
        g_assert_cmpuint(tile_copy(to, to_row * 4, from, row * 4, width, height), ==,
                         tile_hash(from, row * 4, width, height));
        for (unsigned y = 0; y < height; y++) {
            g_assert_cmpmem(to + y * to_row, width * 4, from + y * row, width * 4);
            if (width < to_row)
                g_assert_cmphex(to[y * to_row + width], ==, 0xeeeeeeee);
        }
        g_assert_cmphex(to[-1], ==, 0xeeeeeeee);
        g_assert_cmphex(to[height * to_row], ==, 0xeeeeeeee);
    }
    g_aligned_free(copies);
}

/* Each single bit counts, on any background. */
static void
test_every_bit_counts(void)
{
    static const uint32_t backgrounds[] = {0, 0xffffff, 0x336699};

    for (size_t b = 0; b < G_N_ELEMENTS(backgrounds); b++) {
        uint32_t pixels[PIXELS];
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
        for (size_t i = 0; i < PIXELS; i++)
            pixels[i] = backgrounds[b];
        for (size_t i = 0; i < PIXELS; i++) {
            for (unsigned bit = 0; bit < 32; bit++) {
                pixels[i] ^= 1u << bit;
                uint64_t hash = tile_hash(pixels, TILE_WIDTH * 4, TILE_WIDTH, TILE_HEIGHT);
                g_assert_true(g_hash_table_add(seen, g_memdup2(&hash, sizeof hash)));
                pixels[i] ^= 1u << bit;
            }
        }
    }
}

/* What desktops do: a column that moves, rows that swap, two pixels that trade places. */
static void
test_small_moves_count(void)
{
    uint32_t pixels[PIXELS];
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);

    for (unsigned column = 0; column < TILE_WIDTH; column++) {
        for (unsigned from = 0; from < TILE_HEIGHT; from++) {
            for (unsigned to = from + 1; to <= TILE_HEIGHT; to++) {
                memset(pixels, 0xff, sizeof pixels);
                for (unsigned y = from; y < to; y++)
                    pixels[y * TILE_WIDTH + column] = 0;
                uint64_t hash = tile_hash(pixels, TILE_WIDTH * 4, TILE_WIDTH, TILE_HEIGHT);
                g_assert_true(g_hash_table_add(seen, g_memdup2(&hash, sizeof hash)));
            }
        }
    }
    for (unsigned i = 0; i < 20000; i++) {
        unsigned a = (unsigned)g_test_rand_int_range(0, PIXELS), b = (unsigned)g_test_rand_int_range(0, PIXELS);
        fill_random(pixels, PIXELS);
        uint64_t before = tile_hash(pixels, TILE_WIDTH * 4, TILE_WIDTH, TILE_HEIGHT);
        uint32_t kept = pixels[a];
        pixels[a] = pixels[b];
        pixels[b] = kept;
        if (pixels[a] != pixels[b])
            g_assert_cmpuint(before, !=, tile_hash(pixels, TILE_WIDTH * 4, TILE_WIDTH, TILE_HEIGHT));
    }
}

/* Shapes of the same bytes are different pictures. */
static void
test_shape_counts(void)
{
    uint32_t pixels[PIXELS] = {0};

    g_assert_cmpuint(tile_hash(pixels, 64, 16, 8), !=, tile_hash(pixels, 32, 8, 16));
    g_assert_cmpuint(tile_hash(pixels, 64, 16, 8), !=, tile_hash(pixels, 64, 16, 9));
    g_assert_cmpuint(tile_hash(pixels, 64, 15, 8), !=, tile_hash(pixels, 64, 16, 8));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tile-hash/ways-agree", test_ways_agree);
    g_test_add_func("/tile-hash/copies", test_copies);
    g_test_add_func("/tile-hash/every-bit", test_every_bit_counts);
    g_test_add_func("/tile-hash/small-moves", test_small_moves_count);
    g_test_add_func("/tile-hash/shape", test_shape_counts);
    return g_test_run();
}
