/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/store/file.h"

#include "ha/store/error.h"
#include "ha/store/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The header of an SQLite file (Database File Format, 1.3). */
#define HEADER 100
#define HEADER_MAGIC "SQLite format 3" /* and its NUL */
#define HEADER_APPLICATION_ID 68

static bool
io_error(GError **error, const char *path, const char *what)
{
    g_set_error(error, STORE_ERROR, STORE_ERROR_IO, "cannot %s %s: %s", what, path, g_strerror(errno));
    return false;
}

/* --- making --- */

static bool
write_all(int fd, const uint8_t *bytes, size_t len)
{
    while (len) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        len -= n;
    }
    return true;
}

static bool
sync_folder(const char *path, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofd int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return (fd >= 0 && fsync(fd) == 0) || io_error(error, folder, "sync");
}

/* A file without a name gets one when it is whole; never one that is taken. */
static bool
write_new(const char *path, const uint8_t *bytes, size_t len, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofd int fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

    if (fd < 0 || !write_all(fd, bytes, len) || fsync(fd) < 0)
        return io_error(error, path, "write");
    g_autofree char *unnamed = g_strdup_printf("/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, unnamed, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0 && errno != EEXIST)
        return io_error(error, path, "make");
    return sync_folder(path, error);
}

bool
store_file_make(const char *path, GError **error)
{
    if (access(path, F_OK) == 0)
        return true;
    g_autoptr(StoreDatabase) database = store_database_open(NULL, STORE_DATABASE_MEMORY, error);
    if (!database || !store_schema_upgrade(database, STORE_SCHEMA_VERSION, error))
        return false;
    sqlite3_int64 len;
    unsigned char *bytes = sqlite3_serialize(store_database_handle(database), "main", &len, 0);
    if (!bytes) {
        errno = ENOMEM;
        return io_error(error, path, "make");
    }
    bool made = write_new(path, bytes, len, error);
    sqlite3_free(bytes);
    return made;
}

bool
store_file_settle(const char *path, GError **error)
{
    g_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return io_error(error, path, "sync");
    return sync_folder(path, error);
}

/* --- looking --- */

static uint32_t
big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
}

/* Before SQLite sees it, since that would play back a journal lying beside a stranger's file. */
static bool
check_header(const char *path, GError **error)
{
    uint8_t header[HEADER];
    g_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : pread(fd, header, sizeof header, 0);

    if (len < 0)
        return io_error(error, path, "read");
    if (len == HEADER && !memcmp(header, HEADER_MAGIC, sizeof HEADER_MAGIC) &&
        big_endian(header + HEADER_APPLICATION_ID) == STORE_APPLICATION_ID)
        return true;
    g_set_error(error, STORE_ERROR, STORE_ERROR_NOT_OURS, "%s is no store of Carrel's", path);
    return false;
}

/* A pragma that has no row, or only "ok", when all is well. */
static bool
check_pragma(StoreDatabase *database, const char *pragma, GError **error)
{
    g_autofree char *complaint = NULL;

    if (!store_database_text(database, &complaint, error, pragma, ""))
        return false;
    if (!complaint || !strcmp(complaint, "ok"))
        return true;
    g_set_error(error, STORE_ERROR, STORE_ERROR_DAMAGED, "%s: %s", store_database_path(database), complaint);
    return false;
}

static bool
check_content(const char *path, GError **error)
{
    g_autoptr(StoreDatabase) database = store_database_open(path, STORE_DATABASE_INSPECT, error);

    return database && store_schema_check(database, error) &&
           check_pragma(database, "PRAGMA integrity_check(1)", error) &&
           check_pragma(database,
                        "SELECT 'a ' || \"table\" || ' names what is not there' FROM pragma_foreign_key_check", error);
}

/*
 * A store keeps a log (WAL), which reading gets over by itself. Only one that has just become one, from a snapshot or
 * new, can have been interrupted with a journal, and that has to be played back by somebody who may write.
 */
static bool
play_back_journal(const char *path, GError **error)
{
    g_autofree char *journal = g_strconcat(path, "-journal", NULL);
    int64_t sequence;

    if (access(journal, F_OK) < 0)
        return true;
    g_autoptr(StoreDatabase) database = store_database_open(path, STORE_DATABASE_WRITE, error);
    return database && store_database_number(database, &sequence, 0, error, "SELECT sequence FROM progress", "");
}

bool
store_file_check(const char *path, GError **error)
{
    if (!check_header(path, error) || !play_back_journal(path, error))
        return false;
    if (check_content(path, error))
        return true;
    if (error && g_error_matches(*error, STORE_ERROR, STORE_ERROR_DAMAGED))
        g_prefix_error(error, "the store is damaged; move it away, and it is made anew from a snapshot: ");
    return false;
}
