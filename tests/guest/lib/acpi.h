/* SPDX-License-Identifier: Apache-2.0 */
/* What the guests need from the ACPI tables. Filled once at the start; fields are 0 where a table is not there. */
#ifndef GUEST_ACPI_H
#define GUEST_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct AcpiTable {
    char signature[4];
    uint32_t length; /* bytes, this header included */
    uint8_t revision, checksum;
    char oem[6], oem_table[8];
    uint32_t oem_revision;
    char creator[4];
    uint32_t creator_revision;
} __attribute__((packed)) AcpiTable;

typedef struct Acpi {
    uint64_t ecam; /* memory-mapped configuration space of PCI segment 0, bus ecam_first_bus */
    unsigned ecam_first_bus, ecam_last_bus;
    uint16_t pm1a_event, pm1a_control, pm_timer; /* ports */
    uint8_t sleep_type_s5;
    uint16_t sci; /* interrupt of ACPI events: an I/O APIC input */
    uint16_t smi_command;
    uint8_t acpi_enable;
    uint64_t local_apic;
    uint64_t io_apic;
    unsigned n_cpus;
    uint32_t cpu_apic_ids[64];
} Acpi;

extern Acpi acpi;

void acpi_init(void);

/* The n-th table with the signature, or NULL. The DSDT is found through the FADT and given as any other. */
const AcpiTable *acpi_table(const char *signature, unsigned n);

/* Sum of all bytes: 0 in a sound table. */
uint8_t acpi_checksum(const void *table, size_t length);

/*
 * The first element of a package of small integers named in the AML (such as "_S5_"), or -1. A scan for the name, not
 * an interpreter.
 */
int acpi_package_first(const AcpiTable *table, const char *name);

#endif
