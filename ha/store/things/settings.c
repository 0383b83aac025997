/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of the whole house: a key and a line of text. What a key means, and which text it takes, is its reader's
 * affair.
 */
#include "ha/store/things/things.h"

static const StoreColumn columns[] = {
    {"value", STORE_COLUMN_TEXT},
    {NULL},
};
const StoreKind store_kind_setting = {"setting", "settings", "id", "id", columns, NULL, NULL, NULL};

#define KEY {"setting", "its key, like session.idle-minutes", STORE_FIELD_TOKEN, STORE_FIELD_REQUIRED, 1, 64}

static const StoreField set_fields[] = {
    KEY,
    {"value", "what it is to be", STORE_FIELD_LINE, STORE_FIELD_REQUIRED | STORE_FIELD_LOOSE, 1, 1024},
    {NULL},
};
static const StoreField clear_fields[] = {KEY, {NULL}};

static bool
set(StoreApply *apply, GError **error)
{
    static const char sql[] = "INSERT INTO settings (id, value, created, revision, edited) VALUES (?1, ?2, ?3, ?4, ?4) "
                              "ON CONFLICT (id) DO UPDATE SET value = ?2, revision = ?4, edited = ?4";
    StoreChangeType type = apply->thing_name ? STORE_CHANGE_CHANGED : STORE_CHANGE_MADE;

    return store_database_run(apply->database, error, sql, "ssii", apply->thing, store_apply_text(apply, "value"),
                              apply->command->time, apply->sequence) &&
           store_apply_changed(apply, &store_kind_setting, apply->thing, type, error);
}

/* clang-format off */
const StoreCommandKind store_setting_commands[] = {
    {"setting.set", "gives a setting a value",
     &store_kind_setting, STORE_OTHER, STORE_ROLE_ADMIN, .fields = set_fields, .apply = set},
    {"setting.clear", "goes back to what it is by default",
     &store_kind_setting, STORE_REMOVES, STORE_ROLE_ADMIN, .fields = clear_fields},
    {NULL},
};
