/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the catalog as JSON, when Carrel is built: what offers commands to people without knowing the store takes its
 * validation and its help from that.
 *
 *   {"kinds": [{"name", "table", "label", "columns": [{"name", "type", "about"}], "parts": [{"name", "columns"}], "filters": []}],
 *    "commands": [{"name", "about", "kind", "action", "role", "own", "fields": [{"name", "about", "type", …}]}]}
 */
#include "ha/store/catalog.h"

#include <string.h>

static void
print_text(const char *text)
{
    g_autoptr(GString) escaped = g_string_new(NULL);

    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            g_string_append_c(escaped, '\\');
        g_string_append_c(escaped, *text);
    }
    g_print("\"%s\"", escaped->str);
}

static void
print_member(const char *name, const char *text)
{
    g_print(", \"%s\": ", name);
    print_text(text);
}

static void
print_texts(const char *name, const char *const *texts)
{
    g_print(", \"%s\": [", name);
    for (const char *const *text = texts; text && *text; text++) {
        g_print("%s", text == texts ? "" : ", ");
        print_text(*text);
    }
    g_print("]");
}

static const char *
column_type(StoreColumnType type)
{
    return type == STORE_COLUMN_NUMBER ? "number" : type == STORE_COLUMN_BOOL ? "bool" : "text";
}

/* Those of both lists (the second may be NULL) that are not secret. */
static void
print_columns(const StoreColumn *columns, const StoreColumn *more)
{
    bool first = true;

    g_print(", \"columns\": [");
    for (const StoreColumn *column = columns; column->name || more; column++) {
        if (!column->name) {
            column = more;
            more = NULL;
        }
        if (column->type == STORE_COLUMN_SECRET)
            continue;
        g_print("%s{\"name\": \"%s\"", first ? "" : ", ", column->name);
        print_member("type", column_type(column->type));
        if (column->about)
            print_member("about", column->about);
        g_print("}");
        first = false;
    }
    g_print("]");
}

static void
print_kind(const StoreKind *kind)
{
    g_print("{\"name\": \"%s\"", kind->name);
    print_member("table", kind->table);
    print_member("label", kind->label);
    print_columns(kind->columns, kind->told);
    g_print(", \"parts\": [");
    for (const StorePart *part = kind->parts; part && part->name; part++) {
        g_print("%s{\"name\": \"%s\"", part == kind->parts ? "" : ", ", part->name);
        print_columns(part->columns, NULL);
        g_print("}");
    }
    g_print("]");
    print_texts("filters", kind->filters);
    g_print("}");
}

static void print_fields(const StoreField *fields);

static void
print_field(const StoreField *field)
{
    g_print("{\"name\": \"%s\"", field->name);
    print_member("about", field->about);
    print_member("type", store_field_type_name(field->type));
    if (field->flags & STORE_FIELD_REQUIRED)
        g_print(", \"required\": true");
    if (field->flags & STORE_FIELD_CLEARABLE)
        g_print(", \"clearable\": true");
    g_print(", \"min\": %" G_GINT64_FORMAT ", \"max\": %" G_GINT64_FORMAT, field->min, field->max);
    if (field->words)
        print_texts("words", field->words);
    if (field->fields)
        print_fields(field->fields);
    g_print("}");
}

static void
print_fields(const StoreField *fields)
{
    g_print(", \"fields\": [");
    for (const StoreField *field = fields; field->name; field++) {
        g_print("%s", field == fields ? "" : ", ");
        print_field(field);
    }
    g_print("]");
}

static void
print_command(const StoreCommandKind *command)
{
    static const char *const actions[] = {"makes", "changes", "removes", "other"};
    static const char *const own[] = {"nothing", "self", "desktop", "pool"};

    g_print("{\"name\": \"%s\"", command->name);
    print_member("about", command->about);
    print_member("kind", command->kind ? command->kind->name : "");
    print_member("action", actions[command->action]);
    print_member("role", store_role_names[command->role]);
    print_member("own", own[command->own]);
    print_fields(command->fields);
    g_print("}");
}

int
main(void)
{
    const StoreKind *kind;
    const StoreCommandKind *command;

    g_print("{\"kinds\": [");
    for (unsigned i = 0; (kind = store_catalog_kind(i)); i++) {
        g_print("%s", i ? ",\n" : "\n");
        print_kind(kind);
    }
    g_print("\n], \"commands\": [");
    for (unsigned i = 0; (command = store_catalog_command(i)); i++) {
        g_print("%s", i ? ",\n" : "\n");
        print_command(command);
    }
    g_print("\n]}\n");
    return 0;
}
