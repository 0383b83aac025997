/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every step ends on stable storage where volumes.h says so: a file by fsync() of itself, its name by fsync() of the folder.
 */
#include "appliance/storage/files.h"
#include "appliance/storage/copy.h"
#include "appliance/storage/error.h"
#include "appliance/storage/extents.h"
#include "appliance/storage/folder.h"
#include "appliance/storage/lock.h"
#include "appliance/storage/names.h"

#include <glib/gstdio.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SECTOR 512

typedef struct {
    Volumes base;
    int folder;
    bool reserve_blocks;
} Files;

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(((const Volume *)a)->name, ((const Volume *)b)->name);
}

static bool
is_ours(const char *name)
{
    g_autoptr(StorageThing) thing = g_new0(StorageThing, 1);
    const char *made = name_being_made(name);

    return name_read(made ? made : name, thing);
}

/* NULL: gone meanwhile, or none of ours. */
static Volume *
look_at(Files *files, const char *name)
{
    struct stat is;

    if (!is_ours(name) || fstatat(files->folder, name, &is, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(is.st_mode))
        return NULL;
    Volume *volume = g_new(Volume, 1);
    *volume = (Volume){g_strdup(name), (uint64_t)is.st_size, (uint64_t)is.st_blocks * 512, is.st_mtim.tv_sec};
    return volume;
}

static bool
list_files(Files *files, GPtrArray *volumes, GError **error)
{
    g_auto(GStrv) names = folder_list(files->folder, error);

    if (!names)
        return false;
    for (char **name = names; *name; name++) {
        Volume *volume = look_at(files, *name);
        if (volume)
            g_ptr_array_add(volumes, volume);
    }
    return true;
}

static VolumesView *
files_look(Volumes *volumes, GError **error)
{
    Files *files = (Files *)volumes;
    g_autoptr(VolumesView) view = g_new0(VolumesView, 1);
    struct statvfs room;

    view->volumes = g_ptr_array_new_with_free_func((GDestroyNotify)volume_free);
    if (!list_files(files, view->volumes, error))
        return NULL;
    g_ptr_array_sort_values(view->volumes, compare_names);
    if (fstatvfs(files->folder, &room) < 0) {
        storage_fail_errno(error, "see how much room there is");
        return NULL;
    }
    view->bytes = (uint64_t)room.f_blocks * room.f_frsize;
    view->free = (uint64_t)room.f_bavail * room.f_frsize;
    return g_steal_pointer(&view);
}

/* What a file is grown by may get its blocks at once; a file system without fallocate() gives them when they are written. */
static bool
set_size(Files *files, int fd, uint64_t from, uint64_t size, GError **error)
{
    if (ftruncate(fd, (off_t)size) < 0)
        return errno == EFBIG
                   ? storage_fail(error, STORAGE_ERROR_INVALID, "size: this file system has no files so large")
                   : storage_fail_errno(error, "give a disk its size");
    if (files->reserve_blocks && size > from && fallocate(fd, 0, (off_t)from, (off_t)(size - from)) < 0 &&
        errno != EOPNOTSUPP)
        return storage_fail_errno(error, "reserve the room for a disk");
    return true;
}

static int
open_file(Files *files, const char *name, int flags, GError **error)
{
    int fd = openat(files->folder, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0 && errno == ENOENT)
        storage_fail(error, STORAGE_ERROR_NOT_FOUND, "there is no %s", name);
    else if (fd < 0)
        storage_fail_errno(error, "open %s", name);
    return fd;
}

static int
make_file(Files *files, const char *name, GError **error)
{
    return open_file(files, name, O_RDWR | O_CREAT | O_EXCL, error);
}

static bool
files_make(Volumes *volumes, const char *name, uint64_t size, GError **error)
{
    Files *files = (Files *)volumes;
    g_autofd int fd = make_file(files, name, error);

    if (fd < 0)
        return false;
    if (set_size(files, fd, 0, size, error))
        return true;
    unlinkat(files->folder, name, 0);
    return false;
}

/* Where blocks are not shared, nobody may write meanwhile. */
static bool
fill_from(Files *files, int from, int to, Work *work, GError **error)
{
    struct stat is;

    if (!work_goes_on(work, error))
        return false;
    if (files->base.shares_blocks && copy_share(from, to))
        return true;
    if (fstat(from, &is) < 0)
        return storage_fail_errno(error, "look at what is to be copied");
    return lock_take(from, false, "what is to be copied", error) &&
           set_size(files, to, 0, (uint64_t)is.st_size, error) &&
           copy_bytes(from, to, (uint64_t)is.st_size, work, error);
}

static bool
files_clone(Volumes *volumes, const char *from, const char *name, Work *work, GError **error)
{
    Files *files = (Files *)volumes;
    g_autofd int source = open_file(files, from, O_RDONLY, error);
    g_autofd int target = source < 0 ? -1 : make_file(files, name, error);

    if (target < 0)
        return false;
    if (fill_from(files, source, target, work, error))
        return true;
    unlinkat(files->folder, name, 0);
    return false;
}

static bool
files_grow(Volumes *volumes, const char *name, uint64_t size, GError **error)
{
    Files *files = (Files *)volumes;
    g_autofd int fd = open_file(files, name, O_RDWR, error);
    struct stat is;

    if (fd < 0)
        return false;
    if (fstat(fd, &is) < 0)
        return storage_fail_errno(error, "look at a disk");
    uint64_t had = (uint64_t)is.st_size;
    if (set_size(files, fd, had, size, error)) {
        fsync(fd);
        return true;
    }
    if (ftruncate(fd, (off_t)had) < 0)
        g_warning("%s: cannot undo a growth that failed: %s", name, g_strerror(errno));
    return false;
}

static int
files_open(Volumes *volumes, const char *name, int flags, GError **error)
{
    return open_file((Files *)volumes, name, flags, error);
}

static bool
files_settle(Volumes *volumes, const char *name, GError **error)
{
    Files *files = (Files *)volumes;
    g_autofd int fd = open_file(files, name, O_RDONLY, error);

    if (fd < 0)
        return false;
    if (fsync(fd) < 0)
        return storage_fail_errno(error, "bring %s to stable storage", name);
    return folder_sync(files->folder, error);
}

static bool
files_rename(Volumes *volumes, const char *name, const char *to, GError **error)
{
    Files *files = (Files *)volumes;

    if (renameat2(files->folder, name, files->folder, to, RENAME_NOREPLACE) < 0)
        return errno == EEXIST ? storage_fail(error, STORAGE_ERROR_EXISTS, "there is a %s already", to)
                               : storage_fail_errno(error, "give %s its name", to);
    return folder_sync(files->folder, error);
}

static bool
files_remove(Volumes *volumes, const char *name, GError **error)
{
    Files *files = (Files *)volumes;

    if (unlinkat(files->folder, name, 0) < 0)
        return errno == ENOENT || storage_fail_errno(error, "remove %s", name);
    return folder_sync(files->folder, error);
}

static bool
files_own_bytes(Volumes *volumes, const char *name, uint64_t *bytes, GError **error)
{
    g_autofd int fd = open_file((Files *)volumes, name, O_RDONLY, error);

    return fd >= 0 && extents_own_bytes(fd, bytes, error);
}

static bool
files_adopt(Volumes *volumes, int folder, const char *file, const char *name, GError **error)
{
    Files *files = (Files *)volumes;

    if (renameat2(folder, file, files->folder, name, RENAME_NOREPLACE) < 0)
        return errno == EEXIST ? storage_fail(error, STORAGE_ERROR_EXISTS, "there is a %s already", name)
                               : storage_fail_errno(error, "take %s up", name);
    return true;
}

static void
files_free(Volumes *volumes)
{
    Files *files = (Files *)volumes;

    close(files->folder);
    g_free(files);
}

static const VolumesClass files_class = {
    .look = files_look,
    .make = files_make,
    .clone = files_clone,
    .grow = files_grow,
    .open = files_open,
    .settle = files_settle,
    .rename = files_rename,
    .remove = files_remove,
    .own_bytes = files_own_bytes,
    .adopt = files_adopt,
    .free = files_free,
};

Volumes *
files_new(const char *folder, bool reserve_blocks, GError **error)
{
    int fd = folder_open(folder, error);

    if (fd < 0)
        return NULL;
    Files *files = g_new0(Files, 1);
    files->base = (Volumes){&files_class, copy_can_share(fd), .grain = SECTOR};
    files->folder = fd;
    files->reserve_blocks = reserve_blocks;
    return &files->base;
}
