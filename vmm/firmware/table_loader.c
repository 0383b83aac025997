/* SPDX-License-Identifier: Apache-2.0 */
/* The script of ACPI tables: see table_loader.h. */
#include "vmm/firmware/table_loader.h"

#include "vmm/board/bytes.h"

#include <linux/qemu_fw_cfg.h>

enum { COMMAND_ALLOCATE = 1, COMMAND_ADD_POINTER = 2, COMMAND_ADD_CHECKSUM = 3 };
enum { ZONE_HIGH = 1, ZONE_BELOW_1M = 2 };

const char *const table_loader_file_names[ACPI_FILE_COUNT] = {
    [ACPI_FILE_RSDP] = "etc/acpi/rsdp",
    [ACPI_FILE_TABLES] = "etc/acpi/tables",
    [ACPI_FILE_TPM_LOG] = "etc/tpm/log",
};

static guint
begin(GByteArray *script, uint32_t command)
{
    guint start = script->len;
    bytes_put(script, command, 4);
    return start;
}

static void
end(GByteArray *script, guint start)
{
    bytes_pad_to(script, start + TABLE_LOADER_COMMAND_SIZE);
}

static void
put_name(GByteArray *script, AcpiFile file)
{
    guint start = script->len;
    bytes_put_raw(script, table_loader_file_names[file], strlen(table_loader_file_names[file]));
    bytes_pad_to(script, start + FW_CFG_MAX_FILE_PATH);
}

static void
allocate(GByteArray *script, AcpiFile file, uint32_t align, uint8_t zone)
{
    guint start = begin(script, COMMAND_ALLOCATE);
    put_name(script, file);
    bytes_put(script, align, 4);
    bytes_put(script, zone, 1);
    end(script, start);
}

static void
add_pointer(GByteArray *script, const AcpiPointer *pointer)
{
    guint start = begin(script, COMMAND_ADD_POINTER);
    put_name(script, pointer->in);
    put_name(script, pointer->to);
    bytes_put(script, pointer->offset, 4);
    bytes_put(script, pointer->size, 1);
    end(script, start);
}

static void
add_checksum(GByteArray *script, const AcpiChecksum *checksum)
{
    guint start = begin(script, COMMAND_ADD_CHECKSUM);
    put_name(script, checksum->in);
    bytes_put(script, checksum->offset, 4);
    bytes_put(script, checksum->start, 4);
    bytes_put(script, checksum->length, 4);
    end(script, start);
}

GByteArray *
table_loader_script(const AcpiTables *tables)
{
    GByteArray *script = g_byte_array_new();
    size_t n_pointers, n_checksums;
    const AcpiPointer *pointers = acpi_tables_pointers(tables, &n_pointers);
    const AcpiChecksum *checksums = acpi_tables_checksums(tables, &n_checksums);

    allocate(script, ACPI_FILE_RSDP, 16, ZONE_BELOW_1M);
    allocate(script, ACPI_FILE_TABLES, 64, ZONE_HIGH);
    if (acpi_tables_file(tables, ACPI_FILE_TPM_LOG)->len)
        allocate(script, ACPI_FILE_TPM_LOG, 64, ZONE_HIGH);
    for (size_t i = 0; i < n_pointers; i++)
        add_pointer(script, &pointers[i]);
    for (size_t i = 0; i < n_checksums; i++)
        add_checksum(script, &checksums[i]);
    return script;
}
