/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/store/schema.h"

#include "ha/store/error.h"
#include "schema-resource.h"

#define FOLDER "/org/carrel/store/schema/"

static const char *const steps[STORE_SCHEMA_VERSION] = {
    FOLDER "1-people.sql", FOLDER "2-desktops.sql", FOLDER "3-sign-in.sql",
    FOLDER "4-edits.sql",  FOLDER "5-settings.sql", FOLDER "6-limits.sql",
};

bool
store_schema_version(StoreDatabase *database, int64_t *version, GError **error)
{
    return store_database_number(database, version, 0, error, "PRAGMA user_version", "");
}

static bool
take_step(StoreDatabase *database, int64_t step, GError **error)
{
    g_autoptr(GBytes) sql = g_resource_lookup_data(store_schema_get_resource(), steps[step], 0, error);
    g_autofree char *version = g_strdup_printf("PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
                                               STORE_APPLICATION_ID, (int)step + 1);

    if (sql && store_database_script(database, "BEGIN IMMEDIATE", error) &&
        store_database_script(database, g_bytes_get_data(sql, NULL), error) &&
        store_database_script(database, version, error))
        return true;
    store_database_roll_back(database);
    return false;
}

bool
store_schema_upgrade(StoreDatabase *database, int64_t version, GError **error)
{
    int64_t step;

    if (!store_schema_version(database, &step, error))
        return false;
    for (; step < version; step++)
        if (!take_step(database, step, error))
            return false;
    return true;
}

/* All that defines it, as one text. */
static char *
definition(StoreDatabase *database, GError **error)
{
    char *text;

    if (!store_database_text(database, &text, error,
                             "SELECT group_concat(type || ' ' || name || ' ' || ifnull(sql, ''), char(10)) FROM "
                             "(SELECT type, name, sql FROM sqlite_schema ORDER BY type, name)",
                             ""))
        return NULL;
    return text ? text : g_strdup("");
}

static bool
check_definition(StoreDatabase *database, int64_t version, GError **error)
{
    g_autoptr(StoreDatabase) model = store_database_open(NULL, STORE_DATABASE_MEMORY, error);
    if (!model || !store_schema_upgrade(model, version, error))
        return false;
    g_autofree char *should = definition(model, error);
    g_autofree char *is = should ? definition(database, error) : NULL;
    if (!is)
        return false;
    if (!g_str_equal(should, is)) {
        g_set_error(error, STORE_ERROR, STORE_ERROR_DAMAGED,
                    "%s: its tables are not those of a store of version %" G_GINT64_FORMAT,
                    store_database_path(database), version);
        return false;
    }
    return true;
}

bool
store_schema_check(StoreDatabase *database, GError **error)
{
    int64_t version;

    if (!store_schema_version(database, &version, error))
        return false;
    if (version > STORE_SCHEMA_VERSION) {
        g_set_error(error, STORE_ERROR, STORE_ERROR_NEWER,
                    "%s was made by a later version of Carrel (schema %" G_GINT64_FORMAT
                    "; this one knows %d): start that version",
                    store_database_path(database), version, STORE_SCHEMA_VERSION);
        return false;
    }
    if (version < 1) {
        g_set_error(error, STORE_ERROR, STORE_ERROR_DAMAGED, "%s: it has no schema version",
                    store_database_path(database));
        return false;
    }
    return check_definition(database, version, error);
}
