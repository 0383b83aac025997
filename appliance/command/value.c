/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/command/value.h"

#include <string.h>

#define MIB (1 << 20)

/* Bytes that one of the field counts; 0: it is no size. Memory is MiB in the store, disks are bytes. */
static int64_t
unit_of(const StoreField *field)
{
    if (!strcmp(field->name, "memory"))
        return MIB;
    return (!strcmp(field->name, "size") && field->max > 10000) || !strcmp(field->name, "bytes") ? 1 : 0;
}

static GVariant *
read_number(const StoreField *field, const char *text, GError **error)
{
    static const char suffixes[] = "KMGT";
    int64_t unit = unit_of(field), number;
    char *end;
    const char *suffix;

    number = g_ascii_strtoll(text, &end, 10);
    if (end == text || number < 0)
        return cli_fail(error, CLI_INVALID, "%s: “%s” is no number", field->name, text), NULL;
    if (unit && *end && (suffix = strchr(suffixes, g_ascii_toupper(*end)))) {
        int64_t factor = INT64_C(1) << (10 * (suffix - suffixes + 1));
        end++;
        end += *end == 'i';
        end += *end == 'B';
        if (number > G_MAXINT64 / factor || number * factor % unit)
            return cli_fail(error, CLI_INVALID, "%s: “%s” is no whole number of %s", field->name, text,
                            unit == MIB ? "MiB" : "bytes"),
                   NULL;
        number = number * factor / unit;
    }
    if (*end)
        return cli_fail(error, CLI_INVALID, "%s: “%s” is no number%s", field->name, text,
                        unit ? " like 512M or 20G" : ""),
               NULL;
    return g_variant_new_int64(number);
}

static GVariant *
read_bool(const StoreField *field, const char *text, GError **error)
{
    static const char *const yes[] = {"yes", "true", "on", "1", NULL}, *const no[] = {"no", "false", "off", "0", NULL};

    if (g_strv_contains(yes, text))
        return g_variant_new_boolean(true);
    if (g_strv_contains(no, text))
        return g_variant_new_boolean(false);
    return cli_fail(error, CLI_INVALID, "%s: “%s” is neither yes nor no", field->name, text), NULL;
}

static GVariant *
read_word(const StoreField *field, const char *text, GError **error)
{
    g_autofree char *words = NULL;

    if (g_strv_contains(field->words, text))
        return g_variant_new_string(text);
    words = g_strjoinv(", ", (char **)field->words);
    return cli_fail(error, CLI_INVALID, "%s: “%s” is none of %s", field->name, text, words), NULL;
}

static bool
read_part(CliClient *client, const StoreField *fields, const char *part, GHashTable *values, GError **error)
{
    g_auto(GStrv) sides = g_strsplit(part, "=", 2);
    const StoreField *field = sides[0] && sides[1] ? store_field_find(fields, sides[0]) : NULL;

    if (!field)
        return cli_fail(error, CLI_INVALID, "“%s” is no FIELD=VALUE of it", part);
    GVariant *value = cli_value_read(client, field, sides[1], error);
    if (!value)
        return false;
    g_hash_table_insert(values, (char *)field->name, g_variant_ref_sink(value));
    return true;
}

static GVariant *
read_record(CliClient *client, const StoreField *list, const char *text, GError **error)
{
    g_autoptr(GHashTable) values =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_variant_unref);
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    GVariantBuilder record;

    for (char **part = parts; *part; part++)
        if (!read_part(client, list->fields, *part, values, error)) {
            g_prefix_error(error, "%s: ", list->name);
            return NULL;
        }
    g_variant_builder_init(&record, G_VARIANT_TYPE_VARDICT);
    for (const StoreField *field = list->fields; field->name; field++) {
        GVariant *value = g_hash_table_lookup(values, field->name);
        /* A required word that nobody said is the usual one, which is the first. */
        if (!value && field->type == STORE_FIELD_WORD && field->flags & STORE_FIELD_REQUIRED)
            g_variant_builder_add(&record, "{sv}", field->name, g_variant_new_string(field->words[0]));
        else if (value)
            g_variant_builder_add(&record, "{sv}", field->name, value);
    }
    return g_variant_builder_end(&record);
}

GVariant *
cli_value_read(CliClient *client, const StoreField *field, const char *text, GError **error)
{
    g_autofree char *id = NULL;

    if (!g_utf8_validate(text, -1, NULL))
        return cli_fail(error, CLI_INVALID, "%s: this is no UTF-8", field->name), NULL;
    if (!*text && field->flags & STORE_FIELD_CLEARABLE)
        return g_variant_new_string("");
    switch (field->type) {
    case STORE_FIELD_NUMBER:
    case STORE_FIELD_TIME:
        return read_number(field, text, error);
    case STORE_FIELD_BOOL:
        return read_bool(field, text, error);
    case STORE_FIELD_WORD:
        return read_word(field, text, error);
    case STORE_FIELD_RECORDS:
        return read_record(client, field, text, error);
    default:
        id = field->to ? cli_find(client, field->to->name, text, error) : g_strdup(text);
        return id ? g_variant_new_string(id) : NULL;
    }
}

char *
cli_value_hint(const StoreField *field)
{
    g_autoptr(GString) parts = NULL;

    switch (field->type) {
    case STORE_FIELD_NUMBER:
    case STORE_FIELD_TIME:
        return g_strdup(unit_of(field) ? "SIZE" : "NUMBER");
    case STORE_FIELD_BOOL:
        return g_strdup("yes|no");
    case STORE_FIELD_WORD:
        return g_strjoinv("|", (char **)field->words);
    case STORE_FIELD_RECORDS:
        parts = g_string_new(NULL);
        for (const StoreField *part = field->fields; part->name; part++) {
            g_autofree char *hint = cli_value_hint(part);
            g_string_append_printf(parts, "%s%s=%s", parts->len ? "," : "", part->name, hint);
        }
        return g_strdup(parts->str);
    case STORE_FIELD_HASH:
        return g_strdup("-");
    default:
        return g_ascii_strup(field->to ? field->to->name : field->name, -1);
    }
}

static char *
printable(const char *text)
{
    g_autoptr(GString) clean = g_string_new(NULL);

    for (const char *c = text; *c; c = g_utf8_next_char(c)) {
        gunichar character = g_utf8_get_char(c);
        g_string_append_unichar(clean, g_unichar_isprint(character) ? character : 0xFFFD);
    }
    return g_strdup(clean->str);
}

static char *
time_text(int64_t microseconds)
{
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc_usec(microseconds);
    g_autoptr(GDateTime) local = utc ? g_date_time_to_local(utc) : NULL;

    return local ? g_date_time_format(local, "%Y-%m-%d %H:%M:%S") : g_strdup("?");
}

/* With an ordinary space, which can be searched for. */
static char *
size_text(uint64_t bytes)
{
    g_autofree char *text = g_format_size_full(bytes, G_FORMAT_SIZE_IEC_UNITS);
    g_auto(GStrv) parts = g_strsplit(text, "\u00a0", -1);
    return g_strjoinv(" ", parts);
}

static char *
number_text(const char *name, uint64_t number)
{
    static const char *const times[] = {"created", "time", "began", "used", "since", "changed", NULL};
    static const char *const bytes[] = {"bytes",
                                        "memory_free",
                                        "memory_promised",
                                        "memory_promisable",
                                        "storage_bytes",
                                        "storage_free",
                                        "memory",
                                        "disk_read",
                                        "disk_written",
                                        "net_received",
                                        "net_sent",
                                        "client_sent",
                                        "client_received",
                                        "memory_limit",
                                        "disk_read_limit",
                                        "disk_write_limit",
                                        NULL};

    if (g_strv_contains(times, name))
        return time_text((int64_t)number);
    if (g_str_has_suffix(name, "_us"))
        return g_strdup_printf("%.1f ms", (double)number / 1000);
    if (g_strv_contains(bytes, name) || (!strcmp(name, "size") && number > 10000))
        return size_text(number);
    return g_strdup_printf("%" G_GUINT64_FORMAT, number);
}

/* Records and lists, one behind the other. */
static char *
list_text(CliClient *client, const char *name, GVariant *value)
{
    g_autoptr(GString) text = g_string_new(NULL);
    bool record = g_variant_is_of_type(value, G_VARIANT_TYPE_VARDICT);

    for (gsize i = 0; i < g_variant_n_children(value); i++) {
        g_autoptr(GVariant) child = g_variant_get_child_value(value, i), inner = NULL;
        g_autofree char *key = NULL, *one = NULL;
        if (record)
            g_variant_get(child, "{sv}", &key, &inner);
        one = cli_value_text(client, record ? key : name, record ? inner : child);
        g_string_append_printf(text, "%s%s%s%s", text->len ? (record ? " " : "; ") : "", record ? key : "",
                               record ? "=" : "", one);
    }
    return g_strdup(text->str);
}

char *
cli_value_text(CliClient *client, const char *name, GVariant *value)
{
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING)) {
        const char *text = g_variant_get_string(value, NULL);
        bool refers = client && *text && g_uuid_string_is_valid(text) && store_catalog_find_kind(name);
        return printable(refers ? cli_label(client, name, text) : text);
    }
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN))
        return g_strdup(g_variant_get_boolean(value) ? "yes" : "no");
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_INT64) && !strcmp(name, "memory")) /* the store's, in MiB */
        return size_text((uint64_t)g_variant_get_int64(value) * MIB);
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_INT64) && g_variant_get_int64(value) < 0)
        return g_strdup_printf("%" G_GINT64_FORMAT, g_variant_get_int64(value));
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_INT64))
        return number_text(name, g_variant_get_int64(value));
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_UINT64))
        return number_text(name, g_variant_get_uint64(value));
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_UINT32))
        return number_text(name, g_variant_get_uint32(value));
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_DOUBLE))
        return g_strdup_printf("%.2f", g_variant_get_double(value));
    return list_text(client, name, value);
}
