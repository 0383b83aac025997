/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies: what users may do at their desktops. A desktop's own comes before its pool's; with neither, nothing is
 * allowed.
 */
#include "ha/store/things/things.h"

static const StoreColumn columns[] = {
    {"name", STORE_COLUMN_TEXT},          {"usb", STORE_COLUMN_TEXT},         {"clipboard", STORE_COLUMN_TEXT},
    {"file_transfer", STORE_COLUMN_TEXT}, {"description", STORE_COLUMN_TEXT}, {NULL},
};
static const StoreUse uses[] = {
    {"the pools", "SELECT name FROM pools WHERE policy = ?1 ORDER BY name_key"},
    {"the desktops", "SELECT name FROM desktops WHERE policy = ?1 ORDER BY name_key"},
    {NULL},
};
const StoreKind store_kind_policy = {"policy", "policies", "name", "name_key", columns, NULL, uses, NULL};

static const char *const ways[] = {"none", "to-desktop", "from-desktop", "both", NULL};

/* clang-format off */
#define RULES \
    {"usb", "which USB devices may be plugged in, as usbredir's filters are written", STORE_FIELD_LINE, 0, 1, 2048}, \
    {"clipboard", "which way text may be copied", STORE_FIELD_WORD, .words = ways}, \
    {"file_transfer", "which way files may go", STORE_FIELD_WORD, .words = ways}
/* clang-format on */

static const StoreField create_fields[] = {
    STORE_NEW_ID("policy"), STORE_THING_NAME(STORE_FIELD_REQUIRED), RULES, STORE_DESCRIPTION, {NULL},
};
static const StoreField change_fields[] = {
    STORE_OLD_ID("policy"), STORE_THING_NAME(0), RULES, STORE_DESCRIPTION, {NULL},
};
static const StoreField delete_fields[] = {STORE_OLD_ID("policy"), {NULL}};

/* clang-format off */
const StoreCommandKind store_policy_commands[] = {
    {"policy.create", "makes a policy",
     &store_kind_policy, STORE_MAKES, STORE_ROLE_ADMIN, .fields = create_fields},
    {"policy.change", "what a policy allows",
     &store_kind_policy, STORE_CHANGES, STORE_ROLE_ADMIN, .fields = change_fields},
    {"policy.delete", "a policy that no pool and no desktop is under",
     &store_kind_policy, STORE_REMOVES, STORE_ROLE_ADMIN, .fields = delete_fields},
    {NULL},
};
