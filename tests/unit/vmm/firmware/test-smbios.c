/* SPDX-License-Identifier: Apache-2.0 */
/* SMBIOS: the entry point's sum, structures that follow each other to the end, and what a person put into them. */
#include "vmm/firmware/smbios.h"

#include "vmm/board/bytes.h"

#include <string.h>

#define MIB (1ull << 20)
#define GIB (1ull << 30)

static SmbiosOptions
options(uint64_t memory_size)
{
    SmbiosOptions options = {
        .manufacturer = "Maker",
        .product = "Desk",
        .version = "7",
        .serial = "S-1",
        .asset_tag = "A-2",
        .n_cpus = 4,
        .memory_size = memory_size,
    };
    for (unsigned i = 0; i < 16; i++)
        options.uuid[i] = i;
    return options;
}

/* Where the structure of @type, the @nth of them, begins; it is there. *@strings: where its strings do. */
static size_t
find(const GByteArray *tables, uint8_t type, unsigned nth, size_t *strings)
{
    for (size_t at = 0; at < tables->len;) {
        size_t end = at + tables->data[at + 1];
        *strings = end;
        while (bytes_get(tables, end, 2)) /* two zeros end the strings */
            end++;
        if (tables->data[at] == type && nth-- == 0)
            return at;
        g_assert_cmpuint(tables->data[at], !=, 127);
        at = end + 2;
    }
    g_assert_not_reached();
}

static const char *
string_at(const GByteArray *tables, uint8_t type, unsigned offset)
{
    size_t strings, at = find(tables, type, 0, &strings);
    unsigned number = tables->data[at + offset];
    const char *text = (const char *)tables->data + strings;

    g_assert_cmpuint(offset, <, tables->data[at + 1]);
    if (!number)
        return NULL;
    while (--number)
        text += strlen(text) + 1;
    return text;
}

static void
test_entry_point(void)
{
    SmbiosOptions of = options(GIB);
    g_autoptr(GByteArray) tables = smbios_tables(&of);
    g_autoptr(GByteArray) entry = smbios_entry_point(tables);
    uint8_t sum = 0;

    g_assert_cmpuint(entry->len, ==, 24);
    g_assert_cmpmem(entry->data, 5, "_SM3_", 5);
    for (guint i = 0; i < entry->len; i++)
        sum += entry->data[i];
    g_assert_cmphex(sum, ==, 0);
    g_assert_cmpuint(bytes_get(entry, 12, 4), ==, tables->len);
}

static void
test_words(void)
{
    static const uint8_t uuid[] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    SmbiosOptions of = options(GIB);
    g_autoptr(GByteArray) tables = smbios_tables(&of);
    size_t strings, at = find(tables, 1, 0, &strings);

    g_assert_cmpstr(string_at(tables, 1, 4), ==, "Maker");
    g_assert_cmpstr(string_at(tables, 1, 5), ==, "Desk");
    g_assert_cmpstr(string_at(tables, 1, 6), ==, "7");
    g_assert_cmpstr(string_at(tables, 1, 7), ==, "S-1");
    g_assert_cmpmem(tables->data + at + 8, 16, uuid, 16);
    g_assert_cmpstr(string_at(tables, 1, 0x19), ==, NULL); /* SKU */
    g_assert_cmpstr(string_at(tables, 3, 7), ==, "S-1");
    g_assert_cmpstr(string_at(tables, 3, 8), ==, "A-2");
    g_assert_cmpstr(string_at(tables, 3, 0x15), ==, NULL);
}

static void
test_processor(void)
{
    SmbiosOptions of = options(GIB);
    g_autoptr(GByteArray) tables = smbios_tables(&of);
    size_t strings, at = find(tables, 4, 0, &strings);

    g_assert_cmpuint(tables->data[at + 1], ==, 0x30);
    g_assert_cmpuint(tables->data[at + 0x23], ==, 4);
    g_assert_cmpuint(bytes_get(tables, at + 0x2a, 2), ==, 4);
}

static void
test_memory(void)
{
    static const uint64_t sizes[] = {64 * MIB, 2 * GIB, 3 * GIB, 512 * GIB};

    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        SmbiosOptions of = options(sizes[i]);
        g_autoptr(GByteArray) tables = smbios_tables(&of);
        size_t strings, at = find(tables, 16, 0, &strings);
        g_assert_cmpuint(bytes_get(tables, at + 15, 8), ==, sizes[i]);
        at = find(tables, 17, 0, &strings);
        g_assert_cmpuint(tables->data[at + 1], ==, 0x28);
        g_assert_cmpuint(bytes_get(tables, at + 0x1c, 4), ==, sizes[i] / MIB);
        at = find(tables, 19, 0, &strings);
        g_assert_cmpuint(bytes_get(tables, at + 4, 4), ==, 0);
        g_assert_cmpuint(bytes_get(tables, at + 8, 4), ==, MIN(sizes[i], 2 * GIB) / 1024 - 1);
        if (sizes[i] > 2 * GIB) {
            at = find(tables, 19, 1, &strings);
            g_assert_cmpuint(bytes_get(tables, at + 4, 4), ==, 4 * GIB / 1024);
            g_assert_cmpuint(bytes_get(tables, at + 8, 4), ==, (2 * GIB + sizes[i]) / 1024 - 1);
        }
        find(tables, 127, 0, &strings);
        g_assert_cmpuint(strings + 2, ==, tables->len);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/smbios/entry-point", test_entry_point);
    g_test_add_func("/smbios/words", test_words);
    g_test_add_func("/smbios/processor", test_processor);
    g_test_add_func("/smbios/memory", test_memory);
    return g_test_run();
}
