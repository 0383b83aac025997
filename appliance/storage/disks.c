/* SPDX-License-Identifier: Apache-2.0 */
/* Disks of desktops: made, opened, grown, deleted, all of a desktop's cloned. */
#include "appliance/storage/error.h"
#include "appliance/storage/job.h"
#include "appliance/storage/lock.h"
#include "appliance/storage/names.h"

#include <glib/gstdio.h>
#include <fcntl.h>
#include <unistd.h>

static bool
not_there(const char *name, GError **error)
{
    return storage_fail(error, STORAGE_ERROR_NOT_FOUND, "there is no %s", name);
}

/* ---- making ---- */

static bool
fits_image(const Volume *image, uint64_t size, GError **error)
{
    return !image || !size || size >= image->size ||
           storage_fail(error, STORAGE_ERROR_INVALID,
                        "size: the image has %" G_GUINT64_FORMAT " bytes, the disk %" G_GUINT64_FORMAT, image->size,
                        size);
}

static bool
may_make(Job *job, const VolumesView *view, const char *name, const char *from, GError **error)
{
    const Volume *image = from ? volumes_find(view, from) : NULL;

    if (volumes_find(view, name))
        return storage_fail(error, STORAGE_ERROR_EXISTS, "there is a %s already", name);
    if (from && !image)
        return not_there(from, error);
    if (!from && !job->size)
        return storage_fail(error, STORAGE_ERROR_INVALID, "size: an empty disk needs one");
    uint64_t needed = image ? storage_clone_needs(job->storage, image) : 0;
    if (job->storage->config.reserve_blocks)
        needed = MAX(needed, job->size);
    return fits_image(image, job->size, error) && storage_has_room(job->storage, view, needed, "the disk", error);
}

static bool
make_disk(Job *job, GError **error)
{
    Storage *storage = job->storage;
    g_autoptr(VolumesView) view = storage->volumes->class->look(storage->volumes, error);
    g_autofree char *name = name_of_disk(job->desktop, job->place);
    g_autofree char *from = job->image ? name_of_image(job->image) : NULL;

    return view && may_make(job, view, name, from, error) &&
           storage_make(storage, view, from, name, job->size, &job->work, error);
}

void
storage_make_disk_async(Storage *storage, const char *desktop, unsigned place, const char *image, uint64_t size,
                        GCancellable *cancellable, StorageProgress progress, gpointer progress_user,
                        GAsyncReadyCallback callback, gpointer user)
{
    Job *job = job_new(storage, cancellable, progress, progress_user, callback, user);

    job_set_id(job, &job->desktop, "desktop", desktop);
    job_set_place(job, place);
    job->size = size;
    if (image)
        job_set_id(job, &job->image, "image", image);
    job_claim_disk(job, desktop, place);
    if (image)
        job_claim_image(job, image, false);
    job_start(job, make_disk);
}

/* ---- cloning all of a desktop's ---- */

static bool
clone_disks(Job *job, const VolumesView *view, GPtrArray *disks, GPtrArray *names, GError **error)
{
    for (guint i = 0; i < disks->len; i++) {
        const StorageThing *disk = disks->pdata[i];
        char *name = name_of_disk(job->desktop, disk->place);
        g_ptr_array_insert(names, (int)i, name);
        work_part(&job->work, (double)i / disks->len, (i + 1.0) / disks->len);
        if (!storage_build(job->storage, view, disk->name, name, disk->size, &job->work, error))
            return false;
    }
    return true;
}

static bool
may_clone(Job *job, const VolumesView *view, GPtrArray *disks, GError **error)
{
    g_autoptr(GPtrArray) there = storage_disks_of(view, job->desktop, NULL);
    uint64_t needed = 0;

    if (there->len)
        return storage_fail(error, STORAGE_ERROR_EXISTS, "the desktop %s has disks already", job->desktop);
    for (guint i = 0; i < disks->len; i++) {
        const StorageThing *disk = disks->pdata[i];
        needed += storage_clone_needs(job->storage, volumes_find(view, disk->name));
    }
    return storage_may_copy(job->storage, view, disks, error) &&
           storage_has_room(job->storage, view, needed, "the clone", error);
}

static bool
clone_desktop(Job *job, GError **error)
{
    Storage *storage = job->storage;
    g_autoptr(VolumesView) view = storage->volumes->class->look(storage->volumes, error);
    g_autoptr(GPtrArray) disks = view ? storage_disks_of(view, job->from, NULL) : NULL;
    g_autoptr(GPtrArray) names = g_ptr_array_new_null_terminated(0, g_free, TRUE);

    if (!view || !may_clone(job, view, disks, error))
        return false;
    if (clone_disks(job, view, disks, names, error))
        return storage_give_names(storage, (const char *const *)names->pdata, error);
    storage_unbuild(storage, (const char *const *)names->pdata);
    return false;
}

void
storage_clone_desktop_async(Storage *storage, const char *from, const char *desktop, GCancellable *cancellable,
                            StorageProgress progress, gpointer progress_user, GAsyncReadyCallback callback,
                            gpointer user)
{
    Job *job = job_new(storage, cancellable, progress, progress_user, callback, user);

    job_set_id(job, &job->from, "from", from);
    job_set_id(job, &job->desktop, "desktop", desktop);
    job_claim_desktop(job, from);
    job_claim_desktop(job, desktop);
    job_start(job, clone_desktop);
}

/* ---- opening ---- */

static bool
open_disk(Job *job, GError **error)
{
    Volumes *volumes = job->storage->volumes;
    g_autofree char *name = name_of_disk(job->desktop, job->place);
    g_autofd int fd = volumes->class->open(volumes, name, O_RDWR, error);

    if (fd < 0 || !lock_take(fd, true, name, error))
        return false;
    job_give_fd(job, g_steal_fd(&fd));
    return true;
}

void
storage_open_disk_async(Storage *storage, const char *desktop, unsigned place, GCancellable *cancellable,
                        GAsyncReadyCallback callback, gpointer user)
{
    Job *job = job_new(storage, cancellable, NULL, NULL, callback, user);

    job_set_id(job, &job->desktop, "desktop", desktop);
    job_set_place(job, place);
    job_claim_disk(job, desktop, place);
    job_start(job, open_disk);
}

int
storage_open_disk_finish(Storage *storage, GAsyncResult *result, GError **error)
{
    return job_finish_fd(result, error);
}

/* ---- growing ---- */

static bool
grow_disk(Job *job, GError **error)
{
    Storage *storage = job->storage;
    g_autoptr(VolumesView) view = storage->volumes->class->look(storage->volumes, error);
    g_autofree char *name = name_of_disk(job->desktop, job->place);
    const Volume *disk = view ? volumes_find(view, name) : NULL;

    if (!view)
        return false;
    if (!disk)
        return not_there(name, error);
    uint64_t size = volumes_round_up(storage->volumes, job->size);
    if (size < disk->size)
        return storage_fail(error, STORAGE_ERROR_INVALID,
                            "size: the disk has %" G_GUINT64_FORMAT " bytes already, and can only become larger",
                            disk->size);
    if (size > storage->config.largest_disk)
        return storage_fail(error, STORAGE_ERROR_INVALID, "size: no disk may be so large");
    uint64_t needed = storage->config.reserve_blocks ? size - disk->size : 0;
    return size == disk->size || (storage_has_room(storage, view, needed, "the larger disk", error) &&
                                  storage->volumes->class->grow(storage->volumes, name, size, error));
}

void
storage_grow_disk_async(Storage *storage, const char *desktop, unsigned place, uint64_t size, GCancellable *cancellable,
                        GAsyncReadyCallback callback, gpointer user)
{
    Job *job = job_new(storage, cancellable, NULL, NULL, callback, user);

    job_set_id(job, &job->desktop, "desktop", desktop);
    job_set_place(job, place);
    job->size = size;
    job_claim_disk(job, desktop, place);
    job_start(job, grow_disk);
}

/* ---- deleting ---- */

static bool
delete_disk(Job *job, GError **error)
{
    Volumes *volumes = job->storage->volumes;
    g_autoptr(VolumesView) view = volumes->class->look(volumes, error);
    g_autofree char *name = name_of_disk(job->desktop, job->place);

    if (!view)
        return false;
    if (!volumes_find(view, name))
        return not_there(name, error);
    return storage_is_closed(volumes, view, name, error) && volumes->class->remove(volumes, name, error);
}

void
storage_delete_disk_async(Storage *storage, const char *desktop, unsigned place, GCancellable *cancellable,
                          GAsyncReadyCallback callback, gpointer user)
{
    Job *job = job_new(storage, cancellable, NULL, NULL, callback, user);

    job_set_id(job, &job->desktop, "desktop", desktop);
    job_set_place(job, place);
    job_claim_disk(job, desktop, place);
    job_start(job, delete_disk);
}

static bool
all_closed(Job *job, const VolumesView *view, GError **error)
{
    g_autoptr(GPtrArray) disks = storage_disks_of(view, job->desktop, NULL);

    for (guint i = 0; i < disks->len; i++) {
        const StorageThing *disk = disks->pdata[i];
        if (!storage_is_closed(job->storage->volumes, view, disk->name, error))
            return false;
    }
    return true;
}

static bool
drop_snapshots(Job *job, GError **error)
{
    Records *records = job->storage->records;
    g_autoptr(GPtrArray) snapshots = records_list_snapshots(records, job->desktop, error);

    for (guint i = 0; snapshots && i < snapshots->len; i++) {
        const StorageSnapshot *snapshot = snapshots->pdata[i];
        if (!records_drop_snapshot(records, job->desktop, snapshot->id, error))
            return false;
    }
    return snapshots;
}

static bool
delete_volumes(Job *job, const VolumesView *view, GError **error)
{
    Volumes *volumes = job->storage->volumes;

    for (guint i = 0; i < view->volumes->len; i++) {
        const Volume *volume = view->volumes->pdata[i];
        g_autoptr(StorageThing) thing = g_new0(StorageThing, 1);
        bool of_desktop = name_read(volume->name, thing) && g_str_equal(thing->id, job->desktop) &&
                          (thing->kind == STORAGE_THING_DISK || thing->kind == STORAGE_THING_SNAPSHOT);
        if (of_desktop && !volumes->class->remove(volumes, volume->name, error))
            return false;
    }
    return true;
}

/* The records first: what they speak of is half forgotten from then on, and would be removed at the next start. */
static bool
delete_desktop(Job *job, GError **error)
{
    Volumes *volumes = job->storage->volumes;
    g_autoptr(VolumesView) view = volumes->class->look(volumes, error);

    return view && all_closed(job, view, error) && drop_snapshots(job, error) && delete_volumes(job, view, error);
}

void
storage_delete_desktop_async(Storage *storage, const char *desktop, GCancellable *cancellable,
                             GAsyncReadyCallback callback, gpointer user)
{
    Job *job = job_new(storage, cancellable, NULL, NULL, callback, user);

    job_set_id(job, &job->desktop, "desktop", desktop);
    job_claim_desktop(job, desktop);
    job_start(job, delete_desktop);
}
