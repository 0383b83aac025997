/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/store/snapshot.h"

#include "ha/store/error.h"
#include "ha/store/file.h"
#include "ha/store/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <unistd.h>

/* VACUUM counts the changes of schema on from the source's, which say how it came to be. */
static bool
forget_origin(const char *path, GError **error)
{
    g_autoptr(StoreDatabase) database = store_database_open(path, STORE_DATABASE_FINISH, error);

    return database && store_database_script(database, "PRAGMA schema_version = 1", error);
}

static bool
io_error(GError **error, const char *path)
{
    g_set_error(error, STORE_ERROR, STORE_ERROR_IO, "cannot make %s: %s", path, g_strerror(errno));
    return false;
}

/* Empty, and for its owner alone: it will hold what passwords are checked with. */
static bool
make_file(const char *path, GError **error)
{
    g_autofd int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

    return fd >= 0 || io_error(error, path);
}

static bool
write_snapshot(Store *store, const char *path, GError **error)
{
    return make_file(path, error) &&
           store_database_run(store_get_database(store), error, "VACUUM INTO ?1", "s", path) &&
           forget_origin(path, error) && store_file_settle(path, error);
}

bool
store_snapshot(Store *store, const char *path, GError **error)
{
    g_autofree char *unfinished = g_strconcat(path, ".part", NULL);

    unlink(unfinished); /* of a run that was cut short */
    if (!write_snapshot(store, unfinished, error)) {
        unlink(unfinished);
        return false;
    }
    if (rename(unfinished, path) < 0) {
        io_error(error, path);
        unlink(unfinished);
        return false;
    }
    return store_file_settle(path, error);
}

static bool
copy(StoreDatabase *to, StoreDatabase *from, GError **error)
{
    sqlite3_backup *backup =
        sqlite3_backup_init(store_database_handle(to), "main", store_database_handle(from), "main");

    if (backup)
        sqlite3_backup_step(backup, -1);
    int code = backup ? sqlite3_backup_finish(backup) : sqlite3_errcode(store_database_handle(to));
    if (code != SQLITE_OK)
        store_database_error(to, code, error);
    return code == SQLITE_OK;
}

bool
store_restore(Store *store, const char *path, GError **error)
{
    if (!store_file_check(path, error))
        return false;
    g_autoptr(StoreDatabase) from = store_database_open(path, STORE_DATABASE_INSPECT, error);
    if (!from || !copy(store_get_database(store), from, error) ||
        !store_schema_upgrade(store_get_database(store), STORE_SCHEMA_VERSION, error))
        return false;
    store_tell_all(store);
    return true;
}
