/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: what desktops are made from. Changing one changes no desktop that was made before. */
#include "ha/store/things/machine.h"

static const StoreColumn columns[] = {{"name", STORE_COLUMN_TEXT}, STORE_MACHINE_COLUMNS, {NULL}};
static const StoreColumn nic_columns[] = {{"network", STORE_COLUMN_TEXT}, {NULL}};
static const StorePart parts[] = {
    {"disks", "template_disks", "place", store_disk_columns},
    {"nics", "template_nics", "place", nic_columns},
    {NULL},
};
static const StoreUse uses[] = {
    {"the pools", "SELECT name FROM pools WHERE template = ?1 ORDER BY name_key"},
    {"the desktops", "SELECT name FROM desktops WHERE template = ?1 ORDER BY name_key"},
    {NULL},
};
const StoreKind store_kind_template = {"template", "templates", "name", "name_key", columns, parts, uses, NULL};

static const StoreField nic_fields[] = {STORE_CARD_NETWORK, {NULL}};
static const StoreField create_fields[] = {
    STORE_NEW_ID("template"),
    STORE_THING_NAME(STORE_FIELD_REQUIRED),
    STORE_MACHINE_FIELDS(STORE_FIELD_REQUIRED, "template", nic_fields),
    {NULL},
};
static const StoreField change_fields[] = {
    STORE_OLD_ID("template"),
    STORE_THING_NAME(0),
    STORE_MACHINE_FIELDS(0, "template", nic_fields),
    {NULL},
};
static const StoreField delete_fields[] = {STORE_OLD_ID("template"), {NULL}};

/* clang-format off */
const StoreCommandKind store_template_commands[] = {
    {"template.create", "makes a template",
     &store_kind_template, STORE_MAKES, STORE_ROLE_ADMIN,
     .fields = create_fields, .check = store_machine_may_be, .apply = store_machine_fits},
    {"template.change", "what desktops made from it will be",
     &store_kind_template, STORE_CHANGES, STORE_ROLE_ADMIN,
     .fields = change_fields, .check = store_machine_may_be, .apply = store_machine_fits},
    {"template.delete", "a template that no pool and no desktop is from",
     &store_kind_template, STORE_REMOVES, STORE_ROLE_ADMIN, .fields = delete_fields},
    {NULL},
};
