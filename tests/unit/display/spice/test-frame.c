/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: which boxes they have, what is in them, and that they come back. */
#include "display/spice/frame.h"

#include <glib.h>

static void
test_bands(void)
{
    TileGrid grid;
    pixman_box32_t boxes[FRAME_MAX_BOXES];
    tile_grid_init(&grid, 1920, 1080);
    g_autofree uint64_t *set = g_new0(uint64_t, tile_set_words(&grid));
    tile_set_fill(&grid, set);

    size_t n = frame_boxes(&grid, set, NULL, true, boxes);
    g_assert_cmpuint(n, >, 8);
    int32_t y = 0;
    for (size_t i = 0; i < n; i++) {
        g_assert_cmpint(boxes[i].y1, ==, y);
        g_assert_cmpint(boxes[i].x2 - boxes[i].x1, ==, 1920);
        y = boxes[i].y2;
    }
    g_assert_cmpint(y, ==, 1080);

    g_assert_cmpuint(frame_boxes(&grid, set, NULL, false, boxes), ==, 1); /* as it is: whole */
    g_assert_cmpmem(&boxes[0], sizeof boxes[0], &((pixman_box32_t){0, 0, 1920, 1080}), sizeof boxes[0]);
}

/* A film goes whole, however little of it changed, and apart from the rest. */
static void
test_film(void)
{
    TileGrid grid;
    pixman_box32_t boxes[FRAME_MAX_BOXES];
    const pixman_box32_t film = {128, 160, 1408, 880}, caret = {0, 0, 64, 16}, inside = {640, 320, 704, 336};
    tile_grid_init(&grid, 1920, 1080);
    g_autofree uint64_t *set = g_new0(uint64_t, tile_set_words(&grid));

    tile_set_add_box(&grid, set, &caret);
    g_assert_cmpuint(frame_boxes(&grid, set, &film, true, boxes), ==, 1);
    g_assert_cmpmem(&boxes[0], sizeof boxes[0], &caret, sizeof caret);

    tile_set_add_box(&grid, set, &inside);
    g_assert_cmpuint(frame_boxes(&grid, set, &film, true, boxes), ==, 2);
    g_assert_cmpmem(&boxes[0], sizeof boxes[0], &caret, sizeof caret);
    g_assert_cmpmem(&boxes[1], sizeof boxes[1], &film, sizeof film);

    tile_set_fill(&grid, set);
    size_t n = frame_boxes(&grid, set, &film, true, boxes);
    g_assert_cmpmem(&boxes[n - 1], sizeof boxes[0], &film, sizeof film);
    int64_t pixels = 0;
    for (size_t i = 0; i < n; i++)
        pixels += (int64_t)(boxes[i].x2 - boxes[i].x1) * (boxes[i].y2 - boxes[i].y1);
    g_assert_cmpint(pixels, ==, 1920 * 1080); /* nothing twice */
}

/* However large and however torn: never more than spice-server is to be given at once. */
static void
test_never_too_many(void)
{
    static const struct {
        uint32_t width, height;
    } sizes[] = {{16384, 2048}, {2048, 16384}, {7680, 4320}, {1, 16384}, {16384, 1}, {640, 480}};

    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        TileGrid grid;
        tile_grid_init(&grid, sizes[i].width, sizes[i].height);
        for (unsigned density = 0; density < 4; density++) {
            pixman_box32_t boxes[FRAME_MAX_BOXES];
            g_autofree uint64_t *set = g_new0(uint64_t, tile_set_words(&grid));
            for (size_t w = 0; w < tile_set_words(&grid); w++)
                set[w] = density == 0 ? UINT64_MAX : (uint64_t)g_test_rand_int() << 32 | g_test_rand_int();
            for (uint32_t row = 0; row < grid.rows && grid.columns % 64; row++) /* no bits beyond the last column */
                set[(size_t)(row + 1) * grid.words - 1] &= UINT64_MAX >> (64 - grid.columns % 64);
            const pixman_box32_t first = tile_box(&grid, 0, 0);
            size_t n = frame_boxes(&grid, set, density % 2 ? &first : NULL, density < 2, boxes);
            g_assert_cmpuint(n, <=, FRAME_MAX_BOXES);
            for (size_t b = 0; b < n; b++) {
                g_assert_cmpint(boxes[b].x1, <, boxes[b].x2);
                g_assert_cmpint(boxes[b].y1, <, boxes[b].y2);
                g_assert_cmpint(boxes[b].y1 % TILE_HEIGHT, ==, 0);
            }
        }
    }
}

static void
on_box_done(void *user)
{
    ++*(unsigned *)user;
}

static void
test_pixels_and_return(void)
{
    static uint32_t pixels[256 * 64];
    const struct iovec iov = {pixels, sizeof pixels};
    const pixman_box32_t boxes[] = {{0, 0, 64, 16}, {128, 16, 256, 64}};
    g_autoptr(Surface) surface = surface_new(256, 64, 1024, 0, PIXMAN_x8r8g8b8, &iov, 1, NULL, NULL);
    g_autoptr(Picture) picture = picture_new(256, 64);
    PixelPool pool;
    unsigned done = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(pixels); i++)
        pixels[i] = (uint32_t)i;
    pixel_pool_init(&pool);
    Frame *frame = frame_new(&pool, picture, surface, boxes, 2, NULL, on_box_done, &done);
    for (size_t i = 0; i < 2; i++) {
        const QXLDrawable *drawable = &frame_command(frame, i)->qxl.drawable;
        const QXLImage *image = (const QXLImage *)(uintptr_t)drawable->u.copy.src_bitmap;
        const uint32_t *copy = (const uint32_t *)(uintptr_t)image->bitmap.data;
        uint32_t width = (uint32_t)(boxes[i].x2 - boxes[i].x1);
        g_assert_cmpint(drawable->bbox.left, ==, boxes[i].x1);
        g_assert_cmpint(drawable->bbox.bottom, ==, boxes[i].y2);
        g_assert_cmpuint(image->bitmap.stride, ==, width * 4);
        for (uint32_t y = 0; y < image->bitmap.y; y++)
            for (uint32_t x = 0; x < width; x++)
                g_assert_cmpuint(copy[y * width + x], ==,
                                 ((uint32_t)boxes[i].y1 + y) * 256 + (uint32_t)boxes[i].x1 + x);
    }
    Command *second = (Command *)frame_command(frame, 1), *first = (Command *)frame_command(frame, 0);
    second->done(second);
    g_assert_cmpuint(done, ==, 1);
    g_assert_cmpuint(pool.bytes, !=, 0);
    first->done(first);
    g_assert_cmpuint(done, ==, 2);
    pixel_pool_finish(&pool);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/frame/bands", test_bands);
    g_test_add_func("/frame/film", test_film);
    g_test_add_func("/frame/never-too-many", test_never_too_many);
    g_test_add_func("/frame/pixels-and-return", test_pixels_and_return);
    return g_test_run();
}
