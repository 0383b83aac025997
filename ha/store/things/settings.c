/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of the whole house. A new one is a line in the table here and its row in a new step of the schema; what it does is its
 * reader's affair, which looks it up whenever it counts.
 */
#include "ha/store/setting.h"

#include "ha/store/error.h"
#include "ha/store/things/things.h"

#include <string.h>

static const StoreSetting settings[] = {
    {"desktops.shut-down-seconds", "Time to shut down",
     "How long a desktop's system may take to shut down when it is asked to. Then it is switched off.", "seconds", 1,
     3600, 90},
    {"memory.overcommit-percent", "Memory that may be promised",
     "How much of the host's memory desktops may be promised together. Above 100 more of them can run, as long as they "
     "do not all "
     "use what they have; if they do, the host runs out of memory and desktops end.",
     "percent", 100, 400, 100},
    {"pools.left-minutes", "Time to come back",
     "How long a desktop that is fresh each time waits for its user after the last connection is gone. Then it is "
     "thrown away.",
     "minutes", 0, 7 * 24 * 60, 10},
};

const StoreSetting *
store_setting(unsigned i)
{
    return i < G_N_ELEMENTS(settings) ? &settings[i] : NULL;
}

const StoreSetting *
store_setting_find(const char *id)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(settings); i++)
        if (!strcmp(settings[i].id, id))
            return &settings[i];
    return NULL;
}

static const StoreColumn columns[] = {
    {"value", STORE_COLUMN_NUMBER},
    {NULL},
};
static const StoreColumn told[] = {
    {"default", STORE_COLUMN_NUMBER},
    {"unit", STORE_COLUMN_TEXT},
    {"min", STORE_COLUMN_NUMBER},
    {"max", STORE_COLUMN_NUMBER},
    {"title", STORE_COLUMN_TEXT},
    {"about", STORE_COLUMN_TEXT},
    {NULL},
};

static void
tell(const char *id, GVariantBuilder *thing)
{
    const StoreSetting *setting = store_setting_find(id);

    g_variant_builder_add(thing, "{sv}", "default", g_variant_new_int64(setting->usual));
    g_variant_builder_add(thing, "{sv}", "unit", g_variant_new_string(setting->unit));
    g_variant_builder_add(thing, "{sv}", "min", g_variant_new_int64(setting->min));
    g_variant_builder_add(thing, "{sv}", "max", g_variant_new_int64(setting->max));
    g_variant_builder_add(thing, "{sv}", "title", g_variant_new_string(setting->title));
    g_variant_builder_add(thing, "{sv}", "about", g_variant_new_string(setting->about));
}

const StoreKind store_kind_setting = {"setting", "settings", "id", "id", columns, .told = told, .tell = tell};

#define KEY {"setting", "which one, like pools.left-minutes", STORE_FIELD_TOKEN, STORE_FIELD_REQUIRED, 1, 64}
/* What each may be is narrower: check_value(). */
#define ANY_VALUE INT64_C(1000000000)

static const StoreField change_fields[] = {
    KEY,
    {"value", "what it is to be, in its unit", STORE_FIELD_NUMBER, STORE_FIELD_REQUIRED, 0, ANY_VALUE},
    {NULL},
};
static const StoreField reset_fields[] = {KEY, {NULL}};

/* One that is not there is refused by the action. */
static bool
check_value(StoreApply *apply, GError **error)
{
    const StoreSetting *setting = apply->thing_name ? store_setting_find(apply->thing) : NULL;
    int64_t value = store_command_number(apply->command, "value", 0);

    return !setting || (value >= setting->min && value <= setting->max) ||
           store_refuse(error, STORE_ERROR_RULE, "value: it goes from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT " %s",
                        setting->min, setting->max, setting->unit);
}

static bool
reset(StoreApply *apply, GError **error)
{
    return store_database_run(apply->database, error, "UPDATE settings SET value = ?1 WHERE id = ?2", "is",
                              store_setting_find(apply->thing)->usual, apply->thing);
}

/* clang-format off */
const StoreCommandKind store_setting_commands[] = {
    {"setting.change", "gives a setting another value",
     &store_kind_setting, STORE_CHANGES, STORE_ROLE_ADMIN, .fields = change_fields, .check = check_value},
    {"setting.reset", "goes back to what a setting is by default",
     &store_kind_setting, STORE_CHANGES, STORE_ROLE_ADMIN, .fields = reset_fields, .apply = reset},
    {NULL},
};
