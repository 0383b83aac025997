/* SPDX-License-Identifier: Apache-2.0 */
/* ACPI tables: sums and pointers hold wherever they are placed, and iasl reads, and compiles again, every one of them. */
#include "vmm/board/acpi.h"

#include "vmm/board/bytes.h"

#include <glib/gstdio.h>
#include <string.h>

#define BASE 0xe0000ull
#define XSDT_ENTRIES_AT 36

static AcpiTables *
build(unsigned n_cpus, uint32_t first_apic_id)
{
    g_autofree uint32_t *ids = g_new(uint32_t, n_cpus);
    for (unsigned i = 0; i < n_cpus; i++)
        ids[i] = first_apic_id + i;
    return acpi_tables_new(&(AcpiOptions){
        .apic_ids = ids, .n_cpus = n_cpus, .pci64 = board_pci64_window(8ull << 30, 40), .com1 = true, .tpm = true});
}

static uint8_t
sum(const GByteArray *image, size_t start, size_t len)
{
    uint8_t total = 0;
    g_assert_cmpuint(start + len, <=, image->len);
    for (size_t i = 0; i < len; i++)
        total += image->data[start + i];
    return total;
}

/* Where in the image a sound table of that signature starts that an address in the image names. */
static size_t
follow(const GByteArray *image, uint64_t base, size_t pointer, unsigned size, const char *signature)
{
    size_t at = bytes_get(image, pointer, size) - base;
    g_assert_cmpmem(image->data + at, 4, signature, 4);
    if (!g_str_equal(signature, "FACS"))
        g_assert_cmphex(sum(image, at, bytes_get(image, at + 4, 4)), ==, 0);
    return at;
}

static size_t
xsdt(const GByteArray *image, uint64_t base)
{
    g_assert_cmpmem(image->data, 8, "RSD PTR ", 8);
    g_assert_cmphex(sum(image, 0, 20), ==, 0);
    g_assert_cmphex(sum(image, 0, 36), ==, 0);
    return follow(image, base, 24, 8, "XSDT");
}

static void
test_links(void)
{
    static const uint64_t bases[] = {BASE, 0x7ff00000};
    g_autoptr(AcpiTables) tables = build(4, 0);

    for (gsize i = 0; i < G_N_ELEMENTS(bases); i++) {
        g_autoptr(GByteArray) image = acpi_tables_link(tables, bases[i]);
        size_t root = xsdt(image, bases[i]);
        g_assert_cmpuint(bytes_get(image, root + 4, 4), ==, XSDT_ENTRIES_AT + 4 * 8);
        size_t fadt = follow(image, bases[i], root + XSDT_ENTRIES_AT, 8, "FACP");
        follow(image, bases[i], root + XSDT_ENTRIES_AT + 8, 8, "APIC");
        size_t mcfg = follow(image, bases[i], root + XSDT_ENTRIES_AT + 16, 8, "MCFG");
        size_t tpm2 = follow(image, bases[i], root + XSDT_ENTRIES_AT + 24, 8, "TPM2");
        g_assert_cmphex(bytes_get(image, tpm2 + 40, 8), ==, BOARD_TPM_BASE + 0x40);
        g_assert_cmpuint(bytes_get(image, tpm2 + 48, 4), ==, 7); /* CRB */
        size_t facs = follow(image, bases[i], fadt + 36, 4, "FACS");
        g_assert_cmphex((bases[i] + facs) % 64, ==, 0);
        g_assert_cmpuint(follow(image, bases[i], fadt + 40, 4, "DSDT"), ==,
                         follow(image, bases[i], fadt + 140, 8, "DSDT"));
        g_assert_cmphex(bytes_get(image, mcfg + 44, 8), ==, BOARD_ECAM_BASE);
    }
}

static void
test_fadt(void)
{
    g_autoptr(AcpiTables) tables = build(4, 0);
    g_autoptr(GByteArray) image = acpi_tables_link(tables, BASE);
    size_t fadt = follow(image, BASE, xsdt(image, BASE) + XSDT_ENTRIES_AT, 8, "FACP");

    g_assert_cmpuint(bytes_get(image, fadt + 46, 2), ==, 9);     /* SCI */
    g_assert_cmphex(bytes_get(image, fadt + 56, 4), ==, 0x600);  /* PM1a events */
    g_assert_cmphex(bytes_get(image, fadt + 64, 4), ==, 0x604);  /* PM1a control */
    g_assert_cmphex(bytes_get(image, fadt + 76, 4), ==, 0x608);  /* timer */
    g_assert_cmphex(bytes_get(image, fadt + 80, 4), ==, 0x620);  /* GPE0 */
    g_assert_cmphex(bytes_get(image, fadt + 120, 8), ==, 0xcf9); /* reset register's address */
    g_assert_cmphex(bytes_get(image, fadt + 128, 1), ==, 0x06);
    g_assert_cmphex(bytes_get(image, fadt + 112, 4) & 1 << 20, ==, 0); /* not hardware-reduced */
    g_assert_cmphex(bytes_get(image, fadt + 152, 8), ==, 0x600);       /* and again as generic addresses */
    g_assert_cmphex(bytes_get(image, fadt + 224, 8), ==, 0x620);
}

static void
test_madt(void)
{
    unsigned local = 0, x2apic = 0, io = 0;
    bool sci = false;
    g_autoptr(AcpiTables) tables = build(64, 200); /* identifiers 200 to 263 */
    g_autoptr(GByteArray) image = acpi_tables_link(tables, BASE);
    size_t madt = follow(image, BASE, xsdt(image, BASE) + XSDT_ENTRIES_AT + 8, 8, "APIC");
    size_t end = madt + bytes_get(image, madt + 4, 4);

    for (size_t at = madt + 44; at < end; at += bytes_get(image, at + 1, 1)) {
        switch (bytes_get(image, at, 1)) {
        case 0:
            g_assert_cmpuint(bytes_get(image, at + 2, 1), ==, local);
            g_assert_cmpuint(bytes_get(image, at + 3, 1), ==, 200 + local++);
            break;
        case 9:
            g_assert_cmpuint(bytes_get(image, at + 12, 4), ==, local + x2apic);
            g_assert_cmpuint(bytes_get(image, at + 4, 4), ==, 255 + x2apic++);
            break;
        case 1:
            g_assert_cmphex(bytes_get(image, at + 4, 4), ==, BOARD_IOAPIC_BASE);
            io++;
            break;
        case 2:
            sci |= bytes_get(image, at + 3, 1) == 9 && bytes_get(image, at + 8, 2) == 0xd;
            break;
        }
    }
    g_assert_cmpuint(local, ==, 55);
    g_assert_cmpuint(x2apic, ==, 9);
    g_assert_cmpuint(io, ==, 1);
    g_assert_true(sci);
}

static void
test_fits_below_1m(void)
{
    g_autoptr(AcpiTables) tables = build(64, 0);
    g_autoptr(GByteArray) image = acpi_tables_link(tables, BOARD_ACPI_BASE);
    g_assert_cmpuint(image->len, <=, BOARD_ACPI_END - BOARD_ACPI_BASE);
}

/* Runs iasl and asserts that it had nothing to say against the file. */
static void
run_iasl(const char *folder, const char *option, const char *file)
{
    const char *argv[] = {"iasl", option, file, NULL};
    g_autofree char *out = NULL, *diagnostics = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    g_assert_true(g_spawn_sync(folder, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &diagnostics,
                               &status, &error));
    g_assert_no_error(error);
    if (!g_spawn_check_wait_status(status, NULL) || strstr(diagnostics, "rror ") || strstr(diagnostics, "arning "))
        g_error("iasl %s %s: %s%s", option, file, out, diagnostics);
}

static void
check_with_iasl(const char *folder, const GByteArray *image, size_t at, const char *name)
{
    g_autofree char *binary = g_strdup_printf("%s/%s.aml", folder, name);
    g_autofree char *source = g_strdup_printf("%s.dsl", name);
    g_autofree char *aml = g_strdup_printf("%s.aml", name);
    g_autofree char *again = NULL;
    gsize len = bytes_get(image, at + 4, 4), again_len;

    g_assert_true(g_file_set_contents(binary, (const char *)image->data + at, len, NULL));
    run_iasl(folder, "-d", aml);
    g_assert_no_errno(g_unlink(binary));
    run_iasl(folder, "-we", source); /* a warning is an error */
    /* What iasl makes of its own reading is the table we wrote, but for who compiled it. */
    g_assert_true(g_file_get_contents(binary, &again, &again_len, NULL));
    g_assert_cmpmem(again + 36, again_len - 36, image->data + at + 36, len - 36);
}

static void
test_iasl(void)
{
    g_autofree char *iasl = g_find_program_in_path("iasl");
    if (!iasl) {
        g_test_skip("no iasl (acpica-tools)");
        return;
    }
    g_autofree char *folder = g_dir_make_tmp("test-acpi-XXXXXX", NULL);
    g_autoptr(AcpiTables) tables = build(64, 200);
    g_autoptr(GByteArray) image = acpi_tables_link(tables, BASE);
    size_t root = xsdt(image, BASE);
    size_t fadt = follow(image, BASE, root + XSDT_ENTRIES_AT, 8, "FACP");

    check_with_iasl(folder, image, fadt, "facp");
    check_with_iasl(folder, image, follow(image, BASE, fadt + 140, 8, "DSDT"), "dsdt");
    check_with_iasl(folder, image, follow(image, BASE, fadt + 36, 4, "FACS"), "facs");
    check_with_iasl(folder, image, follow(image, BASE, root + XSDT_ENTRIES_AT + 8, 8, "APIC"), "apic");
    check_with_iasl(folder, image, follow(image, BASE, root + XSDT_ENTRIES_AT + 16, 8, "MCFG"), "mcfg");
    check_with_iasl(folder, image, follow(image, BASE, root + XSDT_ENTRIES_AT + 24, 8, "TPM2"), "tpm2");
    check_with_iasl(folder, image, root, "xsdt");

    g_autoptr(GDir) left = g_dir_open(folder, 0, NULL);
    for (const char *name; (name = g_dir_read_name(left));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_unlink(path);
    }
    g_rmdir(folder);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/acpi/links", test_links);
    g_test_add_func("/acpi/fadt", test_fadt);
    g_test_add_func("/acpi/madt", test_madt);
    g_test_add_func("/acpi/fits", test_fits_below_1m);
    g_test_add_func("/acpi/iasl", test_iasl);
    return g_test_run();
}
