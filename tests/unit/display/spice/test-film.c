/* SPDX-License-Identifier: Apache-2.0 */
/* Films: what is taken for one, where it is, and when it begins and ends. */
#include "display/spice/film.h"

#include <string.h>

#include <glib.h>

#define WIDTH 1280
#define HEIGHT 720
#define SECOND G_USEC_PER_SEC

static uint32_t pixels[HEIGHT][WIDTH];

typedef uint32_t (*Look)(unsigned frame, int x, int y);

static uint32_t
scramble(uint32_t n)
{
    n = (n ^ n >> 16) * 0x7feb352du;
    n = (n ^ n >> 15) * 0x846ca68bu;
    return n ^ n >> 16;
}

/* A photograph: it changes slowly from place to place, with grain. */
static uint32_t
photograph(unsigned frame, int x, int y)
{
    uint32_t grain = scramble((uint32_t)(x * 8191 + y) + frame * 131) & 7;
    return (((uint32_t)x / 4 + frame * 3) & 0xff) << 16 | (((uint32_t)y / 3) & 0xff) << 8 | (0x40 + grain);
}

/* Lines of letters: ink, paper, and a third of the ink's edges in between. */
static uint32_t
text(unsigned frame, int x, int y)
{
    uint32_t letter = scramble((uint32_t)((y + (int)frame * 16) / 16 * 509 + x / 8));

    if (y % 16 < 4 || x % 8 > 5 || !(scramble(letter + (uint32_t)(y % 16 / 2 * 8 + x % 8 / 2)) & 1))
        return 0xffffff;
    return scramble((uint32_t)(x * 31 + y)) % 3 ? 0x101010 : 0x909090;
}

static uint32_t
noise(unsigned frame, int x, int y)
{
    return scramble(frame * 16777259u + (uint32_t)y * 65537 + (uint32_t)x) & 0xffffff;
}

static uint32_t
flat(unsigned frame, int x, int y)
{
    return scramble(frame) & 0xffffff;
}

/* ---- a scanout that is drawn to ---- */

typedef struct {
    TileGrid grid;
    Surface *surface;
    Film *film;
    uint64_t *changed;
    int64_t now;
    unsigned frame;
} Fixture;

static void
set_up(Fixture *f, gconstpointer unused)
{
    const struct iovec iov = {pixels, sizeof pixels};

    memset(pixels, 0, sizeof pixels);
    tile_grid_init(&f->grid, WIDTH, HEIGHT);
    f->surface = surface_new(WIDTH, HEIGHT, WIDTH * 4, 0, PIXMAN_x8r8g8b8, &iov, 1, NULL, NULL);
    f->film = film_new(&f->grid);
    f->changed = g_new0(uint64_t, tile_set_words(&f->grid));
    f->now = 100 * SECOND;
}

static void
tear_down(Fixture *f, gconstpointer unused)
{
    g_free(f->changed);
    film_free(f->film);
    surface_unref(f->surface);
}

static void
draw(Fixture *f, const pixman_box32_t *box, Look look)
{
    for (int y = box->y1; y < box->y2; y++)
        for (int x = box->x1; x < box->x2; x++)
            pixels[y][x] = look(f->frame, x, y) | scramble((uint32_t)x) << 24; /* the fourth byte is anything */
    tile_set_add_box(&f->grid, f->changed, box);
}

/* What was drawn is a frame, @ms after the last. */
static void
show(Fixture *f, unsigned ms)
{
    f->now += ms * 1000;
    film_watch(f->film, f->surface, f->changed, f->now);
    tile_set_clear(&f->grid, f->changed);
    f->frame++;
}

static void
play(Fixture *f, const pixman_box32_t *box, Look look, unsigned frames, unsigned ms)
{
    for (unsigned i = 0; i < frames; i++) {
        draw(f, box, look);
        show(f, ms);
    }
}

static void
assert_film(const Fixture *f, int x1, int y1, int x2, int y2)
{
    const pixman_box32_t *box = film_box(f->film);

    g_assert_nonnull(box);
    g_assert_cmpint(box->x1, ==, x1);
    g_assert_cmpint(box->y1, ==, y1);
    g_assert_cmpint(box->x2, ==, x2);
    g_assert_cmpint(box->y2, ==, y2);
}

/* Of whole tiles. */
static const pixman_box32_t screen = {0, 0, WIDTH, HEIGHT}, cinema = {128, 160, 768, 560},
                            window = {960, 160, 1280, 560};

/* ---- tests ---- */

static void
test_found(Fixture *f, gconstpointer unused)
{
    play(f, &(pixman_box32_t){130, 165, 760, 550}, photograph, 5, 40);
    g_assert_null(film_box(f->film)); /* not within a fifth of a second */
    play(f, &(pixman_box32_t){130, 165, 760, 550}, photograph, 20, 40);
    assert_film(f, 128, 160, 768, 560);
}

static void
test_whole_screen(Fixture *f, gconstpointer unused)
{
    play(f, &screen, photograph, 20, 40);
    assert_film(f, 0, 0, WIDTH, HEIGHT);
}

static void
test_no_film(Fixture *f, gconstpointer look)
{
    play(f, &screen, look, 100, 20);
    g_assert_null(film_box(f->film));
    play(f, &cinema, look, 100, 40);
    g_assert_null(film_box(f->film));
}

static void
test_too_slow(Fixture *f, gconstpointer unused)
{
    play(f, &cinema, photograph, 40, 200);
    g_assert_null(film_box(f->film));
    play(f, &cinema, photograph, 40, 2000);
    g_assert_null(film_box(f->film));
}

static void
test_too_small(Fixture *f, gconstpointer unused)
{
    play(f, &(pixman_box32_t){128, 160, 320, 256}, photograph, 60, 40);
    g_assert_null(film_box(f->film));
}

/* A film, a larger window of text that scrolls beside it, and a clock. */
static void
test_beside_text(Fixture *f, gconstpointer unused)
{
    for (unsigned i = 0; i < 60; i++) {
        draw(f, &cinema, photograph);
        draw(f, &(pixman_box32_t){960, 0, 1280, 720}, text);
        if (i % 25 == 0)
            draw(f, &(pixman_box32_t){0, 0, 64, 16}, text);
        show(f, 40);
    }
    assert_film(f, 128, 160, 768, 560);
}

/* Most of it stands still at any time; the box neither moves nor shrinks. */
static void
test_parts_stand_still(Fixture *f, gconstpointer unused)
{
    play(f, &cinema, photograph, 30, 40);
    assert_film(f, 128, 160, 768, 560);
    for (int part = 0; part < 10; part++) {
        int x = 128 + part % 2 * 320, y = 160 + part % 5 * 32;
        play(f, &(pixman_box32_t){x, y, x + 320, y + 208}, photograph, 30, 40);
        assert_film(f, 128, 160, 768, 560);
    }
}

static void
test_grows(Fixture *f, gconstpointer unused)
{
    play(f, &cinema, photograph, 30, 40);
    play(f, &screen, photograph, 30, 40);
    assert_film(f, 0, 0, WIDTH, HEIGHT);
}

static void
test_moves_away(Fixture *f, gconstpointer unused)
{
    play(f, &cinema, photograph, 30, 40);
    play(f, &window, photograph, 30, 40);
    assert_film(f, 960, 160, 1280, 560);
}

/* It goes on after a short rest, and has ended after a long one. */
static void
test_rests(Fixture *f, gconstpointer unused)
{
    const pixman_box32_t caret = {0, 0, 8, 16};

    play(f, &cinema, photograph, 30, 40);
    play(f, &caret, text, 2, 500);
    assert_film(f, 128, 160, 768, 560);
    play(f, &cinema, photograph, 30, 40);
    assert_film(f, 128, 160, 768, 560);
    play(f, &caret, text, 7, 500);
    g_assert_null(film_box(f->film));

    play(f, &cinema, photograph, 30, 40);
    show(f, 10000); /* nothing at all for long: it is heard of with the next change */
    g_assert_null(film_box(f->film));
}

/* Text in its place is none of it, at once. */
static void
test_text_instead(Fixture *f, gconstpointer unused)
{
    play(f, &cinema, photograph, 30, 40);
    assert_film(f, 128, 160, 768, 560);
    play(f, &cinema, text, 30, 40);
    g_assert_null(film_box(f->film));
}

static void
test_forget(Fixture *f, gconstpointer unused)
{
    play(f, &cinema, photograph, 30, 40);
    film_forget(f->film);
    g_assert_null(film_box(f->film));
    play(f, &cinema, photograph, 5, 40);
    g_assert_null(film_box(f->film));
    play(f, &cinema, photograph, 25, 40);
    assert_film(f, 128, 160, 768, 560);
}

/* Pictures that end in the middle of a tile, and of one pixel. */
static void
test_odd_sizes(void)
{
    static const struct {
        uint32_t width, height;
    } sizes[] = {{1, 1}, {1, 700}, {700, 1}, {65, 17}, {641, 479}, {WIDTH - 1, HEIGHT - 1}};
    const struct iovec iov = {pixels, sizeof pixels};

    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        Fixture f = {.now = SECOND};
        const pixman_box32_t all = {0, 0, (int)sizes[i].width, (int)sizes[i].height};
        tile_grid_init(&f.grid, sizes[i].width, sizes[i].height);
        f.surface = surface_new(sizes[i].width, sizes[i].height, WIDTH * 4, 0, PIXMAN_x8r8g8b8, &iov, 1, NULL, NULL);
        f.film = film_new(&f.grid);
        f.changed = g_new0(uint64_t, tile_set_words(&f.grid));
        play(&f, &all, photograph, 30, 40);
        if (sizes[i].width > 600 && sizes[i].height > 400)
            assert_film(&f, 0, 0, all.x2, all.y2);
        else
            g_assert_null(film_box(f.film));
        tear_down(&f, NULL);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/film/found", Fixture, NULL, set_up, test_found, tear_down);
    g_test_add("/film/whole-screen", Fixture, NULL, set_up, test_whole_screen, tear_down);
    g_test_add("/film/text", Fixture, text, set_up, test_no_film, tear_down);
    g_test_add("/film/noise", Fixture, noise, set_up, test_no_film, tear_down);
    g_test_add("/film/flat", Fixture, flat, set_up, test_no_film, tear_down);
    g_test_add("/film/too-slow", Fixture, NULL, set_up, test_too_slow, tear_down);
    g_test_add("/film/too-small", Fixture, NULL, set_up, test_too_small, tear_down);
    g_test_add("/film/beside-text", Fixture, NULL, set_up, test_beside_text, tear_down);
    g_test_add("/film/parts-stand-still", Fixture, NULL, set_up, test_parts_stand_still, tear_down);
    g_test_add("/film/grows", Fixture, NULL, set_up, test_grows, tear_down);
    g_test_add("/film/moves-away", Fixture, NULL, set_up, test_moves_away, tear_down);
    g_test_add("/film/rests", Fixture, NULL, set_up, test_rests, tear_down);
    g_test_add("/film/text-instead", Fixture, NULL, set_up, test_text_instead, tear_down);
    g_test_add("/film/forget", Fixture, NULL, set_up, test_forget, tear_down);
    g_test_add_func("/film/odd-sizes", test_odd_sizes);
    return g_test_run();
}
