/* SPDX-License-Identifier: Apache-2.0 */
/* The catalog is ours, and a test reads it: what is wrong with it ends the program. */
#include "web-ui/server/api/catalog.h"

#include <gio/gio.h>
#include <json-glib/json-glib.h>
#include <string.h>

static const struct {
    const char *name;
    ApiType type;
} types[] = {
    {"uuid", API_UUID},       {"token", API_TOKEN},   {"name", API_NAME},     {"line", API_LINE},
    {"word", API_WORD},       {"base32", API_BASE32}, {"sha256", API_SHA256}, {"mac", API_MAC},
    {"bool", API_BOOL},       {"number", API_NUMBER}, {"time", API_TIME},     {"text", API_TEXT},
    {"records", API_RECORDS}, {"hash", API_SECRET}, /* the daemon hashes it */
};

/* As sign-in takes passwords. */
#define PASSWORD_MAX 256

static ApiType
type_of(const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(types); i++)
        if (!strcmp(types[i].name, name))
            return types[i].type;
    g_error("the catalog has a type %s", name);
}

static const char *
text_of(JsonObject *object, const char *member)
{
    return g_intern_string(json_object_get_string_member(object, member));
}

static const char *const *
texts_of(JsonObject *object, const char *member)
{
    JsonArray *array = json_object_has_member(object, member) ? json_object_get_array_member(object, member) : NULL;
    guint n = array ? json_array_get_length(array) : 0;
    const char **texts = g_new0(const char *, n + 1);

    for (guint i = 0; i < n; i++)
        texts[i] = g_intern_string(json_array_get_string_element(array, i));
    return texts;
}

/* --- kinds --- */

static unsigned
add_columns(ApiField *fields, JsonObject *object)
{
    JsonArray *columns = json_object_get_array_member(object, "columns");
    guint n = json_array_get_length(columns);

    for (guint i = 0; i < n; i++) {
        JsonObject *column = json_array_get_object_element(columns, i);
        fields[i] = (ApiField){.name = text_of(column, "name"), .type = type_of(text_of(column, "type"))};
        if (json_object_has_member(column, "about"))
            fields[i].about = text_of(column, "about");
    }
    return n;
}

static const ApiField *
read_columns(JsonObject *object, bool whole)
{
    static const ApiField every[] = {
        {"id", "what it is known by", API_TEXT, API_REQUIRED},
        {"created", "when it was made", API_TIME, API_REQUIRED},
        {"revision", "the number of the command that changed it last", API_NUMBER, API_REQUIRED},
    };
    JsonArray *parts = json_object_get_array_member(object, "parts");
    guint n = json_array_get_length(json_object_get_array_member(object, "columns"));
    guint n_parts = whole ? json_array_get_length(parts) : 0;
    ApiField *fields = g_new0(ApiField, G_N_ELEMENTS(every) + n + n_parts + 1);

    memcpy(fields, every, sizeof(every));
    n = G_N_ELEMENTS(every) + add_columns(fields + G_N_ELEMENTS(every), object);
    for (guint i = 0; i < n_parts; i++) {
        JsonObject *part = json_array_get_object_element(parts, i);
        guint n_columns = json_array_get_length(json_object_get_array_member(part, "columns"));
        ApiField *columns = g_new0(ApiField, n_columns + 1);
        add_columns(columns, part);
        fields[n + i] = (ApiField){.name = text_of(part, "name"), .type = API_RECORDS, .max = 10000, .fields = columns};
    }
    return fields;
}

static CatalogKind *
read_kinds(JsonArray *array)
{
    guint n = json_array_get_length(array);
    CatalogKind *kinds = g_new0(CatalogKind, n + 1);

    for (guint i = 0; i < n; i++) {
        JsonObject *object = json_array_get_object_element(array, i);
        kinds[i] = (CatalogKind){
            .name = text_of(object, "name"),
            .table = text_of(object, "table"),
            .columns = read_columns(object, false),
            .whole = read_columns(object, true),
            .searchable = !strcmp(text_of(object, "label"), "name"),
            .filters = texts_of(object, "filters"),
        };
    }
    return kinds;
}

/* --- commands --- */

static ApiField *read_fields(JsonObject *object, const CatalogKind *own, CatalogAction action);

static ApiField
read_field(JsonObject *object)
{
    ApiField field = {
        .name = text_of(object, "name"),
        .about = text_of(object, "about"),
        .type = type_of(text_of(object, "type")),
        .min = json_object_get_int_member(object, "min"),
        .max = json_object_get_int_member(object, "max"),
    };

    if (json_object_has_member(object, "required"))
        field.flags |= API_REQUIRED;
    if (json_object_has_member(object, "clearable"))
        field.flags |= API_CLEARABLE;
    if (json_object_has_member(object, "words"))
        field.words = texts_of(object, "words");
    if (json_object_has_member(object, "fields"))
        field.fields = read_fields(object, NULL, CATALOG_OTHER);
    if (field.type == API_SECRET) {
        field.about = "the password";
        field.min = 1;
        field.max = PASSWORD_MAX;
    }
    return field;
}

/* The thing's own id is in the path, or (where it is made) may be left to us. */
static ApiField *
read_fields(JsonObject *object, const CatalogKind *own, CatalogAction action)
{
    JsonArray *array = json_object_get_array_member(object, "fields");
    guint n = json_array_get_length(array), used = 0;
    ApiField *fields = g_new0(ApiField, n + 1);

    for (guint i = 0; i < n; i++) {
        ApiField field = read_field(json_array_get_object_element(array, i));
        if (own && !strcmp(field.name, own->name)) {
            if (action != CATALOG_MAKES)
                continue;
            field.name = "id";
            if (!own->named)
                field.flags &= ~API_REQUIRED;
        }
        fields[used++] = field;
    }
    return fields;
}

/* Whether people choose the ids of a kind: its making command says so. */
static void
find_named(CatalogKind *kinds, JsonObject *object)
{
    const char *kind = json_object_get_string_member(object, "kind");
    JsonArray *fields = json_object_get_array_member(object, "fields");

    for (guint i = 0; i < json_array_get_length(fields); i++) {
        JsonObject *field = json_array_get_object_element(fields, i);
        if (strcmp(json_object_get_string_member(field, "name"), kind) ||
            strcmp(json_object_get_string_member(field, "type"), "token"))
            continue;
        for (CatalogKind *at = kinds; at->name; at++)
            if (!strcmp(at->name, kind))
                at->named = true;
    }
}

static CatalogAction
action_of(const char *name)
{
    static const char *const names[] = {"makes", "changes", "removes", "other"};

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
        if (!strcmp(names[i], name))
            return i;
    g_error("the catalog has an action %s", name);
}

static CatalogCommand
read_command(JsonObject *object, const CatalogKind *kinds)
{
    CatalogCommand command = {
        .name = text_of(object, "name"),
        .about = text_of(object, "about"),
        .action = action_of(text_of(object, "action")),
        .role = text_of(object, "role"),
        .own = strcmp(text_of(object, "own"), "nothing"),
    };
    g_autofree char *verb = g_strdelimit(g_strdup(strchr(command.name, '.') + 1), "_", '-');

    command.verb = g_intern_string(verb);
    for (const CatalogKind *kind = kinds; kind->name; kind++)
        if (!strcmp(kind->name, text_of(object, "kind")))
            command.kind = kind;
    command.fields = read_fields(object, command.kind, command.action);
    return command;
}

static CatalogCommand *
read_commands(JsonArray *array, CatalogKind *kinds)
{
    guint n = json_array_get_length(array), used = 0;
    CatalogCommand *commands = g_new0(CatalogCommand, n + 1);

    for (guint i = 0; i < n; i++)
        find_named(kinds, json_array_get_object_element(array, i));
    for (guint i = 0; i < n; i++) {
        JsonObject *object = json_array_get_object_element(array, i);
        if (strcmp(json_object_get_string_member(object, "role"), "daemon"))
            commands[used++] = read_command(object, kinds);
    }
    return commands;
}

static Catalog *
load(void)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = g_resources_lookup_data("/org/carrel/web/catalog.json", 0, &error);

    if (!bytes || !json_parser_load_from_data(parser, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &error))
        g_error("the catalog cannot be read: %s", error->message);
    JsonObject *root = json_node_get_object(json_parser_get_root(parser));
    CatalogKind *kinds = read_kinds(json_object_get_array_member(root, "kinds"));
    Catalog *catalog = g_new(Catalog, 1);
    *catalog = (Catalog){kinds, read_commands(json_object_get_array_member(root, "commands"), kinds)};
    return catalog;
}

const Catalog *
catalog_get(void)
{
    static const Catalog *catalog;

    if (g_once_init_enter_pointer(&catalog))
        g_once_init_leave_pointer(&catalog, load());
    return catalog;
}
