/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts, known by their names. */
#include "ha/store/things/things.h"

static const StoreColumn columns[] = {
    {"address", STORE_COLUMN_TEXT},
    {"maintenance", STORE_COLUMN_BOOL},
    {NULL},
};
static const StoreUse uses[] = {
    {"the desktops", "SELECT name FROM desktops WHERE host = ?1 ORDER BY name_key"},
    {NULL},
};
const StoreKind store_kind_host = {"host", "hosts", "id", "id", columns, NULL, uses, NULL};

#define NAME {"host", "its name, without a domain", STORE_FIELD_TOKEN, STORE_FIELD_REQUIRED, 1, 63}
#define ADDRESS {"address", "where its peers reach it", STORE_FIELD_TOKEN, STORE_FIELD_CLEARABLE, 1, 253}

static const StoreField add_fields[] = {NAME, ADDRESS, {NULL}};
static const StoreField change_fields[] = {
    NAME,
    ADDRESS,
    {"maintenance", "whether no desktop is to be started there", STORE_FIELD_BOOL},
    {NULL},
};
static const StoreField remove_fields[] = {NAME, {NULL}};

/* clang-format off */
const StoreCommandKind store_host_commands[] = {
    {"host.add", "makes a host known",
     &store_kind_host, STORE_MAKES, STORE_ROLE_ADMIN, .fields = add_fields},
    {"host.change", "its address, or maintenance",
     &store_kind_host, STORE_CHANGES, STORE_ROLE_OPERATOR, .fields = change_fields},
    {"host.remove", "forgets a host that runs nothing",
     &store_kind_host, STORE_REMOVES, STORE_ROLE_ADMIN, .fields = remove_fields},
    {NULL},
};
