/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users of a directory, as they sign in: made known the first time, then kept as the directory has them. It knows them by an
 * id that stays when they are renamed. An administrator may have made one known before, by name; that is then the one.
 *
 * The directory says which groups of its own making they are in; memberships that an administrator gave stay. It may also
 * take the last administrator's role: who rules the directory rules that.
 */
#include "ha/store/things/people.h"

#include "ha/store/action.h"
#include "ha/store/error.h"
#include "ha/store/text.h"

#include <string.h>

static const StoreField group_fields[] = {
    {"group", "one they are in", STORE_FIELD_UUID, STORE_FIELD_REQUIRED, .to = &store_kind_group},
    {NULL},
};
static const StoreField arrive_fields[] = {
    {"user", "the id they get if they are new", STORE_FIELD_UUID, STORE_FIELD_REQUIRED},
    {"source", "the directory", STORE_FIELD_TOKEN, STORE_FIELD_REQUIRED, 1, 64},
    {"directory_id", "what it knows them by", STORE_FIELD_LINE, STORE_FIELD_REQUIRED, 1, 256},
    STORE_USER_NAME(STORE_FIELD_REQUIRED),
    STORE_USER_FULL_NAME,
    STORE_USER_ROLE(STORE_FIELD_REQUIRED),
    {"groups", "all that the directory says they are in", STORE_FIELD_RECORDS, STORE_FIELD_REQUIRED, .max = 256,
     .fields = group_fields, .table = "memberships"},
    {NULL},
};

/* Who it is, which may be nobody yet: the directory's id, or a name that an administrator has put down for it. */
static const char find_user[] = "SELECT id FROM users WHERE source = ?1 AND (directory_id = ?2 OR "
                                "(directory_id IS NULL AND name_key = ?3)) ORDER BY directory_id IS NULL LIMIT 1";

/* From here on the command is about whoever it is; the answer says so. */
static bool
recognize(StoreApply *apply, GError **error)
{
    const char *source = store_apply_text(apply, "source");
    g_autofree char *key = store_text_key(store_apply_text(apply, "name"));

    if (!strcmp(source, "local"))
        return store_refuse(error, STORE_ERROR_RULE, "source: that is no directory");
    if (!store_database_text(apply->database, &apply->result, error, find_user, "sss", source,
                             store_apply_text(apply, "directory_id"), key))
        return false;
    if (!apply->result && apply->thing_name)
        return store_refuse(error, STORE_ERROR_EXISTS, "user: the user “%s” has this id already", apply->thing_name);
    if (!apply->result)
        apply->result = g_strdup(apply->thing);
    g_free(apply->thing);
    apply->thing = g_strdup(apply->result);
    return store_action_check_names(apply, error);
}

/* Writes the user down, if that is not what is there already; a revision is for what people see change. */
static bool
write_user(StoreApply *apply, GError **error)
{
    static const char sql[] =
        "INSERT INTO users (id, source, directory_id, name, name_key, full_name, role, created, revision, edited) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9) ON CONFLICT (id) DO UPDATE SET "
        "directory_id = ?3, name = ?4, name_key = ?5, full_name = ?6, role = ?7, revision = ?9, edited = ?9 "
        "WHERE (directory_id, name, full_name, role) IS NOT (?3, ?4, ?6, ?7)";
    const char *name = store_apply_text(apply, "name");
    g_autofree char *key = store_text_key(name);
    g_autofree char *before = NULL;
    int64_t revision;

    if (!store_action_label(apply->database, &store_kind_user, apply->thing, &before, error) ||
        !store_database_run(apply->database, error, sql, "sssssssii", apply->thing, store_apply_text(apply, "source"),
                            store_apply_text(apply, "directory_id"), name, key, store_apply_text(apply, "full_name"),
                            store_apply_text(apply, "role"), apply->command->time, apply->sequence) ||
        !store_database_number(apply->database, &revision, 0, error, "SELECT revision FROM users WHERE id = ?1", "s",
                               apply->thing))
        return false;
    g_free(apply->thing_name);
    apply->thing_name = g_strdup(name);
    return revision != apply->sequence || store_apply_changed(apply, &store_kind_user, apply->thing,
                                                              before ? STORE_CHANGE_CHANGED : STORE_CHANGE_MADE, error);
}

static bool
is_given(GVariant *groups, const char *id)
{
    for (gsize i = 0; i < g_variant_n_children(groups); i++) {
        g_autoptr(GVariant) group = g_variant_get_child_value(groups, i);
        const char *given;
        if (g_variant_lookup(group, "group", "&s", &given) && !strcmp(given, id))
            return true;
    }
    return false;
}

static bool
leave(StoreApply *apply, const char *group, GError **error)
{
    return store_database_run(apply->database, error, "DELETE FROM memberships WHERE \"group\" = ?1 AND user = ?2",
                              "ss", group, apply->thing) &&
           store_apply_changed(apply, &store_kind_group, group, STORE_CHANGE_CHANGED, error);
}

/* What the directory said before and says no more. */
static bool
leave_others(StoreApply *apply, GVariant *groups, GError **error)
{
    static const char sql[] = "SELECT \"group\" FROM memberships WHERE user = ?1 AND source = ?2 ORDER BY \"group\"";
    g_autoptr(GPtrArray) others = g_ptr_array_new_with_free_func(g_free);
    sqlite3_stmt *rows =
        store_database_prepare(apply->database, error, sql, "ss", apply->thing, store_apply_text(apply, "source"));
    int code;

    if (!rows)
        return false;
    while ((code = store_database_step(apply->database, rows, error)) == SQLITE_ROW)
        if (!is_given(groups, (const char *)sqlite3_column_text(rows, 0)))
            g_ptr_array_add(others, g_strdup((const char *)sqlite3_column_text(rows, 0)));
    if (code != SQLITE_DONE)
        return false;
    for (guint i = 0; i < others->len; i++)
        if (!leave(apply, others->pdata[i], error))
            return false;
    return true;
}

static bool
join(StoreApply *apply, const char *group, GError **error)
{
    int64_t in;

    if (!store_database_number(apply->database, &in, 0, error,
                               "SELECT 1 FROM memberships WHERE \"group\" = ?1 AND user = ?2", "ss", group,
                               apply->thing))
        return false;
    return in || (store_database_run(apply->database, error,
                                     "INSERT INTO memberships (\"group\", user, source) VALUES (?1, ?2, ?3)", "sss",
                                     group, apply->thing, store_apply_text(apply, "source")) &&
                  store_apply_changed(apply, &store_kind_group, group, STORE_CHANGE_CHANGED, error));
}

static bool
arrive(StoreApply *apply, GError **error)
{
    g_autoptr(GVariant) groups = g_variant_lookup_value(apply->command->fields, "groups", G_VARIANT_TYPE("aa{sv}"));

    if (!write_user(apply, error) || !leave_others(apply, groups, error))
        return false;
    for (gsize i = 0; i < g_variant_n_children(groups); i++) {
        g_autoptr(GVariant) record = g_variant_get_child_value(groups, i);
        const char *group;
        g_variant_lookup(record, "group", "&s", &group);
        if (!join(apply, group, error))
            return false;
    }
    return true;
}

/* clang-format off */
const StoreCommandKind store_arrival_commands[] = {
    {"user.arrive", "makes a directory's user known, or brings what is known up to date; the answer says who it is",
     &store_kind_user, STORE_OTHER, STORE_ROLE_DAEMON, .fields = arrive_fields, .check = recognize, .apply = arrive},
    {NULL},
};
