/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json-glib reads the syntax. It takes more than JSON has, and the last of two members of one name; so the text is
 * looked at before, and members are counted while it reads.
 */
#include "web-ui/server/api/json.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#define DEPTH_MAX 8
/* Every number of so many digits fits in 64 bits. */
#define DIGITS_MAX 18

G_DEFINE_QUARK(carrel - api - error, api_error)

static bool
refuse(GError **error, const char *where, const char *why)
{
    g_set_error(error, API_ERROR, API_ERROR_INVALID, "%s: %s", where, why);
    return false;
}

/* --- before it is read --- */

/* Past a string that begins at @at; NULL where it has no end, or holds a NUL that would end it in C. */
static const char *
skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        if (*at != '\\')
            continue;
        if (end - at >= 6 && !memcmp(at, "\\u0000", 6))
            return NULL;
        at++;
    }
    return at < end ? at + 1 : NULL;
}

static bool
look_at_structure(const char *at, const char *end, GError **error)
{
    unsigned depth = 0, digits = 0;

    while (at < end) {
        if (*at == '"') {
            at = skip_string(at, end);
            if (!at)
                return refuse(error, "body", "a string has no end, or a NUL in it");
            continue;
        }
        digits = g_ascii_isdigit(*at) ? digits + 1 : 0;
        if (digits > DIGITS_MAX)
            return refuse(error, "body", "a number has too many digits");
        if (*at == '/' || *at == '\'' || *at == '#')
            return refuse(error, "body", "it is not JSON");
        if (*at == '{' || *at == '[')
            depth++;
        if ((*at == '}' || *at == ']') && depth)
            depth--;
        if (depth > DEPTH_MAX)
            return refuse(error, "body", "it is too deep");
        at++;
    }
    return true;
}

/* --- while it is read --- */

static void
on_member(JsonParser *parser, JsonObject *object, const char *name, void *data)
{
    GHashTable *members = data;

    g_hash_table_insert(members, object, GUINT_TO_POINTER(GPOINTER_TO_UINT(g_hash_table_lookup(members, object)) + 1));
}

static void
on_object(JsonParser *parser, JsonObject *object, void *data)
{
    GHashTable *members = data;

    if (GPOINTER_TO_UINT(g_hash_table_lookup(members, object)) != json_object_get_size(object))
        g_object_set_data(G_OBJECT(parser), "twice", parser);
    g_hash_table_remove(members, object); /* its address may come again */
}

static JsonNode *
parse(const char *text, gsize len, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GHashTable) members = g_hash_table_new(NULL, NULL);
    g_autoptr(GError) why = NULL;

    if (!g_utf8_validate_len(text, len, NULL)) {
        refuse(error, "body", "it is not UTF-8");
        return NULL;
    }
    if (!look_at_structure(text, text + len, error))
        return NULL;
    json_parser_set_strict(parser, TRUE);
    g_signal_connect(parser, "object-member", G_CALLBACK(on_member), members);
    g_signal_connect(parser, "object-end", G_CALLBACK(on_object), members);
    if (!json_parser_load_from_data(parser, text, len, &why)) {
        refuse(error, "body", "it is not JSON");
        return NULL;
    }
    if (g_object_get_data(G_OBJECT(parser), "twice")) {
        refuse(error, "body", "a name is there twice in an object");
        return NULL;
    }
    return json_parser_steal_root(parser);
}

/* --- what it means --- */

static GVariant *read_object(JsonObject *object, const ApiField *fields, GError **error);

static GVariant *
number_of(const ApiField *field, int64_t number)
{
    switch (field->type) {
    case API_COUNT:
        return g_variant_new_uint32(number);
    case API_BYTES:
        return g_variant_new_uint64(number);
    default:
        return g_variant_new_int64(number);
    }
}

static bool
is_number(ApiType type)
{
    return type == API_NUMBER || type == API_TIME || type == API_COUNT || type == API_BYTES;
}

static GVariant *
read_number(const ApiField *field, JsonNode *node, char **why)
{
    if (json_node_get_value_type(node) != G_TYPE_INT64) {
        *why = g_strdup("it is a whole number");
        return NULL;
    }
    *why = api_field_check_number(field, json_node_get_int(node));
    return *why ? NULL : number_of(field, json_node_get_int(node));
}

static GVariant *
read_text(const ApiField *field, JsonNode *node, char **why)
{
    if (json_node_get_value_type(node) != G_TYPE_STRING) {
        *why = g_strdup("it is a text");
        return NULL;
    }
    const char *text = json_node_get_string(node);
    /* An escaped surrogate without its other half is no character. */
    *why = g_utf8_validate(text, -1, NULL) ? api_field_check_text(field, text) : g_strdup("it is not UTF-8");
    return *why ? NULL : g_variant_new_string(text);
}

static GVariant *
read_value(const ApiField *field, JsonNode *node, char **why)
{
    if (!JSON_NODE_HOLDS_VALUE(node)) {
        *why = g_strdup("it is a value, not a list and not null");
        return NULL;
    }
    if (field->type == API_BOOL) {
        if (json_node_get_value_type(node) == G_TYPE_BOOLEAN)
            return g_variant_new_boolean(json_node_get_boolean(node));
        *why = g_strdup("it is true or false");
        return NULL;
    }
    return is_number(field->type) ? read_number(field, node, why) : read_text(field, node, why);
}

static GVariant *
read_records(const ApiField *field, JsonNode *node, GError **error)
{
    g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));

    if (!JSON_NODE_HOLDS_ARRAY(node)) {
        refuse(error, field->name, "it is a list");
        return NULL;
    }
    JsonArray *array = json_node_get_array(node);
    guint n = json_array_get_length(array);
    if (n < field->min || n > field->max) {
        g_autofree char *why = g_strdup_printf("there can be %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT " of them",
                                               field->min, field->max);
        refuse(error, field->name, why);
        return NULL;
    }
    for (guint i = 0; i < n; i++) {
        JsonNode *item = json_array_get_element(array, i);
        g_autoptr(GVariant) record = NULL;
        if (!JSON_NODE_HOLDS_OBJECT(item))
            refuse(error, field->name, "it is a list of objects");
        else
            record = read_object(json_node_get_object(item), field->fields, error);
        if (!record) {
            if (JSON_NODE_HOLDS_OBJECT(item))
                g_prefix_error(error, "%s[%u].", field->name, i);
            return NULL;
        }
        g_variant_builder_add_value(&list, record);
    }
    return g_variant_builder_end(&list);
}

static GVariant *
read_field(const ApiField *field, JsonNode *node, GError **error)
{
    g_autofree char *why = NULL;

    if (field->type == API_RECORDS)
        return read_records(field, node, error);
    GVariant *value = read_value(field, node, &why);
    if (!value)
        refuse(error, field->name, why);
    return value;
}

/* A name nobody knows is shown only where it could be one. */
static void
refuse_unknown(const char *name, GError **error)
{
    bool odd = !g_regex_match_simple("^[A-Za-z0-9_-]{1,64}$", name, G_REGEX_DOLLAR_ENDONLY, 0);

    refuse(error, odd ? "a field" : name, "there is no such field");
}

static bool
is_complete(const ApiField *fields, GVariant *values, GError **error)
{
    for (const ApiField *field = fields; field && field->name; field++) {
        g_autoptr(GVariant) value = g_variant_lookup_value(values, field->name, NULL);
        if (!value && field->flags & API_REQUIRED)
            return refuse(error, field->name, "it is missing");
    }
    return true;
}

static GVariant *
finish_object(GVariantBuilder *builder, const ApiField *fields, GError **error)
{
    g_autoptr(GVariant) values = g_variant_ref_sink(g_variant_builder_end(builder));

    return is_complete(fields, values, error) ? g_steal_pointer(&values) : NULL;
}

static GVariant *
read_object(JsonObject *object, const ApiField *fields, GError **error)
{
    g_auto(GVariantBuilder) values = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
    JsonObjectIter iter;
    const char *name;
    JsonNode *node;

    json_object_iter_init_ordered(&iter, object);
    while (json_object_iter_next_ordered(&iter, &name, &node)) {
        const ApiField *field = api_field_find(fields, name);
        if (!field) {
            refuse_unknown(name, error);
            return NULL;
        }
        GVariant *value = read_field(field, node, error);
        if (!value)
            return NULL;
        g_variant_builder_add(&values, "{sv}", name, value);
    }
    return finish_object(&values, fields, error);
}

GVariant *
json_read(const char *text, gsize len, const ApiField *fields, GError **error)
{
    g_autoptr(JsonNode) root = len ? parse(text, len, error) : json_node_init_object(json_node_alloc(), NULL);

    if (!root)
        return NULL;
    if (len && !JSON_NODE_HOLDS_OBJECT(root)) {
        refuse(error, "body", "it is an object");
        return NULL;
    }
    if (!len) {
        g_auto(GVariantBuilder) none = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
        return finish_object(&none, fields, error);
    }
    return read_object(json_node_get_object(root), fields, error);
}

static GVariant *
read_text_value(const ApiField *field, const char *text, char **why)
{
    int64_t number;

    if (field->type == API_BOOL) {
        if (!strcmp(text, "true") || !strcmp(text, "false"))
            return g_variant_new_boolean(!strcmp(text, "true"));
        *why = g_strdup("it is true or false");
        return NULL;
    }
    if (!is_number(field->type)) {
        *why = api_field_check_text(field, text);
        return *why ? NULL : g_variant_new_string(text);
    }
    if (!g_ascii_string_to_signed(text, 10, INT64_MIN, INT64_MAX, &number, NULL))
        *why = g_strdup("it is a whole number");
    else
        *why = api_field_check_number(field, number);
    return *why ? NULL : number_of(field, number);
}

/* A list is one name again and again. */
static GVariant *
read_text_list(const ApiField *field, const TextValue *values, gsize n, GError **error)
{
    g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_STRING_ARRAY);
    int64_t count = 0;

    for (gsize i = 0; i < n; i++) {
        g_autofree char *why = NULL;
        if (strcmp(values[i].name, field->name))
            continue;
        why = ++count > field->max ? g_strdup("there are too many of them")
                                   : api_field_check_text(&(ApiField){.type = API_LINE, .max = 256}, values[i].value);
        if (why) {
            refuse(error, field->name, why);
            return NULL;
        }
        g_variant_builder_add(&list, "s", values[i].value);
    }
    return g_variant_builder_end(&list);
}

static bool
came_before(const TextValue *values, gsize i)
{
    for (gsize j = 0; j < i; j++)
        if (!strcmp(values[j].name, values[i].name))
            return true;
    return false;
}

GVariant *
json_read_texts(const TextValue *values, gsize n, const ApiField *fields, GError **error)
{
    g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);

    for (gsize i = 0; i < n; i++) {
        const ApiField *field = api_field_find(fields, values[i].name);
        g_autofree char *why = NULL;
        GVariant *value = NULL;
        if (!field) {
            refuse_unknown(values[i].name, error);
            return NULL;
        }
        bool again = came_before(values, i);
        if (field->type == API_TEXTS) {
            if (again)
                continue;
            value = read_text_list(field, values, n, error);
            if (!value)
                return NULL;
        } else {
            value = again ? NULL : read_text_value(field, values[i].value, &why);
        }
        if (!value) {
            refuse(error, field->name, again ? "it is there twice" : why);
            return NULL;
        }
        g_variant_builder_add(&builder, "{sv}", field->name, value);
    }
    return finish_object(&builder, fields, error);
}

/* --- out --- */

void
json_write_text(GString *text, const char *value)
{
    g_string_append_c(text, '"');
    for (const char *at = value; *at; at++) {
        unsigned char c = *at;
        if (c == '"' || c == '\\')
            g_string_append_c(text, '\\');
        if (c < 0x20 || c == 0x7f)
            g_string_append_printf(text, "\\u%04x", c);
        else
            g_string_append_c(text, c);
    }
    g_string_append_c(text, '"');
}

/* JSON has no word for what is no number. */
static void
write_real(GString *text, double value)
{
    char digits[G_ASCII_DTOSTR_BUF_SIZE];

    g_string_append(text, isfinite(value) ? g_ascii_dtostr(digits, sizeof(digits), value) : "null");
}

static void
write_dictionary(GString *text, GVariant *value)
{
    GVariantIter iter;
    GVariant *entry;
    bool first = true;

    g_string_append_c(text, '{');
    g_variant_iter_init(&iter, value);
    while ((entry = g_variant_iter_next_value(&iter))) {
        g_autoptr(GVariant) held = entry;
        g_autoptr(GVariant) name = g_variant_get_child_value(entry, 0);
        g_autoptr(GVariant) content = g_variant_get_child_value(entry, 1);
        if (!first)
            g_string_append_c(text, ',');
        first = false;
        json_write_text(text, g_variant_get_string(name, NULL));
        g_string_append_c(text, ':');
        json_write(text, content);
    }
    g_string_append_c(text, '}');
}

static void
write_list(GString *text, GVariant *value)
{
    gsize n = g_variant_n_children(value);

    g_string_append_c(text, '[');
    for (gsize i = 0; i < n; i++) {
        g_autoptr(GVariant) item = g_variant_get_child_value(value, i);
        if (i)
            g_string_append_c(text, ',');
        json_write(text, item);
    }
    g_string_append_c(text, ']');
}

void
json_write(GString *text, GVariant *value)
{
    g_autoptr(GVariant) inner = NULL;

    switch (g_variant_classify(value)) {
    case G_VARIANT_CLASS_BOOLEAN:
        g_string_append(text, g_variant_get_boolean(value) ? "true" : "false");
        break;
    case G_VARIANT_CLASS_INT32:
        g_string_append_printf(text, "%" G_GINT32_FORMAT, g_variant_get_int32(value));
        break;
    case G_VARIANT_CLASS_UINT32:
        g_string_append_printf(text, "%" G_GUINT32_FORMAT, g_variant_get_uint32(value));
        break;
    case G_VARIANT_CLASS_INT64:
        g_string_append_printf(text, "%" G_GINT64_FORMAT, g_variant_get_int64(value));
        break;
    case G_VARIANT_CLASS_UINT64:
        g_string_append_printf(text, "%" G_GUINT64_FORMAT, g_variant_get_uint64(value));
        break;
    case G_VARIANT_CLASS_DOUBLE:
        write_real(text, g_variant_get_double(value));
        break;
    case G_VARIANT_CLASS_STRING:
        json_write_text(text, g_variant_get_string(value, NULL));
        break;
    case G_VARIANT_CLASS_VARIANT:
        inner = g_variant_get_variant(value);
        json_write(text, inner);
        break;
    case G_VARIANT_CLASS_ARRAY:
        if (g_variant_type_is_dict_entry(g_variant_type_element(g_variant_get_type(value)))) {
            write_dictionary(text, value);
            break;
        }
        G_GNUC_FALLTHROUGH;
    case G_VARIANT_CLASS_TUPLE:
        write_list(text, value);
        break;
    default:
        g_string_append(text, "null");
    }
}
