/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/from_template.h"

#define TEMPLATE                                                                                                      \
    "{'name': <'Office PC'>, 'revision': <int64 3>, 'memory': <int64 64>, 'vcpus': <int64 1>, 'firmware': <'bios'>, " \
    "'tpm': <false>, 'disks': <[{'type': <'disk'>, 'image': <'one'>}]>, 'nics': <[{'network': <'lan'>}]>}"

static GVariant *
parse(const char *text)
{
    GVariant *row = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);

    g_assert_nonnull(row);
    return row;
}

/* A desktop's row as a command with these fields leaves it. */
static GVariant *
made_from(GVariant *template)
{
    GVariantDict fields;

    g_variant_dict_init(&fields, NULL);
    g_variant_dict_insert(&fields, "name", "s", "Class 1");
    g_variant_dict_insert(&fields, "wanted", "s", "running");
    from_template_add(template, &fields);
    return g_variant_ref_sink(g_variant_dict_end(&fields));
}

/* @to in place of @from. */
static GVariant *
changed(const char *from, const char *to)
{
    g_autoptr(GString) text = g_string_new(TEMPLATE);

    g_assert_cmpuint(g_string_replace(text, from, to, 0), ==, 1);
    return parse(text->str);
}

static void
test_what_was_made_is_current(void)
{
    g_autoptr(GVariant) template = parse(TEMPLATE), desktop = made_from(template);
    g_autoptr(GVariant) bare = parse("{'memory': <int64 64>}"), of_bare = made_from(bare);

    g_assert_true(from_template_is_current(template, desktop));
    g_assert_true(from_template_is_current(bare, of_bare));
    g_assert_false(from_template_is_current(bare, desktop));
}

static void
test_what_matters(void)
{
    static const char *const changes[][2] = {
        {"<int64 64>", "<int64 65>"},
        {"'vcpus': <int64 1>", "'vcpus': <int64 2>"},
        {"'bios'", "'uefi'"},
        {"<false>", "<true>"},
        {"'one'", "'two'"},
        {", 'image': <'one'>", ""},
        {"'image': <'one'>", "'image': <'one'>, 'size': <int64 9>"},
        {"{'type': <'disk'>, 'image': <'one'>}", "{'type': <'disk'>, 'image': <'one'>}, {'type': <'cdrom'>}"},
        {"'lan'", "'guests'"},
        {", 'nics': <[{'network': <'lan'>}]>", ""},
    };
    g_autoptr(GVariant) template = parse(TEMPLATE), desktop = made_from(template);

    for (unsigned i = 0; i < G_N_ELEMENTS(changes); i++) {
        g_autoptr(GVariant) other = changed(changes[i][0], changes[i][1]);
        g_test_message("%s → %s", changes[i][0], changes[i][1]);
        g_assert_false(from_template_is_current(other, desktop));
    }
}

static void
test_what_does_not(void)
{
    g_autoptr(GVariant) template = parse(TEMPLATE), desktop = made_from(template);
    g_autoptr(GVariant) renamed = changed("Office PC", "Desk"), later = changed("<int64 3>", "<int64 4>");

    g_assert_true(from_template_is_current(renamed, desktop));
    g_assert_true(from_template_is_current(later, desktop));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/from-template/what-was-made-is-current", test_what_was_made_is_current);
    g_test_add_func("/from-template/what-matters", test_what_matters);
    g_test_add_func("/from-template/what-does-not", test_what_does_not);
    return g_test_run();
}
