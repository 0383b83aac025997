/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How firmware puts the ACPI tables into memory: a script beside them in fw_cfg, "etc/table-loader", each of whose commands
 * it carries out in order: make room for a file, add a file's address to a pointer in another, sum up (QEMU's
 * hw/acpi/bios-linker-loader; 128 bytes a command, little endian). Any thread.
 */
#pragma once

#include "vmm/board/acpi.h"

#define TABLE_LOADER_FILE "etc/table-loader"
#define TABLE_LOADER_COMMAND_SIZE 128

/* The name in fw_cfg of each of the tables' files. */
extern const char *const table_loader_file_names[ACPI_FILE_COUNT];

/* The script for @tables. The caller's to free. */
GByteArray *table_loader_script(const AcpiTables *tables);
