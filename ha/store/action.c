/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/store/action.h"

#include "ha/store/columns.h"
#include "ha/store/error.h"
#include "ha/store/text.h"

#include <string.h>

/* So many of those that use a thing are named. */
#define USERS_NAMED 3

bool
store_action_label(StoreDatabase *database, const StoreKind *kind, const char *thing, char **label, GError **error)
{
    g_autofree char *sql = g_strdup_printf("SELECT %s FROM %s WHERE id = ?1", kind->label, kind->table);

    return store_database_text(database, label, error, sql, "s", thing);
}

/* --- what must be true before --- */

static bool
check_reference(StoreApply *apply, const StoreField *field, GVariant *values, GError **error)
{
    g_autofree char *label = NULL;
    const char *id = NULL;

    if (!field->to || !g_variant_lookup(values, field->name, "&s", &id) || !*id)
        return true;
    if (!store_action_label(apply->database, field->to, id, &label, error))
        return false;
    return label ||
           store_refuse(error, STORE_ERROR_NOT_FOUND, "%s: there is no %s %s", field->name, field->to->name, id);
}

static bool
check_references(StoreApply *apply, const StoreField *fields, GVariant *values, GError **error)
{
    for (const StoreField *field = fields; field->name; field++) {
        if (!check_reference(apply, field, values, error))
            return false;
        g_autoptr(GVariant) list =
            field->fields ? g_variant_lookup_value(values, field->name, G_VARIANT_TYPE("aa{sv}")) : NULL;
        for (gsize i = 0; list && i < g_variant_n_children(list); i++) {
            g_autoptr(GVariant) record = g_variant_get_child_value(list, i);
            if (!check_references(apply, field->fields, record, error)) {
                if (store_error_is_refusal(*error))
                    g_prefix_error(error, "%s[%zu].", field->name, i);
                return false;
            }
        }
    }
    return true;
}

/* Names are told apart by their keys, so that no two look the same to somebody in a hurry. */
static bool
check_name(StoreApply *apply, const StoreField *field, const char *name, GError **error)
{
    const StoreKind *kind = apply->kind->kind;
    g_autofree char *key = store_text_key(name);
    g_autofree char *sql =
        g_strdup_printf("SELECT %s FROM %s WHERE %s_key = ?1 AND id <> ?2", field->name, kind->table, field->name);
    g_autofree char *taken = NULL;

    if (!store_database_text(apply->database, &taken, error, sql, "ss", key, apply->thing))
        return false;
    return !taken || store_refuse(error, STORE_ERROR_EXISTS, "%s: another %s is called “%s” already", field->name,
                                  kind->name, taken);
}

bool
store_action_check_names(StoreApply *apply, GError **error)
{
    for (const StoreField *field = apply->kind->fields; field->name; field++) {
        const char *name = field->flags & STORE_FIELD_KEYED ? store_apply_text(apply, field->name) : NULL;
        if (name && !check_name(apply, field, name, error))
            return false;
    }
    return true;
}

static bool
refuse_changed(StoreApply *apply, int64_t by, GError **error)
{
    g_autofree char *who = NULL;

    if (!store_database_text(apply->database, &who, error, "SELECT actor_name FROM audit WHERE sequence = ?1", "i", by))
        return false;
    return store_refuse(error, STORE_ERROR_CHANGED, "%s has changed the %s “%s” in the meantime: look at it again",
                        who ? who : "somebody", apply->kind->kind->name, apply->thing_name);
}

/* Refused if the thing was edited after the revision that the actor saw, or never had that revision. */
static bool
check_seen(StoreApply *apply, GError **error)
{
    g_autofree char *sql =
        g_strdup_printf("SELECT CASE WHEN edited > ?2 THEN edited WHEN revision < ?2 THEN revision END "
                        "FROM %s WHERE id = ?1",
                        apply->kind->kind->table);
    int64_t seen = apply->command->seen, by;

    if (!seen)
        return true;
    if (!store_database_number(apply->database, &by, 0, error, sql, "si", apply->thing, seen))
        return false;
    return !by || refuse_changed(apply, by, error);
}

static bool
check_present(StoreApply *apply, GError **error)
{
    const char *kind = apply->kind->kind->name;

    if (!apply->thing_name)
        return store_refuse(error, STORE_ERROR_NOT_FOUND, "%s: there is no %s %s", kind, kind, apply->thing);
    return check_seen(apply, error);
}

/* “a”, “b”, “c” and others: those of one kind that use the thing; NULL: none. */
static bool
name_users(StoreApply *apply, const StoreUse *use, char **names, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    sqlite3_stmt *rows = store_database_prepare(apply->database, error, use->sql, "s", apply->thing);
    unsigned n = 0;
    int code;

    if (!rows)
        return false;
    while ((code = store_database_step(apply->database, rows, error)) == SQLITE_ROW)
        if (n++ < USERS_NAMED)
            g_string_append_printf(text, "%s“%s”", n > 1 ? ", " : "", (const char *)sqlite3_column_text(rows, 0));
    if (n > USERS_NAMED)
        g_string_append_printf(text, " and %u more", n - USERS_NAMED);
    *names = n ? g_strdup(text->str) : NULL;
    return code == SQLITE_DONE;
}

static bool
check_unused(StoreApply *apply, GError **error)
{
    const StoreKind *kind = apply->kind->kind;

    for (const StoreUse *use = kind->uses; use && use->by; use++) {
        g_autofree char *names = NULL;
        if (!name_users(apply, use, &names, error))
            return false;
        if (names)
            return store_refuse(error, STORE_ERROR_IN_USE, "the %s “%s” is in use by %s %s", kind->name,
                                apply->thing_name, use->by, names);
    }
    return true;
}

/* --- parts --- */

/* A list of records replaces what the thing had. */
static bool
replace_part(StoreApply *apply, const StoreField *field, GVariant *list, GError **error)
{
    const char *owner = apply->kind->kind->name;
    g_autofree char *sql = g_strdup_printf("DELETE FROM %s WHERE %s = ?1", field->table, owner);

    if (!store_database_run(apply->database, error, sql, "s", apply->thing))
        return false;
    for (gsize i = 0; i < g_variant_n_children(list); i++) {
        g_autoptr(GVariant) record = g_variant_get_child_value(list, i);
        g_autoptr(StoreColumns) columns = store_columns_new();
        store_columns_add(columns, owner, g_variant_new_string(apply->thing));
        store_columns_add(columns, "place", g_variant_new_int64(i));
        store_columns_add_given(columns, field->fields, record, NULL);
        if (!store_columns_insert(apply->database, field->table, columns, error)) {
            if (store_error_is_refusal(*error))
                g_prefix_error(error, "%s[%zu]: ", field->name, i);
            return false;
        }
    }
    return true;
}

static bool
replace_parts(StoreApply *apply, GError **error)
{
    for (const StoreField *field = apply->kind->fields; field->name; field++) {
        g_autoptr(GVariant) list =
            field->fields ? g_variant_lookup_value(apply->command->fields, field->name, G_VARIANT_TYPE("aa{sv}"))
                          : NULL;
        if (list && !replace_part(apply, field, list, error))
            return false;
    }
    return true;
}

/* --- the actions --- */

static bool
make(StoreApply *apply, GError **error)
{
    const StoreKind *kind = apply->kind->kind;
    g_autoptr(StoreColumns) columns = store_columns_new();

    if (apply->thing_name)
        return store_refuse(error, STORE_ERROR_EXISTS, "%s: the %s “%s” has this id already", kind->name, kind->name,
                            apply->thing_name);
    if (!store_action_check_names(apply, error))
        return false;
    store_columns_add(columns, "id", g_variant_new_string(apply->thing));
    store_columns_add_given(columns, apply->kind->fields, apply->command->fields, kind->name);
    store_columns_add(columns, "created", g_variant_new_int64(apply->command->time));
    store_columns_add(columns, "revision", g_variant_new_int64(apply->sequence));
    store_columns_add(columns, "edited", g_variant_new_int64(apply->sequence));
    return store_columns_insert(apply->database, kind->table, columns, error) && replace_parts(apply, error) &&
           store_action_label(apply->database, kind, apply->thing, &apply->thing_name, error) &&
           store_apply_changed(apply, kind, apply->thing, STORE_CHANGE_MADE, error);
}

static bool
change(StoreApply *apply, GError **error)
{
    const StoreKind *kind = apply->kind->kind;
    g_autoptr(StoreColumns) columns = store_columns_new();

    if (!check_present(apply, error) || !store_action_check_names(apply, error))
        return false;
    store_columns_add_given(columns, apply->kind->fields, apply->command->fields, kind->name);
    store_columns_add(columns, "revision", g_variant_new_int64(apply->sequence));
    if (!apply->kind->aside)
        store_columns_add(columns, "edited", g_variant_new_int64(apply->sequence));
    store_columns_add(columns, "id", g_variant_new_string(apply->thing));
    return store_columns_update(apply->database, kind->table, columns, error) && replace_parts(apply, error) &&
           store_apply_changed(apply, kind, apply->thing, STORE_CHANGE_CHANGED, error);
}

static bool
take_away(StoreApply *apply, GError **error)
{
    const StoreKind *kind = apply->kind->kind;
    g_autofree char *sql = g_strdup_printf("DELETE FROM %s WHERE id = ?1", kind->table);

    return check_present(apply, error) && check_unused(apply, error) &&
           store_database_run(apply->database, error, sql, "s", apply->thing) &&
           store_apply_changed(apply, kind, apply->thing, STORE_CHANGE_REMOVED, error);
}

bool
store_action_run(StoreApply *apply, GError **error)
{
    if (!check_references(apply, apply->kind->fields, apply->command->fields, error))
        return false;
    switch (apply->kind->action) {
    case STORE_MAKES:
        return make(apply, error);
    case STORE_CHANGES:
        return change(apply, error);
    case STORE_REMOVES:
        return take_away(apply, error);
    case STORE_OTHER:
        return true;
    }
    g_assert_not_reached();
}
