/* SPDX-License-Identifier: Apache-2.0 */
#include "web-ui/server/api/field.h"

#include <string.h>

#define UUID_PATTERN "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

/* The most bytes a text without a limit of its own may have. */
#define TEXT_BYTES_MAX 4096

static const struct {
    const char *variant, *pattern, *says;
} types[] = {
    [API_TEXT] = {"s"},
    [API_OPAQUE] = {"s"},
    [API_UUID] = {"s", UUID_PATTERN, "it is an id like 01234567-89ab-cdef-0123-456789abcdef, in lower case"},
    [API_TOKEN] = {"s", "^[A-Za-z0-9_][A-Za-z0-9_.-]*$",
                   "it is a word of letters, digits, dots, dashes and underscores"},
    [API_NAME] = {"s"},
    [API_LINE] = {"s"},
    [API_WORD] = {"s"},
    [API_SECRET] = {"s"},
    [API_BASE32] = {"s", "^[A-Z2-7]{16,128}$", "it is 16 to 128 characters of base32"},
    [API_SHA256] = {"s", "^[0-9a-f]{64}$", "it is 64 hexadecimal digits, in lower case"},
    [API_MAC] = {"s", "^([0-9a-f]{2}:){5}[0-9a-f]{2}$", "it is an address like 52:54:00:12:34:56, in lower case"},
    [API_BOOL] = {"b"},
    [API_NUMBER] = {"x"},
    [API_COUNT] = {"u"},
    [API_BYTES] = {"t"},
    [API_TIME] = {"x"},
    [API_REAL] = {"d"},
    [API_TEXTS] = {"as"},
    [API_RECORDS] = {"aa{sv}"},
    [API_MAP] = {"a{sa{sv}}"},
};

const ApiField *
api_field_find(const ApiField *fields, const char *name)
{
    for (const ApiField *field = fields; field && field->name; field++)
        if (!strcmp(field->name, name))
            return field;
    return NULL;
}

const GVariantType *
api_field_variant_type(ApiType type)
{
    return G_VARIANT_TYPE(types[type].variant);
}

const char *
api_field_pattern(ApiType type)
{
    return types[type].pattern;
}

static bool
has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

static char *
check_length(const ApiField *field, const char *text)
{
    int64_t len = g_utf8_strlen(text, -1);

    if (field->max && (len < field->min || len > field->max))
        return g_strdup_printf("it has %" G_GINT64_FORMAT " characters, and can have %" G_GINT64_FORMAT
                               " to %" G_GINT64_FORMAT,
                               len, field->min, field->max);
    return NULL;
}

char *
api_field_check_text(const ApiField *field, const char *text)
{
    if (strlen(text) > TEXT_BYTES_MAX)
        return g_strdup_printf("it has %zu bytes, and can have %d", strlen(text), TEXT_BYTES_MAX);
    if (!*text && field->flags & API_CLEARABLE)
        return NULL;
    if (field->type == API_WORD && !g_strv_contains(field->words, text)) {
        g_autofree char *words = g_strjoinv(", ", (char **)field->words);
        return g_strdup_printf("it is one of %s", words);
    }
    if (types[field->type].pattern &&
        !g_regex_match_simple(types[field->type].pattern, text, G_REGEX_DOLLAR_ENDONLY, 0))
        return g_strdup(types[field->type].says);
    if (field->type != API_SECRET && field->type != API_OPAQUE && has_control(text))
        return g_strdup("it has a control character");
    return check_length(field, text);
}

char *
api_field_check_number(const ApiField *field, int64_t number)
{
    int64_t min = field->type == API_TIME ? 0 : field->min, max = field->max ?: INT64_MAX;

    if (number >= min && number <= max)
        return NULL;
    return g_strdup_printf("it goes from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, min, max);
}
