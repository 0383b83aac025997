/* SPDX-License-Identifier: Apache-2.0 */
#include "web-ui/server/api/openapi.h"

#include "web-ui/server/api/json.h"
#include "web-ui/server/api/route.h"

#include <string.h>

/* Commas between members and items, braces by hand. */
static void
separate(GString *text)
{
    char last = text->len ? text->str[text->len - 1] : '{';

    if (last != '{' && last != '[' && last != ':')
        g_string_append_c(text, ',');
}

static void
name(GString *text, const char *name)
{
    separate(text);
    json_write_text(text, name);
    g_string_append_c(text, ':');
}

static void
member(GString *text, const char *key, const char *value)
{
    name(text, key);
    json_write_text(text, value);
}

static void
number(GString *text, const char *key, int64_t value)
{
    name(text, key);
    g_string_append_printf(text, "%" G_GINT64_FORMAT, value);
}

static void
open_member(GString *text, const char *key, char bracket)
{
    name(text, key);
    g_string_append_c(text, bracket);
}

/* --- schemas --- */

static void write_object(GString *text, const ApiField *fields, bool incoming);

static void
write_text_schema(GString *text, const ApiField *field, bool incoming)
{
    const char *pattern = api_field_pattern(field->type);
    bool clearable = incoming && field->flags & API_CLEARABLE;

    member(text, "type", "string");
    if (field->type == API_WORD && field->words[0]) {
        open_member(text, "enum", '[');
        for (const char *const *word = field->words; *word; word++) {
            separate(text);
            json_write_text(text, *word);
        }
        g_string_append_c(text, ']');
    }
    if (incoming && pattern) {
        g_autofree char *or_empty = g_strdup_printf("^$|%s", pattern);
        member(text, "pattern", clearable ? or_empty : pattern);
    }
    if (incoming && field->max) {
        number(text, "minLength", clearable ? 0 : field->min);
        number(text, "maxLength", field->max);
    }
    if (field->type == API_SECRET)
        member(text, "format", "password");
}

static void
write_number_schema(GString *text, const ApiField *field, bool incoming)
{
    bool wide = field->type != API_COUNT;

    member(text, "type", "integer");
    if (wide)
        member(text, "format", "int64");
    if (incoming && (field->min || field->max || field->type == API_TIME)) {
        number(text, "minimum", field->min);
        if (field->max)
            number(text, "maximum", field->max);
    }
}

static void
write_list_schema(GString *text, const ApiField *field, bool incoming)
{
    member(text, "type", "array");
    if (incoming) {
        number(text, "minItems", field->min);
        number(text, "maxItems", field->max);
    }
    name(text, "items");
    if (field->type == API_RECORDS)
        write_object(text, field->fields, incoming);
    else
        g_string_append(text, "{\"type\":\"string\"}");
}

static void
write_schema(GString *text, const ApiField *field, bool incoming)
{
    g_string_append_c(text, '{');
    switch (field->type) {
    case API_BOOL:
        member(text, "type", "boolean");
        break;
    case API_REAL:
        member(text, "type", "number");
        break;
    case API_NUMBER:
    case API_COUNT:
    case API_BYTES:
    case API_TIME:
        write_number_schema(text, field, incoming);
        break;
    case API_TEXTS:
    case API_RECORDS:
        write_list_schema(text, field, incoming);
        break;
    default:
        write_text_schema(text, field, incoming);
    }
    if (field->about)
        member(text, "description", field->about);
    g_string_append_c(text, '}');
}

/* What comes in has these fields alone; what goes out may have more one day. */
static void
write_object(GString *text, const ApiField *fields, bool incoming)
{
    g_string_append_c(text, '{');
    member(text, "type", "object");
    open_member(text, "properties", '{');
    for (const ApiField *field = fields; field->name; field++) {
        name(text, field->name);
        write_schema(text, field, incoming);
    }
    g_string_append_c(text, '}');
    open_member(text, "required", '[');
    for (const ApiField *field = fields; field->name; field++) {
        if (!(field->flags & API_REQUIRED))
            continue;
        separate(text);
        json_write_text(text, field->name);
    }
    g_string_append(text, incoming ? "],\"additionalProperties\":false}" : "]}");
}

static void
write_answer(GString *text, const ApiRoute *route)
{
    static const ApiField sequence[] = {{"sequence", "the command's number", API_NUMBER, API_REQUIRED}, {NULL}};

    if (route->flags & (ROUTE_LIST | ROUTE_PAGE)) {
        g_string_append(text, "{\"type\":\"object\",\"required\":[\"items\"");
        g_string_append(text, route->flags & ROUTE_PAGE ? ",\"next\",\"count\"]," : "],");
        g_string_append(text, "\"properties\":{\"items\":{\"type\":\"array\",\"items\":");
        write_object(text, route->answer, false);
        g_string_append_c(text, '}');
        if (route->flags & ROUTE_PAGE)
            g_string_append(text, ",\"next\":{\"type\":\"string\",\"description\":\"empty: that was all\"},"
                                  "\"count\":{\"type\":\"integer\"}");
        g_string_append(text, "}}");
    } else if (route->flags & ROUTE_MAP) {
        g_string_append(text, "{\"type\":\"object\",\"additionalProperties\":");
        write_object(text, route->answer, false);
        g_string_append_c(text, '}');
    } else {
        write_object(text, route->flags & ROUTE_RESULT ? sequence : route->answer, false);
    }
}

/* --- requests --- */

static void
write_parameter(GString *text, const char *in, const ApiField *field)
{
    separate(text);
    g_string_append_c(text, '{');
    member(text, "name", field->name);
    member(text, "in", in);
    if (!strcmp(in, "path") || field->flags & API_REQUIRED)
        g_string_append(text, ",\"required\":true");
    name(text, "schema");
    write_schema(text, field, true);
    g_string_append_c(text, '}');
}

/* The names in braces. */
static void
write_path_parameters(GString *text, const ApiRoute *route)
{
    for (const char *at = strchr(route->path, '{'); at; at = strchr(at, '{')) {
        const char *end = strchr(at, '}');
        g_autofree char *part = g_strndup(at + 1, end - at - 1);
        bool choice = route->words && !strchr(end, '{');
        ApiField field = {.name = part, .type = choice ? API_WORD : API_TEXT, .words = route->words};
        write_parameter(text, "path", &field);
        at = end;
    }
}

static void
write_parameters(GString *text, const ApiRoute *route)
{
    static const ApiField seen = {"If-Match", "the ETag of what was seen; another is refused by 412", API_TEXT};

    open_member(text, "parameters", '[');
    write_path_parameters(text, route);
    for (const ApiField *field = route->query; field && field->name; field++)
        write_parameter(text, "query", field);
    if (route->flags & ROUTE_SEEN)
        write_parameter(text, "header", &seen);
    g_string_append_c(text, ']');
}

static bool
needs_body(const ApiRoute *route)
{
    for (const ApiField *field = route->body; field && field->name; field++)
        if (field->flags & API_REQUIRED)
            return true;
    return false;
}

static void
write_body(GString *text, const ApiRoute *route)
{
    if (route->flags & ROUTE_STREAM) {
        g_string_append(text, ",\"requestBody\":{\"required\":true,\"content\":{\"application/octet-stream\":{}}}");
    } else if (route->body) {
        open_member(text, "requestBody", '{');
        name(text, "required");
        g_string_append(text, needs_body(route) ? "true" : "false");
        g_string_append(text, ",\"content\":{\"application/json\":{\"schema\":");
        write_object(text, route->body, true);
        g_string_append(text, "}}}");
    }
}

static void
write_responses(GString *text, const ApiRoute *route)
{
    open_member(text, "responses", '{');
    g_string_append_printf(text, "\"%u\":{", route->status);
    member(text, "description", route->about);
    if (route->media) {
        open_member(text, "content", '{');
        name(text, route->media);
        g_string_append(text, "{}}");
    } else if (route->answer || route->flags & ROUTE_RESULT) {
        g_string_append(text, ",\"content\":{\"application/json\":{\"schema\":");
        write_answer(text, route);
        g_string_append(text, "}}");
    }
    g_string_append_c(text, '}');
    if (route->flags & ROUTE_JOB)
        g_string_append(text, ",\"204\":{\"description\":\"done\"}");
    if (route->status == 201 && route->flags & ROUTE_OPEN)
        g_string_append(text, ",\"200\":{\"description\":\"a second step is owed\"}");
    g_string_append(text, ",\"default\":{\"$ref\":\"#/components/responses/Error\"}}");
}

static void
write_operation(GString *text, const ApiRoute *route)
{
    g_autofree char *method = g_ascii_strdown(route->method, -1);

    open_member(text, method, '{');
    member(text, "operationId", route->id);
    member(text, "summary", route->about);
    if (route->kind) {
        open_member(text, "tags", '[');
        json_write_text(text, route->kind->table);
        g_string_append_c(text, ']');
    }
    if (route->role)
        member(text, "x-role", route->role);
    if (route->flags & ROUTE_OPEN)
        g_string_append(text, ",\"security\":[]");
    write_parameters(text, route);
    write_body(text, route);
    write_responses(text, route);
    g_string_append_c(text, '}');
}

static bool
is_first_of_path(const ApiRoute *routes, const ApiRoute *route)
{
    for (; routes != route; routes++)
        if (!strcmp(routes->path, route->path))
            return false;
    return true;
}

static void
write_paths(GString *text)
{
    const ApiRoute *routes = routes_get();

    open_member(text, "paths", '{');
    for (const ApiRoute *route = routes; route->method; route++) {
        if (!is_first_of_path(routes, route))
            continue;
        open_member(text, route->path, '{');
        for (const ApiRoute *other = route; other->method; other++)
            if (!strcmp(other->path, route->path))
                write_operation(text, other);
        g_string_append_c(text, '}');
    }
    g_string_append_c(text, '}');
}

static const char head[] = "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Carrel\",\"version\":\"" CARREL_VERSION
                           "\",\"license\":{\"name\":\"Apache-2.0\","
                           "\"identifier\":\"Apache-2.0\"}},\"servers\":[{\"url\":\"/api/"
                           "v1\"}],\"security\":[{\"cookie\":[],\"csrf\":[]},{\"token\":[]}]";

static const char components[] =
    ",\"components\":{\"securitySchemes\":{"
    "\"cookie\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"__Host-carrel\"},"
    "\"csrf\":{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"X-Carrel-CSRF\","
    "\"description\":\"with a cookie, for whatever changes something: csrf of GET /session\"},"
    "\"token\":{\"type\":\"http\",\"scheme\":\"bearer\"}},"
    "\"responses\":{\"Error\":{\"description\":\"what is wrong\",\"content\":{\"application/json\":{\"schema\":"
    "{\"type\":\"object\",\"required\":[\"error\"],\"properties\":{\"error\":{\"type\":\"object\",\"required\":["
    "\"code\",\"message\"],"
    "\"properties\":{\"code\":{\"type\":\"string\"},\"message\":{\"type\":\"string\"},\"field\":{\"type\":\"string\"}}}"
    "}}}}}}}}";

GBytes *
openapi_get(void)
{
    static GBytes *bytes;

    if (g_once_init_enter_pointer(&bytes)) {
        GString *text = g_string_new(head);
        write_paths(text);
        g_string_append(text, components);
        g_once_init_leave_pointer(&bytes, g_string_free_to_bytes(text));
    }
    return bytes;
}
