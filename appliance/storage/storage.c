/* SPDX-License-Identifier: Apache-2.0 */
/* The storage as a whole: taken, given back, looked at. */
#include "appliance/storage/error.h"
#include "appliance/storage/files.h"
#include "appliance/storage/folder.h"
#include "appliance/storage/job.h"
#include "appliance/storage/lock.h"
#include "appliance/storage/lvm.h"
#include "appliance/storage/names.h"

#include <glib/gstdio.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define WAIT_FOR_LOCK_US (30 * G_TIME_SPAN_SECOND)
#define LOCK_PAUSE_US (50 * G_TIME_SPAN_MILLISECOND)

#define QEMU_IMG "/usr/bin/qemu-img"

/* ---- taken and given back ---- */

static void
copy_config(StorageConfig *config, const StorageConfig *given)
{
    *config = *given;
    config->folder = g_strdup(given->folder);
    config->volume_group = g_strdup(given->volume_group);
    config->thin_pool = g_strdup(given->thin_pool);
    config->lvm_config = g_strdup(given->lvm_config);
    config->helper = g_strdup(given->helper ? given->helper : CARREL_CONFINE);
    config->qemu_img = g_strdup(given->qemu_img ? given->qemu_img : QEMU_IMG);
    config->import_uid = given->import_uid ? given->import_uid : STORAGE_IMPORT_UID;
    config->largest_upload = given->largest_upload ? given->largest_upload : G_MAXUINT64;
    config->largest_disk = given->largest_disk ? MIN(given->largest_disk, STORAGE_DISK_MAX) : STORAGE_DISK_MAX;
}

static void
clear_config(StorageConfig *config)
{
    g_free((char *)config->folder);
    g_free((char *)config->volume_group);
    g_free((char *)config->thin_pool);
    g_free((char *)config->lvm_config);
    g_free((char *)config->helper);
    g_free((char *)config->qemu_img);
}

/* Another's commands may still be at the volumes for a while, after it has died: they hold the lock with it. */
static bool
take_folder(Storage *storage, GError **error)
{
    g_autofd int folder = folder_open(storage->config.folder, error);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int64_t until = g_get_monotonic_time() + WAIT_FOR_LOCK_US;

    if (folder < 0)
        return false;
    storage->lock = openat(folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (storage->lock < 0)
        return storage_fail_errno(error, "open the lock of %s", storage->config.folder);
    while (fcntl(storage->lock, F_OFD_SETLK, &whole) < 0) {
        if (errno != EAGAIN && errno != EACCES)
            return storage_fail_errno(error, "lock %s", storage->config.folder);
        if (g_get_monotonic_time() > until)
            return storage_fail(error, STORAGE_ERROR_IN_USE, "another process has the storage in %s",
                                storage->config.folder);
        g_usleep(LOCK_PAUSE_US);
    }
    return true;
}

static char *
within(const Storage *storage, const char *name)
{
    return g_build_filename(storage->config.folder, name, NULL);
}

static bool
open_parts(Storage *storage, GError **error)
{
    g_autofree char *disks = within(storage, "disks"), *discs = within(storage, "discs");
    g_autofree char *records = within(storage, "records"), *uploads = within(storage, "uploads");
    const StorageConfig *config = &storage->config;

    return (storage->records = records_new(records, error)) && (storage->uploads = folder_open(uploads, error)) >= 0 &&
           (storage->discs = files_new(discs, false, error)) &&
           (storage->volumes = config->kind == STORAGE_LVM ? lvm_new(config, storage->lock, error)
                                                           : files_new(disks, config->reserve_blocks, error));
}

Storage *
storage_open(const StorageConfig *config, GStrv *mended, GError **error)
{
    g_autoptr(Storage) storage = g_new0(Storage, 1);
    g_autoptr(GStrvBuilder) said = g_strv_builder_new();

    copy_config(&storage->config, config);
    storage->lock = storage->uploads = -1;
    storage->claims = claims_new();
    if (!take_folder(storage, error) || !open_parts(storage, error) || !storage_mend(storage, said, error))
        return NULL;
    if (mended)
        *mended = g_strv_builder_end(said);
    return g_steal_pointer(&storage);
}

void
storage_free(Storage *storage)
{
    if (!storage)
        return;
    g_assert(g_atomic_int_get(&storage->jobs) == 0);
    volumes_free(storage->volumes);
    volumes_free(storage->discs);
    records_free(storage->records);
    claims_free(storage->claims);
    if (storage->uploads >= 0)
        close(storage->uploads);
    if (storage->lock >= 0)
        close(storage->lock);
    clear_config(&storage->config);
    g_free(storage);
}

bool
storage_shares_blocks(const Storage *storage)
{
    return storage->volumes->shares_blocks;
}

bool
storage_finish(Storage *storage, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

/* ---- what is there ---- */

void
storage_thing_free(StorageThing *thing)
{
    if (!thing)
        return;
    g_free(thing->name);
    g_free(thing->id);
    g_free(thing->snapshot);
    g_free(thing);
}

static bool
add_things(Volumes *volumes, GPtrArray *things, GError **error)
{
    g_autoptr(VolumesView) view = volumes->class->look(volumes, error);

    if (!view)
        return false;
    for (guint i = 0; i < view->volumes->len; i++) {
        const Volume *volume = view->volumes->pdata[i];
        g_autoptr(StorageThing) thing = g_new0(StorageThing, 1);
        if (!name_read(volume->name, thing))
            continue;
        thing->name = g_strdup(volume->name);
        thing->size = volume->size;
        thing->bytes = volume->bytes;
        thing->changed = volume->changed;
        g_ptr_array_add(things, g_steal_pointer(&thing));
    }
    return true;
}

static int
compare_things(gconstpointer a, gconstpointer b)
{
    return strcmp(((const StorageThing *)a)->name, ((const StorageThing *)b)->name);
}

static bool
list_all(Job *job, GError **error)
{
    g_autoptr(GPtrArray) things = g_ptr_array_new_with_free_func((GDestroyNotify)storage_thing_free);

    if (!add_things(job->storage->volumes, things, error) || !add_things(job->storage->discs, things, error))
        return false;
    g_ptr_array_sort_values(things, compare_things);
    job->result = g_steal_pointer(&things);
    job->free_result = (GDestroyNotify)g_ptr_array_unref;
    return true;
}

void
storage_list_async(Storage *storage, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user)
{
    job_start(job_new(storage, cancellable, NULL, NULL, callback, user), list_all);
}

GPtrArray *
storage_list_finish(Storage *storage, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

GPtrArray *
storage_orphans(GPtrArray *things, StorageKnown known, gpointer user)
{
    GPtrArray *orphans = g_ptr_array_new();

    for (guint i = 0; i < things->len; i++)
        if (!known(things->pdata[i], user))
            g_ptr_array_add(orphans, things->pdata[i]);
    return orphans;
}

/* A snapshot of which nothing is kept any more is none. */
static bool
drop_empty_snapshot(Storage *storage, const StorageThing *thing, GError **error)
{
    g_autoptr(VolumesView) view = storage->volumes->class->look(storage->volumes, error);

    if (!view)
        return false;
    g_autoptr(GPtrArray) rest = storage_disks_of(view, thing->id, thing->snapshot);
    return rest->len || records_drop_snapshot(storage->records, thing->id, thing->snapshot, error);
}

static bool
remove_one(Job *job, GError **error)
{
    Storage *storage = job->storage;
    g_autoptr(StorageThing) thing = g_new0(StorageThing, 1);

    name_read(job->name, thing);
    Volumes *volumes = thing->kind == STORAGE_THING_ISO ? storage->discs : storage->volumes;
    g_autoptr(VolumesView) view = volumes->class->look(volumes, error);
    if (!view)
        return false;
    if (!volumes_find(view, job->name))
        return storage_fail(error, STORAGE_ERROR_NOT_FOUND, "there is no %s", job->name);
    if (!storage_is_closed(volumes, view, job->name, error) || !volumes->class->remove(volumes, job->name, error))
        return false;
    return thing->kind != STORAGE_THING_SNAPSHOT || drop_empty_snapshot(storage, thing, error);
}

void
storage_remove_async(Storage *storage, const char *name, GCancellable *cancellable, GAsyncReadyCallback callback,
                     gpointer user)
{
    Job *job = job_new(storage, cancellable, NULL, NULL, callback, user);
    g_autoptr(StorageThing) thing = g_new0(StorageThing, 1);

    job->name = g_strdup(name);
    if (!name_read(name, thing))
        storage_fail(&job->refused, STORAGE_ERROR_NOT_FOUND, "there is no such file or volume");
    else if (thing->kind == STORAGE_THING_IMAGE || thing->kind == STORAGE_THING_ISO)
        job_claim_image(job, thing->id, true);
    else
        job_claim_desktop(job, thing->id);
    job_start(job, remove_one);
}

/* ---- room ---- */

static bool
free_for_uploads(const Storage *storage, uint64_t *free, GError **error)
{
    struct statvfs room;

    if (fstatvfs(storage->uploads, &room) < 0)
        return storage_fail_errno(error, "see how much room there is");
    *free = (uint64_t)room.f_bavail * room.f_frsize;
    return true;
}

static bool
look_for_room(Job *job, GError **error)
{
    Volumes *volumes = job->storage->volumes;
    g_autoptr(VolumesView) view = volumes->class->look(volumes, error);
    StorageRoom room;

    if (!view || !free_for_uploads(job->storage, &room.uploads_free, error))
        return false;
    room.bytes = view->bytes;
    room.free = view->free;
    job->result = g_memdup2(&room, sizeof(room));
    job->free_result = g_free;
    return true;
}

void
storage_room_async(Storage *storage, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user)
{
    job_start(job_new(storage, cancellable, NULL, NULL, callback, user), look_for_room);
}

bool
storage_room_finish(Storage *storage, GAsyncResult *result, StorageRoom *room, GError **error)
{
    g_autofree StorageRoom *given = g_task_propagate_pointer(G_TASK(result), error);

    if (given)
        *room = *given;
    return given;
}

static bool
has_room(const Storage *storage, uint64_t free, uint64_t needed, const char *what, GError **error)
{
    uint64_t kept = storage->config.keep_free;

    return (needed <= free && free - needed >= kept) || storage_fail_full(error, what, needed, free, kept);
}

bool
storage_has_room(const Storage *storage, const VolumesView *view, uint64_t needed, const char *what, GError **error)
{
    return has_room(storage, view->free, needed, what, error);
}

bool
storage_has_upload_room(const Storage *storage, uint64_t needed, GError **error)
{
    uint64_t free = 0;

    return free_for_uploads(storage, &free, error) && has_room(storage, free, needed, "the upload", error);
}
