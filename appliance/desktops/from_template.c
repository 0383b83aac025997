/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/from_template.h"

#include "appliance/desktops/spec.h"

typedef struct {
    const char *name;
    const char *const *columns; /* those that a template's has too */
} Part;

static const char *const machine[] = {SPEC_MACHINE_FIELDS, NULL};
static const char *const of_disks[] = {"type", "image", "size", NULL};
static const char *const of_cards[] = {"network", NULL};
static const Part parts[] = {{"disks", of_disks}, {"nics", of_cards}};

static GVariant *
list_of(GVariant *row, const char *part)
{
    GVariant *list = g_variant_lookup_value(row, part, G_VARIANT_TYPE("aa{sv}"));

    return list ? list : g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE_VARDICT, NULL, 0));
}

void
from_template_add(GVariant *template, GVariantDict *fields)
{
    for (unsigned i = 0; machine[i]; i++) {
        g_autoptr(GVariant) value = g_variant_lookup_value(template, machine[i], NULL);
        if (value)
            g_variant_dict_insert_value(fields, machine[i], value);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_autoptr(GVariant) list = list_of(template, parts[i].name);
        g_variant_dict_insert_value(fields, parts[i].name, list);
    }
}

static bool
has_same(GVariant *a, GVariant *b, const char *const *columns)
{
    for (unsigned i = 0; columns[i]; i++) {
        g_autoptr(GVariant) of_a = g_variant_lookup_value(a, columns[i], NULL);
        g_autoptr(GVariant) of_b = g_variant_lookup_value(b, columns[i], NULL);
        if (!of_a != !of_b || (of_a && !g_variant_equal(of_a, of_b)))
            return false;
    }
    return true;
}

static bool
has_same_part(GVariant *a, GVariant *b, const Part *part)
{
    g_autoptr(GVariant) of_a = list_of(a, part->name), of_b = list_of(b, part->name);
    gsize n = g_variant_n_children(of_a);

    if (n != g_variant_n_children(of_b))
        return false;
    for (gsize i = 0; i < n; i++) {
        g_autoptr(GVariant) one_of_a = g_variant_get_child_value(of_a, i);
        g_autoptr(GVariant) one_of_b = g_variant_get_child_value(of_b, i);
        if (!has_same(one_of_a, one_of_b, part->columns))
            return false;
    }
    return true;
}

bool
from_template_is_current(GVariant *template, GVariant *desktop)
{
    bool same = has_same(template, desktop, machine);

    for (unsigned i = 0; same && i < G_N_ELEMENTS(parts); i++)
        same = has_same_part(template, desktop, &parts[i]);
    return same;
}
