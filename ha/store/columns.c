/* SPDX-License-Identifier: Apache-2.0 */
/* Statements are made of names from the tables of fields and kinds alone; what a command holds is only ever bound to them. */
#include "ha/store/columns.h"

#include "ha/store/text.h"

#include <string.h>

struct StoreColumns {
    GPtrArray *names;  /* char *, quoted */
    GPtrArray *values; /* GVariant *, NULL for NULL */
};

void
store_columns_free(StoreColumns *columns)
{
    if (!columns)
        return;
    g_ptr_array_unref(columns->names);
    g_ptr_array_unref(columns->values);
    g_free(columns);
}

static void
unref_value(gpointer value)
{
    if (value)
        g_variant_unref(value);
}

StoreColumns *
store_columns_new(void)
{
    StoreColumns *columns = g_new(StoreColumns, 1);

    columns->names = g_ptr_array_new_with_free_func(g_free);
    columns->values = g_ptr_array_new_with_free_func(unref_value);
    return columns;
}

void
store_columns_add(StoreColumns *columns, const char *name, GVariant *value)
{
    g_ptr_array_add(columns->names, g_strdup_printf("\"%s\"", name));
    g_ptr_array_add(columns->values, value ? g_variant_ref_sink(value) : NULL);
}

static void
add_key(StoreColumns *columns, const StoreField *field, GVariant *name)
{
    g_autofree char *column = g_strdup_printf("%s_key", field->name);

    store_columns_add(columns, column, g_variant_new_take_string(store_text_key(g_variant_get_string(name, NULL))));
}

void
store_columns_add_given(StoreColumns *columns, const StoreField *fields, GVariant *values, const char *own)
{
    for (const StoreField *field = fields; field->name; field++) {
        if (field->flags & STORE_FIELD_LOOSE || field->fields || (own && !strcmp(field->name, own)))
            continue;
        g_autoptr(GVariant) value = g_variant_lookup_value(values, field->name, NULL);
        if (!value)
            continue;
        store_columns_add(columns, field->name, value);
        if (field->flags & STORE_FIELD_KEYED)
            add_key(columns, field, value);
    }
}

static void
bind_variant(sqlite3_stmt *statement, int i, GVariant *value)
{
    if (!value)
        sqlite3_bind_null(statement, i);
    else if (g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN))
        sqlite3_bind_int64(statement, i, g_variant_get_boolean(value));
    else if (g_variant_is_of_type(value, G_VARIANT_TYPE_INT64))
        sqlite3_bind_int64(statement, i, g_variant_get_int64(value));
    else if (*g_variant_get_string(value, NULL))
        sqlite3_bind_text(statement, i, g_variant_get_string(value, NULL), -1, SQLITE_TRANSIENT);
    else
        sqlite3_bind_null(statement, i);
}

static bool
run_with_columns(StoreDatabase *database, const char *sql, const StoreColumns *columns, GError **error)
{
    sqlite3_stmt *statement = store_database_prepare(database, error, sql, "");

    if (!statement)
        return false;
    for (guint i = 0; i < columns->values->len; i++)
        bind_variant(statement, i + 1, columns->values->pdata[i]);
    return store_database_step(database, statement, error) == SQLITE_DONE;
}

bool
store_columns_insert(StoreDatabase *database, const char *table, const StoreColumns *columns, GError **error)
{
    g_autoptr(GString) sql = g_string_new(NULL);

    g_string_append_printf(sql, "INSERT INTO %s (", table);
    for (guint i = 0; i < columns->names->len; i++)
        g_string_append_printf(sql, "%s%s", i ? ", " : "", (char *)columns->names->pdata[i]);
    g_string_append(sql, ") VALUES (");
    for (guint i = 0; i < columns->names->len; i++)
        g_string_append_printf(sql, "%s?%u", i ? ", " : "", i + 1);
    g_string_append_c(sql, ')');
    return run_with_columns(database, sql->str, columns, error);
}

bool
store_columns_update(StoreDatabase *database, const char *table, const StoreColumns *columns, GError **error)
{
    g_autoptr(GString) sql = g_string_new(NULL);
    guint last = columns->names->len - 1;

    g_string_append_printf(sql, "UPDATE %s SET ", table);
    for (guint i = 0; i < last; i++)
        g_string_append_printf(sql, "%s%s = ?%u", i ? ", " : "", (char *)columns->names->pdata[i], i + 1);
    g_string_append_printf(sql, " WHERE %s = ?%u", (char *)columns->names->pdata[last], last + 1);
    return run_with_columns(database, sql->str, columns, error);
}
