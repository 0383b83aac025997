/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table loader's script, carried out as firmware does it: the tables it leaves are those that direct boot links, and
 * iasl reads the DSDT. Also for firmware that put ECAM where SeaBIOS does.
 */
#include "vmm/firmware/table_loader.h"

#include "vmm/board/bytes.h"

#include <glib/gstdio.h>
#include <string.h>

#define BASE 0x7ff00000ull /* of the tables; the RSDP's file comes right before, as acpi_tables_link() has them */

#define LOG 0x7fe00000ull

static AcpiTables *
build(uint64_t ecam, BoardWindow pci64)
{
    static const uint32_t ids[] = {0, 1, 2, 3};
    return acpi_tables_new(&(AcpiOptions){.apic_ids = ids, .n_cpus = 4, .pci64 = pci64, .ecam = ecam, .com1 = true});
}

typedef struct {
    GByteArray *bytes;
    uint64_t address; /* 0: not allocated yet */
    uint32_t align;
    uint8_t zone;
} Place;

static void
places_init(Place places[ACPI_FILE_COUNT], const AcpiTables *tables)
{
    for (unsigned i = 0; i < ACPI_FILE_COUNT; i++) {
        const GByteArray *file = acpi_tables_file(tables, i);
        places[i] = (Place){.bytes = g_byte_array_new()};
        bytes_put_raw(places[i].bytes, file->data, file->len);
    }
}

static Place *
named(Place places[ACPI_FILE_COUNT], const uint8_t *name)
{
    g_assert_nonnull(memchr(name, 0, 56));
    for (unsigned i = 0; i < ACPI_FILE_COUNT; i++)
        if (!strcmp((const char *)name, table_loader_file_names[i]))
            return &places[i];
    g_assert_not_reached();
}

static uint64_t
number(const uint8_t *bytes, unsigned size)
{
    uint64_t value = 0;
    memcpy(&value, bytes, size);
    return GUINT64_FROM_LE(value);
}

static void
carry_out(Place places[ACPI_FILE_COUNT], const uint8_t *command)
{
    Place *place = named(places, command + 4), *source;
    uint32_t offset;
    uint8_t sum = 0;

    switch (number(command, 4)) {
    case 1:
        g_assert_cmphex(place->address, ==, 0);
        place->align = number(command + 60, 4);
        place->zone = command[64];
        place->address = place == &places[ACPI_FILE_RSDP]     ? BASE
                         : place == &places[ACPI_FILE_TABLES] ? BASE + 64 /* the RSDP has 36 bytes */
                                                              : LOG;
        g_assert_cmphex(place->address % place->align, ==, 0);
        break;
    case 2:
        source = named(places, command + 60);
        offset = number(command + 116, 4);
        g_assert_cmphex(place->address, !=, 0);
        g_assert_cmphex(source->address, !=, 0);
        bytes_set(place->bytes, offset, bytes_get(place->bytes, offset, command[120]) + source->address, command[120]);
        break;
    case 3:
        offset = number(command + 64, 4);
        for (uint32_t i = 0; i < number(command + 68, 4); i++)
            sum += bytes_get(place->bytes, offset + i, 1);
        bytes_set(place->bytes, number(command + 60, 4), (uint8_t)-sum, 1);
        break;
    default:
        g_assert_not_reached();
    }
}

static void
load(Place places[ACPI_FILE_COUNT], const AcpiTables *tables)
{
    g_autoptr(GByteArray) script = table_loader_script(tables);

    places_init(places, tables);
    g_assert_cmpuint(script->len % TABLE_LOADER_COMMAND_SIZE, ==, 0);
    for (guint at = 0; at < script->len; at += TABLE_LOADER_COMMAND_SIZE)
        carry_out(places, script->data + at);
}

static void
places_finish(Place places[ACPI_FILE_COUNT])
{
    for (unsigned i = 0; i < ACPI_FILE_COUNT; i++)
        g_byte_array_unref(places[i].bytes);
}

static void
test_same_as_linked(void)
{
    g_autoptr(AcpiTables) tables = build(0, board_pci64_window(8ull << 30, 40));
    g_autoptr(GByteArray) linked = acpi_tables_link(tables, BASE);
    Place places[ACPI_FILE_COUNT];

    load(places, tables);
    g_assert_cmpuint(places[ACPI_FILE_RSDP].zone, ==, 2); /* below 1 MiB */
    g_assert_cmpuint(places[ACPI_FILE_RSDP].align, ==, 16);
    g_assert_cmpuint(places[ACPI_FILE_TABLES].zone, ==, 1);
    g_assert_cmpuint(places[ACPI_FILE_TABLES].align, ==, 64);
    g_assert_cmpmem(places[ACPI_FILE_RSDP].bytes->data, 36, linked->data, 36);
    g_assert_cmpmem(places[ACPI_FILE_TABLES].bytes->data, places[ACPI_FILE_TABLES].bytes->len, linked->data + 64,
                    linked->len - 64);
    places_finish(places);
}

/* A TPM's log has room of its own, and its table says where. */
static void
test_tpm_log(void)
{
    static const uint32_t id;
    g_autoptr(AcpiTables) tables = acpi_tables_new(
        &(AcpiOptions){.apic_ids = &id, .n_cpus = 1, .ecam = BOARD_ECAM_BASE, .tpm = true, .tpm_log = 65536});
    Place places[ACPI_FILE_COUNT];

    load(places, tables);
    g_assert_cmpuint(places[ACPI_FILE_TPM_LOG].bytes->len, ==, 65536);
    g_assert_cmphex(places[ACPI_FILE_TPM_LOG].address, ==, LOG);
    const GByteArray *bytes = places[ACPI_FILE_TABLES].bytes;
    const uint8_t *table = memmem(bytes->data, bytes->len, "TPM2", 4);
    g_assert_nonnull(table);
    g_assert_cmpuint(number(table + 4, 4), ==, 76);
    g_assert_cmpuint(number(table + 64, 4), ==, 65536);
    g_assert_cmphex(number(table + 68, 8), ==, LOG);
    places_finish(places);
}

/* What firmware does to ECAM and windows changes neither the script nor any length. */
static void
test_moved(void)
{
    static const struct {
        uint64_t ecam;
        BoardWindow pci64;
    } moved[] = {{0xb0000000, {0x7000000000, 0x40000000}}, {0xe0000000, {0x200000000, 0x1000000000}}, {1, {4096, 1}}};
    g_autoptr(AcpiTables) usual = build(0, board_pci64_window(8ull << 30, 40));
    g_autoptr(GByteArray) script = table_loader_script(usual);

    for (size_t i = 0; i < G_N_ELEMENTS(moved); i++) {
        g_autoptr(AcpiTables) tables = build(moved[i].ecam, moved[i].pci64);
        g_autoptr(GByteArray) other = table_loader_script(tables);
        g_assert_cmpmem(script->data, script->len, other->data, other->len);
        for (unsigned k = 0; k < ACPI_FILE_COUNT; k++)
            g_assert_cmpuint(acpi_tables_file(usual, k)->len, ==, acpi_tables_file(tables, k)->len);
    }
}

static char *
dsdt_source(const Place *tables)
{
    g_autofree char *folder = g_dir_make_tmp("tables-XXXXXX", NULL);
    g_autofree char *aml = g_build_filename(folder, "dsdt.aml", NULL),
                    *dsl = g_build_filename(folder, "dsdt.dsl", NULL);
    const uint8_t *at = tables->bytes->data;
    char *text = NULL;
    int status;

    while (memcmp(at, "DSDT", 4))
        at += 8;
    g_assert_true(g_file_set_contents(aml, (const char *)at, number(at + 4, 4), NULL));
    const char *const argv[] = {"iasl", "-d", aml, NULL};
    g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL,
                               G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL, NULL,
                               NULL, NULL, NULL, &status, NULL));
    g_assert_true(g_spawn_check_wait_status(status, NULL));
    g_assert_true(g_file_get_contents(dsl, &text, NULL, NULL));
    g_unlink(aml);
    g_unlink(dsl);
    g_rmdir(folder);
    return text;
}

/* ECAM at 0xb0000000, devices around it: SeaBIOS's way. */
static void
test_windows(void)
{
    g_autoptr(AcpiTables) tables = build(0xb0000000, (BoardWindow){0x7000000000, 0x40000000});
    Place places[ACPI_FILE_COUNT];
    size_t at = 0;

    load(places, tables);
    g_autofree char *source = dsdt_source(&places[ACPI_FILE_TABLES]);
    g_assert_nonnull(strstr(source, "0x80000000,         // Range Minimum"));
    g_assert_nonnull(strstr(source, "0xAFFFFFFF,         // Range Maximum"));
    g_assert_nonnull(strstr(source, "0xC0000000,         // Range Minimum"));
    g_assert_nonnull(strstr(source, "0xFEBFFFFF,         // Range Maximum"));
    g_assert_nonnull(strstr(source, "0x0000007000000000, // Range Minimum"));
    g_assert_nonnull(strstr(source, "0xB0000000,         // Address Base"));
    while (memcmp(places[ACPI_FILE_TABLES].bytes->data + at, "MCFG", 4))
        at += 8;
    g_assert_cmphex(bytes_get(places[ACPI_FILE_TABLES].bytes, at + 44, 8), ==, 0xb0000000);
    places_finish(places);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/table-loader/same-as-linked", test_same_as_linked);
    g_test_add_func("/table-loader/tpm-log", test_tpm_log);
    g_test_add_func("/table-loader/moved", test_moved);
    g_test_add_func("/table-loader/windows", test_windows);
    return g_test_run();
}
