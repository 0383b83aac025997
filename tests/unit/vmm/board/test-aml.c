/* SPDX-License-Identifier: Apache-2.0 */
/* AML encodings, against bytes written down from ACPI 6.5, 20.2. That iasl reads the whole is tested in test-acpi.c. */
#include "vmm/board/aml.h"

#include <string.h>

static void
expect(GByteArray *code, const uint8_t *bytes, size_t len)
{
    g_assert_cmpmem(code->data, code->len, bytes, len);
    g_byte_array_unref(code);
}
#define EXPECT(code, ...) expect((code), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void
test_integers(void)
{
    Aml aml;
    aml_init(&aml);
    aml_integer(&aml, 0);
    aml_integer(&aml, 1);
    aml_integer(&aml, 2);
    aml_integer(&aml, 0xff);
    aml_integer(&aml, 0x100);
    aml_integer(&aml, 0x12345678);
    aml_integer(&aml, 0x123456789a);
    EXPECT(aml_finish(&aml), 0x00, 0x01, 0x0a, 2, 0x0a, 0xff, 0x0b, 0x00, 0x01, 0x0c, 0x78, 0x56, 0x34, 0x12, 0x0e,
           0x9a, 0x78, 0x56, 0x34, 0x12, 0, 0, 0);
}

static void
test_names(void)
{
    Aml aml;
    aml_init(&aml);
    aml_name(&aml, "RTC");
    aml_string(&aml, "hi");
    aml_name(&aml, "_S5");
    aml_eisa_id(&aml, "PNP0A03");
    EXPECT(aml_finish(&aml), 0x08, 'R', 'T', 'C', '_', 0x0d, 'h', 'i', 0, 0x08, '_', 'S', '5', '_', 0x0c, 0x41, 0xd0,
           0x0a, 0x03);
}

/* The length counts its own bytes, so it grows at 63, 4093 and 2^20 - 4 bytes of body. */
static void
test_lengths(void)
{
    static const struct {
        size_t body; /* of the scope: a name, and the rest */
        uint8_t encoded[4];
        unsigned len;
    } cases[] = {
        {4, {5}, 1},
        {62, {63}, 1},
        {63, {0x40 | 1, 4}, 2},
        {4093, {0x40 | 0xf, 0xff}, 2},
        {4094, {0x80 | 1, 0x00, 0x01}, 3},
        {(1 << 20) - 4, {0x80 | 0xf, 0xff, 0xff}, 3},
        {(1 << 20) - 3, {0xc0 | 1, 0x00, 0x00, 0x01}, 4},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Aml aml;
        aml_init(&aml);
        aml_begin_scope(&aml, "_SB");
        for (size_t n = 4; n < cases[i].body; n++)
            aml_integer(&aml, 1);
        aml_end(&aml);
        g_autoptr(GByteArray) code = aml_finish(&aml);
        g_assert_cmpmem(code->data + 1, cases[i].len, cases[i].encoded, cases[i].len);
        g_assert_cmpuint(code->len, ==, 1 + cases[i].len + cases[i].body);
        g_assert_cmpmem(code->data + 1 + cases[i].len, 4, "_SB_", 4);
    }
}

static void
test_nesting(void)
{
    Aml aml;
    aml_init(&aml);
    aml_begin_device(&aml, "A");
    aml_begin_method(&aml, "B", 2);
    aml_begin_if(&aml);
    aml_not_equal(&aml);
    aml_argument(&aml, 1);
    aml_integer(&aml, 1);
    aml_return(&aml);
    aml_local(&aml, 0);
    aml_end(&aml);
    aml_begin_else(&aml);
    aml_store(&aml);
    aml_argument(&aml, 0);
    aml_reference(&aml, "C");
    aml_end(&aml);
    aml_end(&aml);
    aml_end(&aml);
    EXPECT(aml_finish(&aml), 0x5b, 0x82, 28, 'A', '_', '_', '_', 0x14, 22, 'B', '_', '_', '_', 0x08 | 2, 0xa0, 7, 0x92,
           0x93, 0x69, 0x01, 0xa4, 0x60, 0xa1, 7, 0x70, 0x68, 'C', '_', '_', '_');
}

static void
test_resources(void)
{
    Aml aml;
    GByteArray *resources = g_byte_array_new();
    aml_init(&aml);
    aml_resource_io(resources, 0x3f8, 8);
    aml_resource_irq(resources, 4);
    aml_resource_window_bus(resources, 0, 255);
    aml_resources(&aml, resources);
    EXPECT(aml_finish(&aml), 0x11, 32, 0x0a, 29,              /* buffer of 29 bytes */
           0x47, 1, 0xf8, 0x03, 0xf8, 0x03, 1, 8,             /* ports */
           0x22, 0x10, 0x00,                                  /* interrupt */
           0x88, 13, 0, 2, 0x0c, 0, 0, 0, 0, 0, 255, 0, 0, 0, /* buses */
           0x00, 0x01, 0x79, 0x00);
}

static void
test_uuid(void)
{
    Aml aml;
    aml_init(&aml);
    aml_uuid(&aml, "33DB4D5B-1FF7-401C-9657-7441C03DD766");
    EXPECT(aml_finish(&aml), 0x11, 19, 0x0a, 16, 0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f, 0x1c, 0x40, 0x96, 0x57, 0x74, 0x41,
           0xc0, 0x3d, 0xd7, 0x66);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/aml/integers", test_integers);
    g_test_add_func("/aml/names", test_names);
    g_test_add_func("/aml/lengths", test_lengths);
    g_test_add_func("/aml/nesting", test_nesting);
    g_test_add_func("/aml/resources", test_resources);
    g_test_add_func("/aml/uuid", test_uuid);
    return g_test_run();
}
