/* SPDX-License-Identifier: Apache-2.0 */
/* The one list of kinds and commands; what each is stands in things/. */
#include "ha/store/catalog.h"

#include "ha/store/error.h"
#include "ha/store/things/things.h"

#include <string.h>

static const StoreKind *const kinds[] = {
    &store_kind_host,    &store_kind_setting, &store_kind_user,       &store_kind_group,
    &store_kind_network, &store_kind_image,   &store_kind_policy,     &store_kind_template,
    &store_kind_pool,    &store_kind_desktop, &store_kind_assignment,
};

static const StoreCommandKind *const rooms[] = {
    store_host_commands,       store_setting_commands,  store_user_commands,    store_factor_commands,
    store_arrival_commands,    store_group_commands,    store_network_commands, store_image_commands,
    store_policy_commands,     store_template_commands, store_pool_commands,    store_desktop_commands,
    store_assignment_commands, store_audit_commands,
};

const char *const store_role_names[] = {
    [STORE_ROLE_USER] = "user",
    [STORE_ROLE_OPERATOR] = "operator",
    [STORE_ROLE_ADMIN] = "admin",
    [STORE_ROLE_DAEMON] = "daemon",
};

bool
store_role_from_name(const char *name, StoreRole *role)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(store_role_names); i++) {
        if (!strcmp(name, store_role_names[i])) {
            *role = i;
            return true;
        }
    }
    return false;
}

const StoreKind *
store_catalog_kind(unsigned i)
{
    return i < G_N_ELEMENTS(kinds) ? kinds[i] : NULL;
}

const StoreCommandKind *
store_catalog_command(unsigned i)
{
    for (unsigned room = 0; room < G_N_ELEMENTS(rooms); room++)
        for (const StoreCommandKind *command = rooms[room]; command->name; command++)
            if (!i--)
                return command;
    return NULL;
}

const StoreKind *
store_catalog_find_kind(const char *name)
{
    const StoreKind *kind;

    for (unsigned i = 0; (kind = store_catalog_kind(i)); i++)
        if (!strcmp(kind->name, name))
            return kind;
    return NULL;
}

const StoreCommandKind *
store_catalog_find(const char *name)
{
    const StoreCommandKind *command;

    for (unsigned i = 0; (command = store_catalog_command(i)); i++)
        if (!strcmp(command->name, name))
            return command;
    return NULL;
}

const StoreCommandKind *
store_catalog_check(const StoreCommand *command, GError **error)
{
    const StoreCommandKind *kind = store_catalog_find(command->name);

    if (!kind) {
        g_set_error(error, STORE_ERROR, STORE_ERROR_UNKNOWN, "there is no command %s", command->name);
        return NULL;
    }
    if (command->seen && kind->action != STORE_CHANGES && kind->action != STORE_REMOVES) {
        g_set_error(error, STORE_ERROR, STORE_ERROR_MALFORMED, "%s does not change a thing that one has seen",
                    kind->name);
        return NULL;
    }
    return store_field_check_all(kind->fields, command->fields, error) ? kind : NULL;
}
