/* SPDX-License-Identifier: Apache-2.0 */
/* Values held against the tables. What comes here may have been written by anybody. */
#include "ha/store/field.h"

#include "ha/store/error.h"
#include "ha/store/text.h"

#include <string.h>

static const struct {
    const char *name, *variant;
} types[] = {
    [STORE_FIELD_UUID] = {"uuid", "s"},
    [STORE_FIELD_TOKEN] = {"token", "s"},
    [STORE_FIELD_NAME] = {"name", "s"},
    [STORE_FIELD_LINE] = {"line", "s"},
    [STORE_FIELD_WORD] = {"word", "s"},
    [STORE_FIELD_HASH] = {"hash", "s"},
    [STORE_FIELD_BASE32] = {"base32", "s"},
    [STORE_FIELD_SHA256] = {"sha256", "s"},
    [STORE_FIELD_MAC] = {"mac", "s"},
    [STORE_FIELD_BOOL] = {"bool", "b"},
    [STORE_FIELD_NUMBER] = {"number", "x"},
    [STORE_FIELD_TIME] = {"time", "x"},
    [STORE_FIELD_RECORDS] = {"records", "aa{sv}"},
};

/* Until the year 2200: what is later is a unit mistaken. */
#define TIME_MAX INT64_C(7258118400000000)

const char *
store_field_type_name(StoreFieldType type)
{
    return types[type].name;
}

const GVariantType *
store_field_variant_type(StoreFieldType type)
{
    return G_VARIANT_TYPE(types[type].variant);
}

const StoreField *
store_field_find(const StoreField *fields, const char *name)
{
    for (const StoreField *field = fields; field->name; field++)
        if (!strcmp(field->name, name))
            return field;
    return NULL;
}

static char *
check_word(const StoreField *field, const char *text)
{
    if (g_strv_contains(field->words, text))
        return NULL;
    g_autofree char *words = g_strjoinv(", ", (char **)field->words);
    return g_strdup_printf("it is one of %s", words);
}

/* Only characters of @allowed, from @min to @max of them; @what says so in words. */
static char *
check_alphabet(const char *text, const char *allowed, size_t min, size_t max, const char *what)
{
    size_t len = strspn(text, allowed);

    return text[len] || len < min || len > max ? g_strdup(what) : NULL;
}

static char *
check_hash(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./$=,_-";

    /* The methods in use begin with a dollar sign, and so does nobody's password end up here by mistake. */
    if (text[0] != '$' || !strchr(text + 1, '$'))
        return g_strdup("it is not a hashed password");
    return check_alphabet(text, allowed, 8, 384, "it is not a hashed password");
}

static char *
check_mac(const char *text)
{
    bool fits = strlen(text) == 17;

    for (unsigned i = 0; fits && i < 17; i++)
        fits = i % 3 == 2 ? text[i] == ':' : strchr("0123456789abcdef", text[i]) != NULL;
    if (!fits)
        return g_strdup("it is an address like 52:54:00:12:34:56, in lower case");
    if (g_ascii_xdigit_value(text[1]) & 1)
        return g_strdup("it is an address of many (its first byte is odd)");
    return NULL;
}

static char *
check_text(const StoreField *field, const char *text)
{
    if (strlen(text) > STORE_FIELD_BYTES_MAX)
        return g_strdup_printf("it has %zu bytes, and can have %d", strlen(text), STORE_FIELD_BYTES_MAX);
    if (!*text && field->flags & STORE_FIELD_CLEARABLE)
        return NULL;
    switch (field->type) {
    case STORE_FIELD_UUID:
        return store_text_check_uuid(text);
    case STORE_FIELD_TOKEN:
        return store_text_check_token(text, field->min, field->max);
    case STORE_FIELD_NAME:
        return store_text_check_name(text, field->min, field->max);
    case STORE_FIELD_LINE:
        return store_text_check_line(text, field->min, field->max);
    case STORE_FIELD_WORD:
        return check_word(field, text);
    case STORE_FIELD_HASH:
        return check_hash(text);
    case STORE_FIELD_BASE32:
        return check_alphabet(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16, 128,
                              "it is 16 to 128 characters of base32");
    case STORE_FIELD_SHA256:
        return check_alphabet(text, "0123456789abcdef", 64, 64, "it is 64 hexadecimal digits");
    case STORE_FIELD_MAC:
        return check_mac(text);
    default:
        g_assert_not_reached();
    }
}

static char *
check_number(const StoreField *field, int64_t number)
{
    bool is_time = field->type == STORE_FIELD_TIME;
    int64_t min = is_time ? 0 : field->min, max = is_time ? TIME_MAX : field->max;

    if (number >= min && number <= max)
        return NULL;
    return g_strdup_printf("it goes from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, min, max);
}

static bool
refuse(GError **error, const char *name, const char *why)
{
    g_set_error(error, STORE_ERROR, STORE_ERROR_FIELD, "%s: %s", name, why);
    return false;
}

static bool
check_records(const StoreField *field, GVariant *list, GError **error)
{
    gsize n = g_variant_n_children(list);

    if (n < (gsize)field->min || n > (gsize)field->max) {
        g_autofree char *why = g_strdup_printf("there can be %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT " of them",
                                               field->min, field->max);
        return refuse(error, field->name, why);
    }
    for (gsize i = 0; i < n; i++) {
        g_autoptr(GVariant) record = g_variant_get_child_value(list, i);
        if (!store_field_check_all(field->fields, record, error)) {
            g_prefix_error(error, "%s[%zu].", field->name, i);
            return false;
        }
    }
    return true;
}

static bool
check_one(const StoreField *field, GVariant *value, GError **error)
{
    g_autofree char *why = NULL;

    if (!g_variant_is_of_type(value, store_field_variant_type(field->type)))
        why = g_strdup_printf("it is not of the type %s (%s)", types[field->type].name, types[field->type].variant);
    else if (field->type == STORE_FIELD_RECORDS)
        return check_records(field, value, error);
    else if (g_variant_is_of_type(value, G_VARIANT_TYPE_INT64))
        why = check_number(field, g_variant_get_int64(value));
    else if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
        why = check_text(field, g_variant_get_string(value, NULL));
    return !why || refuse(error, field->name, why);
}

/* A name nobody knows is shown only where it could be one. */
static bool
refuse_unknown(GError **error, const char *name)
{
    g_autofree char *odd = store_text_check_token(name, 1, 64);

    return refuse(error, odd ? "a field" : name, "there is no such field");
}

bool
store_field_check_all(const StoreField *fields, GVariant *values, GError **error)
{
    uint64_t seen = 0; /* a bit for each line of the table */
    GVariantIter iter;
    const char *name;
    GVariant *value;

    g_variant_iter_init(&iter, values);
    while (g_variant_iter_next(&iter, "{&sv}", &name, &value)) {
        g_autoptr(GVariant) held = value;
        const StoreField *field = store_field_find(fields, name);
        if (!field)
            return refuse_unknown(error, name);
        uint64_t bit = UINT64_C(1) << (field - fields);
        if (seen & bit)
            return refuse(error, name, "it is there twice");
        seen |= bit;
        if (!check_one(field, value, error))
            return false;
    }
    for (const StoreField *field = fields; field->name; field++)
        if (field->flags & STORE_FIELD_REQUIRED && !(seen & UINT64_C(1) << (field - fields)))
            return refuse(error, field->name, "it is missing");
    return true;
}
