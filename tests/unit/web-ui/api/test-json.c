/* SPDX-License-Identifier: Apache-2.0 */
/* JSON that is hostile, and values of every type. */
#include "web-ui/server/api/json.h"

#include <string.h>

static const char *const words[] = {"red", "green", NULL};
static const ApiField inner[] = {{"size", "", API_NUMBER, API_REQUIRED, 1, 10}, {NULL}};
static const ApiField fields[] = {
    {"name", "", API_NAME, API_REQUIRED, 1, 8},
    {"note", "", API_LINE, API_CLEARABLE, 2, 8},
    {"colour", "", API_WORD, .words = words},
    {"id", "", API_UUID},
    {"yes", "", API_BOOL},
    {"number", "", API_NUMBER, 0, -5, INT64_C(1) << 50},
    {"count", "", API_COUNT, 0, 0, 9},
    {"bytes", "", API_BYTES, 0, 0, INT64_C(1) << 50},
    {"ids", "", API_TEXTS, .max = 3},
    {"disks", "", API_RECORDS, .max = 2, .fields = inner},
    {NULL},
};

static void
check_refused(const char *text, const char *begins)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) values = json_read(text, strlen(text), fields, &error);

    g_assert_null(values);
    g_assert_error(error, API_ERROR, API_ERROR_INVALID);
    if (!g_str_has_prefix(error->message, begins))
        g_error("%s: %s", text, error->message);
}

static void
check_read(const char *text, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) values = json_read(text, strlen(text), fields, &error);

    g_assert_no_error(error);
    g_autofree char *printed = g_variant_print(values, TRUE);
    g_assert_cmpstr(printed, ==, expected);
}

static void
test_values(void)
{
    check_read("{\"name\": \"a\"}", "{'name': <'a'>}");
    check_read(" { \"name\" :\"\\u00e9\\ud83d\\ude00\" } ", "{'name': <'é😀'>}");
    check_read("{\"name\":\"a\",\"number\":-5,\"count\":9,\"bytes\":1125899906842624,\"yes\":false}",
               "{'name': <'a'>, 'number': <int64 -5>, 'count': <uint32 9>, 'bytes': <uint64 1125899906842624>, 'yes': "
               "<false>}");
    check_read("{\"name\":\"a\",\"note\":\"\",\"disks\":[{\"size\":1},{\"size\":10}]}",
               "{'name': <'a'>, 'note': <''>, 'disks': <[{'size': <int64 1>}, {'size': <int64 10>}]>}");
}

static void
test_refused(void)
{
    static const struct {
        const char *text, *begins;
    } cases[] = {
        {"", "name: it is missing"},
        {"{}", "name: it is missing"},
        {"[]", "body: "},
        {"7", "body: "},
        {"{\"name\":\"a\"", "body: "},
        {"{\"name\":\"a\"}}", "body: "},
        {"{\"name\":\"a\",}", "body: "},
        {"{'name':'a'}", "body: "},
        {"{\"name\":\"a\"}//", "body: "},
        {"{\"name\":\"a\"} {}", "body: "},
        {"{\"name\":\"a\",\"name\":\"b\"}", "body: a name is there twice"},
        {"{\"name\":\"a\",\"disks\":[{\"size\":1,\"size\":2}]}", "body: a name is there twice"},
        {"{\"name\":\"\\u0000\"}", "body: "},
        {"{\"name\":\"\xff\"}", "body: it is not UTF-8"},
        {"{\"name\":\"a\",\"number\":9999999999999999999}", "body: a number has too many digits"},
        {"{\"name\":{}}", "name: "},
        {"{\"name\":null}", "name: "},
        {"{\"name\":1}", "name: it is a text"},
        {"{\"name\":\"\"}", "name: it has 0 characters"},
        {"{\"name\":\"123456789\"}", "name: it has 9 characters"},
        {"{\"name\":\"a\\n\"}", "name: it has a control character"},
        {"{\"name\":\"a\",\"note\":\"x\"}", "note: "},
        {"{\"name\":\"a\",\"colour\":\"blue\"}", "colour: it is one of red, green"},
        {"{\"name\":\"a\",\"id\":\"X\"}", "id: "},
        {"{\"name\":\"a\",\"id\":\"01234567-89ab-cdef-0123-456789abcdef\\n\"}", "id: "},
        {"{\"name\":\"a\",\"yes\":1}", "yes: "},
        {"{\"name\":\"a\",\"number\":1.5}", "number: it is a whole number"},
        {"{\"name\":\"a\",\"number\":-6}", "number: it goes from -5 to "},
        {"{\"name\":\"a\",\"count\":-1}", "count: "},
        {"{\"name\":\"a\",\"disks\":{}}", "disks: it is a list"},
        {"{\"name\":\"a\",\"disks\":[1]}", "disks: "},
        {"{\"name\":\"a\",\"disks\":[{\"size\":1},{\"size\":0}]}", "disks[1].size: it goes from 1 to 10"},
        {"{\"name\":\"a\",\"disks\":[{\"size\":1},{\"size\":1},{\"size\":1}]}", "disks: there can be 0 to 2"},
        {"{\"name\":\"a\",\"other\":1}", "other: there is no such field"},
        {"{\"name\":\"a\",\"\\u202e\":1}", "a field: there is no such field"},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++)
        check_refused(cases[i].text, cases[i].begins);
}

static void
test_deep(void)
{
    for (unsigned depth = 1; depth < 100000; depth *= 7) {
        g_autoptr(GString) text = g_string_new("{\"name\":");
        for (unsigned i = 0; i < depth; i++)
            g_string_append_c(text, '[');
        check_refused(text->str, depth > 8 ? "body: it is too deep" : "body: ");
    }
}

static void
test_query(void)
{
    static char id[] = "id", ids[] = "ids", name[] = "name", a[] = "a", b[] = "b",
                uuid[] = "01234567-89ab-cdef-0123-456789abcdef", count[] = "count", seven[] = "7";
    const TextValue good[] = {{ids, a}, {name, a}, {ids, b}, {id, uuid}, {count, seven}};
    const TextValue twice[] = {{name, a}, {name, b}}, odd[] = {{name, a}, {count, a}};
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) values = json_read_texts(good, G_N_ELEMENTS(good), fields, &error);

    g_assert_no_error(error);
    g_autofree char *printed = g_variant_print(values, FALSE);
    g_assert_cmpstr(
        printed, ==,
        "{'ids': <['a', 'b']>, 'name': <'a'>, 'id': <'01234567-89ab-cdef-0123-456789abcdef'>, 'count': <uint32 7>}");
    g_assert_null(json_read_texts(twice, 2, fields, &error));
    g_assert_cmpstr(error->message, ==, "name: it is there twice");
    g_clear_error(&error);
    g_assert_null(json_read_texts(odd, 2, fields, &error));
    g_assert_cmpstr(error->message, ==, "count: it is a whole number");
}

static void
test_writing(void)
{
    g_autoptr(GVariant) value = g_variant_ref_sink(g_variant_new_parsed(
        "{'text': <'a\"\\\\\\n\\u007fé'>, 'yes': <true>, 'n': <int64 -9007199254740993>, 't': <uint64 "
        "18446744073709551615>, "
        "'d': <0.5>, 'u': <uint32 7>, 'list': <@as []>, 'records': <[{'a': <1>}, {}]>, 'tuples': <[('a', 'b')]>}"));
    g_autoptr(GString) text = g_string_new(NULL);

    json_write(text, value);
    g_assert_cmpstr(text->str, ==,
                    "{\"text\":\"a\\\"\\\\\\u000a\\u007fé\",\"yes\":true,\"n\":-9007199254740993,"
                    "\"t\":18446744073709551615,\"d\":0.5,\"u\":7,\"list\":[],\"records\":[{\"a\":1},{}],"
                    "\"tuples\":[[\"a\",\"b\"]]}");
    g_string_truncate(text, 0);
    g_autoptr(GVariant) infinite = g_variant_ref_sink(g_variant_new_double(1.0 / 0.0));
    json_write(text, infinite);
    g_assert_cmpstr(text->str, ==, "null");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json/values", test_values);
    g_test_add_func("/json/refused", test_refused);
    g_test_add_func("/json/deep", test_deep);
    g_test_add_func("/json/query", test_query);
    g_test_add_func("/json/writing", test_writing);
    return g_test_run();
}
