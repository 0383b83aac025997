/* SPDX-License-Identifier: Apache-2.0 */
/* Images: made from a disk, opened, deleted. Those that come from outside are in upload.c. */
#include "appliance/storage/error.h"
#include "appliance/storage/job.h"
#include "appliance/storage/lock.h"
#include "appliance/storage/names.h"

#include <glib/gstdio.h>
#include <fcntl.h>
#include <unistd.h>

void
storage_image_free(StorageImage *image)
{
    if (!image)
        return;
    g_free(image->format);
    g_free(image);
}

StorageImage *
storage_image_finish(Storage *storage, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

/* ---- from a disk ---- */

static bool
may_make(Job *job, const VolumesView *view, const char *name, const StorageThing *disk, GError **error)
{
    g_autoptr(GPtrArray) disks = g_ptr_array_new();

    if (volumes_find(view, name))
        return storage_fail(error, STORAGE_ERROR_EXISTS, "there is an image of that id already");
    g_ptr_array_add(disks, (gpointer)disk);
    return storage_may_copy(job->storage, view, disks, error) &&
           storage_has_room(job->storage, view, storage_clone_needs(job->storage, volumes_find(view, disk->name)),
                            "the image", error);
}

static bool
make_image(Job *job, GError **error)
{
    Storage *storage = job->storage;
    g_autoptr(VolumesView) view = storage->volumes->class->look(storage->volumes, error);
    g_autofree char *name = name_of_image(job->image);
    g_autofree char *disk = name_of_disk(job->desktop, job->place);
    const Volume *source = view ? volumes_find(view, disk) : NULL;

    if (!view)
        return false;
    if (!source)
        return storage_fail(error, STORAGE_ERROR_NOT_FOUND, "there is no %s", disk);
    const StorageThing thing = {.name = disk, .size = source->size};
    if (!may_make(job, view, name, &thing, error) ||
        !storage_make(storage, view, disk, name, source->size, &job->work, error))
        return false;
    StorageImage *image = g_new0(StorageImage, 1);
    *image = (StorageImage){.size = source->size, .format = g_strdup("raw")};
    job->result = image;
    job->free_result = (GDestroyNotify)storage_image_free;
    return true;
}

void
storage_make_image_async(Storage *storage, const char *image, const char *desktop, unsigned place,
                         GCancellable *cancellable, StorageProgress progress, gpointer progress_user,
                         GAsyncReadyCallback callback, gpointer user)
{
    Job *job = job_new(storage, cancellable, progress, progress_user, callback, user);

    job_set_id(job, &job->image, "image", image);
    job_set_id(job, &job->desktop, "desktop", desktop);
    job_set_place(job, place);
    job_claim_image(job, image, true);
    job_claim_disk(job, desktop, place);
    job_start(job, make_image);
}

/* ---- discs ---- */

int
storage_open_iso(Storage *storage, const char *image, GError **error)
{
    if (!name_is_id(image)) {
        storage_fail(error, STORAGE_ERROR_NOT_FOUND, "there is no such image");
        return -1;
    }
    g_autofree char *name = name_of_iso(image);
    g_autofd int fd = storage->discs->class->open(storage->discs, name, O_RDONLY, error);
    return fd >= 0 && lock_take(fd, false, name, error) ? g_steal_fd(&fd) : -1;
}

/* ---- deleted ---- */

/* Of either type; its type is whichever is there. */
static bool
delete_image(Job *job, GError **error)
{
    Storage *storage = job->storage;
    g_autofree char *disk = name_of_image(job->image), *disc = name_of_iso(job->image);
    g_autoptr(VolumesView) disks = storage->volumes->class->look(storage->volumes, error);
    g_autoptr(VolumesView) discs = disks ? storage->discs->class->look(storage->discs, error) : NULL;

    if (!discs)
        return false;
    if (volumes_find(disks, disk))
        return storage->volumes->class->remove(storage->volumes, disk, error);
    if (volumes_find(discs, disc))
        return storage_is_closed(storage->discs, discs, disc, error) &&
               storage->discs->class->remove(storage->discs, disc, error);
    return storage_fail(error, STORAGE_ERROR_NOT_FOUND, "there is no such image");
}

void
storage_delete_image_async(Storage *storage, const char *image, GCancellable *cancellable, GAsyncReadyCallback callback,
                           gpointer user)
{
    Job *job = job_new(storage, cancellable, NULL, NULL, callback, user);

    job_set_id(job, &job->image, "image", image);
    job_claim_image(job, image, true);
    job_start(job, delete_image);
}
