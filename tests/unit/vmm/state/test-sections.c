/* SPDX-License-Identifier: Apache-2.0 */
/* Sections: each object finds its own, and a run of another shape or with a cut is refused. */
#include "vmm/state/sections.h"

typedef struct {
    uint32_t value;
} Box;

static const StateField box_fields[] = {STATE_UINT(Box, value, 1), STATE_END};
static const StateTable box_table = {.name = "box", .version = 1, .oldest = 1, .fields = box_fields};
static const StateTable crate_table = {.name = "crate", .version = 1, .oldest = 1, .fields = box_fields};

static GByteArray *
two_boxes(void)
{
    Box a = {1}, b = {2};
    GByteArray *sections = g_byte_array_new();
    sections_add(sections, "a", &box_table, &a);
    sections_add(sections, "b", &box_table, &b);
    return sections;
}

static void
test_round_trip(void)
{
    g_autoptr(GByteArray) sections = two_boxes();
    g_autoptr(SectionReader) reader = section_reader_new(sections->data, sections->len, NULL);
    Box a = {0}, b = {0};
    g_assert_true(section_reader_claim(reader, "b", &box_table, NULL)); /* in any order */
    g_assert_true(section_reader_claim(reader, "a", &box_table, NULL));
    g_assert_true(section_reader_finish_claims(reader, NULL));
    g_assert_true(section_reader_load(reader, "b", &box_table, &b, NULL));
    g_assert_true(section_reader_load(reader, "a", &box_table, &a, NULL));
    g_assert_cmpuint(a.value, ==, 1);
    g_assert_cmpuint(b.value, ==, 2);
}

static void
test_other_shape(void)
{
    g_autoptr(GByteArray) sections = two_boxes();
    g_autoptr(SectionReader) reader = section_reader_new(sections->data, sections->len, NULL);
    g_autoptr(GError) error = NULL;

    g_assert_false(section_reader_claim(reader, "c", &box_table, &error));
    g_assert_cmpstr(error->message, ==, "this desktop has c (box), the saved one had not");
    g_clear_error(&error);
    g_assert_false(section_reader_claim(reader, "a", &crate_table, &error));
    g_assert_error(error, STATE_ERROR, STATE_ERROR_FOREIGN);
    g_clear_error(&error);

    g_assert_true(section_reader_claim(reader, "a", &box_table, NULL));
    g_assert_false(section_reader_claim(reader, "a", &box_table, &error)); /* each once */
    g_clear_error(&error);
    g_assert_false(section_reader_finish_claims(reader, &error));
    g_assert_cmpstr(error->message, ==, "the saved desktop had b (box), this one has not");
}

static void
test_cuts(void)
{
    g_autoptr(GByteArray) sections = two_boxes();
    for (guint len = 1; len < sections->len; len++) {
        if (len == sections->len / 2)
            continue; /* the end of the first of two sections of one length: whole as far as it goes */
        g_autoptr(GError) error = NULL;
        g_assert_null(section_reader_new(sections->data, len, &error));
        g_assert_error(error, STATE_ERROR, STATE_ERROR_TRUNCATED);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sections/round-trip", test_round_trip);
    g_test_add_func("/sections/other-shape", test_other_shape);
    g_test_add_func("/sections/cuts", test_cuts);
    return g_test_run();
}
