/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building the ACPI tables. Each is appended to one file of tables between table_begin() and table_end(), which notes its
 * checksum; what points to another table is put as an offset and noted as a pointer.
 */
#include "vmm/board/acpi.h"

#include "vmm/board/bytes.h"
#include "vmm/board/dsdt.h"
#include "vmm/board/pm.h"

#define HEADER_SIZE 36
#define HEADER_LENGTH_AT 4
#define HEADER_CHECKSUM_AT 9
#define TABLES_ALIGN 64
#define TPM_CONTROL_AREA 0x40 /* in the TPM's registers: vmm/tpm/crb.h */

struct AcpiTables {
    GByteArray *files[ACPI_FILE_COUNT];
    GArray *pointers;  /* AcpiPointer */
    GArray *checksums; /* AcpiChecksum */
};

/* Where each table begins in ACPI_FILE_TABLES. */
typedef struct {
    uint32_t facs, dsdt, fadt, madt, mcfg, tpm2, xsdt;
    bool has_tpm2;
} Places;

static GByteArray *
body(AcpiTables *tables)
{
    return tables->files[ACPI_FILE_TABLES];
}

static void
checksum(AcpiTables *tables, AcpiFile in, uint32_t offset, uint32_t start, uint32_t length)
{
    AcpiChecksum entry = {in, offset, start, length};
    g_array_append_val(tables->checksums, entry);
}

/* Appends a pointer of @size bytes to what lies at @place in file @to. */
static void
put_pointer_to(AcpiTables *tables, AcpiFile in, AcpiFile to, uint32_t place, unsigned size)
{
    AcpiPointer entry = {in, to, tables->files[in]->len, size};
    g_array_append_val(tables->pointers, entry);
    bytes_put(tables->files[in], place, size);
}

static void
put_pointer(AcpiTables *tables, AcpiFile in, uint32_t place, unsigned size)
{
    put_pointer_to(tables, in, ACPI_FILE_TABLES, place, size);
}

/* The common header (5.2.6). Returns where the table begins. */
static uint32_t
table_begin(AcpiTables *tables, const char signature[4], uint8_t revision)
{
    GByteArray *out = body(tables);
    uint32_t start = out->len;

    bytes_put_raw(out, signature, 4);
    bytes_put(out, 0, 4); /* length: table_end() */
    bytes_put(out, revision, 1);
    bytes_put(out, 0, 1); /* checksum: when linked */
    bytes_put_raw(out, "CARREL", 6);
    bytes_put_raw(out, "CARRELPC", 8);
    bytes_put(out, 1, 4);
    bytes_put_raw(out, "CRRL", 4);
    bytes_put(out, 1, 4);
    g_assert(out->len == start + HEADER_SIZE);
    return start;
}

static void
table_end(AcpiTables *tables, uint32_t start)
{
    GByteArray *out = body(tables);
    uint32_t length = out->len - start;

    bytes_set(out, start + HEADER_LENGTH_AT, length, 4);
    checksum(tables, ACPI_FILE_TABLES, start + HEADER_CHECKSUM_AT, start, length);
    bytes_pad_to(out, (out->len + 7) & ~7u);
}

/* 5.2.10; no checksum. No state is kept over a power off, so nothing wakes up through it. */
static uint32_t
add_facs(AcpiTables *tables)
{
    GByteArray *out = body(tables);
    uint32_t start = out->len;

    g_assert(start % TABLES_ALIGN == 0);
    bytes_put_raw(out, "FACS", 4);
    bytes_put(out, 64, 4);
    bytes_pad_to(out, start + 32);
    bytes_put(out, 2, 1); /* version */
    bytes_pad_to(out, start + 64);
    return start;
}

static uint32_t
add_dsdt(AcpiTables *tables, const AcpiOptions *options)
{
    g_autoptr(GByteArray) code = dsdt_code(options);
    uint32_t start = table_begin(tables, "DSDT", 2); /* 2: integers have 64 bits */
    bytes_put_raw(body(tables), code->data, code->len);
    table_end(tables, start);
    return start;
}

/* FADT flags (5.2.9, table 5.10). */
#define FADT_WBINVD (1u << 0)
#define FADT_PROC_C1 (1u << 2)
#define FADT_NO_FIXED_SLEEP_BUTTON (1u << 5)
#define FADT_NO_FIXED_RTC_WAKE (1u << 6)
#define FADT_TIMER_32_BITS (1u << 8)
#define FADT_RESET_REGISTER (1u << 10)
#define FADT_APIC_CLUSTER (1u << 18) /* more than 8 processors do not fit the flat logical model */

/* IA-PC boot flags (5.2.9.3): a serial port, but no 8042 and no VGA. */
#define FADT_BOOT_LEGACY_DEVICES (1u << 0)
#define FADT_BOOT_NO_VGA (1u << 2)

#define FADT_PROFILE_DESKTOP 1
#define FADT_NO_C2_LATENCY 0xfff
#define FADT_NO_C3_LATENCY 0xfff

/* A generic address (5.2.3.2) in I/O space; @access: 1 byte, 2 word, 3 dword. */
static void
put_port(GByteArray *out, uint16_t port, unsigned bits, unsigned access)
{
    bytes_put(out, 1, 1);
    bytes_put(out, bits, 1);
    bytes_put(out, 0, 1);
    bytes_put(out, access, 1);
    bytes_put(out, port, 8);
}

static void
put_no_address(GByteArray *out)
{
    bytes_pad_to(out, out->len + 12);
}

/* The register blocks as ACPI 1.0 gave them: ports and lengths. */
static void
put_fadt_blocks(GByteArray *out)
{
    bytes_put(out, BOARD_PORT_PM + PM_REGISTER_STATUS, 4);
    bytes_put(out, 0, 4);
    bytes_put(out, BOARD_PORT_PM + PM_REGISTER_CONTROL, 4);
    bytes_put(out, 0, 4);
    bytes_put(out, 0, 4); /* no PM2 control */
    bytes_put(out, BOARD_PORT_PM + PM_REGISTER_TIMER, 4);
    bytes_put(out, BOARD_PORT_PM + PM_REGISTER_GPE0, 4);
    bytes_put(out, 0, 4);            /* no GPE1 */
    bytes_put(out, 4, 1);            /* PM1 events */
    bytes_put(out, 2, 1);            /* PM1 control */
    bytes_put(out, 0, 1);            /* PM2 control */
    bytes_put(out, 4, 1);            /* PM timer */
    bytes_put(out, PM_GPE0_SIZE, 1); /* GPE0 */
    bytes_put(out, 0, 3);            /* GPE1, its base, _CST */
}

/* The same as generic addresses. */
static void
put_fadt_extended_blocks(GByteArray *out)
{
    put_port(out, BOARD_PORT_PM + PM_REGISTER_STATUS, 32, 2);
    put_no_address(out);
    put_port(out, BOARD_PORT_PM + PM_REGISTER_CONTROL, 16, 2);
    put_no_address(out);
    put_no_address(out);
    put_port(out, BOARD_PORT_PM + PM_REGISTER_TIMER, 32, 3);
    put_port(out, BOARD_PORT_PM + PM_REGISTER_GPE0, 8 * PM_GPE0_SIZE, 1);
    put_no_address(out);
}

/* 5.2.9, in the order of table 5.9. */
static uint32_t
add_fadt(AcpiTables *tables, const Places *places, unsigned n_cpus)
{
    GByteArray *out = body(tables);
    uint32_t flags = FADT_WBINVD | FADT_PROC_C1 | FADT_NO_FIXED_SLEEP_BUTTON | FADT_NO_FIXED_RTC_WAKE |
                     FADT_TIMER_32_BITS | FADT_RESET_REGISTER | (n_cpus > 8 ? FADT_APIC_CLUSTER : 0);
    uint32_t start = table_begin(tables, "FACP", 6);

    put_pointer(tables, ACPI_FILE_TABLES, places->facs, 4);
    put_pointer(tables, ACPI_FILE_TABLES, places->dsdt, 4);
    bytes_put(out, 0, 1);
    bytes_put(out, FADT_PROFILE_DESKTOP, 1);
    bytes_put(out, BOARD_GSI_SCI, 2);
    bytes_put(out, 0, 4); /* no SMI command port: always in ACPI mode */
    bytes_put(out, 0, 4); /* values for it */
    put_fadt_blocks(out);
    bytes_put(out, FADT_NO_C2_LATENCY, 2);
    bytes_put(out, FADT_NO_C3_LATENCY, 2);
    bytes_put(out, 0, 4);    /* cache flush: WBINVD works */
    bytes_put(out, 0, 4);    /* duty cycle; day and month alarm */
    bytes_put(out, 0x32, 1); /* the century in CMOS: vmm/board/rtc.c */
    bytes_put(out, FADT_BOOT_LEGACY_DEVICES | FADT_BOOT_NO_VGA, 2);
    bytes_put(out, 0, 1);
    bytes_put(out, flags, 4);
    put_port(out, BOARD_PORT_RESET, 8, 1);
    bytes_put(out, PM_RESET_VALUE, 1);
    bytes_put(out, 0, 2); /* Arm's boot flags */
    bytes_put(out, 5, 1); /* 6.5 */
    bytes_put(out, 0, 8); /* FACS: the 32-bit pointer counts */
    put_pointer(tables, ACPI_FILE_TABLES, places->dsdt, 8);
    put_fadt_extended_blocks(out);
    put_no_address(out); /* sleep registers of the hardware-reduced model */
    put_no_address(out);
    bytes_put(out, 0, 8); /* hypervisor vendor identity */
    g_assert(out->len - start == 276);
    table_end(tables, start);
    return start;
}

/* Interrupt flags of the MADT (5.2.12.5). */
#define MPS_ACTIVE_HIGH 0x1
#define MPS_LEVEL 0xc

static void
put_processor(GByteArray *out, unsigned uid, uint32_t apic_id)
{
    if (apic_id < 255) { /* local APIC */
        bytes_put(out, 0, 1);
        bytes_put(out, 8, 1);
        bytes_put(out, uid, 1);
        bytes_put(out, apic_id, 1);
        bytes_put(out, 1, 4); /* enabled */
        return;
    }
    bytes_put(out, 9, 1); /* local x2APIC (5.2.12.12): identifiers that do not fit the other */
    bytes_put(out, 16, 1);
    bytes_put(out, 0, 2);
    bytes_put(out, apic_id, 4);
    bytes_put(out, 1, 4);
    bytes_put(out, uid, 4);
}

static void
put_override(GByteArray *out, unsigned isa_irq, unsigned gsi, uint16_t flags)
{
    bytes_put(out, 2, 1);
    bytes_put(out, 10, 1);
    bytes_put(out, 0, 1); /* ISA */
    bytes_put(out, isa_irq, 1);
    bytes_put(out, gsi, 4);
    bytes_put(out, flags, 2);
}

/* NMI is LINT1 of every processor. */
static void
put_nmi(GByteArray *out, bool x2apic)
{
    bytes_put(out, x2apic ? 10 : 4, 1);
    bytes_put(out, x2apic ? 12 : 6, 1);
    if (x2apic) {
        bytes_put(out, 0, 2);
        bytes_put(out, UINT32_MAX, 4);
        bytes_put(out, 1, 1);
        bytes_put(out, 0, 3);
    } else {
        bytes_put(out, UINT8_MAX, 1);
        bytes_put(out, 0, 2);
        bytes_put(out, 1, 1);
    }
}

/* 5.2.12 */
static uint32_t
add_madt(AcpiTables *tables, const AcpiOptions *options)
{
    GByteArray *out = body(tables);
    uint32_t start = table_begin(tables, "APIC", 5);
    bool x2apic = false;

    bytes_put(out, BOARD_LAPIC_BASE, 4);
    bytes_put(out, 1, 4); /* there are two 8259s as well */
    for (unsigned i = 0; i < options->n_cpus; i++) {
        put_processor(out, i, options->apic_ids[i]);
        x2apic |= options->apic_ids[i] >= 255;
    }
    bytes_put(out, 1, 1); /* IOAPIC */
    bytes_put(out, 12, 1);
    bytes_put(out, 0, 2); /* identifier 0 */
    bytes_put(out, BOARD_IOAPIC_BASE, 4);
    bytes_put(out, 0, 4); /* its first interrupt */
    put_override(out, 0, BOARD_GSI_PIT, 0);
    put_override(out, BOARD_GSI_SCI, BOARD_GSI_SCI, MPS_LEVEL | MPS_ACTIVE_HIGH);
    put_nmi(out, false);
    if (x2apic)
        put_nmi(out, true);
    table_end(tables, start);
    return start;
}

/* PCI Firmware 3.3, 4.1.2 */
static uint32_t
add_mcfg(AcpiTables *tables, uint64_t ecam)
{
    GByteArray *out = body(tables);
    uint32_t start = table_begin(tables, "MCFG", 1);

    bytes_put(out, 0, 8);
    bytes_put(out, ecam, 8);
    bytes_put(out, 0, 2); /* segment */
    bytes_put(out, 0, 1);
    bytes_put(out, BOARD_ECAM_LAST_BUS, 1);
    bytes_put(out, 0, 4);
    table_end(tables, start);
    return start;
}

#define TPM2_CLIENT 0    /* a PC, not a server */
#define TPM2_START_CRB 7 /* commands are started by the control area itself */

/* TCG ACPI 1.4, 8: where the control area is, and the log, which SeaBIOS does not measure without. */
static uint32_t
add_tpm2(AcpiTables *tables, uint32_t log_size)
{
    GByteArray *out = body(tables);
    uint32_t start = table_begin(tables, "TPM2", 4);

    bytes_put(out, TPM2_CLIENT, 2);
    bytes_put(out, 0, 2);
    bytes_put(out, BOARD_TPM_BASE + TPM_CONTROL_AREA, 8);
    bytes_put(out, TPM2_START_CRB, 4);
    bytes_pad_to(out, out->len + 12); /* the start method's parameters: none */
    bytes_put(out, log_size, 4);
    if (log_size)
        put_pointer_to(tables, ACPI_FILE_TABLES, ACPI_FILE_TPM_LOG, 0, 8);
    else
        bytes_put(out, 0, 8);
    bytes_pad_to(tables->files[ACPI_FILE_TPM_LOG], log_size);
    table_end(tables, start);
    return start;
}

static uint32_t
add_xsdt(AcpiTables *tables, const Places *places)
{
    uint32_t start = table_begin(tables, "XSDT", 1);

    put_pointer(tables, ACPI_FILE_TABLES, places->fadt, 8);
    put_pointer(tables, ACPI_FILE_TABLES, places->madt, 8);
    put_pointer(tables, ACPI_FILE_TABLES, places->mcfg, 8);
    if (places->has_tpm2)
        put_pointer(tables, ACPI_FILE_TABLES, places->tpm2, 8);
    table_end(tables, start);
    return start;
}

/* 5.2.5.3: two checksums, one of the part that ACPI 1.0 knew. */
static void
add_rsdp(AcpiTables *tables, const Places *places)
{
    GByteArray *out = tables->files[ACPI_FILE_RSDP];

    bytes_put_raw(out, "RSD PTR ", 8);
    bytes_put(out, 0, 1);
    bytes_put_raw(out, "CARREL", 6);
    bytes_put(out, 2, 1); /* revision */
    bytes_put(out, 0, 4); /* no RSDT */
    bytes_put(out, 36, 4);
    put_pointer(tables, ACPI_FILE_RSDP, places->xsdt, 8);
    bytes_put(out, 0, 4); /* the second checksum, and reserved */
    g_assert(out->len == 36);
    checksum(tables, ACPI_FILE_RSDP, 8, 0, 20);
    checksum(tables, ACPI_FILE_RSDP, 32, 0, 36);
}

AcpiTables *
acpi_tables_new(const AcpiOptions *options)
{
    AcpiTables *tables = g_new0(AcpiTables, 1);
    Places places;

    g_assert(options->n_cpus > 0 && options->n_cpus <= UINT8_MAX);
    for (unsigned i = 0; i < ACPI_FILE_COUNT; i++)
        tables->files[i] = g_byte_array_new();
    tables->pointers = g_array_new(FALSE, FALSE, sizeof(AcpiPointer));
    tables->checksums = g_array_new(FALSE, FALSE, sizeof(AcpiChecksum));

    places.facs = add_facs(tables);
    places.dsdt = add_dsdt(tables, options);
    places.fadt = add_fadt(tables, &places, options->n_cpus);
    places.madt = add_madt(tables, options);
    places.mcfg = add_mcfg(tables, board_ecam(options->ecam));
    places.has_tpm2 = options->tpm;
    if (options->tpm)
        places.tpm2 = add_tpm2(tables, options->tpm_log);
    places.xsdt = add_xsdt(tables, &places);
    add_rsdp(tables, &places);
    return tables;
}

void
acpi_tables_free(AcpiTables *tables)
{
    if (!tables)
        return;
    for (unsigned i = 0; i < ACPI_FILE_COUNT; i++)
        g_byte_array_unref(tables->files[i]);
    g_array_unref(tables->pointers);
    g_array_unref(tables->checksums);
    g_free(tables);
}

const GByteArray *
acpi_tables_file(const AcpiTables *tables, AcpiFile file)
{
    return tables->files[file];
}

const AcpiPointer *
acpi_tables_pointers(const AcpiTables *tables, size_t *n)
{
    *n = tables->pointers->len;
    return (const AcpiPointer *)tables->pointers->data;
}

const AcpiChecksum *
acpi_tables_checksums(const AcpiTables *tables, size_t *n)
{
    *n = tables->checksums->len;
    return (const AcpiChecksum *)tables->checksums->data;
}

GByteArray *
acpi_tables_link(const AcpiTables *tables, uint64_t base)
{
    GByteArray *image = g_byte_array_new();
    uint32_t at[ACPI_FILE_COUNT];

    g_assert(base % TABLES_ALIGN == 0);
    for (unsigned i = 0; i < ACPI_FILE_COUNT; i++) {
        if (tables->files[i]->len)
            bytes_pad_to(image, (image->len + TABLES_ALIGN - 1) & ~(TABLES_ALIGN - 1));
        at[i] = image->len;
        bytes_put_raw(image, tables->files[i]->data, tables->files[i]->len);
    }
    for (guint i = 0; i < tables->pointers->len; i++) {
        const AcpiPointer *pointer = &g_array_index(tables->pointers, AcpiPointer, i);
        uint32_t place = at[pointer->in] + pointer->offset;
        uint64_t address = base + at[pointer->to] + bytes_get(image, place, pointer->size);
        g_assert(pointer->size == 8 || address <= UINT32_MAX);
        bytes_set(image, place, address, pointer->size);
    }
    for (guint i = 0; i < tables->checksums->len; i++) {
        const AcpiChecksum *entry = &g_array_index(tables->checksums, AcpiChecksum, i);
        uint8_t sum = 0;
        for (uint32_t j = 0; j < entry->length; j++)
            sum += image->data[at[entry->in] + entry->start + j];
        image->data[at[entry->in] + entry->offset] = -sum;
    }
    return image;
}
