/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/store/store.h"

#include "ha/store/file.h"
#include "ha/store/schema.h"

struct Store {
    StoreDatabase *database;
    StoreListener listener;
    void *listener_data;
};

static Store *
store_new(StoreDatabase *database)
{
    Store *store = g_new0(Store, 1);

    store->database = database;
    return store;
}

Store *
store_open(const char *path, GError **error)
{
    if (!store_file_make(path, error) || !store_file_check(path, error))
        return NULL;
    g_autoptr(StoreDatabase) database = store_database_open(path, STORE_DATABASE_WRITE, error);
    if (!database || !store_database_run(database, error, "PRAGMA journal_mode = WAL", "") ||
        !store_schema_upgrade(database, STORE_SCHEMA_VERSION, error))
        return NULL;
    return store_new(g_steal_pointer(&database));
}

Store *
store_open_in_memory(GError **error)
{
    g_autoptr(StoreDatabase) database = store_database_open(NULL, STORE_DATABASE_MEMORY, error);

    if (!database || !store_schema_upgrade(database, STORE_SCHEMA_VERSION, error))
        return NULL;
    return store_new(g_steal_pointer(&database));
}

void
store_free(Store *store)
{
    if (!store)
        return;
    store_database_free(store->database);
    g_free(store);
}

StoreDatabase *
store_get_database(Store *store)
{
    return store->database;
}

bool
store_sequence(Store *store, int64_t *sequence, GError **error)
{
    return store_database_number(store->database, sequence, 0, error, "SELECT sequence FROM progress", "");
}

void
store_set_listener(Store *store, StoreListener listener, void *data)
{
    store->listener = listener;
    store->listener_data = data;
}

void
store_tell_all(Store *store)
{
    int64_t sequence = 0;

    if (store->listener && store_sequence(store, &sequence, NULL))
        store->listener(sequence, NULL, store->listener_data);
}

bool
store_apply(Store *store, const StoreCommand *command, StoreAnswer *answer, GError **error)
{
    StoreStep step;
    bool done = store_apply_command(store->database, command, answer, &step, error);
    g_autoptr(GPtrArray) changes = step.changes;

    if (step.sequence && store->listener)
        store->listener(step.sequence, changes, store->listener_data);
    return done;
}
