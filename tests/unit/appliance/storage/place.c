/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

#include "appliance/storage/lvm.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define XFS_SIZE (UINT64_C(320) << 20) /* mkfs.xfs makes none that is smaller */
#define POOL_SIZE (UINT64_C(512) << 20)
#define GROUP "carreltest"
#define POOL "pool"

const char *const place_names[PLACES] = {"copy", "share", "lvm"};

static char *scratch; /* of this process */
static unsigned made; /* places so far */

void
place_begin(void)
{
    scratch = g_dir_make_tmp("carrel-storage-XXXXXX", NULL);
    g_assert(scratch);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return; /* no test can mount anything then, and each says so */
    g_assert(mount("none", scratch, "tmpfs", 0, "size=6g") == 0);
}

char *
place_make_folder(const char *name)
{
    char *path = g_build_filename(scratch, name, NULL);

    g_assert(g_mkdir(path, 0700) == 0);
    return path;
}

const char *
place_confine(void)
{
    const char *given = g_getenv("CARREL_CONFINE");
    return given ? given : BUILT_CONFINE;
}

/* Runs a command; what it says is kept for the message. */
static bool G_GNUC_PRINTF(2, 3) run(char **said, const char *format, ...)
{
    g_autofree char *out = NULL, *err = NULL;
    int status;
    va_list words;

    va_start(words, format);
    g_autofree char *line = g_strdup_vprintf(format, words);
    va_end(words);
    if (said)
        g_clear_pointer(said, g_free);
    bool done = g_spawn_command_line_sync(line, &out, &err, &status, NULL) && g_spawn_check_wait_status(status, NULL);
    if (said)
        *said = done ? g_strchomp(g_steal_pointer(&out)) : g_strchomp(g_steal_pointer(&err));
    return done;
}

static bool
make_tmpfs(Place *place, uint64_t size, char **why)
{
    g_autofree char *options = g_strdup_printf("size=%" G_GUINT64_FORMAT, size);

    if (mount("none", place->root, "tmpfs", 0, options) == 0)
        return true;
    *why = g_strdup_printf("no tmpfs can be mounted: %s", g_strerror(errno));
    return false;
}

static char *
make_backing(uint64_t size)
{
    char *path = g_strdup_printf("%s/backing-%u", scratch, made);
    g_autofd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    g_assert(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
    return path;
}

static bool
make_xfs(Place *place, uint64_t size, char **why)
{
    g_autofree char *backing = make_backing(MAX(size, XFS_SIZE));

    return run(why, "mkfs.xfs -q -m reflink=1 %s", backing) && run(why, "mount -o loop %s %s", backing, place->root);
}

/* Made once: where LVM is emulated, its commands take their time. */
static struct {
    char *device, *config;
} pool;

static bool
make_pool(char **why)
{
    g_autofree char *backing = make_backing(POOL_SIZE);
    g_autofree char *device = NULL;

    run(NULL, "modprobe -q dm-thin-pool");
    if (!run(NULL, "grep -q device-mapper /proc/misc")) {
        *why = g_strdup("this kernel has no device mapper");
        return false;
    }
    if (!run(&device, "losetup --find --show %s", backing)) {
        *why = g_steal_pointer(&device);
        return false;
    }
    pool.device = g_steal_pointer(&device);
    pool.config = g_strdup_printf("devices{use_devicesfile=0 filter=[\"a|^%s$|\",\"r|.*|\"]} "
                                  "backup{backup=0 archive=0} activation{reserved_memory=0 reserved_stack=0}",
                                  pool.device);
    if (run(why, "vgcreate --config '%s %s' --yes %s %s", pool.config, lvm_without_udev(), GROUP, pool.device) &&
        run(why, "lvcreate --config '%s %s' --yes --type thin-pool --extents 90%%FREE --name %s %s", pool.config,
            lvm_without_udev(), POOL, GROUP))
        return true;
    g_error("%s", *why); /* a host that has device mapper can do this */
}

static void
free_pool(void)
{
    if (!pool.device)
        return;
    run(NULL, "vgremove --config '%s %s' --yes --force %s", pool.config, lvm_without_udev(), GROUP);
    run(NULL, "losetup --detach %s", pool.device);
    g_clear_pointer(&pool.device, g_free);
    g_clear_pointer(&pool.config, g_free);
}

static bool
use_pool(Place *place, char **why)
{
    if (!pool.device && !make_pool(why))
        return false;
    place->config.lvm_config = pool.config;
    place->config.kind = STORAGE_LVM;
    place->config.volume_group = GROUP;
    place->config.thin_pool = POOL;
    return true;
}

static void
empty_pool(void)
{
    g_autofree char *said = NULL;

    if (!run(&said, "lvremove --config '%s %s' --yes --select tags=carrel %s", pool.config, lvm_without_udev(), GROUP))
        g_error("%s", said);
}

static bool
make(Place *place, uint64_t size, char **why)
{
    switch (place->kind) {
    case PLACE_COPY:
        return make_tmpfs(place, size, why);
    case PLACE_SHARE:
        return make_xfs(place, size, why);
    default:
        return use_pool(place, why);
    }
}

static void
open_storage(Place *place, GStrv *mended)
{
    g_autoptr(GError) error = NULL;

    place->storage = storage_open(&place->config, mended, &error);
    g_assert_no_error(error);
}

Place *
place_new(PlaceKind kind, uint64_t size)
{
    g_autoptr(Place) place = g_new0(Place, 1);
    g_autofree char *why = NULL;

    made++;
    place->kind = kind;
    place->root = g_strdup_printf("%s/place-%u", scratch, made);
    place->config.folder = g_build_filename(place->root, "storage", NULL);
    place->config.helper = place_confine();
    g_assert(g_mkdir(place->root, 0700) == 0);
    if (!make(place, size, &why)) {
        g_test_skip(why);
        return NULL;
    }
    open_storage(place, NULL);
    g_assert_cmpint(storage_shares_blocks(place->storage), ==, kind != PLACE_COPY);
    return g_steal_pointer(&place);
}

GStrv
place_reopen(Place *place)
{
    GStrv mended;

    g_clear_pointer(&place->storage, storage_free);
    open_storage(place, &mended);
    return mended;
}

GStrv
place_words(const Place *place, const char *program)
{
    const char *words[] = {program,
                           PLACE_CHILD,
                           place_names[place->kind],
                           place->config.folder,
                           place->config.lvm_config ? place->config.lvm_config : "",
                           NULL};
    return g_strdupv((char **)words);
}

Place *
place_attach(char **words)
{
    Place *place = g_new0(Place, 1);

    place->config.folder = g_strdup(words[1]);
    place->config.helper = place_confine();
    if (!strcmp(words[0], place_names[PLACE_LVM])) {
        place->kind = PLACE_LVM;
        place->config.kind = STORAGE_LVM;
        place->config.lvm_config = words[2];
        place->config.volume_group = GROUP;
        place->config.thin_pool = POOL;
    }
    open_storage(place, NULL);
    return place;
}

void
place_free(Place *place)
{
    if (!place)
        return;
    storage_free(place->storage);
    if (place->kind == PLACE_LVM && pool.device)
        empty_pool();
    umount2(place->root, MNT_DETACH);
    g_free((char *)place->config.folder);
    g_free(place->root);
    g_free(place);
}

int
place_run_tests(void)
{
    int status = g_test_run();

    free_pool();
    umount2(scratch, MNT_DETACH);
    g_rmdir(scratch);
    g_free(scratch);
    return status;
}

/* ---- calls ---- */

void
call_done(GObject *source, GAsyncResult *result, gpointer call)
{
    g_assert(!((Call *)call)->result);
    ((Call *)call)->result = g_object_ref(result);
}

void
call_progress(double done, gpointer user)
{
    Call *call = user;

    g_assert(!call->result);
    g_assert_cmpfloat(done, >=, call->done);
    g_assert_cmpfloat(done, <=, 1);
    call->done = done;
    call->told++;
    if (call->cancellable)
        g_cancellable_cancel(call->cancellable);
}

GAsyncResult *
call_wait(Call *call)
{
    while (!call->result)
        g_main_context_iteration(NULL, TRUE);
    return call->result;
}

void
call_clear(Call *call)
{
    g_clear_object(&call->result);
    g_clear_object(&call->cancellable);
}

void
call_succeeds(Place *place, Call *call)
{
    g_autoptr(GError) error = NULL;

    storage_finish(place->storage, call_wait(call), &error);
    g_assert_no_error(error);
    call_clear(call);
    *call = (Call){0};
}

void
call_fails(Place *place, Call *call, StorageError code)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(storage_finish(place->storage, call_wait(call), &error));
    g_assert_error(error, STORAGE_ERROR, (int)code);
    g_test_message("refused: %s", error->message);
    call_clear(call);
    *call = (Call){0};
}

GStrv
place_names_of(Place *place)
{
    g_auto(Call) call = {0};
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    g_autoptr(GError) error = NULL;

    storage_list_async(place->storage, NULL, call_done, &call);
    g_autoptr(GPtrArray) things = storage_list_finish(place->storage, call_wait(&call), &error);
    g_assert_no_error(error);
    for (guint i = 0; i < things->len; i++)
        g_strv_builder_add(names, ((StorageThing *)things->pdata[i])->name);
    return g_strv_builder_end(names);
}

bool
place_is_empty(Place *place)
{
    g_auto(GStrv) names = place_names_of(place);
    g_autoptr(VolumesView) view = place->storage->volumes->class->look(place->storage->volumes, NULL);

    return !*names && view->volumes->len == 0; /* nothing half made either */
}
