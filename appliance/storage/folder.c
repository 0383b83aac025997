/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/storage/folder.h"
#include "appliance/storage/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int
folder_open(const char *path, GError **error)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        storage_fail_errno(error, "make the folder %s", path);
        return -1;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        storage_fail_errno(error, "open the folder %s", path);
    return fd;
}

GStrv
folder_list(int folder, GError **error)
{
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* which closedir() closes */
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (!stream) {
        storage_fail_errno(error, "list a folder");
        return NULL;
    }
    while ((entry = readdir(stream)))
        if (entry->d_name[0] != '.')
            g_strv_builder_add(names, entry->d_name);
    closedir(stream);
    return g_strv_builder_end(names);
}

bool
folder_sync(int folder, GError **error)
{
    return fsync(folder) == 0 || storage_fail_errno(error, "bring a folder to stable storage");
}
