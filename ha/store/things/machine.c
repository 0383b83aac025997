/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/store/things/machine.h"

#include "ha/store/error.h"

#include <string.h>

const char *const store_firmware_words[] = {"uefi", "bios", NULL};
const char *const store_guest_os_words[] = {"linux", "windows", "other", NULL};
static const char *const drive_words[] = {"disk", "cdrom", NULL};

const StoreField store_disk_fields[] = {
    {"type", "what it is", STORE_FIELD_WORD, STORE_FIELD_REQUIRED, .words = drive_words},
    {"image", "what a disk begins as; the disc in a drive", STORE_FIELD_UUID, .to = &store_kind_image},
    {"size", "bytes of a disk; of one with an image at least the image's", STORE_FIELD_NUMBER, 0, 1 << 20,
     INT64_C(1) << 50},
    {NULL},
};
const StoreColumn store_disk_columns[] = {
    {"type", STORE_COLUMN_TEXT},
    {"image", STORE_COLUMN_TEXT},
    {"size", STORE_COLUMN_NUMBER},
    {NULL},
};

/* What is wrong with a disk of the thing's, if anything is: one row a disk, in order. */
static const char disk_complaint[] =
    "SELECT CASE "
    "WHEN d.type = 'cdrom' AND d.size IS NOT NULL THEN 'a drive has no size' "
    "WHEN d.type = 'cdrom' AND i.type = 'disk' THEN 'a drive takes an image of the type iso' "
    "WHEN d.type = 'disk' AND i.type = 'iso' THEN 'a disk takes an image of the type disk' "
    "WHEN d.type = 'disk' AND d.image IS NULL AND d.size IS NULL THEN 'an empty disk needs a size' "
    "WHEN i.state <> 'ready' THEN 'the image is not ready' "
    "WHEN d.size < i.size THEN 'the disk is smaller than its image' "
    "END AS complaint FROM %s_disks d LEFT JOIN images i ON i.id = d.image "
    "WHERE d.%s = ?1 AND complaint IS NOT NULL ORDER BY d.place LIMIT 1";

bool
store_machine_fits(StoreApply *apply, GError **error)
{
    const char *kind = apply->kind->kind->name;
    g_autofree char *sql = g_strdup_printf(disk_complaint, kind, kind);
    g_autofree char *complaint = NULL;
    bool given = g_variant_lookup(apply->command->fields, "disks", "@aa{sv}", NULL);

    /* Those that were there before have been looked at then. */
    if (given && !store_database_text(apply->database, &complaint, error, sql, "s", apply->thing))
        return false;
    return !complaint || store_refuse(error, STORE_ERROR_RULE, "disks: %s", complaint);
}

/* What the two will be: as the command says, else as they are. */
bool
store_machine_may_be(StoreApply *apply, GError **error)
{
    g_autofree char *sql =
        g_strdup_printf("SELECT firmware || ' ' || secure_boot FROM %s WHERE id = ?1", apply->kind->kind->table);
    g_autofree char *is = NULL;
    const char *firmware = store_apply_text(apply, "firmware");
    gboolean secure_boot;

    if (!store_database_text(apply->database, &is, error, sql, "s", apply->thing))
        return false;
    bool bios = firmware ? !strcmp(firmware, "bios") : is && g_str_has_prefix(is, "bios");
    if (!g_variant_lookup(apply->command->fields, "secure_boot", "b", &secure_boot))
        secure_boot = is && g_str_has_suffix(is, "1");
    return !(bios && secure_boot) || store_refuse(error, STORE_ERROR_RULE, "secure_boot: only UEFI has it");
}
