/* SPDX-License-Identifier: Apache-2.0 */
/*
 * People who sign in. A local one has a password here, hashed by whoever issued the command; one from a directory has
 * none. No command takes the last administrator who can sign in, but what a directory says (arrivals.c).
 */
#include "ha/store/things/people.h"

#include "ha/store/error.h"

#include <string.h>

static const StoreColumn columns[] = {
    {"name", STORE_COLUMN_TEXT},         {"full_name", STORE_COLUMN_TEXT},
    {"role", STORE_COLUMN_TEXT},         {"source", STORE_COLUMN_TEXT},
    {"directory_id", STORE_COLUMN_TEXT}, {"disabled", STORE_COLUMN_BOOL},
    {"password", STORE_COLUMN_SECRET},   {"totp", STORE_COLUMN_SECRET},
    {"totp_step", STORE_COLUMN_NUMBER},  {NULL},
};
/* How many are left can be seen, without secrets, by how many empty records there are. */
static const StoreColumn recovery_columns[] = {{"digest", STORE_COLUMN_SECRET}, {NULL}};
static const StorePart parts[] = {{"recovery", "recovery_codes", "place", recovery_columns}, {NULL}};
static const StoreUse uses[] = {
    {"the desktops taken from a pool", "SELECT name FROM desktops WHERE user = ?1 ORDER BY name_key"},
    {"the assignment of the desktops",
     "SELECT name FROM desktops WHERE id IN (SELECT desktop FROM assignments WHERE user = ?1) ORDER BY name_key"},
    {"the assignment of the pools",
     "SELECT name FROM pools WHERE id IN (SELECT pool FROM assignments WHERE user = ?1) ORDER BY name_key"},
    {NULL},
};
static const char *const filters[] = {"role", "source", NULL};
static const char *const searched[] = {"full_name", NULL};
const StoreKind store_kind_user = {"user", "users", "name", "name_key", columns, parts, uses, filters, searched};

const char *const store_user_role_words[] = {"user", "operator", "admin", NULL};

#define PASSWORD(flags) {"password", "hashed, as crypt(5) says", STORE_FIELD_HASH, STORE_FIELD_SECRET | (flags)}

static const StoreField create_fields[] = {
    STORE_NEW_ID("user"),
    STORE_USER_NAME(STORE_FIELD_REQUIRED),
    STORE_USER_FULL_NAME,
    STORE_USER_ROLE(0),
    {"source", "local, or the directory that knows their password", STORE_FIELD_TOKEN, 0, 1, 64},
    PASSWORD(0),
    {NULL},
};
static const StoreField change_fields[] = {
    STORE_OLD_ID("user"),
    STORE_USER_NAME(0),
    STORE_USER_FULL_NAME,
    STORE_USER_ROLE(0),
    {"disabled", "whether they may not sign in", STORE_FIELD_BOOL},
    {NULL},
};
static const StoreField password_fields[] = {STORE_OLD_ID("user"), PASSWORD(STORE_FIELD_REQUIRED), {NULL}};
static const StoreField rehash_fields[] = {
    STORE_OLD_ID("user"),
    {"was", "the hash that it replaces", STORE_FIELD_HASH,
     STORE_FIELD_REQUIRED | STORE_FIELD_SECRET | STORE_FIELD_LOOSE},
    PASSWORD(STORE_FIELD_REQUIRED),
    {NULL},
};
static const StoreField delete_fields[] = {STORE_OLD_ID("user"), {NULL}};

/* Whether the command would take from an administrator what makes them one. */
static bool
unmakes_admin(const StoreApply *apply)
{
    const char *role = store_apply_text(apply, "role");
    gboolean disabled = FALSE;

    g_variant_lookup(apply->command->fields, "disabled", "b", &disabled);
    return apply->kind->action == STORE_REMOVES || disabled || (role && strcmp(role, "admin"));
}

/* Refused when it leaves nobody who could undo it. */
static bool
leaves_admin(StoreApply *apply, GError **error)
{
    static const char sql[] =
        "SELECT count(*) FROM users WHERE role = 'admin' AND NOT disabled AND id <> ?1 UNION ALL "
        "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM users WHERE id = ?1 AND role = 'admin' AND NOT disabled) "
        "ORDER BY 1 DESC LIMIT 1";
    int64_t others; /* or it is none itself */

    if (!unmakes_admin(apply))
        return true;
    if (!store_database_number(apply->database, &others, 0, error, sql, "s", apply->thing))
        return false;
    return others || store_refuse(error, STORE_ERROR_RULE, "“%s” is the last administrator: make another first",
                                  apply->thing_name);
}

static bool
needs_no_directory(const char *source, GError **error)
{
    return !source || !strcmp(source, "local") ||
           store_refuse(error, STORE_ERROR_RULE, "password: the directory %s has it", source);
}

/* A directory's users sign in with what the directory knows. */
static bool
may_create(StoreApply *apply, GError **error)
{
    return !store_apply_text(apply, "password") || needs_no_directory(store_apply_text(apply, "source"), error);
}

static bool
may_set_password(StoreApply *apply, GError **error)
{
    g_autofree char *source = NULL;

    return store_database_text(apply->database, &source, error, "SELECT source FROM users WHERE id = ?1", "s",
                               apply->thing) &&
           needs_no_directory(source, error);
}

/* Of the password that it was made of, and of no other: that one may have been changed while it was made, here or elsewhere. */
static bool
is_still_that(StoreApply *apply, GError **error)
{
    int64_t same;

    if (!store_database_number(apply->database, &same, 0, error,
                               "SELECT count(*) FROM users WHERE id = ?1 AND password = ?2", "ss", apply->thing,
                               store_apply_text(apply, "was")))
        return false;
    return same ||
           store_refuse(error, STORE_ERROR_CHANGED, "the password of “%s” is another by now", apply->thing_name);
}

/* clang-format off */
const StoreCommandKind store_user_commands[] = {
    {"user.create", "makes a user",
     &store_kind_user, STORE_MAKES, STORE_ROLE_ADMIN, .fields = create_fields, .check = may_create},
    {"user.change", "a user's name, role, or whether they may sign in",
     &store_kind_user, STORE_CHANGES, STORE_ROLE_ADMIN, .fields = change_fields, .check = leaves_admin},
    {"user.set_password", "a local user's password",
     &store_kind_user, STORE_CHANGES, STORE_ROLE_ADMIN, STORE_OWN_SELF, password_fields, .check = may_set_password, .aside = true},
    {"user.rehash", "the same password, hashed anew; refused if it is another by now",
     &store_kind_user, STORE_CHANGES, STORE_ROLE_DAEMON, .fields = rehash_fields, .check = is_still_that, .aside = true},
    {"user.delete", "a user who has no desktop any more",
     &store_kind_user, STORE_REMOVES, STORE_ROLE_ADMIN, .fields = delete_fields, .check = leaves_admin},
    {NULL},
};
