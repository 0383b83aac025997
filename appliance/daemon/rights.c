/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/rights.h"

#include <string.h>

static bool
runs_desktops(Daemon *daemon, const char *user)
{
    g_autoptr(GVariant) thing = NULL;
    const char *role = "user";
    gboolean disabled = FALSE;

    if (!strcmp(user, STORE_ACTOR_CONSOLE))
        return true;
    if (!store_reader_get(daemon->reader, store_catalog_find_kind("user"), user, &thing, NULL) || !thing)
        return false;
    g_variant_lookup(thing, "role", "&s", &role);
    g_variant_lookup(thing, "disabled", "b", &disabled);
    return !disabled && strcmp(role, "user");
}

static bool
is_assigned(Daemon *daemon, const char *desktop)
{
    const StoreQuery query = {store_catalog_find_kind("assignment"), "desktop", desktop, NULL, 1};
    int64_t n;

    return !store_reader_count(daemon->reader, &query, &n, NULL) || n;
}

/* Nobody's: neither taken nor assigned. */
static bool
is_nobodys(Daemon *daemon, const char *desktop)
{
    g_autoptr(GVariant) thing = NULL;

    return store_reader_get(daemon->reader, store_catalog_find_kind("desktop"), desktop, &thing, NULL) && thing &&
           !g_variant_lookup(thing, "user", "&s", NULL) && !is_assigned(daemon, desktop);
}

bool
rights_may_use(void *owner, const char *user, const char *desktop)
{
    Daemon *daemon = owner;
    bool theirs = false;

    if (strcmp(user, STORE_ACTOR_CONSOLE) &&
        (!store_reader_may_use(daemon->reader, user, desktop, &theirs, NULL) || theirs))
        return theirs;
    return is_nobodys(daemon, desktop) && runs_desktops(daemon, user);
}
