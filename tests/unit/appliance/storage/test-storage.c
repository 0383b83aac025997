/* SPDX-License-Identifier: Apache-2.0 */
/* What storage.h promises, held against each back end: the same tests in each kind of place. */
#include "place.h"

#include "appliance/storage/names.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define ROOM (512 * MIB)

#define ANNA "aaaaaaaa-0000-4000-8000-000000000001"
#define BERT "bbbbbbbb-0000-4000-8000-000000000002"
#define IMAGE "cccccccc-0000-4000-8000-000000000003"
#define BEFORE "dddddddd-0000-4000-8000-000000000004"
#define AFTER "eeeeeeee-0000-4000-8000-000000000005"

typedef void (*Case)(Place *place);

/* ---- steps ---- */

static void
make_disk(Place *place, const char *desktop, unsigned at, const char *image, uint64_t size)
{
    Call call = {0};

    storage_make_disk_async(place->storage, desktop, at, image, size, NULL, call_progress, &call, call_done, &call);
    call_succeeds(place, &call);
}

static void
cannot_make_disk(Place *place, const char *desktop, unsigned at, const char *image, uint64_t size, StorageError code)
{
    Call call = {0};

    storage_make_disk_async(place->storage, desktop, at, image, size, NULL, call_progress, &call, call_done, &call);
    call_fails(place, &call, code);
}

static int
try_to_open(Place *place, const char *desktop, unsigned at, GError **error)
{
    g_auto(Call) call = {0};

    storage_open_disk_async(place->storage, desktop, at, NULL, call_done, &call);
    return storage_open_disk_finish(place->storage, call_wait(&call), error);
}

static int
open_disk(Place *place, const char *desktop, unsigned at)
{
    g_autoptr(GError) error = NULL;
    int fd = try_to_open(place, desktop, at, &error);

    g_assert_no_error(error);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(fcntl(fd, F_GETFD), ==, FD_CLOEXEC);
    return fd;
}

static void
cannot_open(Place *place, const char *desktop, unsigned at, StorageError code)
{
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(try_to_open(place, desktop, at, &error), ==, -1);
    g_assert_error(error, STORAGE_ERROR, (int)code);
}

static uint64_t
size_of(Place *place, const char *desktop, unsigned at)
{
    g_autofd int fd = open_disk(place, desktop, at);
    return (uint64_t)lseek(fd, 0, SEEK_END);
}

/* A block whose bytes all are @byte, at the middle of the first MiB. */
static void
put(Place *place, const char *desktop, unsigned at, uint8_t byte)
{
    g_autofd int fd = open_disk(place, desktop, at);
    uint8_t block[65536];

    memset(block, byte, sizeof(block));
    g_assert_cmpint(pwrite(fd, block, sizeof(block), MIB / 2), ==, sizeof(block));
    g_assert_cmpint(fsync(fd), ==, 0);
}

static uint8_t
get(Place *place, const char *desktop, unsigned at)
{
    g_autofd int fd = open_disk(place, desktop, at);
    uint8_t block[65536];

    g_assert_cmpint(pread(fd, block, sizeof(block), MIB / 2), ==, sizeof(block));
    for (size_t i = 1; i < sizeof(block); i++)
        g_assert_cmpint(block[i], ==, block[0]);
    return block[0];
}

static void
make_image(Place *place, const char *image, const char *desktop)
{
    g_auto(Call) call = {0};
    g_autoptr(GError) error = NULL;

    storage_make_image_async(place->storage, image, desktop, 0, NULL, call_progress, &call, call_done, &call);
    g_autoptr(StorageImage) made = storage_image_finish(place->storage, call_wait(&call), &error);
    g_assert_no_error(error);
    g_assert_cmpuint(made->size, ==, size_of(place, desktop, 0));
    g_assert_cmpstr(made->sha256, ==, "");
}

/* An image of 8 MiB whose block is 1. */
static void
have_image(Place *place)
{
    Call call = {0};

    make_disk(place, BERT, 0, NULL, 8 * MIB);
    put(place, BERT, 0, 1);
    make_image(place, IMAGE, BERT);
    storage_delete_desktop_async(place->storage, BERT, NULL, call_done, &call);
    call_succeeds(place, &call);
}

static void
start_snapshot(Place *place, const char *desktop, const char *id, const char *name, int64_t created, Call *call)
{
    const StorageSnapshot snapshot = {(char *)id, (char *)name, created, true, 0};

    storage_take_snapshot_async(place->storage, desktop, &snapshot, NULL, call_progress, call, call_done, call);
}

static void
take_snapshot(Place *place, const char *desktop, const char *id, const char *name, int64_t created)
{
    Call call = {0};

    start_snapshot(place, desktop, id, name, created, &call);
    call_succeeds(place, &call);
}

static void
revert(Place *place, const char *desktop, const char *id)
{
    Call call = {0};

    storage_revert_async(place->storage, desktop, id, NULL, call_progress, &call, call_done, &call);
    call_succeeds(place, &call);
}

static GPtrArray *
list_snapshots(Place *place, const char *desktop)
{
    g_auto(Call) call = {0};
    g_autoptr(GError) error = NULL;

    storage_list_snapshots_async(place->storage, desktop, NULL, call_done, &call);
    GPtrArray *snapshots = storage_list_snapshots_finish(place->storage, call_wait(&call), &error);
    g_assert_no_error(error);
    return snapshots;
}

/* ---- disks ---- */

static void
test_empty_disk(Place *place)
{
    make_disk(place, ANNA, 0, NULL, 12 * MIB);
    g_assert_cmpuint(size_of(place, ANNA, 0), ==, 12 * MIB);
    g_assert_cmpint(get(place, ANNA, 0), ==, 0);
    cannot_make_disk(place, ANNA, 0, NULL, 12 * MIB, STORAGE_ERROR_EXISTS);
    cannot_make_disk(place, ANNA, 1, NULL, 0, STORAGE_ERROR_INVALID);
    cannot_make_disk(place, ANNA, 1, NULL, STORAGE_DISK_MAX + 1, STORAGE_ERROR_INVALID);
    cannot_make_disk(place, ANNA, STORAGE_PLACES_MAX, NULL, MIB, STORAGE_ERROR_INVALID);
    cannot_make_disk(place, "../../etc/passwd", 0, NULL, MIB, STORAGE_ERROR_INVALID);
    cannot_make_disk(place, "AAAAAAAA-0000-4000-8000-000000000001", 0, NULL, MIB, STORAGE_ERROR_INVALID);
    g_assert_cmpuint(size_of(place, ANNA, 0), ==, 12 * MIB);
}

static void
test_sizes_are_whole(Place *place)
{
    make_disk(place, ANNA, 0, NULL, 12 * MIB + 1);
    uint64_t size = size_of(place, ANNA, 0);
    g_assert_cmpuint(size, >, 12 * MIB);
    g_assert_cmpuint(size, <=, 16 * MIB);
    g_assert_cmpuint(size % 512, ==, 0);
}

static void
test_open_once(Place *place)
{
    Call call = {0};

    make_disk(place, ANNA, 0, NULL, 12 * MIB);
    int fd = open_disk(place, ANNA, 0);
    cannot_open(place, ANNA, 0, STORAGE_ERROR_IN_USE);
    storage_delete_disk_async(place->storage, ANNA, 0, NULL, call_done, &call);
    call_fails(place, &call, STORAGE_ERROR_IN_USE);
    storage_delete_desktop_async(place->storage, ANNA, NULL, call_done, &call);
    call_fails(place, &call, STORAGE_ERROR_IN_USE);
    storage_remove_async(place->storage, "disk-" ANNA "-0", NULL, call_done, &call);
    call_fails(place, &call, STORAGE_ERROR_IN_USE);

    /* A copy that a VMM inherited counts as well; and it may lock it again. */
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int inherited = dup(fd);
    close(fd);
    g_assert_cmpint(fcntl(inherited, F_OFD_SETLK, &whole), ==, 0);
    cannot_open(place, ANNA, 0, STORAGE_ERROR_IN_USE);
    close(inherited);
    g_assert_cmpuint(size_of(place, ANNA, 0), ==, 12 * MIB);
    cannot_open(place, ANNA, 1, STORAGE_ERROR_NOT_FOUND);
}

static void
test_from_image(Place *place)
{
    have_image(place);
    make_disk(place, ANNA, 0, IMAGE, 0);
    make_disk(place, ANNA, 1, IMAGE, 24 * MIB);
    g_assert_cmpuint(size_of(place, ANNA, 0), ==, 8 * MIB);
    g_assert_cmpuint(size_of(place, ANNA, 1), ==, 24 * MIB);
    g_assert_cmpint(get(place, ANNA, 0), ==, 1);
    g_assert_cmpint(get(place, ANNA, 1), ==, 1);

    g_autofd int fd = open_disk(place, ANNA, 1);
    uint8_t block[4096];
    g_assert_cmpint(pread(fd, block, sizeof(block), 24 * MIB - sizeof(block)), ==, sizeof(block));
    g_assert_true(block[0] == 0 && block[4095] == 0);

    cannot_make_disk(place, ANNA, 2, IMAGE, 7 * MIB, STORAGE_ERROR_INVALID);
    cannot_make_disk(place, ANNA, 2, BEFORE, 0, STORAGE_ERROR_NOT_FOUND);
}

static void
test_disks_are_apart(Place *place)
{
    Call call = {0};

    have_image(place);
    make_disk(place, ANNA, 0, IMAGE, 0);
    put(place, ANNA, 0, 2);
    make_disk(place, BERT, 0, IMAGE, 0);
    g_assert_cmpint(get(place, BERT, 0), ==, 1);
    storage_delete_image_async(place->storage, IMAGE, NULL, call_done, &call);
    call_succeeds(place, &call);
    g_assert_cmpint(get(place, ANNA, 0), ==, 2);
    g_assert_cmpint(get(place, BERT, 0), ==, 1);
    storage_delete_image_async(place->storage, IMAGE, NULL, call_done, &call);
    call_fails(place, &call, STORAGE_ERROR_NOT_FOUND);
}

/* Twenty people sit down at once. */
static void
test_many_at_once(Place *place)
{
    Call calls[20] = {0};

    have_image(place);
    for (unsigned i = 0; i < G_N_ELEMENTS(calls); i++)
        storage_make_disk_async(place->storage, ANNA, i, IMAGE, 9 * MIB, NULL, NULL, NULL, call_done, &calls[i]);
    for (unsigned i = 0; i < G_N_ELEMENTS(calls); i++)
        call_succeeds(place, &calls[i]);
    for (unsigned i = 0; i < G_N_ELEMENTS(calls); i++)
        g_assert_cmpint(get(place, ANNA, i), ==, 1);
}

static void
grow(Place *place, uint64_t size, Call *call)
{
    storage_grow_disk_async(place->storage, ANNA, 0, size, NULL, call_done, call);
}

static void
test_grow(Place *place)
{
    Call call = {0};

    make_disk(place, ANNA, 0, NULL, 8 * MIB);
    put(place, ANNA, 0, 3);
    grow(place, 16 * MIB, &call);
    call_succeeds(place, &call);
    grow(place, 16 * MIB, &call);
    call_succeeds(place, &call);
    grow(place, 8 * MIB, &call);
    call_fails(place, &call, STORAGE_ERROR_INVALID);
    g_assert_cmpuint(size_of(place, ANNA, 0), ==, 16 * MIB);
    g_assert_cmpint(get(place, ANNA, 0), ==, 3);

    g_autofd int fd = open_disk(place, ANNA, 0);
    grow(place, 24 * MIB, &call);
    call_succeeds(place, &call);
    g_assert_cmpint(lseek(fd, 0, SEEK_END), ==, 24 * MIB);
    storage_grow_disk_async(place->storage, ANNA, 1, MIB, NULL, call_done, &call);
    call_fails(place, &call, STORAGE_ERROR_NOT_FOUND);
}

static void
test_delete(Place *place)
{
    Call call = {0};

    make_disk(place, ANNA, 0, NULL, 8 * MIB);
    make_disk(place, ANNA, 1, NULL, 8 * MIB);
    storage_delete_disk_async(place->storage, ANNA, 0, NULL, call_done, &call);
    call_succeeds(place, &call);
    cannot_open(place, ANNA, 0, STORAGE_ERROR_NOT_FOUND);
    storage_delete_disk_async(place->storage, ANNA, 0, NULL, call_done, &call);
    call_fails(place, &call, STORAGE_ERROR_NOT_FOUND);

    take_snapshot(place, ANNA, BEFORE, "before", 1);
    storage_delete_desktop_async(place->storage, ANNA, NULL, call_done, &call);
    call_succeeds(place, &call);
    g_assert_true(place_is_empty(place));
    g_autoptr(GPtrArray) snapshots = list_snapshots(place, ANNA);
    g_assert_cmpuint(snapshots->len, ==, 0);
    storage_delete_desktop_async(place->storage, ANNA, NULL, call_done, &call);
    call_succeeds(place, &call);
}

static void
clone_anna(Place *place, Call *call)
{
    storage_clone_desktop_async(place->storage, ANNA, BERT, NULL, call_progress, call, call_done, call);
}

static void
test_clone_desktop(Place *place)
{
    Call call = {0};

    make_disk(place, ANNA, 0, NULL, 8 * MIB);
    make_disk(place, ANNA, 3, NULL, 12 * MIB);
    put(place, ANNA, 0, 1);
    put(place, ANNA, 3, 2);
    clone_anna(place, &call);
    call_succeeds(place, &call);
    put(place, ANNA, 0, 9);
    g_assert_cmpint(get(place, BERT, 0), ==, 1);
    g_assert_cmpint(get(place, BERT, 3), ==, 2);
    g_assert_cmpuint(size_of(place, BERT, 3), ==, 12 * MIB);
    clone_anna(place, &call);
    call_fails(place, &call, STORAGE_ERROR_EXISTS);
}

/* ---- snapshots ---- */

static void
test_snapshot(Place *place)
{
    make_disk(place, ANNA, 0, NULL, 8 * MIB);
    make_disk(place, ANNA, 1, NULL, 8 * MIB);
    put(place, ANNA, 0, 1);
    put(place, ANNA, 1, 2);
    take_snapshot(place, ANNA, BEFORE, "before “the” update\xe2\x80\xae", 100);
    put(place, ANNA, 0, 3);
    put(place, ANNA, 1, 4);
    take_snapshot(place, ANNA, AFTER, "after", 200);

    g_autoptr(GPtrArray) snapshots = list_snapshots(place, ANNA);
    g_assert_cmpuint(snapshots->len, ==, 2);
    const StorageSnapshot *first = snapshots->pdata[0];
    g_assert_cmpstr(first->id, ==, BEFORE);
    g_assert_cmpstr(first->name, ==, "before “the” update\xe2\x80\xae");
    g_assert_cmpint(first->created, ==, 100);
    g_assert_true(first->frozen);
    g_assert_cmpuint(first->bytes, >=, 2 * 65000); /* what was written over since; LVM tells hundredths of percents */

    revert(place, ANNA, BEFORE);
    g_assert_cmpint(get(place, ANNA, 0), ==, 1);
    g_assert_cmpint(get(place, ANNA, 1), ==, 2);
    revert(place, ANNA, AFTER);
    g_assert_cmpint(get(place, ANNA, 0), ==, 3);
    g_assert_cmpint(get(place, ANNA, 1), ==, 4);
}

static void
test_revert_to_another_machine(Place *place)
{
    Call call = {0};

    make_disk(place, ANNA, 0, NULL, 8 * MIB);
    make_disk(place, ANNA, 1, NULL, 8 * MIB);
    put(place, ANNA, 0, 1);
    put(place, ANNA, 1, 2);
    take_snapshot(place, ANNA, BEFORE, "before", 100);
    grow(place, 16 * MIB, &call);
    call_succeeds(place, &call);
    storage_delete_disk_async(place->storage, ANNA, 1, NULL, call_done, &call);
    call_succeeds(place, &call);
    make_disk(place, ANNA, 2, NULL, 8 * MIB);
    put(place, ANNA, 2, 5);

    revert(place, ANNA, BEFORE);
    g_assert_cmpuint(size_of(place, ANNA, 0), ==, 16 * MIB);
    g_assert_cmpint(get(place, ANNA, 0), ==, 1);
    g_assert_cmpint(get(place, ANNA, 1), ==, 2);
    g_assert_cmpint(get(place, ANNA, 2), ==, 5);
}

static void
test_revert_while_open(Place *place)
{
    Call call = {0};

    make_disk(place, ANNA, 0, NULL, 8 * MIB);
    make_disk(place, ANNA, 1, NULL, 8 * MIB);
    put(place, ANNA, 0, 1);
    take_snapshot(place, ANNA, BEFORE, "before", 100);
    put(place, ANNA, 0, 2);
    int fd = open_disk(place, ANNA, 1);
    storage_revert_async(place->storage, ANNA, BEFORE, NULL, NULL, NULL, call_done, &call);
    call_fails(place, &call, STORAGE_ERROR_IN_USE);
    close(fd);
    g_assert_cmpint(get(place, ANNA, 0), ==, 2);
    g_autoptr(VolumesView) view = place->storage->volumes->class->look(place->storage->volumes, NULL);
    g_assert_cmpuint(view->volumes->len, ==, 4);
}

/* A desktop that runs: where blocks are shared, else not. */
static void
test_snapshot_while_open(Place *place)
{
    Call call = {0};

    make_disk(place, ANNA, 0, NULL, 8 * MIB);
    put(place, ANNA, 0, 1);
    int fd = open_disk(place, ANNA, 0);
    start_snapshot(place, ANNA, BEFORE, "before", 100, &call);
    if (storage_shares_blocks(place->storage)) {
        call_succeeds(place, &call);
        close(fd);
        put(place, ANNA, 0, 2);
        revert(place, ANNA, BEFORE);
        g_assert_cmpint(get(place, ANNA, 0), ==, 1);
        return;
    }
    call_fails(place, &call, STORAGE_ERROR_UNAVAILABLE);
    clone_anna(place, &call);
    call_fails(place, &call, STORAGE_ERROR_UNAVAILABLE);
    storage_make_image_async(place->storage, IMAGE, ANNA, 0, NULL, NULL, NULL, call_done, &call);
    call_fails(place, &call, STORAGE_ERROR_UNAVAILABLE);
    close(fd);
    g_autoptr(GPtrArray) snapshots = list_snapshots(place, ANNA);
    g_assert_cmpuint(snapshots->len, ==, 0);
}

static void
test_forget(Place *place)
{
    Call call = {0};

    make_disk(place, ANNA, 0, NULL, 8 * MIB);
    put(place, ANNA, 0, 1);
    take_snapshot(place, ANNA, BEFORE, "before", 100);
    take_snapshot(place, ANNA, AFTER, "after", 100);
    put(place, ANNA, 0, 2);
    storage_forget_async(place->storage, ANNA, BEFORE, NULL, call_done, &call);
    call_succeeds(place, &call);
    storage_forget_async(place->storage, ANNA, BEFORE, NULL, call_done, &call);
    call_fails(place, &call, STORAGE_ERROR_NOT_FOUND);
    storage_revert_async(place->storage, ANNA, BEFORE, NULL, NULL, NULL, call_done, &call);
    call_fails(place, &call, STORAGE_ERROR_NOT_FOUND);
    g_assert_cmpint(get(place, ANNA, 0), ==, 2);
    revert(place, ANNA, AFTER);
    g_assert_cmpint(get(place, ANNA, 0), ==, 1);
}

static void
test_snapshots_refused(Place *place)
{
    g_autofree char *long_name = g_strnfill(STORAGE_NAME_MAX + 1, 'x');
    const char *const names[] = {"", "two\nlines", "\xff\xfe", long_name};
    Call call = {0};

    start_snapshot(place, ANNA, BEFORE, "of nothing", 1, &call);
    call_fails(place, &call, STORAGE_ERROR_NOT_FOUND);
    make_disk(place, ANNA, 0, NULL, 8 * MIB);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        start_snapshot(place, ANNA, BEFORE, names[i], 1, &call);
        call_fails(place, &call, STORAGE_ERROR_INVALID);
    }
    start_snapshot(place, ANNA, "no id", "name", 1, &call);
    call_fails(place, &call, STORAGE_ERROR_INVALID);
    take_snapshot(place, ANNA, BEFORE, "before", 1);
    start_snapshot(place, ANNA, BEFORE, "again", 2, &call);
    call_fails(place, &call, STORAGE_ERROR_EXISTS);
}

/* ---- the whole ---- */

static void
test_busy(Place *place)
{
    Call call = {0};

    make_disk(place, ANNA, 0, NULL, 8 * MIB);
    g_assert_true(claims_take(place->storage->claims, "the desktop " ANNA, true, NULL));
    cannot_make_disk(place, ANNA, 1, NULL, MIB, STORAGE_ERROR_BUSY);
    cannot_open(place, ANNA, 0, STORAGE_ERROR_BUSY);
    grow(place, 16 * MIB, &call);
    call_fails(place, &call, STORAGE_ERROR_BUSY);
    start_snapshot(place, ANNA, BEFORE, "before", 1, &call);
    call_fails(place, &call, STORAGE_ERROR_BUSY);
    storage_delete_desktop_async(place->storage, ANNA, NULL, call_done, &call);
    call_fails(place, &call, STORAGE_ERROR_BUSY);
    make_disk(place, BERT, 0, NULL, 8 * MIB);
    claims_give_back(place->storage->claims, "the desktop " ANNA);
    g_assert_cmpuint(size_of(place, ANNA, 0), ==, 8 * MIB);
}

static void
test_cancelled(Place *place)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(GError) error = NULL;
    g_auto(Call) call = {0};

    g_cancellable_cancel(cancellable);
    storage_make_disk_async(place->storage, ANNA, 0, NULL, 8 * MIB, cancellable, NULL, NULL, call_done, &call);
    g_assert_false(storage_finish(place->storage, call_wait(&call), &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_assert_true(place_is_empty(place));
}

static bool
is_known(const StorageThing *thing, gpointer user)
{
    return thing->kind != STORAGE_THING_DISK || strcmp(thing->id, user);
}

static void
test_orphans(Place *place)
{
    g_auto(Call) listing = {0};
    Call call = {0};

    have_image(place);
    make_disk(place, ANNA, 0, IMAGE, 0);
    make_disk(place, BERT, 7, IMAGE, 0);
    take_snapshot(place, ANNA, BEFORE, "before", 1);
    storage_list_async(place->storage, NULL, call_done, &listing);
    g_autoptr(GPtrArray) things = storage_list_finish(place->storage, call_wait(&listing), NULL);
    g_assert_cmpuint(things->len, ==, 4);
    g_autoptr(GPtrArray) orphans = storage_orphans(things, is_known, (gpointer)BERT);
    g_assert_cmpuint(orphans->len, ==, 1);
    const StorageThing *thing = orphans->pdata[0];
    g_assert_cmpstr(thing->name, ==, "disk-" BERT "-7");
    g_assert_cmpuint(thing->place, ==, 7);
    g_assert_cmpuint(thing->size, ==, 8 * MIB);
    g_assert_cmpint(thing->changed, >, 1600000000);

    storage_remove_async(place->storage, thing->name, NULL, call_done, &call);
    call_succeeds(place, &call);
    storage_remove_async(place->storage, thing->name, NULL, call_done, &call);
    call_fails(place, &call, STORAGE_ERROR_NOT_FOUND);
    storage_remove_async(place->storage, "../lock", NULL, call_done, &call);
    call_fails(place, &call, STORAGE_ERROR_NOT_FOUND);
    storage_remove_async(place->storage, "kept-" ANNA "-0-" BEFORE, NULL, call_done, &call);
    call_succeeds(place, &call);
    g_autoptr(GPtrArray) snapshots = list_snapshots(place, ANNA);
    g_assert_cmpuint(snapshots->len, ==, 0);
}

static StorageRoom
room_of(Place *place)
{
    g_auto(Call) call = {0};
    StorageRoom room;

    storage_room_async(place->storage, NULL, call_done, &call);
    g_assert_true(storage_room_finish(place->storage, call_wait(&call), &room, NULL));
    return room;
}

static void
test_room(Place *place)
{
    make_disk(place, ANNA, 0, NULL, 64 * MIB);
    StorageRoom before = room_of(place);
    g_autofd int fd = open_disk(place, ANNA, 0);
    g_autofree uint8_t *block = g_malloc(32 * MIB);

    memset(block, 7, 32 * MIB);
    g_assert_cmpint(pwrite(fd, block, 32 * MIB, 0), ==, 32 * MIB);
    g_assert_cmpint(fsync(fd), ==, 0);
    StorageRoom after = room_of(place);
    g_assert_cmpuint(after.bytes, ==, before.bytes);
    g_assert_cmpuint(after.free + 30 * MIB, <, before.free);
    g_assert_cmpuint(after.free, >, 0);
}

static void
test_low_room(Place *place)
{
    Call call = {0};

    have_image(place);
    make_disk(place, ANNA, 0, IMAGE, 0);
    place->storage->config.keep_free = 4 * GIB;
    cannot_make_disk(place, ANNA, 1, IMAGE, 0, STORAGE_ERROR_FULL);
    cannot_make_disk(place, ANNA, 1, NULL, MIB, STORAGE_ERROR_FULL);
    start_snapshot(place, ANNA, BEFORE, "before", 1, &call);
    call_fails(place, &call, STORAGE_ERROR_FULL);
    clone_anna(place, &call);
    call_fails(place, &call, STORAGE_ERROR_FULL);
    storage_make_image_async(place->storage, BEFORE, ANNA, 0, NULL, NULL, NULL, call_done, &call);
    call_fails(place, &call, STORAGE_ERROR_FULL);
    g_assert_cmpint(get(place, ANNA, 0), ==, 1);
}

/* ---- after a crash ---- */

static void
make_volume(Place *place, const char *name)
{
    Volumes *volumes = place->storage->volumes;
    g_autoptr(GError) error = NULL;

    volumes->class->make(volumes, name, 8 * MIB, &error);
    g_assert_no_error(error);
}

static void
test_left_over(Place *place)
{
    make_disk(place, ANNA, 0, NULL, 8 * MIB);
    take_snapshot(place, ANNA, BEFORE, "before", 1);
    make_volume(place, "making-disk-" ANNA "-1");
    make_volume(place, "making-image-" IMAGE);
    make_volume(place, "kept-" ANNA "-0-" AFTER); /* its record never came */

    g_auto(GStrv) mended = place_reopen(place);
    g_assert_cmpuint(g_strv_length(mended), ==, 3);
    g_auto(GStrv) names = place_names_of(place);
    const char *const expected[] = {"disk-" ANNA "-0", "kept-" ANNA "-0-" BEFORE, NULL};
    g_assert_cmpstrv(names, expected);
    g_auto(GStrv) nothing = place_reopen(place);
    g_assert_cmpuint(g_strv_length(nothing), ==, 0);
}

/* Half-way through giving names: what is written down is done. */
static void
test_half_named(Place *place)
{
    const char *const names[] = {"disk-" ANNA "-0", "disk-" ANNA "-1", "disk-" ANNA "-2", NULL};

    make_disk(place, ANNA, 0, NULL, 8 * MIB); /* has its name already */
    put(place, ANNA, 0, 1);
    make_disk(place, ANNA, 1, NULL, 8 * MIB); /* is still the old one */
    put(place, ANNA, 1, 2);
    make_volume(place, "making-disk-" ANNA "-1");
    make_volume(place, "making-disk-" ANNA "-2");
    g_assert_true(records_put_naming(place->storage->records, IMAGE, names, NULL));

    g_auto(GStrv) mended = place_reopen(place);
    g_assert_cmpuint(g_strv_length(mended), ==, 1);
    g_assert_cmpint(get(place, ANNA, 0), ==, 1);
    g_assert_cmpint(get(place, ANNA, 1), ==, 0);
    g_assert_cmpint(get(place, ANNA, 2), ==, 0);
}

static gpointer
let_go_later(gpointer fd)
{
    g_usleep(200000);
    close(GPOINTER_TO_INT(fd));
    return NULL;
}

/* An earlier process's command still holds the folder: it is waited for. */
static void
test_wait_for_lock(Place *place)
{
    int held = dup(place->storage->lock);
    GThread *thread = g_thread_new("holder", let_go_later, GINT_TO_POINTER(held));
    g_auto(GStrv) mended = place_reopen(place);

    g_thread_join(thread);
    make_disk(place, ANNA, 0, NULL, 8 * MIB);
}

static const struct {
    const char *name;
    Case run;
} cases[] = {
    {"empty-disk", test_empty_disk},
    {"sizes-are-whole", test_sizes_are_whole},
    {"open-once", test_open_once},
    {"from-image", test_from_image},
    {"disks-are-apart", test_disks_are_apart},
    {"many-at-once", test_many_at_once},
    {"grow", test_grow},
    {"delete", test_delete},
    {"clone-desktop", test_clone_desktop},
    {"snapshot", test_snapshot},
    {"revert-to-another-machine", test_revert_to_another_machine},
    {"revert-while-open", test_revert_while_open},
    {"snapshot-while-open", test_snapshot_while_open},
    {"forget", test_forget},
    {"snapshots-refused", test_snapshots_refused},
    {"busy", test_busy},
    {"cancelled", test_cancelled},
    {"orphans", test_orphans},
    {"room", test_room},
    {"low-room", test_low_room},
    {"left-over", test_left_over},
    {"half-named", test_half_named},
    {"wait-for-lock", test_wait_for_lock},
};

static void
run_case(gconstpointer data)
{
    unsigned number = GPOINTER_TO_UINT(data);
    g_autoptr(Place) place = place_new(number % PLACES, ROOM);

    if (place)
        cases[number / PLACES].run(place);
}

int
main(int argc, char **argv)
{
    place_begin();
    g_test_init(&argc, &argv, NULL);
    for (unsigned kind = 0; kind < PLACES; kind++)
        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
            g_autofree char *path = g_strdup_printf("/storage/%s/%s", place_names[kind], cases[i].name);
            g_test_add_data_func(path, GUINT_TO_POINTER(i * PLACES + kind), run_case);
        }
    return place_run_tests();
}
