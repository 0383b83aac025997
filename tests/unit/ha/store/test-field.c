/* SPDX-License-Identifier: Apache-2.0 */
/* Values against a table of fields: every type, at its limits and beyond. */
#include "ha/store/error.h"
#include "ha/store/field.h"

#include <string.h>

static const char *const words[] = {"one", "two", NULL};
static const StoreField inner[] = {
    {"size", "", STORE_FIELD_NUMBER, STORE_FIELD_REQUIRED, 1, 9},
    {"note", "", STORE_FIELD_LINE, 0, 0, 5},
    {NULL},
};
static const StoreField fields[] = {
    {"id", "", STORE_FIELD_UUID},
    {"token", "", STORE_FIELD_TOKEN, 0, 2, 4},
    {"name", "", STORE_FIELD_NAME, 0, 1, 4},
    {"line", "", STORE_FIELD_LINE, STORE_FIELD_CLEARABLE, 1, 5000},
    {"word", "", STORE_FIELD_WORD, .words = words},
    {"hash", "", STORE_FIELD_HASH},
    {"totp", "", STORE_FIELD_BASE32},
    {"sum", "", STORE_FIELD_SHA256},
    {"mac", "", STORE_FIELD_MAC},
    {"flag", "", STORE_FIELD_BOOL},
    {"number", "", STORE_FIELD_NUMBER, STORE_FIELD_REQUIRED, -5, 5},
    {"time", "", STORE_FIELD_TIME},
    {"list", "", STORE_FIELD_RECORDS, .min = 1, .max = 2, .fields = inner},
    {NULL},
};

static void
check(const char *given, const char *says)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = g_strdup_printf("{'number': <int64 1>, %s}", given);
    g_autoptr(GVariant) values = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, &error);

    g_assert_no_error(error);
    bool fits = store_field_check_all(fields, values, &error);
    if (!says) {
        g_assert_no_error(error);
        g_assert_true(fits);
        return;
    }
    g_assert_false(fits);
    g_assert_error(error, STORE_ERROR, STORE_ERROR_FIELD);
    if (strcmp(error->message, says))
        g_error("%s: wanted “%s”, got “%s”", given, says, error->message);
}

static void
test_fits(void)
{
    static const char *const given[] = {
        "'id': <'00000000-0000-4000-8000-0123456789ab'>",
        "'token': <'ab-c'>",
        "'name': <'Büro'>",
        "'line': <''>",
        "'word': <'two'>",
        "'hash': <'$6$salt$hash./0'>",
        "'totp': <'ABCDEFGHIJKLMNOP'>",
        "'sum': <'0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'>",
        "'mac': <'52:54:00:ab:cd:ef'>",
        "'flag': <true>",
        "'time': <int64 1700000000000000>",
        "'list': <[{'size': <int64 9>, 'note': <''>}, {'size': <int64 1>}]>",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(given); i++)
        check(given[i], NULL);
}

static void
test_does_not_fit(void)
{
    static const struct {
        const char *given, *says;
    } cases[] = {
        {"'id': <'me'>", "id: it is no UUID in lower case"},
        {"'token': <'a'>", "token: it has 1 characters, and needs 2"},
        {"'token': <'abcde'>", "token: it has 5 characters, and can have 4"},
        {"'name': <'Büros'>", "name: it has 5 characters, and can have 4"},
        {"'name': <''>", "name: it is empty"},
        {"'word': <'three'>", "word: it is one of one, two"},
        {"'word': <''>", "word: it is one of one, two"},
        {"'hash': <'password'>", "hash: it is not a hashed password"},
        {"'hash': <'$ecret'>", "hash: it is not a hashed password"},
        {"'hash': <'$y$sa lt$xx'>", "hash: it is not a hashed password"},
        {"'totp': <'ABCDEFGHIJKLMNO1'>", "totp: it is 16 to 128 characters of base32"},
        {"'sum': <'0123'>", "sum: it is 64 hexadecimal digits"},
        {"'mac': <'52:54:00:ab:cd'>", "mac: it is an address like 52:54:00:12:34:56, in lower case"},
        {"'mac': <'52:54:00:AB:CD:EF'>", "mac: it is an address like 52:54:00:12:34:56, in lower case"},
        {"'mac': <'01:54:00:ab:cd:ef'>", "mac: it is an address of many (its first byte is odd)"},
        {"'flag': <'true'>", "flag: it is not of the type bool (b)"},
        {"'time': <int64 -1>", "time: it goes from 0 to 7258118400000000"},
        {"'time': <1>", "time: it is not of the type time (x)"},
        {"'number': <int64 2>", "number: it is there twice"},
        {"'colour': <'red'>", "colour: there is no such field"},
        {"'col\\nour': <'red'>", "a field: there is no such field"},
        {"'list': <@aa{sv} []>", "list: there can be 1 to 2 of them"},
        {"'list': <[{'size': <int64 1>}, {'size': <int64 1>}, {'size': <int64 1>}]>",
         "list: there can be 1 to 2 of them"},
        {"'list': <[{'size': <int64 10>}]>", "list[0].size: it goes from 1 to 9"},
        {"'list': <[{'size': <int64 1>}, {'note': <'x'>}]>", "list[1].size: it is missing"},
        {"'list': <[{'size': <int64 1>, 'size': <int64 2>}]>", "list[0].size: it is there twice"},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++)
        check(cases[i].given, cases[i].says);
}

static void
test_bounds(void)
{
    static const int64_t numbers[] = {-6, -5, 5, 6, INT64_MIN, INT64_MAX};
    g_autofree char *filler = g_strnfill(STORE_FIELD_BYTES_MAX + 1, 'x');
    g_autofree char *line = g_strdup_printf("'line': <'%s'>", filler);

    check(line, "line: it has 4097 bytes, and can have 4096");
    for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) values = g_variant_ref_sink(g_variant_new_parsed("{'number': <%x>}", numbers[i]));
        g_assert_true(store_field_check_all(fields, values, &error) == (i == 1 || i == 2));
        g_assert_true(!error == (i == 1 || i == 2));
    }
}

static void
test_missing(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) nothing = g_variant_ref_sink(g_variant_new_parsed("@a{sv} {}"));

    g_assert_false(store_field_check_all(fields, nothing, &error));
    g_assert_cmpstr(error->message, ==, "number: it is missing");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/field/fits", test_fits);
    g_test_add_func("/store/field/does-not-fit", test_does_not_fit);
    g_test_add_func("/store/field/bounds", test_bounds);
    g_test_add_func("/store/field/missing", test_missing);
    return g_test_run();
}
