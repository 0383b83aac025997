/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the store, in any process, beside the one that keeps it. A reader never waits for a command, nor a command
 * for a reader.
 *
 * A thing is given as a{sv}: "id", "created", "revision", the columns of its kind that are not NULL and what else its kind
 * tells (kind.h), and where it is asked for alone, its parts as aa{sv}.
 *
 * Owner: one thread each.
 */
#pragma once

#include "ha/store/store.h"

typedef struct StoreReader StoreReader;

/* The most one page holds. */
#define STORE_PAGE_MAX 1000

StoreReader *store_reader_open(const char *path, GError **error);
/* Through the store's own connection, on its owner's thread, while it is there. */
StoreReader *store_reader_of(Store *store);
void store_reader_free(StoreReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StoreReader, store_reader_free)

/* Between these, all that is read is of one moment. Short, since what it sees is kept. */
bool store_reader_begin(StoreReader *reader, GError **error);
void store_reader_end(StoreReader *reader);

bool store_reader_sequence(StoreReader *reader, int64_t *sequence, GError **error);

/* One thing, by its id or by what people call it (as they write it); *thing is NULL where there is none. */
bool store_reader_get(StoreReader *reader, const StoreKind *kind, const char *id, GVariant **thing, GError **error);
bool store_reader_find(StoreReader *reader, const StoreKind *kind, const char *name, GVariant **thing, GError **error);
/* The same with its secrets, for whoever checks a password. */
bool store_reader_get_secret(StoreReader *reader, const StoreKind *kind, const char *id, GVariant **thing,
                             GError **error);
bool store_reader_find_secret(StoreReader *reader, const StoreKind *kind, const char *name, GVariant **thing,
                              GError **error);

typedef struct {
    const StoreKind *kind;
    const char *filter;     /* one of the kind's filters; NULL: all there are */
    const char *value;      /* which it must be equal to; NULL: those that have none */
    const char *after;      /* the .next of the page before; NULL: the first */
    unsigned limit;         /* 1 to STORE_PAGE_MAX */
    const char *search;     /* what their names must hold (search.h); NULL: anything */
    const char *const *ids; /* only of these, at most STORE_PAGE_MAX; NULL: of all */
} StoreQuery;

typedef struct {
    GPtrArray *rows; /* GVariant *, in order of the kind's .order */
    char *next;      /* opaque text to go on with; NULL: that was all */
} StorePage;

void store_page_clear(StorePage *page);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(StorePage, store_page_clear)

bool store_reader_list(StoreReader *reader, const StoreQuery *query, StorePage *page, GError **error);
/* How many there are on all pages. */
bool store_reader_count(StoreReader *reader, const StoreQuery *query, int64_t *count, GError **error);

/* What is the user's to use (ownership.h), in order of names: things of the kind desktop, and pool. All of it; not pages. */
GPtrArray *store_reader_desktops_of(StoreReader *reader, const char *user, GError **error);
GPtrArray *store_reader_pools_of(StoreReader *reader, const char *user, GError **error);
/* Whether a desktop is: before each connection. */
bool store_reader_may_use(StoreReader *reader, const char *user, const char *desktop, bool *yes, GError **error);

/*
 * What changed after @since, the oldest first: StoreChange *. TOO_OLD: nobody knows any more, or that moment is of
 * another history; everything is to be read anew.
 */
GPtrArray *store_reader_changes(StoreReader *reader, int64_t since, GError **error);

typedef struct {
    const char *column; /* "actor", "thing" or "command", which is to be .value; NULL: all lines */
    const char *value;
    int64_t before; /* sequence numbers below this; 0: the newest */
    unsigned limit; /* 1 to STORE_PAGE_MAX */
} StoreAuditQuery;

/* The newest first: GVariant * a{sv} with the columns of the table audit. */
GPtrArray *store_reader_audit(StoreReader *reader, const StoreAuditQuery *query, GError **error);
