/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/storage/claims.h"
#include "appliance/storage/error.h"

#define ALONE (-1) /* else how many hold it together */

struct Claims {
    GMutex mutex; /* of the table */
    GHashTable *holders;
};

Claims *
claims_new(void)
{
    Claims *claims = g_new0(Claims, 1);

    g_mutex_init(&claims->mutex);
    claims->holders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return claims;
}

void
claims_free(Claims *claims)
{
    if (!claims)
        return;
    g_assert(g_hash_table_size(claims->holders) == 0);
    g_hash_table_unref(claims->holders);
    g_mutex_clear(&claims->mutex);
    g_free(claims);
}

bool
claims_take(Claims *claims, const char *name, bool alone, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&claims->mutex);
    int holders = GPOINTER_TO_INT(g_hash_table_lookup(claims->holders, name));

    if (holders == ALONE || (alone && holders))
        return storage_fail(error, STORAGE_ERROR_BUSY, "%s is being worked on: try again when that is done", name);
    g_hash_table_insert(claims->holders, g_strdup(name), GINT_TO_POINTER(alone ? ALONE : holders + 1));
    return true;
}

void
claims_give_back(Claims *claims, const char *name)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&claims->mutex);
    int holders = GPOINTER_TO_INT(g_hash_table_lookup(claims->holders, name));

    g_assert(holders);
    if (holders > 1)
        g_hash_table_insert(claims->holders, g_strdup(name), GINT_TO_POINTER(holders - 1));
    else
        g_hash_table_remove(claims->holders, name);
}
