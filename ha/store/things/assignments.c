/* SPDX-License-Identifier: Apache-2.0 */
/* Assignments: a user or a group gets a desktop, or desktops of a pool. */
#include "ha/store/things/things.h"

#include "ha/store/error.h"

static const StoreColumn columns[] = {
    {"user", STORE_COLUMN_TEXT},
    {"group", STORE_COLUMN_TEXT},
    {"desktop", STORE_COLUMN_TEXT},
    {"pool", STORE_COLUMN_TEXT},
    {NULL},
};
static const char *const filters[] = {"user", "group", "desktop", "pool", NULL};
const StoreKind store_kind_assignment = {"assignment", "assignments", "id", "id", columns, NULL, NULL, filters};

static const StoreField create_fields[] = {
    STORE_NEW_ID("assignment"),
    {"user", "who gets it, or …", STORE_FIELD_UUID, .to = &store_kind_user},
    {"group", "… whose members get it", STORE_FIELD_UUID, .to = &store_kind_group},
    {"desktop", "what they get, or …", STORE_FIELD_UUID, .to = &store_kind_desktop},
    {"pool", "… of what they get one each", STORE_FIELD_UUID, .to = &store_kind_pool},
    {NULL},
};
static const StoreField delete_fields[] = {STORE_OLD_ID("assignment"), {NULL}};

static bool
is_one_to_one(StoreApply *apply, GError **error)
{
    static const char sql[] =
        "SELECT id FROM assignments WHERE user IS ?1 AND \"group\" IS ?2 AND desktop IS ?3 AND pool IS ?4";
    const char *user = store_apply_text(apply, "user"), *group = store_apply_text(apply, "group");
    const char *desktop = store_apply_text(apply, "desktop"), *pool = store_apply_text(apply, "pool");
    g_autofree char *already = NULL;

    if (!user == !group)
        return store_refuse(error, STORE_ERROR_RULE, "user: an assignment has either a user or a group");
    if (!desktop == !pool)
        return store_refuse(error, STORE_ERROR_RULE, "desktop: an assignment has either a desktop or a pool");
    if (!store_database_text(apply->database, &already, error, sql, "ssss", user, group, desktop, pool))
        return false;
    return !already || store_refuse(error, STORE_ERROR_EXISTS, "it is assigned already, by %s", already);
}

/* clang-format off */
const StoreCommandKind store_assignment_commands[] = {
    {"assignment.create", "gives a user or a group a desktop or a pool",
     &store_kind_assignment, STORE_MAKES, STORE_ROLE_ADMIN, .fields = create_fields, .check = is_one_to_one},
    {"assignment.delete", "takes it from them again",
     &store_kind_assignment, STORE_REMOVES, STORE_ROLE_ADMIN, .fields = delete_fields},
    {NULL},
};
