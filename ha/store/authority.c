/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/store/authority.h"

#include "ha/store/error.h"
#include "ha/store/ownership.h"

#include <string.h>

/* A user's row, in one look: "admin" or "disabled", then the name. */
static bool
find_user(StoreApply *apply, GError **error)
{
    g_autofree char *role = NULL;

    if (!store_database_text(apply->database, &role, error,
                             "SELECT CASE WHEN disabled THEN 'disabled' ELSE role END FROM users WHERE id = ?1", "s",
                             apply->command->actor) ||
        !store_database_text(apply->database, &apply->actor_name, error, "SELECT name FROM users WHERE id = ?1", "s",
                             apply->command->actor))
        return false;
    if (!role) {
        apply->actor_name = g_strdup(apply->command->actor);
        return store_refuse(error, STORE_ERROR_FORBIDDEN, "there is no user %s", apply->command->actor);
    }
    if (!store_role_from_name(role, &apply->role))
        return store_refuse(error, STORE_ERROR_FORBIDDEN, "the user “%s” is disabled", apply->actor_name);
    return true;
}

static bool
find_actor(StoreApply *apply, GError **error)
{
    const char *actor = apply->command->actor;
    bool console = !strcmp(actor, STORE_ACTOR_CONSOLE);

    if (!console && strcmp(actor, STORE_ACTOR_DAEMON))
        return find_user(apply, error);
    apply->actor_name = g_strdup(actor);
    apply->role = console ? STORE_ROLE_ADMIN : STORE_ROLE_DAEMON;
    return true;
}

static bool
owns(StoreApply *apply, bool *yes, GError **error)
{
    const char *actor = apply->command->actor;
    bool for_self = !g_strcmp0(store_apply_text(apply, "user"), actor);

    *yes = apply->kind->own == STORE_OWN_SELF && for_self;
    if (apply->kind->own == STORE_OWN_DESKTOP)
        return store_ownership_of_desktop(apply->database, actor, store_apply_text(apply, "desktop"), yes, error);
    if (apply->kind->own == STORE_OWN_POOL && for_self)
        return store_ownership_of_pool(apply->database, actor, store_apply_text(apply, "pool"), yes, error);
    return true;
}

bool
store_authority_check(StoreApply *apply, GError **error)
{
    bool own;

    if (!find_actor(apply, error))
        return false;
    if (apply->role >= apply->kind->role)
        return true;
    if (!owns(apply, &own, error))
        return false;
    if (own)
        return true;
    return store_refuse(error, STORE_ERROR_FORBIDDEN, "%s needs the role %s, and “%s” is %s", apply->kind->name,
                        store_role_names[apply->kind->role], apply->actor_name, store_role_names[apply->role]);
}
