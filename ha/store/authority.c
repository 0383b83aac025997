/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/store/authority.h"

#include "ha/store/error.h"

#include <string.h>

/* Whether ?2 is ?1's to use: what the own rules ask. */
static const char own_desktop[] =
    "SELECT 1 FROM desktops WHERE id = ?2 AND user = ?1 UNION ALL SELECT 1 FROM assignments WHERE desktop = ?2 AND "
    "(user = ?1 OR \"group\" IN (SELECT \"group\" FROM memberships WHERE user = ?1)) LIMIT 1";
static const char own_pool[] =
    "SELECT 1 FROM assignments WHERE pool = ?2 AND "
    "(user = ?1 OR \"group\" IN (SELECT \"group\" FROM memberships WHERE user = ?1)) LIMIT 1";

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
    const char *actor = apply->command->actor, *user = store_apply_text(apply, "user");
    StoreOwn own = apply->kind->own;
    int64_t found = 0;

    *yes = false;
    if (own == STORE_OWN_NOTHING || (own != STORE_OWN_DESKTOP && g_strcmp0(user, actor)))
        return true;
    *yes = own == STORE_OWN_SELF;
    if (*yes)
        return true;
    bool desktop = own == STORE_OWN_DESKTOP;
    const char *what = store_apply_text(apply, desktop ? "desktop" : "pool");
    if (!store_database_number(apply->database, &found, 0, error, desktop ? own_desktop : own_pool, "ss", actor, what))
        return false;
    *yes = found;
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
