/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/store/ownership.h"

/* What is assigned to ?1, directly or through a group. */
#define ASSIGNED(what)                                            \
    "SELECT " what " FROM assignments WHERE user = ?1 UNION ALL " \
    "SELECT " what " FROM memberships m CROSS JOIN assignments a ON a.\"group\" = m.\"group\" WHERE m.user = ?1"

#define ENABLED "(SELECT NOT disabled FROM users WHERE id = ?1)"

#define DESKTOPS                                     \
    " WHERE " ENABLED                                \
    " AND id IN (" ASSIGNED("desktop") " UNION ALL " \
                                       "SELECT id FROM desktops WHERE user = ?1 AND pool IN (" ASSIGNED("pool") "))"

#define POOLS " WHERE " ENABLED " AND id IN (" ASSIGNED("pool") ")"

const char store_ownership_desktops[] = DESKTOPS;
const char store_ownership_pools[] = POOLS;

static bool
ask(StoreDatabase *database, const char *sql, const char *user, const char *what, bool *yes, GError **error)
{
    int64_t found;

    if (!store_database_number(database, &found, 0, error, sql, "ss", user, what))
        return false;
    *yes = found;
    return true;
}

bool
store_ownership_of_desktop(StoreDatabase *database, const char *user, const char *desktop, bool *yes, GError **error)
{
    return ask(database, "SELECT 1 FROM desktops" DESKTOPS " AND id = ?2", user, desktop, yes, error);
}

bool
store_ownership_of_pool(StoreDatabase *database, const char *user, const char *pool, bool *yes, GError **error)
{
    return ask(database, "SELECT 1 FROM pools" POOLS " AND id = ?2", user, pool, yes, error);
}
