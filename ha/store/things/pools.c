/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools: desktops made from one template for whoever comes. In a persistent one a user keeps the desktop taken first;
 * in a disposable one it is gone after it is given back. The daemon makes the desktops; which of them somebody gets is
 * chosen here, where two who come at once cannot get the same.
 */
#include "ha/store/things/things.h"

#include "ha/store/action.h"
#include "ha/store/error.h"
#include "ha/store/ownership.h"

static const StoreColumn columns[] = {
    {"name", STORE_COLUMN_TEXT},        {"template", STORE_COLUMN_TEXT},
    {"type", STORE_COLUMN_TEXT},        {"size", STORE_COLUMN_NUMBER},
    {"spares", STORE_COLUMN_NUMBER},    {"policy", STORE_COLUMN_TEXT},
    {"description", STORE_COLUMN_TEXT}, {NULL},
};
static const StoreUse uses[] = {
    {"the desktops", "SELECT name FROM desktops WHERE pool = ?1 ORDER BY name_key"},
    {"the users it is assigned to",
     "SELECT name FROM users WHERE id IN (SELECT user FROM assignments WHERE pool = ?1) ORDER BY name_key"},
    {"the groups it is assigned to",
     "SELECT name FROM groups WHERE id IN (SELECT \"group\" FROM assignments WHERE pool = ?1) ORDER BY name_key"},
    {NULL},
};
static const char *const filters[] = {"template", "policy", NULL};
const StoreKind store_kind_pool = {"pool", "pools", "name", "name_key", columns, NULL, uses, filters};

static const char *const type_words[] = {"persistent", "disposable", NULL};

#define SIZE(flags) {"size", "how many desktops there may be", STORE_FIELD_NUMBER, flags, 0, 10000}
#define SPARES {"spares", "how many wait, started, for somebody to come", STORE_FIELD_NUMBER, 0, 0, 1000}
#define POLICY {"policy", "what its users may", STORE_FIELD_UUID, STORE_FIELD_CLEARABLE, .to = &store_kind_policy}
#define TEMPLATE(flags) \
    {"template", "what new desktops are made from", STORE_FIELD_UUID, flags, .to = &store_kind_template}

static const StoreField create_fields[] = {
    STORE_NEW_ID("pool"),
    STORE_THING_NAME(STORE_FIELD_REQUIRED),
    TEMPLATE(STORE_FIELD_REQUIRED),
    {"type", "whether users keep their desktop", STORE_FIELD_WORD, STORE_FIELD_REQUIRED, .words = type_words},
    SIZE(STORE_FIELD_REQUIRED),
    SPARES,
    POLICY,
    STORE_DESCRIPTION,
    {NULL},
};
static const StoreField change_fields[] = {
    STORE_OLD_ID("pool"), STORE_THING_NAME(0), TEMPLATE(0), SIZE(0), SPARES, POLICY, STORE_DESCRIPTION, {NULL},
};
static const StoreField take_fields[] = {
    {"pool", "of which one", STORE_FIELD_UUID, STORE_FIELD_REQUIRED, .to = &store_kind_pool},
    {"user", "for whom", STORE_FIELD_UUID, STORE_FIELD_REQUIRED, .to = &store_kind_user},
    {NULL},
};
static const StoreField delete_fields[] = {STORE_OLD_ID("pool"), {NULL}};

/* The size and the spares that it will have. */
static bool
find_size(StoreApply *apply, int64_t *size, int64_t *spares, GError **error)
{
    *size = store_command_number(apply->command, "size", -1);
    *spares = store_command_number(apply->command, "spares", -1);
    return (*size >= 0 || store_database_number(apply->database, size, 0, error, "SELECT size FROM pools WHERE id = ?1",
                                                "s", apply->thing)) &&
           (*spares >= 0 || store_database_number(apply->database, spares, 0, error,
                                                  "SELECT spares FROM pools WHERE id = ?1", "s", apply->thing));
}

static bool
spares_fit(StoreApply *apply, GError **error)
{
    int64_t size, spares;

    if (apply->kind->action == STORE_CHANGES && !apply->thing_name)
        return true; /* which the action says better */
    return find_size(apply, &size, &spares, error) &&
           (spares <= size ||
            store_refuse(error, STORE_ERROR_RULE,
                         "spares: there cannot be more than the pool's size, %" G_GINT64_FORMAT, size));
}

/* Theirs already, else the first free one that runs, else the first free one. */
static const char choose[] = "SELECT id FROM desktops WHERE pool = ?1 AND (user = ?2 OR user IS NULL) "
                             "ORDER BY user IS NULL, wanted <> 'running', name_key, id LIMIT 1";

/* Whoever gives it to them: without the assignment they could not use it. */
static bool
is_assigned(StoreApply *apply, GError **error)
{
    const char *user = store_apply_text(apply, "user");
    g_autofree char *name = NULL;
    bool yes;

    if (!store_action_label(apply->database, &store_kind_user, user, &name, error))
        return false;
    if (!name || !apply->thing_name)
        return true; /* which the action says better */
    if (!store_ownership_of_pool(apply->database, user, apply->thing, &yes, error))
        return false;
    return yes || store_refuse(error, STORE_ERROR_RULE, "user: the pool “%s” is not assigned to “%s”",
                               apply->thing_name, name);
}

static bool
take(StoreApply *apply, GError **error)
{
    const char *user = store_apply_text(apply, "user");

    if (!store_database_text(apply->database, &apply->result, error, choose, "ss", apply->thing, user))
        return false;
    if (!apply->result)
        return store_refuse(error, STORE_ERROR_FULL, "no desktop of the pool “%s” is free", apply->thing_name);
    return store_database_run(apply->database, error, "UPDATE desktops SET user = ?1 WHERE id = ?2", "ss", user,
                              apply->result) &&
           store_apply_changed(apply, &store_kind_desktop, apply->result, STORE_CHANGE_CHANGED, error);
}

/* clang-format off */
const StoreCommandKind store_pool_commands[] = {
    {"pool.create", "makes a pool",
     &store_kind_pool, STORE_MAKES, STORE_ROLE_ADMIN, .fields = create_fields, .check = spares_fit},
    {"pool.change", "a pool's size, template, policy or name",
     &store_kind_pool, STORE_CHANGES, STORE_ROLE_ADMIN, .fields = change_fields, .check = spares_fit},
    {"pool.take", "gives a user their desktop of a pool, or a free one; the answer says which",
     &store_kind_pool, STORE_OTHER, STORE_ROLE_OPERATOR, STORE_OWN_POOL, take_fields, .check = is_assigned,
     .apply = take},
    {"pool.delete", "a pool without desktops that nobody is assigned",
     &store_kind_pool, STORE_REMOVES, STORE_ROLE_ADMIN, .fields = delete_fields},
    {NULL},
};
