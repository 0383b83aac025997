/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots: joining from one while readers look, and files that are none. That equal states give equal bytes: test-
 * replay.
 */
#include "house.h"

#include "ha/store/snapshot.h"

#include <glib/gstdio.h>
#include <string.h>

static unsigned told;

static void
hear_all(int64_t sequence, GPtrArray *changes, void *data)
{
    g_assert_null(changes);
    g_assert_cmpint(sequence, ==, 15);
    told++;
}

static void
test_restore(void)
{
    char *folder = house_folder();
    g_autofree char *path = g_build_filename(folder, "carrel.db", NULL),
                    *snapshot = g_build_filename(folder, "snapshot", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(House) giver = house_new_furnished();
    g_autoptr(Store) taker = store_open(path, &error);
    g_autoptr(StoreReader) reader = store_reader_open(path, &error);
    g_autoptr(GVariant) anna = NULL;
    int64_t sequence;

    g_assert_no_error(error);
    store_set_listener(taker, hear_all, NULL);
    g_assert_true(store_snapshot(giver->store, snapshot, &error));

    /* A reader that began before keeps what it saw. */
    g_assert_true(store_reader_begin(reader, &error));
    g_assert_true(store_restore(taker, snapshot, &error));
    g_assert_true(store_reader_sequence(reader, &sequence, &error));
    g_assert_cmpint(sequence, ==, 0);
    store_reader_end(reader);
    g_assert_true(store_reader_sequence(reader, &sequence, &error));
    g_assert_cmpint(sequence, ==, 15);
    g_assert_true(store_reader_find(reader, store_catalog_find_kind("user"), "anna", &anna, &error));
    g_assert_nonnull(anna);
    g_assert_cmpuint(told, ==, 1);

    /* It goes on from there, and is still there when opened again. */
    g_autoptr(StoreCommand) next = house_command(giver, "host.add", "{'host': <'host2'>}");
    g_auto(StoreAnswer) answer = {0};
    store_set_listener(taker, NULL, NULL);
    g_assert_true(store_apply(taker, next, &answer, &error));
    g_assert_cmpint(answer.sequence, ==, 16);
    g_clear_pointer(&taker, store_free);
    g_clear_pointer(&reader, store_reader_free);
    taker = store_open(path, &error);
    g_assert_no_error(error);
    g_assert_true(store_sequence(taker, &sequence, &error));
    g_assert_cmpint(sequence, ==, 16);
    g_clear_pointer(&taker, store_free);
    house_forget_folder(folder);
}

/* Nothing changes when the snapshot is no good. */
static void
test_refused(void)
{
    char *folder = house_folder();
    g_autofree char *snapshot = g_build_filename(folder, "snapshot", NULL);
    g_autofree char *bytes = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(House) house = house_new_furnished(), empty = house_new();
    gsize len;

    g_assert_true(store_snapshot(empty->store, snapshot, &error));
    g_assert_true(g_file_get_contents(snapshot, &bytes, &len, NULL));
    g_assert_true(g_file_set_contents(snapshot, bytes, len / 2, NULL));
    g_assert_false(store_restore(house->store, snapshot, &error));
    g_assert_error(error, STORE_ERROR, STORE_ERROR_DAMAGED);
    g_clear_error(&error);
    g_assert_true(g_file_set_contents(snapshot, "hello", 5, NULL));
    g_assert_false(store_restore(house->store, snapshot, &error));
    g_assert_error(error, STORE_ERROR, STORE_ERROR_NOT_OURS);
    g_clear_error(&error);
    g_assert_true(house_has(house, "user", "$anna"));
    g_assert_false(store_snapshot(house->store, "/nonexistent/snapshot", &error));
    g_assert_error(error, STORE_ERROR, STORE_ERROR_IO);
    house_forget_folder(folder);
}

/* What an earlier run left unfinished is in nobody's way, and a snapshot there was is replaced. */
static void
test_replaced(void)
{
    char *folder = house_folder();
    g_autofree char *snapshot = g_build_filename(folder, "snapshot", NULL),
                    *part = g_build_filename(folder, "snapshot.part", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(House) house = house_new_furnished(), other = house_new();

    g_assert_true(g_file_set_contents(part, "half", 4, NULL));
    g_assert_true(g_file_set_contents(snapshot, "old", 3, NULL));
    g_assert_true(store_snapshot(house->store, snapshot, &error));
    g_assert_false(g_file_test(part, G_FILE_TEST_EXISTS));
    g_assert_true(store_restore(other->store, snapshot, &error));
    g_assert_true(house_has(other, "user", "$anna"));
    GStatBuf about;
    g_assert_no_errno(g_stat(snapshot, &about));
    g_assert_cmpuint(about.st_mode & 0777, ==, 0600);
    house_forget_folder(folder);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/snapshot/restore", test_restore);
    g_test_add_func("/store/snapshot/refused", test_refused);
    g_test_add_func("/store/snapshot/replaced", test_replaced);
    return g_test_run();
}
