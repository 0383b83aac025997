/* SPDX-License-Identifier: Apache-2.0 */
/* Networks that desktops' cards are plugged into. */
#include "ha/store/things/things.h"

#include "ha/store/error.h"

#include <string.h>

static const StoreColumn columns[] = {
    {"name", STORE_COLUMN_TEXT},
    {"type", STORE_COLUMN_TEXT},
    {"bridge", STORE_COLUMN_TEXT},
    {"vlan", STORE_COLUMN_NUMBER},
    {"isolated", STORE_COLUMN_BOOL},
    {"description", STORE_COLUMN_TEXT},
    {NULL},
};
static const StoreUse uses[] = {
    {"the desktops",
     "SELECT name FROM desktops WHERE id IN (SELECT desktop FROM desktop_nics WHERE network = ?1) ORDER BY name_key"},
    {"the templates", "SELECT name FROM templates WHERE id IN (SELECT template FROM template_nics WHERE network = ?1) "
                      "ORDER BY name_key"},
    {NULL},
};
const StoreKind store_kind_network = {"network", "networks", "name", "name_key", columns, NULL, uses, NULL};

static const char *const type_words[] = {"nat", "bridge", "vlan", "passt", NULL};

#define ISOLATED {"isolated", "whether desktops on it cannot reach one another", STORE_FIELD_BOOL}

static const StoreField create_fields[] = {
    STORE_NEW_ID("network"),
    STORE_THING_NAME(STORE_FIELD_REQUIRED),
    {"type", "how it reaches the outside", STORE_FIELD_WORD, STORE_FIELD_REQUIRED, .words = type_words},
    {"bridge", "of bridge and vlan: the host's bridge", STORE_FIELD_TOKEN, 0, 1, 15},
    {"vlan", "of vlan: the tag", STORE_FIELD_NUMBER, 0, 1, 4094},
    ISOLATED,
    STORE_DESCRIPTION,
    {NULL},
};
static const StoreField change_fields[] = {
    STORE_OLD_ID("network"), STORE_THING_NAME(0), ISOLATED, STORE_DESCRIPTION, {NULL},
};
static const StoreField delete_fields[] = {STORE_OLD_ID("network"), {NULL}};

/* What a type needs, and no other has. */
static bool
fits_type(StoreApply *apply, GError **error)
{
    const char *type = store_apply_text(apply, "type");
    bool vlan = !strcmp(type, "vlan"), bridge = vlan || !strcmp(type, "bridge");

    if (bridge != !!store_apply_text(apply, "bridge"))
        return store_refuse(error, STORE_ERROR_RULE, "bridge: a network of the type %s %s", type,
                            bridge ? "needs one" : "has none");
    if (vlan != !!store_command_number(apply->command, "vlan", 0))
        return store_refuse(error, STORE_ERROR_RULE, "vlan: a network of the type %s %s", type,
                            vlan ? "needs one" : "has none");
    return true;
}

/* clang-format off */
const StoreCommandKind store_network_commands[] = {
    {"network.create", "makes a network",
     &store_kind_network, STORE_MAKES, STORE_ROLE_ADMIN, .fields = create_fields, .check = fits_type},
    {"network.change", "a network's name, isolation or description",
     &store_kind_network, STORE_CHANGES, STORE_ROLE_ADMIN, .fields = change_fields},
    {"network.delete", "a network that no desktop and no template is on",
     &store_kind_network, STORE_REMOVES, STORE_ROLE_ADMIN, .fields = delete_fields},
    {NULL},
};
