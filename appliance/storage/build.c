/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a volume comes to be, so that a crash at any moment leaves all of it or nothing: built under another name, settled,
 * named last. And what is done at a start about those that a crash left.
 */
#include "appliance/storage/error.h"
#include "appliance/storage/folder.h"
#include "appliance/storage/inside.h"
#include "appliance/storage/lock.h"
#include "appliance/storage/names.h"

#include <glib/gstdio.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

uint64_t
storage_clone_needs(const Storage *storage, const Volume *volume)
{
    return storage->volumes->shares_blocks ? 0 : volume->bytes;
}

bool
storage_is_closed(Volumes *volumes, const VolumesView *view, const char *name, GError **error)
{
    if (!volumes_find(view, name))
        return true;
    g_autofd int fd = volumes->class->open(volumes, name, O_RDWR, error);
    return fd >= 0 && lock_take(fd, true, name, error);
}

GPtrArray *
storage_disks_of(const VolumesView *view, const char *desktop, const char *snapshot)
{
    GPtrArray *disks = g_ptr_array_new_with_free_func((GDestroyNotify)storage_thing_free);

    for (guint i = 0; i < view->volumes->len; i++) {
        const Volume *volume = view->volumes->pdata[i];
        g_autoptr(StorageThing) thing = g_new0(StorageThing, 1);
        if (!name_read(volume->name, thing) || strcmp(thing->id, desktop) ||
            thing->kind != (snapshot ? STORAGE_THING_SNAPSHOT : STORAGE_THING_DISK) ||
            g_strcmp0(thing->snapshot, snapshot))
            continue;
        thing->name = g_strdup(volume->name);
        thing->size = volume->size;
        g_ptr_array_add(disks, g_steal_pointer(&thing));
    }
    return disks;
}

bool
storage_may_copy(Storage *storage, const VolumesView *view, GPtrArray *disks, GError **error)
{
    for (guint i = 0; i < disks->len && !storage->volumes->shares_blocks; i++) {
        const StorageThing *disk = disks->pdata[i];
        g_autoptr(GError) why = NULL;
        if (storage_is_closed(storage->volumes, view, disk->name, &why))
            continue;
        if (!g_error_matches(why, STORAGE_ERROR, STORAGE_ERROR_IN_USE)) {
            g_propagate_error(error, g_steal_pointer(&why));
            return false;
        }
        return storage_fail(error, STORAGE_ERROR_UNAVAILABLE,
                            "the host's file system cannot copy the disks of a desktop that runs: stop it first");
    }
    return true;
}

/* ---- building ---- */

static bool
fill(Storage *storage, const Volume *from, const char *made, uint64_t size, Work *work, GError **error)
{
    Volumes *volumes = storage->volumes;
    const VolumesClass *class = volumes->class;

    if (!from)
        return class->make(volumes, made, size, error);
    return class->clone(volumes, from->name, made, work, error) &&
           (size <= from->size || class->grow(volumes, made, size, error));
}

bool
storage_build(Storage *storage, const VolumesView *view, const char *from, const char *name, uint64_t size, Work *work,
              GError **error)
{
    const Volume *source = from ? volumes_find(view, from) : NULL;
    g_autofree char *made = name_while_made(name);
    Volumes *volumes = storage->volumes;

    if (from && !source)
        return storage_fail(error, STORAGE_ERROR_NOT_FOUND, "there is no %s", from);
    size = volumes_round_up(volumes, MAX(size, source ? source->size : 0));
    if (size > storage->config.largest_disk)
        return storage_fail(error, STORAGE_ERROR_INVALID, "size: no disk may be so large");
    if (fill(storage, source, made, size, work, error) && volumes->class->settle(volumes, made, error) &&
        work_goes_on(work, error))
        return true;
    volumes->class->remove(volumes, made, NULL);
    return false;
}

void
storage_unbuild(Storage *storage, const char *const *names)
{
    for (; *names; names++) {
        g_autofree char *made = name_while_made(*names);
        storage->volumes->class->remove(storage->volumes, made, NULL);
    }
}

/* ---- naming ---- */

/* One that was named before a crash has no volume under the other name any more. */
static bool
give_name(Volumes *volumes, const VolumesView *view, const char *name, GError **error)
{
    g_autofree char *made = name_while_made(name);

    if (!volumes_find(view, made))
        return true;
    if (volumes_find(view, name) && !volumes->class->remove(volumes, name, error))
        return false;
    return volumes->class->rename(volumes, made, name, error);
}

bool
storage_give_name(Storage *storage, const char *name, GError **error)
{
    g_autofree char *made = name_while_made(name);

    if (storage->volumes->class->rename(storage->volumes, made, name, error))
        return true;
    storage->volumes->class->remove(storage->volumes, made, NULL);
    return false;
}

/* In one step where that is as safe: LVM's are slow. */
bool
storage_make(Storage *storage, const VolumesView *view, const char *from, const char *name, uint64_t size, Work *work,
             GError **error)
{
    const Volume *source = from ? volumes_find(view, from) : NULL;
    Volumes *volumes = storage->volumes;

    if (source && volumes->clones_whole && size <= source->size)
        return work_goes_on(work, error) && volumes->class->clone(volumes, from, name, work, error);
    return storage_build(storage, view, from, name, size, work, error) && storage_give_name(storage, name, error);
}

static bool
give_names(Storage *storage, const char *const *names, GError **error)
{
    g_autoptr(VolumesView) view = storage->volumes->class->look(storage->volumes, error);

    if (!view)
        return false;
    for (; *names; names++)
        if (!give_name(storage->volumes, view, *names, error))
            return false;
    return true;
}

bool
storage_give_names(Storage *storage, const char *const *names, GError **error)
{
    g_autofree char *id = g_uuid_string_random();

    if (!names || !*names)
        return true; /* a clone of a desktop that has no disk yet */
    if (!records_put_naming(storage->records, id, names, error)) {
        storage_unbuild(storage, names);
        return false;
    }
    /* From here on there is no way back; what fails now is done at the next start. */
    return give_names(storage, names, error) && records_drop_naming(storage->records, id, error);
}

/* ---- at a start ---- */

static bool
finish_namings(Storage *storage, GStrvBuilder *mended, GError **error)
{
    g_auto(GStrv) ids = records_list_namings(storage->records, error);

    if (!ids)
        return false;
    for (char **id = ids; *id; id++) {
        g_auto(GStrv) names = records_get_naming(storage->records, *id, error);
        if (!names || !give_names(storage, (const char *const *)names, error) ||
            !records_drop_naming(storage->records, *id, error))
            return false;
        g_autofree char *list = g_strjoinv(", ", names);
        g_strv_builder_take(mended, g_strdup_printf("finished what was begun with %s", list));
    }
    return true;
}

/* Half made, or of a snapshot that was not finished or half forgotten. */
static bool
is_left_over(Storage *storage, const char *name)
{
    g_autoptr(StorageThing) thing = g_new0(StorageThing, 1);

    if (name_being_made(name))
        return true;
    return name_read(name, thing) && thing->kind == STORAGE_THING_SNAPSHOT &&
           !records_has_snapshot(storage->records, thing->id, thing->snapshot);
}

static bool
remove_left_over(Storage *storage, Volumes *volumes, GStrvBuilder *mended, GError **error)
{
    g_autoptr(VolumesView) view = volumes->class->look(volumes, error);

    if (!view)
        return false;
    for (guint i = 0; i < view->volumes->len; i++) {
        const Volume *volume = view->volumes->pdata[i];
        if (!is_left_over(storage, volume->name))
            continue;
        if (!volumes->class->remove(volumes, volume->name, error))
            return false;
        g_strv_builder_take(mended, g_strdup_printf("removed %s, which was half made", volume->name));
    }
    return true;
}

static bool
remove_uploads(Storage *storage, GStrvBuilder *mended, GError **error)
{
    g_auto(GStrv) names = folder_list(storage->uploads, error);

    if (!names)
        return false;
    for (char **name = names; *name; name++)
        if (unlinkat(storage->uploads, *name, 0) == 0)
            g_strv_builder_take(mended, g_strdup_printf("removed the upload %s, which had not come whole", *name));
    return true;
}

bool
storage_mend(Storage *storage, GStrvBuilder *mended, GError **error)
{
    return finish_namings(storage, mended, error) && remove_left_over(storage, storage->volumes, mended, error) &&
           remove_left_over(storage, storage->discs, mended, error) && remove_uploads(storage, mended, error);
}
