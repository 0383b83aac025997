/* SPDX-License-Identifier: Apache-2.0 */
#include "rooms.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <unistd.h>

G_DEFINE_QUARK(rooms_storage_error, storage_error)

Storage *
rooms_storage_new(const char *folder)
{
    Storage *storage = g_new0(Storage, 1);

    storage->folder = g_strdup(folder);
    storage->calls = g_string_new(NULL);
    return storage;
}

void
rooms_storage_free(Storage *storage)
{
    g_string_free(storage->calls, TRUE);
    g_free(storage->folder);
    g_free(storage);
}

static char *
path_of(Storage *storage, const char *desktop, unsigned place)
{
    return g_strdup_printf("%s/%s.%u", storage->folder, desktop, place);
}

/* Answers later, as the real one does. */
static gboolean
answer(gpointer user)
{
    g_autoptr(GTask) task = user;
    GError *error = g_task_get_task_data(task);

    if (!g_task_return_error_if_cancelled(task) && error)
        g_task_return_error(task, g_error_copy(error));
    else if (!error)
        g_task_return_boolean(task, TRUE);
    return G_SOURCE_REMOVE;
}

/* Takes the error. */
static void
answer_later(GError *error, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user)
{
    GTask *task = g_task_new(NULL, cancellable, callback, user);

    if (error)
        g_task_set_task_data(task, error, (GDestroyNotify)g_error_free);
    g_idle_add(answer, task);
}

static void
change(Storage *storage, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user)
{
    GError *error = NULL;

    if (storage->refusal)
        error = g_error_new_literal(STORAGE_ERROR, STORAGE_ERROR_FULL, storage->refusal);
    storage->refusal = NULL;
    answer_later(error, cancellable, callback, user);
}

bool
storage_finish(Storage *storage, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

void
storage_make_disk_async(Storage *storage, const char *desktop, unsigned place, const char *image, uint64_t size,
                        GCancellable *cancellable, StorageProgress progress, gpointer progress_user,
                        GAsyncReadyCallback callback, gpointer user)
{
    g_autofree char *path = path_of(storage, desktop, place);

    g_string_append_printf(storage->calls, "make %s %u %s %" G_GUINT64_FORMAT "\n", desktop, place, image ? image : "-",
                           size);
    if (!storage->refusal) {
        g_autofd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        g_assert(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
    }
    progress(0.5, progress_user);
    change(storage, cancellable, callback, user);
}

void
storage_open_disk_async(Storage *storage, const char *desktop, unsigned place, GCancellable *cancellable,
                        GAsyncReadyCallback callback, gpointer user)
{
    GTask *task = g_task_new(NULL, cancellable, callback, user);
    g_autofree char *path = path_of(storage, desktop, place);
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd >= 0)
        g_task_return_int(task, fd);
    else
        g_task_return_new_error(task, STORAGE_ERROR, STORAGE_ERROR_NOT_FOUND, "there is no such disk");
    g_object_unref(task);
}

int
storage_open_disk_finish(Storage *storage, GAsyncResult *result, GError **error)
{
    return (int)g_task_propagate_int(G_TASK(result), error);
}

int
storage_open_iso(Storage *storage, const char *image, GError **error)
{
    g_autofree char *path = g_strdup_printf("%s/%s.iso", storage->folder, image);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        g_set_error(error, STORAGE_ERROR, STORAGE_ERROR_NOT_FOUND, "there is no such disc");
    return fd;
}

void
storage_grow_disk_async(Storage *storage, const char *desktop, unsigned place, uint64_t size, GCancellable *cancellable,
                        GAsyncReadyCallback callback, gpointer user)
{
    g_autofree char *path = path_of(storage, desktop, place);

    g_string_append_printf(storage->calls, "grow %s %u %" G_GUINT64_FORMAT "\n", desktop, place, size);
    (void)!truncate(path, (off_t)size);
    change(storage, cancellable, callback, user);
}

void
storage_delete_desktop_async(Storage *storage, const char *desktop, GCancellable *cancellable,
                             GAsyncReadyCallback callback, gpointer user)
{
    g_string_append_printf(storage->calls, "delete %s\n", desktop);
    for (unsigned i = 0; i < STORAGE_PLACES_MAX; i++) {
        g_autofree char *path = path_of(storage, desktop, i);
        g_unlink(path);
    }
    answer_later(NULL, cancellable, callback, user);
}

void
storage_clone_desktop_async(Storage *storage, const char *from, const char *desktop, GCancellable *cancellable,
                            StorageProgress progress, gpointer progress_user, GAsyncReadyCallback callback,
                            gpointer user)
{
    g_string_append_printf(storage->calls, "clone %s %s\n", from, desktop);
    change(storage, cancellable, callback, user);
}

void
storage_take_snapshot_async(Storage *storage, const char *desktop, const StorageSnapshot *snapshot,
                            GCancellable *cancellable, StorageProgress progress, gpointer progress_user,
                            GAsyncReadyCallback callback, gpointer user)
{
    g_string_append_printf(storage->calls, "snapshot %s %s\n", desktop, snapshot->name);
    change(storage, cancellable, callback, user);
}

void
storage_revert_async(Storage *storage, const char *desktop, const char *snapshot, GCancellable *cancellable,
                     StorageProgress progress, gpointer progress_user, GAsyncReadyCallback callback, gpointer user)
{
    g_string_append_printf(storage->calls, "revert %s %s\n", desktop, snapshot);
    change(storage, cancellable, callback, user);
}

void
storage_forget_async(Storage *storage, const char *desktop, const char *snapshot, GCancellable *cancellable,
                     GAsyncReadyCallback callback, gpointer user)
{
    g_string_append_printf(storage->calls, "forget %s %s\n", desktop, snapshot);
    change(storage, cancellable, callback, user);
}

void
storage_list_snapshots_async(Storage *storage, const char *desktop, GCancellable *cancellable,
                             GAsyncReadyCallback callback, gpointer user)
{
    answer_later(NULL, cancellable, callback, user);
}

GPtrArray *
storage_list_snapshots_finish(Storage *storage, GAsyncResult *result, GError **error)
{
    return storage_finish(storage, result, error) ? g_ptr_array_new() : NULL;
}

void
storage_snapshot_free(StorageSnapshot *snapshot)
{
}

void
storage_make_image_async(Storage *storage, const char *image, const char *desktop, unsigned place,
                         GCancellable *cancellable, StorageProgress progress, gpointer progress_user,
                         GAsyncReadyCallback callback, gpointer user)
{
    g_string_append_printf(storage->calls, "image %s %u\n", desktop, place);
    change(storage, cancellable, callback, user);
}

StorageImage *
storage_image_finish(Storage *storage, GAsyncResult *result, GError **error)
{
    StorageImage *image;

    if (!storage_finish(storage, result, error))
        return NULL;
    image = g_new0(StorageImage, 1);
    image->size = 1 << 20;
    return image;
}

void
storage_image_free(StorageImage *image)
{
    g_free(image);
}
