/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the tables from the RSDP in the start info and reads MCFG, FADT, MADT and the \_S5 package. ACPI 6.5, 5.2. */
#include "acpi.h"
#include "start.h"
#include "text.h"

typedef struct RootPointer {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt, length;
    uint64_t xsdt;
} __attribute__((packed)) RootPointer;

Acpi acpi;

static uint32_t
read32(const AcpiTable *table, size_t offset)
{
    uint32_t value = 0;

    if (offset + sizeof(value) <= table->length)
        memcpy(&value, (const char *)table + offset, sizeof(value));
    return value;
}

static uint64_t
read64(const AcpiTable *table, size_t offset)
{
    return read32(table, offset) | (uint64_t)read32(table, offset + 4) << 32;
}

uint8_t
acpi_checksum(const void *table, size_t length)
{
    const uint8_t *bytes = table;
    uint8_t sum = 0;

    for (size_t i = 0; i < length; i++)
        sum += bytes[i];
    return sum;
}

const AcpiTable *
acpi_table(const char *signature, unsigned n)
{
    const RootPointer *root = (const RootPointer *)start_info.root_pointer;

    if (!root)
        return NULL;
    if (memcmp(signature, "DSDT", 4) == 0) {
        const AcpiTable *fadt = acpi_table("FACP", 0);
        uint64_t wide = fadt ? read64(fadt, 140) : 0;
        return fadt ? (const AcpiTable *)(wide ? wide : read32(fadt, 40)) : NULL;
    }

    bool wide = root->revision >= 2 && root->xsdt;
    const AcpiTable *list = (const AcpiTable *)(wide ? root->xsdt : root->rsdt);
    size_t step = wide ? 8 : 4;
    for (size_t at = sizeof(*list); at + step <= list->length; at += step) {
        const AcpiTable *table = (const AcpiTable *)(wide ? read64(list, at) : read32(list, at));
        if (memcmp(table->signature, signature, 4) == 0 && n-- == 0)
            return table;
    }
    return NULL;
}

int
acpi_package_first(const AcpiTable *table, const char *name)
{
    const uint8_t *aml = (const uint8_t *)(table + 1);
    size_t length = table->length - sizeof(*table);

    /* The shortest there is has 11 bytes: name, PackageOp, length, count, and four integers of a byte each. */
    for (size_t i = 0; i + 11 <= length; i++) {
        /* NameString, PackageOp, PkgLength (its first byte's top bits: more bytes), NumElements, first element */
        if (memcmp(aml + i, name, 4) != 0 || aml[i + 4] != 0x12)
            continue;
        const uint8_t *element = aml + i + 5 + 1 + (aml[i + 5] >> 6) + 1;
        return *element == 0x0a ? element[1] : *element <= 1 ? *element : -1; /* BytePrefix, ZeroOp, OneOp */
    }
    return -1;
}

static void
read_madt(const AcpiTable *madt)
{
    const uint8_t *bytes = (const uint8_t *)madt;

    acpi.local_apic = read32(madt, 36);
    for (size_t at = 44; at + 2 <= madt->length && bytes[at + 1] >= 2; at += bytes[at + 1]) {
        bool processor = bytes[at] == 0, x2 = bytes[at] == 9;
        if (bytes[at] == 1)
            acpi.io_apic = read32(madt, at + 4);
        if ((processor || x2) && (read32(madt, at + (x2 ? 8 : 4)) & 1) && acpi.n_cpus < 64)
            acpi.cpu_apic_ids[acpi.n_cpus++] = x2 ? read32(madt, at + 4) : bytes[at + 3];
    }
}

static void
read_fadt(const AcpiTable *fadt)
{
    acpi.sci = read32(fadt, 46);
    acpi.smi_command = read32(fadt, 48);
    acpi.acpi_enable = read32(fadt, 52);
    acpi.pm1a_event = read32(fadt, 56);
    acpi.pm1a_control = read32(fadt, 64);
    acpi.pm_timer = read32(fadt, 76);

    const AcpiTable *dsdt = acpi_table("DSDT", 0);
    int sleep_type = dsdt ? acpi_package_first(dsdt, "_S5_") : -1;
    if (sleep_type >= 0)
        acpi.sleep_type_s5 = sleep_type;
}

void
acpi_init(void)
{
    const AcpiTable *mcfg = acpi_table("MCFG", 0), *fadt = acpi_table("FACP", 0), *madt = acpi_table("APIC", 0);

    if (mcfg) {
        acpi.ecam = read64(mcfg, 44);
        acpi.ecam_first_bus = read32(mcfg, 52) >> 16 & 0xff;
        acpi.ecam_last_bus = read32(mcfg, 52) >> 24;
    }
    if (fadt)
        read_fadt(fadt);
    if (madt)
        read_madt(madt);
}
