/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of users, and who is in them. Memberships go with the user and with the group. */
#include "ha/store/things/things.h"

#include "ha/store/error.h"

static const StoreColumn columns[] = {
    {"name", STORE_COLUMN_TEXT},
    {"source", STORE_COLUMN_TEXT},
    {"description", STORE_COLUMN_TEXT},
    {NULL},
};
static const StoreColumn member_columns[] = {{"user", STORE_COLUMN_TEXT}, {"source", STORE_COLUMN_TEXT}, {NULL}};
static const StorePart parts[] = {{"members", "memberships", "user", member_columns}, {NULL}};
static const StoreUse uses[] = {
    {"the assignment of the desktops",
     "SELECT name FROM desktops WHERE id IN (SELECT desktop FROM assignments WHERE \"group\" = ?1) ORDER BY name_key"},
    {"the assignment of the pools",
     "SELECT name FROM pools WHERE id IN (SELECT pool FROM assignments WHERE \"group\" = ?1) ORDER BY name_key"},
    {NULL},
};
static const char *const filters[] = {"source", NULL};
const StoreKind store_kind_group = {"group", "groups", "name", "name_key", columns, parts, uses, filters};

static const StoreField create_fields[] = {
    STORE_NEW_ID("group"),
    STORE_THING_NAME(STORE_FIELD_REQUIRED),
    {"source", "local, or the directory that says who is in it", STORE_FIELD_TOKEN, 0, 1, 64},
    STORE_DESCRIPTION,
    {NULL},
};
static const StoreField change_fields[] = {STORE_OLD_ID("group"), STORE_THING_NAME(0), STORE_DESCRIPTION, {NULL}};
static const StoreField member_fields[] = {
    STORE_OLD_ID("group"),
    {"user", "who", STORE_FIELD_UUID, STORE_FIELD_REQUIRED | STORE_FIELD_LOOSE, .to = &store_kind_user},
    {NULL},
};
static const StoreField delete_fields[] = {STORE_OLD_ID("group"), {NULL}};

/* Who is in it already stays in it; whoever a directory put there, by the administrator's word from now on. */
static bool
add_member(StoreApply *apply, GError **error)
{
    return store_database_run(
        apply->database, error,
        "INSERT INTO memberships (\"group\", user) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET source = 'local'", "ss",
        apply->thing, store_apply_text(apply, "user"));
}

static bool
remove_member(StoreApply *apply, GError **error)
{
    return store_database_run(apply->database, error, "DELETE FROM memberships WHERE \"group\" = ?1 AND user = ?2",
                              "ss", apply->thing, store_apply_text(apply, "user"));
}

/* clang-format off */
const StoreCommandKind store_group_commands[] = {
    {"group.create", "makes a group",
     &store_kind_group, STORE_MAKES, STORE_ROLE_ADMIN, .fields = create_fields},
    {"group.change", "a group's name or description",
     &store_kind_group, STORE_CHANGES, STORE_ROLE_ADMIN, .fields = change_fields},
    {"group.add_member", "puts a user into a group",
     &store_kind_group, STORE_CHANGES, STORE_ROLE_ADMIN, .fields = member_fields, .apply = add_member, .aside = true},
    {"group.remove_member", "takes a user out of a group",
     &store_kind_group, STORE_CHANGES, STORE_ROLE_ADMIN, .fields = member_fields, .apply = remove_member, .aside = true},
    {"group.delete", "a group that nothing is assigned to any more",
     &store_kind_group, STORE_REMOVES, STORE_ROLE_ADMIN, .fields = delete_fields},
    {NULL},
};
