/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures: what is sent is what the surface showed, and afterwards only what differs from it is new. */
#include "display/spice/picture.h"

#include <string.h>

#include <glib.h>

/* Not a multiple of a tile in either direction. */
#define WIDTH 300
#define HEIGHT 100
#define PAGE 4096

/* A surface over pixels of the test's own. */
typedef struct {
    uint32_t pixels[WIDTH * HEIGHT + PAGE];
    Surface *surface;
} Canvas;

static Canvas *
canvas_new(bool scattered, pixman_format_code_t format)
{
    Canvas *canvas = g_new(Canvas, 1);
    size_t bytes = sizeof(uint32_t) * WIDTH * HEIGHT, n = scattered ? (bytes + PAGE - 1) / PAGE : 1;
    g_autofree struct iovec *iov = g_new(struct iovec, n);

    for (size_t i = 0; i < WIDTH * HEIGHT; i++)
        canvas->pixels[i] = g_test_rand_int() & 0xffffff;
    for (size_t i = 0; i < n; i++)
        iov[i] = (struct iovec){(uint8_t *)canvas->pixels + i * PAGE, scattered ? MIN(PAGE, bytes - i * PAGE) : bytes};
    canvas->surface = surface_new(WIDTH, HEIGHT, WIDTH * 4, 0, format, iov, n, NULL, NULL);
    g_assert_nonnull(canvas->surface);
    return canvas;
}

static void
canvas_free(Canvas *canvas)
{
    surface_unref(canvas->surface);
    g_free(canvas);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Canvas, canvas_free)

static uint64_t *
all_tiles(const Picture *picture)
{
    uint64_t *set = g_new0(uint64_t, tile_set_words(&picture->grid));
    tile_set_fill(&picture->grid, set);
    return set;
}

static size_t
count(const Picture *picture, const uint64_t *set)
{
    size_t n = 0;
    for (uint32_t row = 0; row < picture->grid.rows; row++)
        for (uint32_t column = 0; column < picture->grid.columns; column++)
            n += tile_set_has(&picture->grid, set, column, row);
    return n;
}

static void
send_all(Picture *picture, const Canvas *canvas, uint32_t *to)
{
    picture_send(picture, canvas->surface, &(pixman_box32_t){0, 0, WIDTH, HEIGHT}, to, WIDTH * 4, NULL);
}

static void
check_changes(bool scattered)
{
    g_autoptr(Canvas) canvas = canvas_new(scattered, PIXMAN_x8r8g8b8);
    g_autoptr(Picture) picture = picture_new(WIDTH, HEIGHT);
    g_autofree uint32_t *copy = g_new(uint32_t, WIDTH *HEIGHT);
    size_t n_tiles = (size_t)picture->grid.columns * picture->grid.rows;

    g_autofree uint64_t *set = all_tiles(picture);
    picture_keep_changed(picture, canvas->surface, set);
    g_assert_cmpuint(count(picture, set), ==, n_tiles); /* nothing was sent */

    send_all(picture, canvas, copy);
    g_assert_cmpmem(copy, WIDTH * HEIGHT * 4, canvas->pixels, WIDTH * HEIGHT * 4);
    picture_keep_changed(picture, canvas->surface, set);
    g_assert_true(tile_set_is_empty(&picture->grid, set));

    for (unsigned i = 0; i < 200; i++) {
        uint32_t x = (uint32_t)g_test_rand_int_range(0, WIDTH), y = (uint32_t)g_test_rand_int_range(0, HEIGHT);
        canvas->pixels[y * WIDTH + x] ^= 1u << g_test_rand_int_range(0, 24);
        tile_set_fill(&picture->grid, set);
        picture_keep_changed(picture, canvas->surface, set);
        g_assert_cmpuint(count(picture, set), ==, 1);
        g_assert_true(tile_set_has(&picture->grid, set, x / TILE_WIDTH, y / TILE_HEIGHT));
        pixman_box32_t tile = tile_box(&picture->grid, x / TILE_WIDTH, y / TILE_HEIGHT);
        picture_send(picture, canvas->surface, &tile, copy + tile.y1 * WIDTH + tile.x1, WIDTH * 4, NULL);
        g_assert_cmpmem(copy, WIDTH * HEIGHT * 4, canvas->pixels, WIDTH * HEIGHT * 4);
    }

    picture_forget(picture);
    tile_set_fill(&picture->grid, set);
    picture_keep_changed(picture, canvas->surface, set);
    g_assert_cmpuint(count(picture, set), ==, n_tiles);
}

static void
test_linear(void)
{
    check_changes(false);
}

static void
test_scattered(void)
{
    check_changes(true);
}

/* Tiles outside the set are not looked at. */
static void
test_only_the_set(void)
{
    g_autoptr(Canvas) canvas = canvas_new(false, PIXMAN_x8r8g8b8);
    g_autoptr(Picture) picture = picture_new(WIDTH, HEIGHT);
    g_autofree uint32_t *copy = g_new(uint32_t, WIDTH *HEIGHT);
    g_autofree uint64_t *set = g_new0(uint64_t, tile_set_words(&picture->grid));

    send_all(picture, canvas, copy);
    memset(canvas->pixels, 0, WIDTH * HEIGHT * 4);
    tile_set_add_box(&picture->grid, set, &(pixman_box32_t){70, 20, 71, 21});
    picture_keep_changed(picture, canvas->surface, set);
    g_assert_cmpuint(count(picture, set), ==, 1);
}

/* What is sent is compared as it is copied, if one asks. */
static void
test_send_and_compare(void)
{
    g_autoptr(Canvas) canvas = canvas_new(false, PIXMAN_x8r8g8b8);
    g_autoptr(Picture) picture = picture_new(WIDTH, HEIGHT);
    g_autofree uint32_t *copy = g_new(uint32_t, WIDTH *HEIGHT);
    g_autofree uint64_t *set = all_tiles(picture);
    const pixman_box32_t all = {0, 0, WIDTH, HEIGHT};

    picture_send(picture, canvas->surface, &all, copy, WIDTH * 4, set);
    g_assert_cmpuint(count(picture, set), ==, (size_t)picture->grid.columns * picture->grid.rows);

    canvas->pixels[20 * WIDTH + 70] ^= 1;
    picture_send(picture, canvas->surface, &all, copy, WIDTH * 4, set);
    g_assert_cmpuint(count(picture, set), ==, 1);
    g_assert_true(tile_set_has(&picture->grid, set, 1, 1));
    g_assert_cmpmem(copy, WIDTH * HEIGHT * 4, canvas->pixels, WIDTH * HEIGHT * 4);

    picture_send(picture, canvas->surface, &all, copy, WIDTH * 4, set);
    g_assert_true(tile_set_is_empty(&picture->grid, set));
}

/* Other formats arrive as x8r8g8b8; what counts as sent is still the surface's own. */
static void
test_formats(void)
{
    static const struct {
        pixman_format_code_t format;
        uint32_t native, pixel;
    } cases[] = {
        {PIXMAN_x8r8g8b8, 0x00123456, 0x123456}, {PIXMAN_a8r8g8b8, 0xff123456, 0x123456},
        {PIXMAN_x8b8g8r8, 0x00563412, 0x123456}, {PIXMAN_b8g8r8x8, 0x56341200, 0x123456},
        {PIXMAN_r8g8b8x8, 0x12345600, 0x123456},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Canvas) canvas = canvas_new(i % 2, cases[i].format);
        g_autoptr(Picture) picture = picture_new(WIDTH, HEIGHT);
        g_autofree uint32_t *copy = g_new(uint32_t, WIDTH *HEIGHT);
        g_autofree uint64_t *set = all_tiles(picture);
        for (size_t p = 0; p < WIDTH * HEIGHT; p++)
            canvas->pixels[p] = cases[i].native;
        send_all(picture, canvas, copy);
        for (size_t p = 0; p < WIDTH * HEIGHT; p++)
            g_assert_cmphex(copy[p] & 0xffffff, ==, cases[i].pixel);
        picture_keep_changed(picture, canvas->surface, set);
        g_assert_true(tile_set_is_empty(&picture->grid, set));
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/picture/linear", test_linear);
    g_test_add_func("/picture/scattered", test_scattered);
    g_test_add_func("/picture/only-the-set", test_only_the_set);
    g_test_add_func("/picture/send-and-compare", test_send_and_compare);
    g_test_add_func("/picture/formats", test_formats);
    return g_test_run();
}
