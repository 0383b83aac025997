/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statements are made from the tables of kinds; nothing of what a caller asks for becomes part of one but names found
 * there.
 */
#include "ha/store/reader.h"

#include "ha/store/error.h"
#include "ha/store/ownership.h"
#include "ha/store/record.h"
#include "ha/store/search.h"
#include "ha/store/text.h"

#include <string.h>

struct StoreReader {
    StoreDatabase *database;
    bool own;
};

StoreReader *
store_reader_open(const char *path, GError **error)
{
    g_autoptr(StoreDatabase) database = store_database_open(path, STORE_DATABASE_READ, error);
    int64_t sequence;

    /* The first statement finds what is wrong with the file. */
    if (!database || !store_database_number(database, &sequence, 0, error, "SELECT sequence FROM progress", ""))
        return NULL;
    StoreReader *reader = g_new(StoreReader, 1);
    *reader = (StoreReader){.database = g_steal_pointer(&database), .own = true};
    return reader;
}

StoreReader *
store_reader_of(Store *store)
{
    StoreReader *reader = g_new(StoreReader, 1);

    *reader = (StoreReader){.database = store_get_database(store)};
    return reader;
}

void
store_reader_free(StoreReader *reader)
{
    if (!reader)
        return;
    if (reader->own)
        store_database_free(reader->database);
    g_free(reader);
}

bool
store_reader_begin(StoreReader *reader, GError **error)
{
    int64_t sequence;

    /* The moment is that of the first look. */
    return store_database_run(reader->database, error, "BEGIN", "") && store_reader_sequence(reader, &sequence, error);
}

void
store_reader_end(StoreReader *reader)
{
    store_database_roll_back(reader->database);
}

bool
store_reader_sequence(StoreReader *reader, int64_t *sequence, GError **error)
{
    return store_database_number(reader->database, sequence, 0, error, "SELECT sequence FROM progress", "");
}

/* --- rows --- */

static void
select_columns(GString *sql, const StoreColumn *columns, bool secrets)
{
    for (const StoreColumn *column = columns; column->name; column++)
        if (secrets || column->type != STORE_COLUMN_SECRET)
            g_string_append_printf(sql, ", \"%s\"", column->name);
}

static GVariant *
value_of(sqlite3_stmt *row, int i, StoreColumnType type)
{
    switch (type) {
    case STORE_COLUMN_NUMBER:
        return g_variant_new_int64(sqlite3_column_int64(row, i));
    case STORE_COLUMN_BOOL:
        return g_variant_new_boolean(sqlite3_column_int(row, i));
    default:
        return g_variant_new_string((const char *)sqlite3_column_text(row, i));
    }
}

/* The columns from the row's @i-th on, as select_columns() has them. */
static void
add_columns(GVariantBuilder *thing, sqlite3_stmt *row, int i, const StoreColumn *columns, bool secrets)
{
    for (const StoreColumn *column = columns; column->name; column++) {
        if (!secrets && column->type == STORE_COLUMN_SECRET)
            continue;
        if (sqlite3_column_type(row, i) != SQLITE_NULL)
            g_variant_builder_add(thing, "{sv}", column->name, value_of(row, i, column->type));
        i++;
    }
}

/* What every kind has, then the kind's own columns, then what lists are sorted by. */
#define OWN_COLUMNS 3

static GString *
select_things(const StoreKind *kind, bool secrets)
{
    GString *sql = g_string_new("SELECT id, created, revision");

    select_columns(sql, kind->columns, secrets);
    g_string_append_printf(sql, ", %s FROM %s", kind->order, kind->table);
    return sql;
}

static void
add_thing(GVariantBuilder *thing, sqlite3_stmt *row, const StoreKind *kind, bool secrets)
{
    g_variant_builder_add(thing, "{sv}", "id", value_of(row, 0, STORE_COLUMN_TEXT));
    g_variant_builder_add(thing, "{sv}", "created", value_of(row, 1, STORE_COLUMN_NUMBER));
    g_variant_builder_add(thing, "{sv}", "revision", value_of(row, 2, STORE_COLUMN_NUMBER));
    add_columns(thing, row, OWN_COLUMNS, kind->columns, secrets);
    if (kind->tell)
        kind->tell((const char *)sqlite3_column_text(row, 0), thing);
}

/* --- one thing --- */

static GString *
select_part(const StorePart *part, const StoreKind *kind, bool secrets)
{
    GString *sql = g_string_new("SELECT 0");

    select_columns(sql, part->columns, secrets);
    g_string_append_printf(sql, " FROM %s WHERE \"%s\" = ?1 ORDER BY %s", part->table, kind->name, part->order);
    return sql;
}

static bool
add_part(StoreReader *reader, GVariantBuilder *thing, const StorePart *part, const StoreKind *kind, const char *id,
         bool secrets, GError **error)
{
    g_autoptr(GString) sql = select_part(part, kind, secrets);
    sqlite3_stmt *rows = store_database_prepare(reader->database, error, sql->str, "s", id);
    g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
    int code;

    if (!rows)
        return false;
    while ((code = store_database_step(reader->database, rows, error)) == SQLITE_ROW) {
        g_auto(GVariantBuilder) record = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
        add_columns(&record, rows, 1, part->columns, secrets);
        g_variant_builder_add_value(&list, g_variant_builder_end(&record));
    }
    g_variant_builder_add(thing, "{sv}", part->name, g_variant_builder_end(&list));
    return code == SQLITE_DONE;
}

/* The thing whose @column is @value, and its parts. */
static bool
read_one(StoreReader *reader, const StoreKind *kind, const char *column, const char *value, bool secrets,
         GVariant **thing, GError **error)
{
    g_autoptr(GString) sql = select_things(kind, secrets);
    g_string_append_printf(sql, " WHERE %s = ?1", column);
    sqlite3_stmt *row = store_database_prepare(reader->database, error, sql->str, "s", value);
    int code = row ? store_database_step(reader->database, row, error) : 0;
    g_auto(GVariantBuilder) found = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);

    if (code != SQLITE_ROW) {
        if (code)
            *thing = NULL;
        return code;
    }
    add_thing(&found, row, kind, secrets);
    g_autofree char *id = g_strdup((const char *)sqlite3_column_text(row, 0));
    bool ok = true;
    for (const StorePart *part = kind->parts; ok && part && part->name; part++)
        ok = add_part(reader, &found, part, kind, id, secrets, error);
    sqlite3_reset(row); /* until now it has kept thing and parts of one moment */
    if (ok)
        *thing = g_variant_ref_sink(g_variant_builder_end(&found));
    return ok;
}

bool
store_reader_get(StoreReader *reader, const StoreKind *kind, const char *id, GVariant **thing, GError **error)
{
    return read_one(reader, kind, "id", id, false, thing, error);
}

bool
store_reader_get_secret(StoreReader *reader, const StoreKind *kind, const char *id, GVariant **thing, GError **error)
{
    return read_one(reader, kind, "id", id, true, thing, error);
}

static bool
find(StoreReader *reader, const StoreKind *kind, const char *name, bool secrets, GVariant **thing, GError **error)
{
    g_autofree char *key = NULL;

    if (strcmp(kind->order, "id"))
        key = g_utf8_validate(name, -1, NULL) ? store_text_key(name) : g_strdup("");
    return read_one(reader, kind, kind->order, key ? key : name, secrets, thing, error);
}

bool
store_reader_find(StoreReader *reader, const StoreKind *kind, const char *name, GVariant **thing, GError **error)
{
    return find(reader, kind, name, false, thing, error);
}

bool
store_reader_find_secret(StoreReader *reader, const StoreKind *kind, const char *name, GVariant **thing, GError **error)
{
    return find(reader, kind, name, true, thing, error);
}

/* --- lists --- */

void
store_page_clear(StorePage *page)
{
    g_clear_pointer(&page->rows, g_ptr_array_unref);
    g_clear_pointer(&page->next, g_free);
}

/* Where the page before ended: its last row's order and id, with a line's end between, which no name holds. NULL: an error. */
static char *
read_cursor(const char *after, GError **error)
{
    const char *end = strchr(after, '\n');

    if (end && g_utf8_validate(after, -1, NULL))
        return g_strndup(after, end - after);
    g_set_error_literal(error, STORE_ERROR, STORE_ERROR_FIELD, "after: that is where no page ended");
    return NULL;
}

static bool
check_query(const StoreQuery *query, GError **error)
{
    if (query->limit < 1 || query->limit > STORE_PAGE_MAX)
        return store_refuse(error, STORE_ERROR_FIELD, "limit: it goes from 1 to %d", STORE_PAGE_MAX);
    if (query->filter && !(query->kind->filters && g_strv_contains(query->kind->filters, query->filter)))
        return store_refuse(error, STORE_ERROR_FIELD, "filter: a list of %s cannot be narrowed by that",
                            query->kind->table);
    if (query->ids && g_strv_length((char **)query->ids) > STORE_PAGE_MAX)
        return store_refuse(error, STORE_ERROR_FIELD, "ids: there can be %d of them", STORE_PAGE_MAX);
    return true;
}

/* Parameters of statements for lists. */
enum {
    VALUE = 1, /* the filter's */
    SEARCH,    /* the key of a search */
    AFTER,     /* where the page before ended */
    LIMIT,
    IDS, /* as JSON */
};

/* As an array of JSON; what can be no id is left out, since there is nothing of it. NULL: there are none to write. */
static char *
ids_as_json(const StoreQuery *query)
{
    g_autoptr(GString) json = g_string_new("[");

    for (const char *const *id = query->ids; id && *id; id++) {
        g_autofree char *odd = store_text_check_token(*id, 1, 64);
        if (!odd)
            g_string_append_printf(json, "%s\"%s\"", json->len > 1 ? "," : "", *id);
    }
    g_string_append_c(json, ']');
    return query->ids ? g_string_free_and_steal(g_steal_pointer(&json)) : NULL;
}

/* Which of a kind's there are on all pages. @word goes before the next condition. */
static void
narrow(GString *sql, const StoreQuery *query, const char *key, const char **word)
{
    if (query->filter) {
        g_string_append_printf(sql, "%s\"%s\" IS ?%d", *word, query->filter, VALUE);
        *word = " AND ";
    }
    if (key) {
        g_string_append(sql, *word);
        store_search_condition(sql, query->kind, SEARCH);
        *word = " AND ";
    }
    if (query->ids) {
        g_string_append_printf(sql, "%sid IN (SELECT value FROM json_each(?%d))", *word, IDS);
        *word = " AND ";
    }
}

/* The end of a statement: which of them are on the page. */
static void
narrow_to_page(GString *sql, const StoreQuery *query, const char *key)
{
    const char *order = query->kind->order, *word = " WHERE ";

    narrow(sql, query, key, &word);
    if (query->after)
        g_string_append_printf(sql, "%s%s > ?%d", word, order, AFTER);
    g_string_append_printf(sql, " ORDER BY %s LIMIT ?%d", order, LIMIT);
}

static GString *
select_page(const StoreQuery *query, const char *key)
{
    const char *order = query->kind->order;
    GString *sql = select_things(query->kind, false);

    if (!key) {
        narrow_to_page(sql, query, key);
        return sql;
    }
    /* All names are looked at in their index alone; only what is shown is fetched from the table. */
    g_string_append_printf(sql, " WHERE %s IN (SELECT %s FROM %s", order, order, query->kind->table);
    narrow_to_page(sql, query, key);
    g_string_append_printf(sql, ") ORDER BY %s", order);
    return sql;
}

static char *
cursor_at(sqlite3_stmt *row)
{
    return g_strdup_printf("%s\n%s", (const char *)sqlite3_column_text(row, sqlite3_column_count(row) - 1),
                           (const char *)sqlite3_column_text(row, 0));
}

static void
unref_variant(gpointer variant)
{
    g_variant_unref(variant);
}

/* Up to the limit; one row more is asked for, to know whether there is one. */
static bool
read_rows(StoreReader *reader, const StoreQuery *query, sqlite3_stmt *rows, StorePage *page, GError **error)
{
    g_autofree char *last = NULL;
    int code;

    while ((code = store_database_step(reader->database, rows, error)) == SQLITE_ROW) {
        if (page->rows->len == query->limit) {
            page->next = g_steal_pointer(&last);
            sqlite3_reset(rows);
            return true;
        }
        g_auto(GVariantBuilder) thing = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
        add_thing(&thing, rows, query->kind, false);
        g_ptr_array_add(page->rows, g_variant_ref_sink(g_variant_builder_end(&thing)));
        if (page->rows->len == query->limit)
            last = cursor_at(rows);
    }
    return code == SQLITE_DONE;
}

bool
store_reader_list(StoreReader *reader, const StoreQuery *query, StorePage *page, GError **error)
{
    g_autofree char *after = NULL, *key = NULL, *ids = ids_as_json(query);
    g_auto(StorePage) read = {0};

    if (!check_query(query, error) || !store_search_read(query->kind, query->search, &key, error) ||
        (query->after && !(after = read_cursor(query->after, error))))
        return false;
    g_autoptr(GString) sql = select_page(query, key);
    sqlite3_stmt *rows = store_database_prepare(reader->database, error, sql->str, "sssis", query->value, key, after,
                                                (int64_t)query->limit + 1, ids);
    read.rows = g_ptr_array_new_with_free_func(unref_variant);
    if (!rows || !read_rows(reader, query, rows, &read, error))
        return false;
    *page = read;
    read = (StorePage){0};
    return true;
}

bool
store_reader_count(StoreReader *reader, const StoreQuery *query, int64_t *count, GError **error)
{
    g_autoptr(GString) sql = g_string_new("SELECT count(*) FROM ");
    g_autofree char *key = NULL, *ids = ids_as_json(query);
    const char *word = " WHERE ";

    if (!check_query(query, error) || !store_search_read(query->kind, query->search, &key, error))
        return false;
    g_string_append(sql, query->kind->table);
    narrow(sql, query, key, &word);
    return store_database_number(reader->database, count, 0, error, sql->str, "sssis", query->value, key, NULL,
                                 (int64_t)0, ids);
}

/* --- whose --- */

static GPtrArray *
list_owned(StoreReader *reader, const StoreKind *kind, const char *owned, const char *user, GError **error)
{
    g_autoptr(GString) sql = select_things(kind, false);
    g_autoptr(GPtrArray) things = g_ptr_array_new_with_free_func(unref_variant);
    int code;

    g_string_append_printf(sql, "%s ORDER BY %s", owned, kind->order);
    sqlite3_stmt *rows = store_database_prepare(reader->database, error, sql->str, "s", user);
    if (!rows)
        return NULL;
    while ((code = store_database_step(reader->database, rows, error)) == SQLITE_ROW) {
        g_auto(GVariantBuilder) thing = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
        add_thing(&thing, rows, kind, false);
        g_ptr_array_add(things, g_variant_ref_sink(g_variant_builder_end(&thing)));
    }
    return code == SQLITE_DONE ? g_steal_pointer(&things) : NULL;
}

GPtrArray *
store_reader_desktops_of(StoreReader *reader, const char *user, GError **error)
{
    return list_owned(reader, store_catalog_find_kind("desktop"), store_ownership_desktops, user, error);
}

GPtrArray *
store_reader_pools_of(StoreReader *reader, const char *user, GError **error)
{
    return list_owned(reader, store_catalog_find_kind("pool"), store_ownership_pools, user, error);
}

bool
store_reader_may_use(StoreReader *reader, const char *user, const char *desktop, bool *yes, GError **error)
{
    return store_ownership_of_desktop(reader->database, user, desktop, yes, error);
}

/* --- what happened --- */

static StoreChangeType
change_type(const char *what)
{
    return !strcmp(what, "made")      ? STORE_CHANGE_MADE
           : !strcmp(what, "removed") ? STORE_CHANGE_REMOVED
                                      : STORE_CHANGE_CHANGED;
}

static StoreChange *
change_of(sqlite3_stmt *row)
{
    const StoreKind *kind = store_catalog_find_kind((const char *)sqlite3_column_text(row, 1));
    StoreChange *change = g_new(StoreChange, 1);

    *change = (StoreChange){
        .sequence = sqlite3_column_int64(row, 0),
        .kind = kind ? kind->name : "",
        .thing = g_strdup((const char *)sqlite3_column_text(row, 2)),
        .type = change_type((const char *)sqlite3_column_text(row, 3)),
    };
    return change;
}

static bool
check_since(StoreReader *reader, int64_t since, GError **error)
{
    int64_t sequence;

    if (!store_reader_sequence(reader, &sequence, error))
        return false;
    if (since <= sequence && since >= sequence - STORE_CHANGES_KEPT)
        return true;
    g_set_error_literal(error, STORE_ERROR, STORE_ERROR_TOO_OLD, "what has changed since then is not known here");
    return false;
}

GPtrArray *
store_reader_changes(StoreReader *reader, int64_t since, GError **error)
{
    static const char sql[] =
        "SELECT sequence, kind, thing, what FROM changes WHERE sequence > ?1 ORDER BY sequence, kind, thing";
    g_autoptr(GPtrArray) changes = g_ptr_array_new_with_free_func((GDestroyNotify)store_change_free);
    int code;

    /* Changes before the check of the bound: what is forgotten between the two is noticed. */
    sqlite3_stmt *rows = store_database_prepare(reader->database, error, sql, "i", since);
    if (!rows)
        return NULL;
    while ((code = store_database_step(reader->database, rows, error)) == SQLITE_ROW)
        g_ptr_array_add(changes, change_of(rows));
    return code == SQLITE_DONE && check_since(reader, since, error) ? g_steal_pointer(&changes) : NULL;
}

static const StoreColumn audit_columns[] = {
    {"sequence", STORE_COLUMN_NUMBER},
    {"time", STORE_COLUMN_NUMBER},
    {"actor", STORE_COLUMN_TEXT},
    {"actor_name", STORE_COLUMN_TEXT},
    {"origin", STORE_COLUMN_TEXT},
    {"command", STORE_COLUMN_TEXT},
    {"kind", STORE_COLUMN_TEXT},
    {"thing", STORE_COLUMN_TEXT},
    {"thing_name", STORE_COLUMN_TEXT},
    {"details", STORE_COLUMN_TEXT},
    {"code", STORE_COLUMN_NUMBER},
    {"message", STORE_COLUMN_TEXT},
    {NULL},
};

static bool
check_audit_query(const StoreAuditQuery *query, GError **error)
{
    static const char *const narrow[] = {"actor", "thing", "command", NULL};

    if (query->limit < 1 || query->limit > STORE_PAGE_MAX)
        return store_refuse(error, STORE_ERROR_FIELD, "limit: it goes from 1 to %d", STORE_PAGE_MAX);
    return !query->column || g_strv_contains(narrow, query->column) ||
           store_refuse(error, STORE_ERROR_FIELD, "filter: the audit trail cannot be narrowed by that");
}

GPtrArray *
store_reader_audit(StoreReader *reader, const StoreAuditQuery *query, GError **error)
{
    g_autoptr(GString) sql = g_string_new("SELECT 0");
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(unref_variant);
    int code;

    if (!check_audit_query(query, error))
        return NULL;
    select_columns(sql, audit_columns, false);
    g_string_append(sql, " FROM audit WHERE sequence < ?1");
    if (query->column)
        g_string_append_printf(sql, " AND %s = ?3", query->column);
    g_string_append(sql, " ORDER BY sequence DESC LIMIT ?2");
    sqlite3_stmt *rows =
        store_database_prepare(reader->database, error, sql->str, query->column ? "iis" : "ii",
                               query->before ? query->before : INT64_MAX, (int64_t)query->limit, query->value);
    if (!rows)
        return NULL;
    while ((code = store_database_step(reader->database, rows, error)) == SQLITE_ROW) {
        g_auto(GVariantBuilder) line = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
        add_columns(&line, rows, 1, audit_columns, false);
        g_ptr_array_add(lines, g_variant_ref_sink(g_variant_builder_end(&line)));
    }
    return code == SQLITE_DONE ? g_steal_pointer(&lines) : NULL;
}
