/* SPDX-License-Identifier: Apache-2.0 */
/* The address book: it remembers, it makes room, it survives what it finds. */
#include "appliance/network/book.h"

#include "appliance/network/network.h"

#include <glib/gstdio.h>

typedef struct {
    char *folder, *path;
    const char *busy; /* the one card in use; NULL: all are */
} Shelf;

static void
set_up(Shelf *shelf, gconstpointer data)
{
    shelf->folder = g_dir_make_tmp("carrel-book-XXXXXX", NULL);
    shelf->path = g_build_filename(shelf->folder, "book", NULL);
}

static void
tear_down(Shelf *shelf, gconstpointer data)
{
    g_unlink(shelf->path);
    g_rmdir(shelf->folder);
    g_free(shelf->folder);
    g_free(shelf->path);
}

static bool
in_use(void *user, const char *mac)
{
    Shelf *shelf = user;
    return !shelf->busy || g_str_equal(shelf->busy, mac);
}

static unsigned
place_of(NetworkBook *book, Shelf *shelf, const char *mac)
{
    g_autoptr(GError) error = NULL;
    unsigned place = 99;

    g_assert_true(network_book_place(book, mac, in_use, shelf, &place, &error));
    g_assert_no_error(error);
    return place;
}

static void
test_remembers(Shelf *shelf, gconstpointer data)
{
    g_autoptr(NetworkBook) book = network_book_new(shelf->path, 4000);
    unsigned one = place_of(book, shelf, "52:54:00:00:00:01"), two = place_of(book, shelf, "52:54:00:00:00:02");

    g_assert_cmpuint(one, !=, two);
    g_assert_cmpuint(place_of(book, shelf, "52:54:00:00:00:01"), ==, one);
    g_autoptr(NetworkBook) again = network_book_new(shelf->path, 4000);
    g_assert_cmpuint(place_of(again, shelf, "52:54:00:00:00:02"), ==, two);
    g_assert_cmpuint(place_of(again, shelf, "52:54:00:00:00:01"), ==, one);
}

static void
test_makes_room(Shelf *shelf, gconstpointer data)
{
    g_autoptr(NetworkBook) book = network_book_new(shelf->path, 2);
    g_autoptr(GError) error = NULL;
    unsigned one = place_of(book, shelf, "52:54:00:00:00:01"), two = place_of(book, shelf, "52:54:00:00:00:02"), place;

    g_assert_cmpuint(one + two, ==, 1);
    g_assert_false(network_book_place(book, "52:54:00:00:00:03", in_use, shelf, &place, &error));
    g_assert_error(error, NETWORK_ERROR, NETWORK_ERROR_TAKEN);
    shelf->busy = "52:54:00:00:00:01";
    g_assert_cmpuint(place_of(book, shelf, "52:54:00:00:00:03"), ==, two);
    g_assert_cmpuint(place_of(book, shelf, "52:54:00:00:00:01"), ==, one);
}

static void
test_passes_over_nonsense(Shelf *shelf, gconstpointer data)
{
    static const char text[] =
        "52:54:00:00:00:01 7\n\nx y\n52:54:00:00:00:02 4000\n52:54:00:00:00:03 -1\n52:54:00:00:00:04\n"
        "52:54:00:00:00:05 7\n52:54:00:00:00:01 8\n53:54:00:00:00:06 9\n52:54:00:00:00:07 10 11\n";

    g_assert_true(g_file_set_contents(shelf->path, text, -1, NULL));
    g_autoptr(NetworkBook) book = network_book_new(shelf->path, 4000);
    g_assert_cmpuint(place_of(book, shelf, "52:54:00:00:00:01"), ==, 7);
    g_assert_cmpuint(place_of(book, shelf, "52:54:00:00:00:05"), !=, 7);
}

static void
test_says_what_it_cannot(Shelf *shelf, gconstpointer data)
{
    g_autofree char *path = g_build_filename(shelf->folder, "none", "book", NULL);
    g_autoptr(NetworkBook) book = network_book_new(path, 4000);
    g_autoptr(GError) error = NULL;
    unsigned place;

    g_assert_false(network_book_place(book, "52:54:00:00:00:01", in_use, shelf, &place, &error));
    g_assert_error(error, NETWORK_ERROR, NETWORK_ERROR_FAILED);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/network/book/" name, Shelf, NULL, set_up, function, tear_down)
    ADD("remembers", test_remembers);
    ADD("makes-room", test_makes_room);
    ADD("nonsense", test_passes_over_nonsense);
    ADD("cannot", test_says_what_it_cannot);
    return g_test_run();
}
