/* SPDX-License-Identifier: Apache-2.0 */
/* What is no store, or none that is whole, is refused in a sentence and left as it was, with what lies beside it. */
#include "house.h"

#include "ha/store/snapshot.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    char *folder, *path;
} Scene;

static Scene
scene_new(void)
{
    char *folder = house_folder();

    return (Scene){.folder = folder, .path = g_build_filename(folder, "carrel.db", NULL)};
}

static void
scene_end(Scene *scene)
{
    g_free(scene->path);
    house_forget_folder(scene->folder);
}

static void
write_file(const char *path, const char *bytes, gssize len)
{
    g_autoptr(GError) error = NULL;

    g_file_set_contents(path, bytes, len, &error);
    g_assert_no_error(error);
}

/* A store with something in it, all of it in the one file. */
static char *
make_store(const char *path, gsize *len)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(House) house = house_new_furnished();
    char *bytes;

    store_snapshot(house->store, path, &error);
    g_assert_no_error(error);
    g_assert_true(g_file_get_contents(path, &bytes, len, NULL));
    return bytes;
}

static void
test_not_ours(void)
{
    Scene scene = scene_new();
    g_autofree char *journal = g_strconcat(scene.path, "-journal", NULL);
    g_autofree char *kept = NULL;
    sqlite3 *handle;

    write_file(scene.path, "", 0);
    house_refuse_file(scene.path, STORE_ERROR_NOT_OURS, "is no store of Carrel's");
    write_file(scene.path, "#!/bin/sh\nexit 0\n", -1);
    house_refuse_file(scene.path, STORE_ERROR_NOT_OURS, "is no store of Carrel's");
    g_unlink(scene.path);
    g_assert_cmpint(sqlite3_open(scene.path, &handle), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_exec(handle, "CREATE TABLE recipes (x); PRAGMA user_version = 1", NULL, NULL, NULL), ==,
                    SQLITE_OK);
    sqlite3_close(handle);
    write_file(journal, "somebody's", -1);
    house_refuse_file(scene.path, STORE_ERROR_NOT_OURS, "is no store of Carrel's");
    g_assert_true(g_file_get_contents(journal, &kept, NULL, NULL));
    g_assert_cmpstr(kept, ==, "somebody's");
    scene_end(&scene);
}

static void
test_nowhere(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(store_open("/nonexistent/carrel.db", &error));
    g_assert_error(error, STORE_ERROR, STORE_ERROR_IO);
    g_assert_nonnull(strstr(error->message, "/nonexistent/carrel.db: No such file"));
    g_clear_error(&error);
    g_assert_null(store_open("/tmp", &error));
    g_assert_error(error, STORE_ERROR, STORE_ERROR_IO);
    g_clear_error(&error);
    g_assert_null(store_reader_open("/nonexistent/carrel.db", &error));
    g_assert_error(error, STORE_ERROR, STORE_ERROR_IO);
}

static void
test_truncated(void)
{
    Scene scene = scene_new();
    gsize len;
    g_autofree char *bytes = make_store(scene.path, &len);

    write_file(scene.path, bytes, 60);
    house_refuse_file(scene.path, STORE_ERROR_NOT_OURS, "is no store of Carrel's");
    for (gsize cut = 4096; cut < len; cut += 4096 * 7) {
        write_file(scene.path, bytes, cut);
        house_refuse_file(scene.path, STORE_ERROR_DAMAGED, "the store is damaged; move it away");
    }
    scene_end(&scene);
}

/* Bytes changed anywhere are noticed, or are where nothing is. A store that is opened all the same works. */
static void
test_overwritten(void)
{
    Scene scene = scene_new();
    unsigned noticed = 0;
    gsize len;
    g_autofree char *bytes = make_store(scene.path, &len);

    for (unsigned i = 0; i < 120; i++) {
        g_autofree char *changed = g_memdup2(bytes, len);
        g_autoptr(GError) error = NULL;
        gsize at = g_test_rand_int_range(100, len - 64);
        for (unsigned j = 0; j < 64; j++)
            changed[at + j] = g_test_rand_int_range(0, 256);
        write_file(scene.path, changed, len);
        g_autoptr(Store) store = store_open(scene.path, &error);
        noticed += !store;
        if (!store)
            g_assert_true(g_error_matches(error, STORE_ERROR, STORE_ERROR_DAMAGED) ||
                          g_error_matches(error, STORE_ERROR, STORE_ERROR_NEWER));
        g_clear_pointer(&store, store_free);
        g_autofree char *wal = g_strconcat(scene.path, "-wal", NULL), *shm = g_strconcat(scene.path, "-shm", NULL);
        g_unlink(wal);
        g_unlink(shm);
    }
    g_test_message("%u of 120 noticed", noticed);
    g_assert_cmpuint(noticed, >, 0);
    scene_end(&scene);
}

/*
 * The file is not there before it is whole, is readable by its owner alone, and a second opening finds what the first
 * left.
 */
static void
test_made(void)
{
    Scene scene = scene_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(Store) store = store_open(scene.path, &error);
    GStatBuf about;

    g_assert_no_error(error);
    g_assert_no_errno(g_stat(scene.path, &about));
    g_assert_cmpuint(about.st_mode & 0777, ==, 0600);
    g_autoptr(StoreCommand) command =
        store_command_new("host.add", "console", "host1", 1, g_variant_new_parsed("{'host': <'h'>}"));
    g_auto(StoreAnswer) answer = {0};
    g_assert_true(store_apply(store, command, &answer, &error));
    g_clear_pointer(&store, store_free);
    store = store_open(scene.path, &error);
    int64_t sequence;
    g_assert_true(store_sequence(store, &sequence, &error));
    g_assert_cmpint(sequence, ==, 1);
    g_clear_pointer(&store, store_free);
    scene_end(&scene);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/file/not-ours", test_not_ours);
    g_test_add_func("/store/file/nowhere", test_nowhere);
    g_test_add_func("/store/file/truncated", test_truncated);
    g_test_add_func("/store/file/overwritten", test_overwritten);
    g_test_add_func("/store/file/made", test_made);
    return g_test_run();
}
