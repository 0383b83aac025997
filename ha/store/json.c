/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/store/json.h"

static void append_object(GString *json, const StoreField *fields, GVariant *values);

/* RFC 8259, 7. Values have been checked: they hold no control characters, but that is not relied on here. */
static void
append_text(GString *json, const char *text)
{
    g_string_append_c(json, '"');
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20)
            g_string_append_printf(json, "\\u%04x", *text);
        else if (*text == '"' || *text == '\\')
            g_string_append_printf(json, "\\%c", *text);
        else
            g_string_append_c(json, *text);
    }
    g_string_append_c(json, '"');
}

static void
append_records(GString *json, const StoreField *fields, GVariant *list)
{
    g_string_append_c(json, '[');
    for (gsize i = 0; i < g_variant_n_children(list); i++) {
        g_autoptr(GVariant) record = g_variant_get_child_value(list, i);
        g_string_append(json, i ? "," : "");
        append_object(json, fields, record);
    }
    g_string_append_c(json, ']');
}

static void
append_value(GString *json, const StoreField *field, GVariant *value)
{
    if (field->flags & STORE_FIELD_SECRET)
        g_string_append(json, "\"(hidden)\"");
    else if (field->fields)
        append_records(json, field->fields, value);
    else if (g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN))
        g_string_append(json, g_variant_get_boolean(value) ? "true" : "false");
    else if (g_variant_is_of_type(value, G_VARIANT_TYPE_INT64))
        g_string_append_printf(json, "%" G_GINT64_FORMAT, g_variant_get_int64(value));
    else
        append_text(json, g_variant_get_string(value, NULL));
}

static void
append_object(GString *json, const StoreField *fields, GVariant *values)
{
    const char *separator = "";

    g_string_append_c(json, '{');
    for (const StoreField *field = fields; field->name; field++) {
        g_autoptr(GVariant) value = g_variant_lookup_value(values, field->name, NULL);
        if (!value)
            continue;
        g_string_append_printf(json, "%s\"%s\":", separator, field->name);
        append_value(json, field, value);
        separator = ",";
    }
    g_string_append_c(json, '}');
}

char *
store_json_from_fields(const StoreField *fields, GVariant *values)
{
    GString *json = g_string_new(NULL);

    append_object(json, fields, values);
    return g_string_free(json, FALSE);
}
