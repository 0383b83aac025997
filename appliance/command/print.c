/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/command/print.h"

#include "appliance/command/value.h"

#include <json-glib/json-glib.h>
#include <stdio.h>

GPtrArray *
cli_children(GVariant *list)
{
    GPtrArray *children = g_ptr_array_new_with_free_func((GDestroyNotify)g_variant_unref);

    for (gsize i = 0; i < g_variant_n_children(list); i++)
        g_ptr_array_add(children, g_variant_get_child_value(list, i));
    return children;
}

void
cli_print_json(GVariant *value)
{
    g_autoptr(JsonNode) node = json_gvariant_serialize(value);
    g_autofree char *text = json_to_string(node, true);

    puts(text);
}

/* Columns of a terminal. */
static unsigned
width_of(const char *text)
{
    unsigned width = 0;

    for (const char *c = text; *c; c = g_utf8_next_char(c)) {
        gunichar character = g_utf8_get_char(c);
        width += g_unichar_iszerowidth(character) ? 0 : g_unichar_iswide(character) ? 2 : 1;
    }
    return width;
}

static void
pad(const char *text, unsigned width)
{
    unsigned has = width_of(text);

    fputs(text, stdout);
    for (; has < width; has++)
        putchar(' ');
}

/* The texts of a column, its title first; NULL: there is nothing in it. */
static GPtrArray *
column_texts(CliClient *client, GPtrArray *things, const char *column)
{
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    bool any = false;

    g_ptr_array_add(texts, g_ascii_strup(column, -1));
    for (unsigned i = 0; i < things->len; i++) {
        g_autoptr(GVariant) value = g_variant_lookup_value(things->pdata[i], column, NULL);
        char *text = value ? cli_value_text(client, column, value) : g_strdup("");
        any |= *text;
        g_ptr_array_add(texts, text);
    }
    return any ? g_steal_pointer(&texts) : NULL;
}

static void
print_columns(GPtrArray *columns, unsigned n_lines)
{
    for (unsigned line = 0; line < n_lines; line++) {
        for (unsigned i = 0; i < columns->len; i++) {
            const GPtrArray *texts = columns->pdata[i];
            unsigned width = 0;
            for (unsigned k = 0; i + 1 < columns->len && k < texts->len; k++)
                width = MAX(width, width_of(texts->pdata[k]));
            pad(texts->pdata[line], width ? width + 2 : 0);
        }
        putchar('\n');
    }
}

void
cli_print_table(CliClient *client, GPtrArray *things, const char *const *columns, bool json)
{
    g_autoptr(GPtrArray) shown = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);

    if (json) {
        g_autoptr(GVariant) list = g_variant_ref_sink(
            g_variant_new_array(G_VARIANT_TYPE_VARDICT, (GVariant *const *)things->pdata, things->len));
        cli_print_json(list);
        return;
    }
    for (; *columns; columns++) {
        GPtrArray *texts = column_texts(client, things, *columns);
        if (texts)
            g_ptr_array_add(shown, texts);
    }
    if (shown->len)
        print_columns(shown, things->len + 1);
}

/* What has nothing in it, or is a matter between programs, is left out. */
static void
print_member(CliClient *client, const char *name, GVariant *value)
{
    static const char *const not_for_people[] = {"revision", "edited", "totp_step", NULL};
    g_autofree char *text = cli_value_text(client, name, value);

    if (!*text || g_strv_contains(not_for_people, name))
        return;
    pad(name, 18);
    printf("%s\n", text);
}

void
cli_print_thing(CliClient *client, GVariant *thing, const char *const *first, bool json)
{
    GVariantIter members;
    const char *name;
    GVariant *value;

    if (json) {
        cli_print_json(thing);
        return;
    }
    for (const char *const *each = first; *each; each++) {
        g_autoptr(GVariant) found = g_variant_lookup_value(thing, *each, NULL);
        if (found)
            print_member(client, *each, found);
    }
    g_variant_iter_init(&members, thing);
    while (g_variant_iter_loop(&members, "{&sv}", &name, &value))
        if (!g_strv_contains(first, name))
            print_member(client, name, value);
}
