/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An SQLite connection as the store uses it: its settings, statements made once, errors told apart into refusals (a
 * constraint) and failures.
 *
 * Values for a statement's ?1, ?2, … follow a format: 's' const char * (NULL is NULL), 'i' int64_t, 'b' GBytes *.
 *
 * Owner: one thread. Any statement given out is good until the next call with the same text.
 */
#pragma once

#include <glib.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct StoreDatabase StoreDatabase;

typedef enum {
    STORE_DATABASE_READ,    /* a file that is there */
    STORE_DATABASE_INSPECT, /* the same, leaving no trace: nothing is checkpointed at its end */
    STORE_DATABASE_WRITE,   /* a file that is there; commits are on stable storage when they return */
    STORE_DATABASE_FINISH,  /* a file that is being made, which may be changed in ways that are forbidden otherwise */
    STORE_DATABASE_MEMORY,  /* none */
} StoreDatabaseMode;

StoreDatabase *store_database_open(const char *path, StoreDatabaseMode mode, GError **error);
void store_database_free(StoreDatabase *database);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StoreDatabase, store_database_free)

const char *store_database_path(const StoreDatabase *database);
sqlite3 *store_database_handle(StoreDatabase *database);

/*
 * A statement with its values, before its first row; store_database_step() is SQLITE_ROW, SQLITE_DONE or 0 with an
 * error.
 */
sqlite3_stmt *store_database_prepare(StoreDatabase *database, GError **error, const char *sql, const char *format, ...);
int store_database_step(StoreDatabase *database, sqlite3_stmt *statement, GError **error);

/* One statement, whose rows nobody wants. */
bool store_database_run(StoreDatabase *database, GError **error, const char *sql, const char *format, ...);
/* Several, without values. */
bool store_database_script(StoreDatabase *database, const char *sql, GError **error);

/* The first column of the first row: NULL text, or the fallback, where there is no row or it is NULL. */
bool store_database_text(StoreDatabase *database, char **text, GError **error, const char *sql, const char *format,
                         ...);
bool store_database_number(StoreDatabase *database, int64_t *number, int64_t fallback, GError **error, const char *sql,
                           const char *format, ...);

/* Ends a transaction without trace, whatever state it is in. */
void store_database_roll_back(StoreDatabase *database);

/* Sets an error from the last thing that went wrong. */
void store_database_error(StoreDatabase *database, int code, GError **error);
