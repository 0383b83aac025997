/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A storage whose process is killed at any moment of what it does. A child does a fixed round of operations, over and over, and
 * is killed; then the storage is opened anew, and everything in it must be whole: each disk has the bytes of one state that it
 * was in, the two disks of a desktop of the same one, and nothing half made is there.
 */
#include "place.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define DISK_SIZE (2 * MIB)

#define ANNA "aaaaaaaa-0000-4000-8000-000000000001"
#define BERT "bbbbbbbb-0000-4000-8000-000000000002"
#define IMAGE "cccccccc-0000-4000-8000-000000000003"
#define BEFORE "dddddddd-0000-4000-8000-000000000004"

static const char *program; /* ourselves */

/* A round of LVM's commands takes seconds. */
static const struct {
    unsigned kills;
    int longest_us;
} schedule[PLACES] = {
    [PLACE_COPY] = {100, 60000},
    [PLACE_SHARE] = {100, 60000},
    [PLACE_LVM] = {12, 4000000},
};

/* ---- the child ---- */

/* Whatever comes of it: what an earlier child left may be in the way. */
static void
wait_for(Place *place, Call *call)
{
    storage_finish(place->storage, call_wait(call), NULL);
    call_clear(call);
    *call = (Call){0};
}

static void
put(Place *place, const char *desktop, unsigned at, uint8_t byte)
{
    Call call = {0};

    storage_open_disk_async(place->storage, desktop, at, NULL, call_done, &call);
    g_autofd int fd = storage_open_disk_finish(place->storage, call_wait(&call), NULL);
    call_clear(&call);
    if (fd >= 0 && pwrite(fd, &byte, 1, MIB) == 1)
        fsync(fd);
}

/* Anna's two disks differ only while she writes; a snapshot, going back and a clone have them alike. */
static void
one_round(Place *place)
{
    const StorageSnapshot before = {(char *)BEFORE, (char *)"before", 1, false, 0};
    Storage *storage = place->storage;
    Call call = {0};

    storage_take_snapshot_async(storage, ANNA, &before, NULL, NULL, NULL, call_done, &call);
    wait_for(place, &call);
    storage_clone_desktop_async(storage, ANNA, BERT, NULL, NULL, NULL, call_done, &call);
    wait_for(place, &call);
    storage_revert_async(storage, ANNA, BEFORE, NULL, NULL, NULL, call_done, &call);
    wait_for(place, &call);
    storage_make_disk_async(storage, ANNA, 5, IMAGE, 4 * MIB, NULL, NULL, NULL, call_done, &call);
    wait_for(place, &call);
    storage_delete_disk_async(storage, ANNA, 5, NULL, call_done, &call);
    wait_for(place, &call);
    storage_forget_async(storage, ANNA, BEFORE, NULL, call_done, &call);
    wait_for(place, &call);
    storage_delete_desktop_async(storage, BERT, NULL, call_done, &call);
    wait_for(place, &call);
}

static G_NORETURN void
be_the_child(char **words)
{
    g_autoptr(Place) place = place_attach(words);

    for (;;)
        one_round(place);
}

/* ---- the parent ---- */

static uint8_t
byte_of(Place *place, const char *name)
{
    Volumes *volumes = place->storage->volumes;
    g_autofd int fd = volumes->class->open(volumes, name, O_RDONLY, NULL);
    uint8_t byte;

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(lseek(fd, 0, SEEK_END), >=, DISK_SIZE);
    g_assert_cmpint(pread(fd, &byte, 1, MIB), ==, 1);
    return byte;
}

/* Both disks, or what a snapshot keeps of them, or neither. */
static void
check_pair(Place *place, const char *const *names, const char *first, const char *second)
{
    bool there = g_strv_contains(names, first);

    g_assert_cmpint(g_strv_contains(names, second), ==, there);
    if (there) {
        g_assert_cmpint(byte_of(place, first), ==, 7);
        g_assert_cmpint(byte_of(place, second), ==, 7);
    }
}

static void
check(Place *place)
{
    g_auto(GStrv) names = place_names_of(place);
    const char *const *all = (const char *const *)names;
    g_autoptr(VolumesView) view = place->storage->volumes->class->look(place->storage->volumes, NULL);

    g_assert_cmpuint(view->volumes->len, ==, g_strv_length(names)); /* none has a name of what is half made */
    g_assert_true(g_strv_contains(all, "disk-" ANNA "-0"));
    g_assert_true(g_strv_contains(all, "image-" IMAGE));
    check_pair(place, all, "disk-" ANNA "-0", "disk-" ANNA "-1");
    check_pair(place, all, "kept-" ANNA "-0-" BEFORE, "kept-" ANNA "-1-" BEFORE);
    g_assert_cmpint(g_strv_contains(all, "kept-" ANNA "-0-" BEFORE), ==,
                    records_has_snapshot(place->storage->records, ANNA, BEFORE));
}

static void
prepare(Place *place)
{
    Call call = {0};

    for (unsigned at = 0; at < 2; at++) {
        storage_make_disk_async(place->storage, ANNA, at, NULL, DISK_SIZE, NULL, NULL, NULL, call_done, &call);
        call_succeeds(place, &call);
        put(place, ANNA, at, 7);
    }
    storage_make_image_async(place->storage, IMAGE, ANNA, 0, NULL, NULL, NULL, call_done, &call);
    g_autoptr(StorageImage) image = storage_image_finish(place->storage, call_wait(&call), NULL);
    g_assert_nonnull(image);
    call_clear(&call);
}

static void
kill_one(Place *place)
{
    g_auto(GStrv) words = place_words(place, program);
    g_autoptr(GError) error = NULL;
    GPid child;

    g_clear_pointer(&place->storage, storage_free);
    g_spawn_async(NULL, words, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &child, &error);
    g_assert_no_error(error);
    g_usleep((gulong)g_test_rand_int_range(1000, schedule[place->kind].longest_us));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void
run(gconstpointer kind)
{
    g_autoptr(Place) place = place_new(GPOINTER_TO_UINT(kind), 320 * MIB);
    unsigned mended_something = 0;

    if (!place)
        return;
    prepare(place);
    for (unsigned round = 0; round < schedule[place->kind].kills; round++) {
        kill_one(place);
        g_auto(GStrv) mended = place_reopen(place);
        mended_something += mended[0] != NULL;
        check(place);
    }
    g_test_message("%u of %u kills left something half made", mended_something, schedule[place->kind].kills);
}

int
main(int argc, char **argv)
{
    program = argv[0];
    if (argc > 2 && g_str_equal(argv[1], PLACE_CHILD))
        be_the_child(argv + 2);
    place_begin();
    g_test_init(&argc, &argv, NULL);
    for (unsigned kind = 0; kind < PLACES; kind++) {
        g_autofree char *path = g_strdup_printf("/kill/%s", place_names[kind]);
        g_test_add_data_func(path, GUINT_TO_POINTER(kind), run);
    }
    return place_run_tests();
}
