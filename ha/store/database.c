/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/store/database.h"

#include "ha/store/error.h"
#include "ha/store/search.h"

#include <stdarg.h>

/* How long another process may hold the file, in ms: a reader that recovers it after a crash. */
#define BUSY_TIMEOUT 5000

struct StoreDatabase {
    sqlite3 *handle;
    char *path;
    GHashTable *statements; /* by their text */
};

static const int open_flags[] = {
    [STORE_DATABASE_READ] = SQLITE_OPEN_READONLY,
    [STORE_DATABASE_INSPECT] = SQLITE_OPEN_READONLY,
    [STORE_DATABASE_WRITE] = SQLITE_OPEN_READWRITE,
    [STORE_DATABASE_FINISH] = SQLITE_OPEN_READWRITE,
    [STORE_DATABASE_MEMORY] =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, /* with SQLITE_OPEN_MEMORY snapshots would be there too */
};

void
store_database_error(StoreDatabase *database, int code, GError **error)
{
    int kind = STORE_ERROR_IO;

    /* SQLite's own words for a constraint change with its versions, and refusals are state. */
    if ((code & 0xff) == SQLITE_CONSTRAINT) {
        g_set_error_literal(error, STORE_ERROR, STORE_ERROR_RULE, "it does not go together with what is there");
        return;
    }
    if ((code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB)
        kind = STORE_ERROR_DAMAGED;
    g_set_error(error, STORE_ERROR, kind, "%s: %s", database->path,
                database->handle ? sqlite3_errmsg(database->handle) : sqlite3_errstr(code));
}

/* A store may have come from another host: nothing in it is trusted to run. */
static bool
set_up(StoreDatabase *database, StoreDatabaseMode mode, GError **error)
{
    sqlite3_extended_result_codes(database->handle, 1);
    sqlite3_busy_timeout(database->handle, BUSY_TIMEOUT);
    sqlite3_db_config(database->handle, SQLITE_DBCONFIG_DEFENSIVE, mode != STORE_DATABASE_FINISH, NULL);
    sqlite3_db_config(database->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, mode == STORE_DATABASE_INSPECT, NULL);
    int code = store_search_set_up(database->handle);
    if (code != SQLITE_OK) {
        store_database_error(database, code, error);
        return false;
    }
    return store_database_script(database,
                                 "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA foreign_keys = ON;"
                                 "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA secure_delete = ON",
                                 error);
}

static void
finalize(void *statement)
{
    sqlite3_finalize(statement);
}

StoreDatabase *
store_database_open(const char *path, StoreDatabaseMode mode, GError **error)
{
    g_autoptr(StoreDatabase) database = g_new0(StoreDatabase, 1);

    database->path = g_strdup(mode == STORE_DATABASE_MEMORY ? ":memory:" : path);
    database->statements = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, finalize);
    int code = sqlite3_open_v2(database->path, &database->handle,
                               open_flags[mode] | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);
    if (code != SQLITE_OK) {
        store_database_error(database, code, error);
        return NULL;
    }
    return set_up(database, mode, error) ? g_steal_pointer(&database) : NULL;
}

void
store_database_free(StoreDatabase *database)
{
    if (!database)
        return;
    g_hash_table_unref(database->statements);
    sqlite3_close(database->handle);
    g_free(database->path);
    g_free(database);
}

const char *
store_database_path(const StoreDatabase *database)
{
    return database->path;
}

sqlite3 *
store_database_handle(StoreDatabase *database)
{
    return database->handle;
}

static sqlite3_stmt *
find_statement(StoreDatabase *database, const char *sql, GError **error)
{
    sqlite3_stmt *statement = g_hash_table_lookup(database->statements, sql);

    if (statement) {
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
        return statement;
    }
    int code = sqlite3_prepare_v3(database->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
    if (code != SQLITE_OK) {
        store_database_error(database, code, error);
        return NULL;
    }
    g_hash_table_insert(database->statements, g_strdup(sql), statement);
    return statement;
}

/* The values live until the statement is reset or run to its end, which is before the caller's do. */
static void
bind_values(sqlite3_stmt *statement, const char *format, va_list values)
{
    for (int i = 1; *format; format++, i++) {
        if (*format == 's') {
            sqlite3_bind_text(statement, i, va_arg(values, const char *), -1, SQLITE_TRANSIENT);
        } else if (*format == 'i') {
            sqlite3_bind_int64(statement, i, va_arg(values, int64_t));
        } else {
            GBytes *bytes = va_arg(values, GBytes *);
            gsize len;
            const void *data = g_bytes_get_data(bytes, &len);
            sqlite3_bind_blob64(statement, i, data, len, SQLITE_TRANSIENT);
        }
    }
}

static sqlite3_stmt *
prepare(StoreDatabase *database, GError **error, const char *sql, const char *format, va_list values)
{
    sqlite3_stmt *statement = find_statement(database, sql, error);

    if (statement)
        bind_values(statement, format, values);
    return statement;
}

sqlite3_stmt *
store_database_prepare(StoreDatabase *database, GError **error, const char *sql, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    sqlite3_stmt *statement = prepare(database, error, sql, format, values);
    va_end(values);
    return statement;
}

int
store_database_step(StoreDatabase *database, sqlite3_stmt *statement, GError **error)
{
    int code = sqlite3_step(statement);

    if (code == SQLITE_ROW)
        return code;
    if (code != SQLITE_DONE)
        store_database_error(database, code, error);
    sqlite3_reset(statement); /* one that is not holds its snapshot, and the log behind it */
    return code == SQLITE_DONE ? code : 0;
}

bool
store_database_run(StoreDatabase *database, GError **error, const char *sql, const char *format, ...)
{
    va_list values;
    int code;

    va_start(values, format);
    sqlite3_stmt *statement = prepare(database, error, sql, format, values);
    va_end(values);
    if (!statement)
        return false;
    do
        code = store_database_step(database, statement, error);
    while (code == SQLITE_ROW);
    return code == SQLITE_DONE;
}

bool
store_database_script(StoreDatabase *database, const char *sql, GError **error)
{
    int code = sqlite3_exec(database->handle, sql, NULL, NULL, NULL);

    if (code != SQLITE_OK)
        store_database_error(database, code, error);
    return code == SQLITE_OK;
}

bool
store_database_text(StoreDatabase *database, char **text, GError **error, const char *sql, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    sqlite3_stmt *statement = prepare(database, error, sql, format, values);
    va_end(values);
    int code = statement ? store_database_step(database, statement, error) : 0;
    if (!code)
        return false;
    *text = code == SQLITE_ROW ? g_strdup((const char *)sqlite3_column_text(statement, 0)) : NULL;
    sqlite3_reset(statement);
    return true;
}

bool
store_database_number(StoreDatabase *database, int64_t *number, int64_t fallback, GError **error, const char *sql,
                      const char *format, ...)
{
    va_list values;

    va_start(values, format);
    sqlite3_stmt *statement = prepare(database, error, sql, format, values);
    va_end(values);
    int code = statement ? store_database_step(database, statement, error) : 0;
    if (!code)
        return false;
    *number = code == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL
                  ? sqlite3_column_int64(statement, 0)
                  : fallback;
    sqlite3_reset(statement);
    return true;
}

void
store_database_roll_back(StoreDatabase *database)
{
    /* SQLite has already done so after some failures. */
    if (!sqlite3_get_autocommit(database->handle))
        sqlite3_exec(database->handle, "ROLLBACK", NULL, NULL, NULL);
}
