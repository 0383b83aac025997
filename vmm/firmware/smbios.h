/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SMBIOS tables (DMTF DSP0134, 3.7): who made this machine, and what is in it. Firmware adds its own structure of type
 * 0, puts the tables into memory and their address into the entry point. Any thread.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

#define SMBIOS_ENTRY_FILE "etc/smbios/smbios-anchor"
#define SMBIOS_TABLES_FILE "etc/smbios/smbios-tables"

typedef struct {
    const char *manufacturer, *product, *version, *serial, *sku, *family, *asset_tag; /* NULL: not told */
    uint8_t uuid[16];     /* in the order it is written in (RFC 9562, 4) */
    unsigned n_cpus;      /* cores of the one processor */
    uint64_t memory_size; /* bytes */
} SmbiosOptions;

/* Types 1, 3, 4, 16, 17, 19, 32 and 127. The caller's to free. */
GByteArray *smbios_tables(const SmbiosOptions *options);
/* The 64-bit entry point (5.2.2) of @tables, without their address. The caller's to free. */
GByteArray *smbios_entry_point(const GByteArray *tables);
