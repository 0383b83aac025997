/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ACPI tables (ACPI 6.5, 5.2): RSDP, XSDT, FACS, DSDT, FADT, MADT, MCFG, TPM2.
 *
 * They are built once, unplaced: two runs of bytes, and two lists that say which of them are pointers and which checksums.
 * Direct boot links them for an address (acpi_tables_link()); for firmware, the lists become the commands of fw_cfg's
 * table loader one for one, with the runs as its files
 * (vmm/firmware/table_loader.h). The runs' lengths and the lists do not depend on where windows and ECAM are. Any thread; immutable once built.
 */
#pragma once

#include "vmm/board/memory_map.h"

#include <glib.h>

typedef struct AcpiTables AcpiTables;

typedef struct {
    const uint32_t *apic_ids; /* of each processor, the boot processor first; copied */
    unsigned n_cpus;
    BoardWindow pci64; /* of board_pci64_window() */
    uint64_t ecam;     /* where it is, between the ends of the 32-bit window; 0: BOARD_ECAM_BASE */
    bool com1;         /* whether there is a serial port */
    bool tpm;          /* whether there is a TPM 2.0 */
    uint32_t tpm_log;  /* bytes in which firmware logs what it measures; 0: there is no firmware, or no TPM */
} AcpiOptions;

typedef enum {
    ACPI_FILE_RSDP,    /* 16-byte aligned, below 1 MiB where firmware's guests scan for it */
    ACPI_FILE_TABLES,  /* 64-byte aligned (FACS, 5.2.10) */
    ACPI_FILE_TPM_LOG, /* zeroes, as many as the options say */
    ACPI_FILE_COUNT
} AcpiFile;

/* The @size bytes at @offset in file @in hold an offset into file @to; the address of @to is to be added. */
typedef struct {
    AcpiFile in, to;
    uint32_t offset, size;
} AcpiPointer;

/* The byte at @offset in file @in makes the sum of [start, start + length) zero; it is 0 now. After all pointers. */
typedef struct {
    AcpiFile in;
    uint32_t offset, start, length;
} AcpiChecksum;

AcpiTables *acpi_tables_new(const AcpiOptions *options);
void acpi_tables_free(AcpiTables *tables);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AcpiTables, acpi_tables_free)

const GByteArray *acpi_tables_file(const AcpiTables *tables, AcpiFile file);
const AcpiPointer *acpi_tables_pointers(const AcpiTables *tables, size_t *n);
const AcpiChecksum *acpi_tables_checksums(const AcpiTables *tables, size_t *n);

/* All of it, to be put at guest address @base (64-byte aligned) as it is; the RSDP comes first. The caller's to free. */
GByteArray *acpi_tables_link(const AcpiTables *tables, uint64_t base);
