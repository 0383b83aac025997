/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images: disks that desktops begin as, and discs they are installed from. One is made known first, and then its bytes
 * come.
 */
#include "ha/store/things/things.h"

#include "ha/store/error.h"

#include <string.h>

/* Which people can compare with what they have, whatever it was converted to. */
#define SHA256_ABOUT "of the file as it was uploaded; none of an image made from a disk"

static const StoreColumn columns[] = {
    {"name", STORE_COLUMN_TEXT},
    {"type", STORE_COLUMN_TEXT},
    {"state", STORE_COLUMN_TEXT},
    {"size", STORE_COLUMN_NUMBER},
    {"sha256", STORE_COLUMN_TEXT, SHA256_ABOUT},
    {"description", STORE_COLUMN_TEXT},
    {NULL},
};
static const StoreUse uses[] = {
    {"the templates",
     "SELECT name FROM templates WHERE id IN (SELECT template FROM template_disks WHERE image = ?1) ORDER BY name_key"},
    {"the desktops",
     "SELECT name FROM desktops WHERE id IN (SELECT desktop FROM desktop_disks WHERE image = ?1) ORDER BY name_key"},
    {NULL},
};
static const char *const filters[] = {"type", NULL};
const StoreKind store_kind_image = {"image", "images", "name", "name_key", columns, NULL, uses, filters};

static const char *const type_words[] = {"disk", "iso", NULL};
static const char *const end_words[] = {"ready", "failed", NULL};

static const StoreField create_fields[] = {
    STORE_NEW_ID("image"),
    STORE_THING_NAME(STORE_FIELD_REQUIRED),
    {"type", "what it is", STORE_FIELD_WORD, STORE_FIELD_REQUIRED, .words = type_words},
    STORE_DESCRIPTION,
    {NULL},
};
static const StoreField change_fields[] = {STORE_OLD_ID("image"), STORE_THING_NAME(0), STORE_DESCRIPTION, {NULL}};
static const StoreField settle_fields[] = {
    STORE_OLD_ID("image"),
    {"state", "what became of it", STORE_FIELD_WORD, STORE_FIELD_REQUIRED, .words = end_words},
    {"size", "bytes a desktop sees of it", STORE_FIELD_NUMBER, 0, 1, INT64_C(1) << 50},
    {"sha256", SHA256_ABOUT, STORE_FIELD_SHA256},
    {NULL},
};
static const StoreField delete_fields[] = {STORE_OLD_ID("image"), {NULL}};

static bool
has_come(StoreApply *apply, GError **error)
{
    bool ready = !strcmp(store_apply_text(apply, "state"), "ready");

    return !ready || store_command_number(apply->command, "size", 0) ||
           store_refuse(error, STORE_ERROR_RULE, "size: an image that is ready has one");
}

/* clang-format off */
const StoreCommandKind store_image_commands[] = {
    {"image.create", "makes an image known, before its bytes come",
     &store_kind_image, STORE_MAKES, STORE_ROLE_OPERATOR, .fields = create_fields},
    {"image.change", "an image's name or description",
     &store_kind_image, STORE_CHANGES, STORE_ROLE_OPERATOR, .fields = change_fields},
    {"image.settle", "says that an image has come, or failed to",
     &store_kind_image, STORE_CHANGES, STORE_ROLE_DAEMON, .fields = settle_fields, .check = has_come, .aside = true},
    {"image.delete", "an image that nothing uses",
     &store_kind_image, STORE_REMOVES, STORE_ROLE_OPERATOR, .fields = delete_fields},
    {NULL},
};
