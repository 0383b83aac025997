/* SPDX-License-Identifier: Apache-2.0 */
/* What a template and a desktop have in common: a virtual PC's parts. */
#pragma once

#include "ha/store/things/things.h"

/* clang-format off */
#define STORE_MACHINE_COLUMNS \
    {"memory", STORE_COLUMN_NUMBER}, {"vcpus", STORE_COLUMN_NUMBER}, {"firmware", STORE_COLUMN_TEXT}, \
    {"secure_boot", STORE_COLUMN_BOOL}, {"tpm", STORE_COLUMN_BOOL}, {"guest_os", STORE_COLUMN_TEXT}, \
    {"monitors", STORE_COLUMN_NUMBER}, {"cpu_weight", STORE_COLUMN_NUMBER}, {"cpu_percent", STORE_COLUMN_NUMBER}, \
    {"disk_read_mib", STORE_COLUMN_NUMBER}, {"disk_write_mib", STORE_COLUMN_NUMBER}, \
    {"disk_read_ops", STORE_COLUMN_NUMBER}, {"disk_write_ops", STORE_COLUMN_NUMBER}, \
    {"description", STORE_COLUMN_TEXT}

/*
 * @required: of memory and vcpus. @parts: "desktop" or "template", as their disks' and cards' tables begin. @cards: the
 * fields of a card.
 */
#define STORE_MACHINE_FIELDS(required, parts, cards) \
    {"memory", "MiB", STORE_FIELD_NUMBER, required, 16, 512 * 1024}, \
    {"vcpus", "how many processors", STORE_FIELD_NUMBER, required, 1, 64}, \
    {"firmware", "what starts it", STORE_FIELD_WORD, .words = store_firmware_words}, \
    {"secure_boot", "whether UEFI starts only what is signed", STORE_FIELD_BOOL}, \
    {"tpm", "whether it has a TPM", STORE_FIELD_BOOL}, \
    {"guest_os", "for whom it is made to fit", STORE_FIELD_WORD, .words = store_guest_os_words}, \
    {"monitors", "how many a user may have", STORE_FIELD_NUMBER, 0, 1, 4}, \
    {"cpu_weight", "its share of busy processors against others'; 0: 50 for each of its own", STORE_FIELD_NUMBER, 0, 0, 10000}, \
    {"cpu_percent", "percent of one processor it may take; 0: no limit", STORE_FIELD_NUMBER, 0, 0, 6400}, \
    {"disk_read_mib", "MiB a second it may read from disks; 0: no limit", STORE_FIELD_NUMBER, 0, 0, 1024 * 1024}, \
    {"disk_write_mib", "MiB a second it may write to disks; 0: no limit", STORE_FIELD_NUMBER, 0, 0, 1024 * 1024}, \
    {"disk_read_ops", "reads a second from disks; 0: no limit", STORE_FIELD_NUMBER, 0, 0, 100 * 1000 * 1000}, \
    {"disk_write_ops", "writes a second to disks; 0: no limit", STORE_FIELD_NUMBER, 0, 0, 100 * 1000 * 1000}, \
    {"disks", "disks and CD drives, in order of booting", STORE_FIELD_RECORDS, .max = 16, \
     .fields = store_disk_fields, .table = parts "_disks"}, \
    {"nics", "network cards", STORE_FIELD_RECORDS, .max = 8, .fields = cards, .table = parts "_nics"}, \
    STORE_DESCRIPTION
/* clang-format on */

#define STORE_CARD_NETWORK \
    {"network", "what it is plugged into", STORE_FIELD_UUID, STORE_FIELD_REQUIRED, .to = &store_kind_network}

extern const char *const store_firmware_words[];
extern const char *const store_guest_os_words[];
extern const StoreField store_disk_fields[];
extern const StoreColumn store_disk_columns[];

/* A .check: whether firmware and Secure Boot go together. A .apply: whether the disks do with their images. */
bool store_machine_may_be(StoreApply *apply, GError **error);
bool store_machine_fits(StoreApply *apply, GError **error);
