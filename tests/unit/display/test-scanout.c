/* SPDX-License-Identifier: Apache-2.0 */
/* The Screen: viewers hear of every change, late ones of the present, removed ones of nothing; requests reach the producer. */
#include "notes.h"

#include <string.h>

static void
release_pixels(void *owner)
{
    g_free(owner);
}

static Surface *
make_surface(uint32_t width, uint32_t height)
{
    void *pixels = g_malloc0((size_t)width * height * 4);
    const struct iovec iov = {pixels, (size_t)width * height * 4};
    return surface_new(width, height, width * 4, 0, PIXMAN_x8r8g8b8, &iov, 1, release_pixels, pixels);
}

static void
test_viewer_hears_changes(void)
{
    g_autoptr(Screen) screen = screen_new(2);
    Notes notes = {0};

    screen_add_viewer(screen, &notes_ops, &notes);
    for (unsigned i = 0; i < 2; i++) {
        g_assert_cmpuint(notes.of[i].n_surface, ==, 1);
        g_assert_null(notes.of[i].surface);
    }

    g_autoptr(Surface) surface = make_surface(64, 32);
    screen_set_surface(screen, 1, surface);
    g_assert_cmpuint(notes.of[0].n_surface, ==, 1);
    g_assert_cmpuint(notes.of[1].n_surface, ==, 2);
    g_assert_true(notes.of[1].surface == surface);

    screen_damage(screen, 1, &(pixman_box32_t){1, 2, 3, 4});
    assert_box(&notes.of[1].box, 1, 2, 3, 4);

    CursorImage image = {.hot_x = 3, .hot_y = 4, .pixels = {0xff00ff00}};
    screen_set_cursor(screen, 1, &image);
    g_assert_true(notes.of[1].cursor_shown);
    g_assert_cmpmem(&notes.of[1].cursor, sizeof image, &image, sizeof image);
    screen_move_cursor(screen, 1, -5, 6);
    g_assert_cmpint(notes.of[1].x, ==, -5);
    g_assert_cmpint(notes.of[1].y, ==, 6);
    screen_set_cursor(screen, 1, NULL);
    g_assert_false(notes.of[1].cursor_shown);

    screen_set_surface(screen, 1, NULL);
    g_assert_null(notes.of[1].surface);
    screen_remove_viewer(screen, &notes);
}

/* @before is what it was; a change since then shows. */
static uint64_t
changed(Screen *screen, uint64_t before)
{
    uint64_t now = screen_picture_number(screen, 0);

    g_assert_cmpuint(now, >, before);
    return now;
}

static void
test_pictures_are_numbered(void)
{
    g_autoptr(Screen) screen = screen_new(2), other = screen_new(1);
    g_autoptr(Surface) surface = make_surface(64, 32);
    const CursorImage image = {.hot_x = 1};
    Notes notes = {0};

    uint64_t number = screen_picture_number(screen, 0);
    g_assert_cmpuint(number, !=, 0);
    g_assert_cmpuint(number, !=, screen_picture_number(other, 0));
    screen_set_surface(screen, 0, surface);
    number = changed(screen, number);
    screen_damage(screen, 0, &(pixman_box32_t){1, 2, 3, 4});
    number = changed(screen, number);
    screen_set_cursor(screen, 0, &image);
    number = changed(screen, number);
    screen_move_cursor(screen, 0, 3, 4);
    number = changed(screen, number);
    screen_set_cursor(screen, 0, NULL);
    number = changed(screen, number);
    /* what is not seen there */
    screen_damage(screen, 0, &(pixman_box32_t){100, 100, 200, 200});
    screen_set_surface(screen, 1, surface);
    screen_move_cursor(screen, 1, 3, 4);
    g_assert_cmpuint(screen_picture_number(screen, 0), ==, number);

    /* of the firmware's screen it is known only while somebody sees it */
    screen_set_fallback(other, surface);
    number = screen_picture_number(other, 0);
    g_assert_cmpuint(screen_picture_number(other, 0), !=, number);
    screen_add_viewer(other, &notes_ops, &notes);
    number = screen_picture_number(other, 0);
    g_assert_cmpuint(screen_picture_number(other, 0), ==, number);
    screen_damage_fallback(other, &(pixman_box32_t){0, 0, 1, 1});
    g_assert_cmpuint(screen_picture_number(other, 0), >, number);
    screen_remove_viewer(other, &notes);
}

static void
test_damage_is_clipped_and_counted(void)
{
    g_autoptr(Screen) screen = screen_new(1);
    Notes notes = {0};
    screen_add_viewer(screen, &notes_ops, &notes);

    screen_damage(screen, 0, &(pixman_box32_t){0, 0, 8, 8}); /* blank: nothing to damage */
    g_assert_cmpuint(notes.of[0].n_damage, ==, 0);

    g_autoptr(Surface) surface = make_surface(10, 10);
    screen_set_surface(screen, 0, surface);
    screen_damage(screen, 0, &(pixman_box32_t){-3, 5, 30, 40});
    assert_box(&notes.of[0].box, 0, 5, 10, 10);
    screen_damage(screen, 0, &(pixman_box32_t){10, 0, 12, 4}); /* outside */
    screen_damage(screen, 0, &(pixman_box32_t){4, 4, 4, 8});   /* empty */
    screen_damage(screen, 0, &(pixman_box32_t){6, 6, 4, 8});   /* inside out */
    g_assert_cmpuint(notes.of[0].n_damage, ==, 1);

    ScreenStats stats = screen_stats(screen, 0);
    g_assert_cmpuint(stats.frames, ==, 1);
    g_assert_cmpuint(stats.damaged_pixels, ==, 50);
    screen_remove_viewer(screen, &notes);
}

static void
test_late_viewer_is_told_the_present(void)
{
    g_autoptr(Screen) screen = screen_new(1);
    g_autoptr(Surface) surface = make_surface(4, 4);
    const CursorImage image = {.hot_x = 1};
    Notes early = {0}, late = {0};

    screen_set_surface(screen, 0, surface);
    screen_set_cursor(screen, 0, &image);
    screen_move_cursor(screen, 0, 7, 8);
    screen_add_viewer(screen, &notes_ops, &early);
    g_assert_true(early.of[0].surface == surface);
    g_assert_true(early.of[0].cursor_shown);
    g_assert_cmpuint(early.of[0].cursor.hot_x, ==, 1);
    g_assert_cmpint(early.of[0].x, ==, 7);

    screen_add_viewer(screen, &notes_ops, &late);
    g_assert_cmpuint(early.of[0].n_surface, ==, 1); /* not told again */
    screen_remove_viewer(screen, &early);
    screen_damage(screen, 0, &(pixman_box32_t){0, 0, 4, 4});
    g_assert_cmpuint(early.of[0].n_damage, ==, 0);
    g_assert_cmpuint(late.of[0].n_damage, ==, 1);
    screen_remove_viewer(screen, &late);
    screen_remove_viewer(screen, &late); /* not there: nothing */
}

static void
test_screen_keeps_what_it_shows(void)
{
    g_autoptr(Screen) screen = screen_new(1);
    Surface *surface = make_surface(4, 4);
    CursorImage image = {.hot_x = 9}, got;
    int32_t x, y;

    g_assert_null(screen_get_surface(screen, 0));
    screen_set_surface(screen, 0, surface);
    surface_unref(surface);
    g_autoptr(Surface) held = screen_get_surface(screen, 0);
    g_assert_true(held == surface);
    screen_set_surface(screen, 0, NULL);
    uint32_t scratch[4];
    g_assert_cmphex(surface_row(held, 0, 3, 4, scratch)[3], ==, 0); /* still there for who holds it */

    g_assert_false(screen_get_cursor(screen, 0, &got, &x, &y));
    screen_set_cursor(screen, 0, &image);
    screen_move_cursor(screen, 0, 1, 2);
    g_assert_true(screen_get_cursor(screen, 0, &got, &x, &y));
    g_assert_cmpuint(got.hot_x, ==, 9);
    g_assert_cmpint(x, ==, 1);
    g_assert_cmpint(y, ==, 2);
}

typedef struct {
    MonitorRequest monitors[SCREEN_MAX_SCANOUTS];
    unsigned n;
} Wanted;

static void
take_monitors(void *producer, const MonitorRequest *monitors, unsigned n)
{
    Wanted *wanted = producer;
    wanted->n = n;
    memcpy(wanted->monitors, monitors, n * sizeof *monitors);
}

static void
test_monitor_requests(void)
{
    static const ProducerOps ops = {.monitors = take_monitors};
    static const MonitorRequest monitors[3] = {{.enabled = true, .width = 800}, {.width = 640}, {.width = 320}};
    g_autoptr(Screen) screen = screen_new(2);
    Wanted wanted = {0};

    screen_request_monitors(screen, monitors, 1); /* nobody listens */
    screen_set_producer(screen, &ops, &wanted);
    screen_request_monitors(screen, monitors, 3); /* one more than there are scanouts */
    g_assert_cmpuint(wanted.n, ==, 2);
    g_assert_true(wanted.monitors[0].enabled);
    g_assert_cmpuint(wanted.monitors[1].width, ==, 640);
    screen_set_producer(screen, NULL, NULL);
    screen_request_monitors(screen, monitors, 1);
    g_assert_cmpuint(wanted.n, ==, 2);
}

/* Viewers come and go on one thread while another draws; a call after removal would write into a dead stack frame. */
static void *
draw(void *data)
{
    Screen *screen = data;
    for (unsigned i = 0; i < 2000; i++) {
        g_autoptr(Surface) surface = make_surface(16, 16);
        screen_set_surface(screen, 0, surface);
        screen_damage(screen, 0, &(pixman_box32_t){0, 0, 16, 16});
        screen_move_cursor(screen, 0, i, i);
    }
    return NULL;
}

static void
test_threads(void)
{
    g_autoptr(Screen) screen = screen_new(1);
    GThread *drawer = g_thread_new("drawer", draw, screen);

    for (unsigned i = 0; i < 2000; i++) {
        Notes notes = {0};
        uint32_t scratch[16];
        screen_add_viewer(screen, &notes_ops, &notes);
        g_autoptr(Surface) surface = screen_get_surface(screen, 0);
        if (surface)
            g_assert_cmphex(surface_row(surface, 0, 15, 16, scratch)[15], ==, 0);
        screen_remove_viewer(screen, &notes); /* the notes are gone after this */
    }
    g_thread_join(drawer);
    g_assert_cmpuint(screen_stats(screen, 0).frames, ==, 2000);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/scanout/changes", test_viewer_hears_changes);
    g_test_add_func("/scanout/pictures", test_pictures_are_numbered);
    g_test_add_func("/scanout/damage", test_damage_is_clipped_and_counted);
    g_test_add_func("/scanout/late-viewer", test_late_viewer_is_told_the_present);
    g_test_add_func("/scanout/keeps", test_screen_keeps_what_it_shows);
    g_test_add_func("/scanout/monitors", test_monitor_requests);
    g_test_add_func("/scanout/threads", test_threads);
    return g_test_run();
}
