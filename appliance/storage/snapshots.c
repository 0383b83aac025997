/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots: taken, gone back to, forgotten, listed. One is there once its record is, which is written last and removed first.
 */
#include "appliance/storage/error.h"
#include "appliance/storage/job.h"
#include "appliance/storage/names.h"

#include <string.h>

void
storage_snapshot_free(StorageSnapshot *snapshot)
{
    if (!snapshot)
        return;
    g_free(snapshot->id);
    g_free(snapshot->name);
    g_free(snapshot);
}

static bool
no_snapshot(GError **error)
{
    return storage_fail(error, STORAGE_ERROR_NOT_FOUND, "the desktop has no such snapshot");
}

static uint64_t
clones_need(const Storage *storage, const VolumesView *view, GPtrArray *disks)
{
    uint64_t needed = 0;

    for (guint i = 0; i < disks->len; i++)
        needed += storage_clone_needs(storage, volumes_find(view, ((StorageThing *)disks->pdata[i])->name));
    return needed;
}

/* ---- taking ---- */

static bool
keep_one(Job *job, const VolumesView *view, const StorageThing *disk, GError **error)
{
    g_autofree char *name = name_of_kept(job->desktop, disk->place, job->snapshot->id);

    return storage_make(job->storage, view, disk->name, name, disk->size, &job->work, error);
}

static bool
keep_all(Job *job, const VolumesView *view, GPtrArray *disks, GError **error)
{
    for (guint i = 0; i < disks->len; i++) {
        work_part(&job->work, (double)i / disks->len, (i + 1.0) / disks->len);
        if (!keep_one(job, view, disks->pdata[i], error))
            return false;
    }
    return records_put_snapshot(job->storage->records, job->desktop, job->snapshot, error);
}

static void
let_go(Job *job, GPtrArray *disks)
{
    Volumes *volumes = job->storage->volumes;

    for (guint i = 0; i < disks->len; i++) {
        const StorageThing *disk = disks->pdata[i];
        g_autofree char *name = name_of_kept(job->desktop, disk->place, job->snapshot->id);
        volumes->class->remove(volumes, name, NULL);
    }
}

static bool
take_snapshot(Job *job, GError **error)
{
    Storage *storage = job->storage;
    g_autoptr(VolumesView) view = storage->volumes->class->look(storage->volumes, error);
    g_autoptr(GPtrArray) disks = view ? storage_disks_of(view, job->desktop, NULL) : NULL;

    if (!view)
        return false;
    if (!disks->len)
        return storage_fail(error, STORAGE_ERROR_NOT_FOUND, "the desktop has no disks");
    if (records_has_snapshot(storage->records, job->desktop, job->snapshot->id))
        return storage_fail(error, STORAGE_ERROR_EXISTS, "the desktop has that snapshot already");
    if (!storage_may_copy(storage, view, disks, error) ||
        !storage_has_room(storage, view, clones_need(storage, view, disks), "the snapshot", error))
        return false;
    if (keep_all(job, view, disks, error))
        return true;
    let_go(job, disks);
    return false;
}

static bool
is_name(const char *name)
{
    if (!name || !*name || strlen(name) > STORAGE_NAME_MAX || !g_utf8_validate(name, -1, NULL))
        return false;
    for (const char *at = name; *at; at = g_utf8_next_char(at))
        if (g_unichar_iscntrl(g_utf8_get_char(at)))
            return false;
    return true;
}

void
storage_take_snapshot_async(Storage *storage, const char *desktop, const StorageSnapshot *snapshot,
                            GCancellable *cancellable, StorageProgress progress, gpointer progress_user,
                            GAsyncReadyCallback callback, gpointer user)
{
    Job *job = job_new(storage, cancellable, progress, progress_user, callback, user);

    job->snapshot = g_new0(StorageSnapshot, 1);
    job->snapshot->name = g_strdup(snapshot->name);
    job->snapshot->created = snapshot->created;
    job->snapshot->frozen = snapshot->frozen;
    job_set_id(job, &job->desktop, "desktop", desktop);
    job_set_id(job, &job->snapshot->id, "snapshot", snapshot->id);
    if (!job->refused && !is_name(snapshot->name))
        storage_fail(&job->refused, STORAGE_ERROR_INVALID, "name: 1 to %d bytes without control characters",
                     STORAGE_NAME_MAX);
    job_claim_desktop(job, desktop);
    job_start(job, take_snapshot);
}

/* ---- going back ---- */

/* Never smaller than it is now: what people were told of its size stays true. */
static bool
bring_back(Job *job, const VolumesView *view, GPtrArray *kept, GPtrArray *names, GError **error)
{
    for (guint i = 0; i < kept->len; i++) {
        const StorageThing *was = kept->pdata[i];
        char *name = name_of_disk(job->desktop, was->place);
        const Volume *is = volumes_find(view, name);
        g_ptr_array_insert(names, (int)i, name);
        work_part(&job->work, (double)i / kept->len, (i + 1.0) / kept->len);
        if (!storage_is_closed(job->storage->volumes, view, name, error) ||
            !storage_build(job->storage, view, was->name, name, is ? is->size : 0, &job->work, error))
            return false;
    }
    return true;
}

static bool
revert(Job *job, GError **error)
{
    Storage *storage = job->storage;
    g_autoptr(VolumesView) view = storage->volumes->class->look(storage->volumes, error);
    g_autoptr(GPtrArray) kept = view ? storage_disks_of(view, job->desktop, job->snapshot_id) : NULL;
    g_autoptr(GPtrArray) names = g_ptr_array_new_null_terminated(0, g_free, TRUE);

    if (!view)
        return false;
    if (!kept->len || !records_has_snapshot(storage->records, job->desktop, job->snapshot_id))
        return no_snapshot(error);
    if (!storage_has_room(storage, view, clones_need(storage, view, kept), "going back", error))
        return false;
    if (bring_back(job, view, kept, names, error))
        return storage_give_names(storage, (const char *const *)names->pdata, error);
    storage_unbuild(storage, (const char *const *)names->pdata);
    return false;
}

void
storage_revert_async(Storage *storage, const char *desktop, const char *snapshot, GCancellable *cancellable,
                     StorageProgress progress, gpointer progress_user, GAsyncReadyCallback callback, gpointer user)
{
    Job *job = job_new(storage, cancellable, progress, progress_user, callback, user);

    job_set_id(job, &job->desktop, "desktop", desktop);
    job_set_id(job, &job->snapshot_id, "snapshot", snapshot);
    job_claim_desktop(job, desktop);
    job_start(job, revert);
}

/* ---- forgetting ---- */

static bool
forget(Job *job, GError **error)
{
    Storage *storage = job->storage;
    g_autoptr(VolumesView) view = storage->volumes->class->look(storage->volumes, error);
    g_autoptr(GPtrArray) kept = view ? storage_disks_of(view, job->desktop, job->snapshot_id) : NULL;

    if (!view)
        return false;
    if (!records_has_snapshot(storage->records, job->desktop, job->snapshot_id))
        return no_snapshot(error);
    if (!records_drop_snapshot(storage->records, job->desktop, job->snapshot_id, error))
        return false;
    for (guint i = 0; i < kept->len; i++) {
        const StorageThing *thing = kept->pdata[i];
        if (!storage->volumes->class->remove(storage->volumes, thing->name, error))
            return false;
    }
    return true;
}

void
storage_forget_async(Storage *storage, const char *desktop, const char *snapshot, GCancellable *cancellable,
                     GAsyncReadyCallback callback, gpointer user)
{
    Job *job = job_new(storage, cancellable, NULL, NULL, callback, user);

    job_set_id(job, &job->desktop, "desktop", desktop);
    job_set_id(job, &job->snapshot_id, "snapshot", snapshot);
    job_claim_desktop(job, desktop);
    job_start(job, forget);
}

/* ---- listing ---- */

static uint64_t
bytes_of(Volumes *volumes, const Volume *volume)
{
    uint64_t own;

    if (!volumes->class->own_bytes)
        return volume->bytes;
    return volumes->class->own_bytes(volumes, volume->name, &own, NULL) ? own : 0; /* forgotten meanwhile */
}

static void
add_up(Job *job, const VolumesView *view, StorageSnapshot *snapshot)
{
    g_autoptr(GPtrArray) kept = storage_disks_of(view, job->desktop, snapshot->id);

    for (guint i = 0; i < kept->len; i++) {
        const StorageThing *thing = kept->pdata[i];
        snapshot->bytes += bytes_of(job->storage->volumes, volumes_find(view, thing->name));
    }
}

static bool
list_snapshots(Job *job, GError **error)
{
    Storage *storage = job->storage;
    g_autoptr(VolumesView) view = storage->volumes->class->look(storage->volumes, error);
    g_autoptr(GPtrArray) snapshots = view ? records_list_snapshots(storage->records, job->desktop, error) : NULL;

    if (!snapshots)
        return false;
    for (guint i = 0; i < snapshots->len; i++)
        add_up(job, view, snapshots->pdata[i]);
    job->result = g_steal_pointer(&snapshots);
    job->free_result = (GDestroyNotify)g_ptr_array_unref;
    return true;
}

void
storage_list_snapshots_async(Storage *storage, const char *desktop, GCancellable *cancellable,
                             GAsyncReadyCallback callback, gpointer user)
{
    Job *job = job_new(storage, cancellable, NULL, NULL, callback, user);

    job_set_id(job, &job->desktop, "desktop", desktop);
    job_start(job, list_snapshots);
}

GPtrArray *
storage_list_snapshots_finish(Storage *storage, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}
