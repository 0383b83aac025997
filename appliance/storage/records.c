/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/storage/records.h"
#include "appliance/storage/error.h"
#include "appliance/storage/folder.h"
#include "appliance/storage/names.h"

#include <glib/gstdio.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_MAX (UINT64_C(1) << 20)
#define HALF ".half"

struct Records {
    int folder;
};

Records *
records_new(const char *folder, GError **error)
{
    int fd = folder_open(folder, error);

    if (fd < 0)
        return NULL;
    Records *records = g_new(Records, 1);
    records->folder = fd;
    return records;
}

void
records_free(Records *records)
{
    if (!records)
        return;
    close(records->folder);
    g_free(records);
}

static bool
write_whole(int fd, const char *text, size_t length)
{
    while (length) {
        ssize_t written = write(fd, text, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        text += written;
        length -= (size_t)written;
    }
    return true;
}

/* Under another name, then under its own. */
static bool
put(Records *records, const char *name, GKeyFile *file, GError **error)
{
    g_autofree char *half = g_strconcat(name, HALF, NULL);
    gsize length;
    g_autofree char *text = g_key_file_to_data(file, &length, NULL);
    g_autofd int fd = openat(records->folder, half, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd >= 0 && write_whole(fd, text, length) && fsync(fd) == 0 &&
        renameat(records->folder, half, records->folder, name) == 0 && fsync(records->folder) == 0)
        return true;
    storage_fail_errno(error, "write down %s", name);
    unlinkat(records->folder, half, 0);
    return false;
}

static bool
drop(Records *records, const char *name, GError **error)
{
    if (unlinkat(records->folder, name, 0) < 0)
        return errno == ENOENT || storage_fail_errno(error, "remove the record %s", name);
    return folder_sync(records->folder, error);
}

static GKeyFile *
get(Records *records, const char *name, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofd int fd = openat(records->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    g_autofree char *text = NULL;
    struct stat is;

    if (fd < 0 || fstat(fd, &is) < 0 || (uint64_t)is.st_size > RECORD_MAX) {
        storage_fail_errno(error, "read the record %s", name);
        return NULL;
    }
    text = g_malloc0((size_t)is.st_size + 1);
    if (pread(fd, text, (size_t)is.st_size, 0) != is.st_size) {
        storage_fail_errno(error, "read the record %s", name);
        return NULL;
    }
    return g_key_file_load_from_data(file, text, (gsize)is.st_size, G_KEY_FILE_NONE, error) ? g_steal_pointer(&file)
                                                                                            : NULL;
}

/* What comes after @prefix in the names of those that have it. */
static GStrv
list(Records *records, const char *prefix, GError **error)
{
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    g_auto(GStrv) all = folder_list(records->folder, error);

    if (!all)
        return NULL;
    for (char **name = all; *name; name++)
        if (g_str_has_prefix(*name, prefix) && !g_str_has_suffix(*name, HALF))
            g_strv_builder_add(names, *name + strlen(prefix));
    return g_strv_builder_end(names);
}

/* ---- snapshots ---- */

#define GROUP "snapshot"

static char *
snapshot_file(const char *desktop, const char *snapshot)
{
    return g_strdup_printf("snapshot-%s-%s", desktop, snapshot);
}

bool
records_put_snapshot(Records *records, const char *desktop, const StorageSnapshot *snapshot, GError **error)
{
    g_autofree char *name = snapshot_file(desktop, snapshot->id);
    g_autoptr(GKeyFile) file = g_key_file_new();

    g_key_file_set_string(file, GROUP, "name", snapshot->name);
    g_key_file_set_int64(file, GROUP, "created", snapshot->created);
    g_key_file_set_boolean(file, GROUP, "frozen", snapshot->frozen);
    return put(records, name, file, error);
}

bool
records_has_snapshot(Records *records, const char *desktop, const char *snapshot)
{
    g_autofree char *name = snapshot_file(desktop, snapshot);
    return faccessat(records->folder, name, F_OK, 0) == 0;
}

bool
records_drop_snapshot(Records *records, const char *desktop, const char *snapshot, GError **error)
{
    g_autofree char *name = snapshot_file(desktop, snapshot);
    return drop(records, name, error);
}

static StorageSnapshot *
read_snapshot(Records *records, const char *desktop, const char *id)
{
    g_autofree char *name = snapshot_file(desktop, id);
    g_autoptr(GKeyFile) file = get(records, name, NULL);
    g_autofree char *called = file ? g_key_file_get_string(file, GROUP, "name", NULL) : NULL;

    if (!called)
        return NULL;
    StorageSnapshot *snapshot = g_new0(StorageSnapshot, 1);
    snapshot->id = g_strdup(id);
    snapshot->name = g_steal_pointer(&called);
    snapshot->created = g_key_file_get_int64(file, GROUP, "created", NULL);
    snapshot->frozen = g_key_file_get_boolean(file, GROUP, "frozen", NULL);
    return snapshot;
}

static int
compare_ages(gconstpointer a, gconstpointer b)
{
    const StorageSnapshot *one = a, *other = b;

    if (one->created != other->created)
        return one->created < other->created ? -1 : 1;
    return strcmp(one->id, other->id);
}

GPtrArray *
records_list_snapshots(Records *records, const char *desktop, GError **error)
{
    g_autofree char *prefix = snapshot_file(desktop, "");
    g_autoptr(GPtrArray) snapshots = g_ptr_array_new_with_free_func((GDestroyNotify)storage_snapshot_free);
    g_auto(GStrv) ids = list(records, prefix, error);

    if (!ids)
        return NULL;
    for (char **id = ids; *id; id++) {
        StorageSnapshot *snapshot = name_is_id(*id) ? read_snapshot(records, desktop, *id) : NULL;
        if (snapshot)
            g_ptr_array_add(snapshots, snapshot);
    }
    g_ptr_array_sort_values(snapshots, compare_ages);
    return g_steal_pointer(&snapshots);
}

/* ---- namings ---- */

#define NAMING "naming-"

static char *
naming_file(const char *id)
{
    return g_strconcat(NAMING, id, NULL);
}

bool
records_put_naming(Records *records, const char *id, const char *const *names, GError **error)
{
    g_autofree char *name = naming_file(id);
    g_autoptr(GKeyFile) file = g_key_file_new();

    g_key_file_set_string_list(file, "naming", "names", names, g_strv_length((char **)names));
    return put(records, name, file, error);
}

bool
records_drop_naming(Records *records, const char *id, GError **error)
{
    g_autofree char *name = naming_file(id);
    return drop(records, name, error);
}

GStrv
records_list_namings(Records *records, GError **error)
{
    return list(records, NAMING, error);
}

GStrv
records_get_naming(Records *records, const char *id, GError **error)
{
    g_autofree char *name = naming_file(id);
    g_autoptr(GKeyFile) file = get(records, name, error);

    return file ? g_key_file_get_string_list(file, "naming", "names", NULL, error) : NULL;
}
