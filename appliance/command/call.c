/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a command line against a verb's fields. */
#include "appliance/command/call.h"

#include "appliance/command/value.h"

#include <string.h>

char *
cli_dashed(const char *name)
{
    char *dashed = g_strdup(name);
    return g_strdelimit(dashed, "_", '-');
}

char *
cli_option_name(const StoreField *field)
{
    char *name = cli_dashed(field->name);
    size_t len = strlen(name);

    if (field->type == STORE_FIELD_RECORDS && len > 1 && name[len - 1] == 's')
        name[len - 1] = 0;
    return name;
}

static const StoreField *
find_option(const StoreField *fields, const char *name)
{
    for (const StoreField *field = fields; field && field->name; field++) {
        g_autofree char *option = cli_option_name(field);
        if (!strcmp(option, name))
            return field;
    }
    return NULL;
}

static bool
is_password(const StoreField *field)
{
    return field->type == STORE_FIELD_HASH;
}

/* Asked for, or read: whoever writes it on the command line shows it to everybody on the host. */
static GVariant *
read_password(const StoreField *field, const char *text, GError **error)
{
    g_autofree char *password = NULL;

    if (strcmp(text, "-"))
        return cli_fail(
                   error, CLI_USAGE,
                   "%s: on a command line everybody on this host can read it; give “-” to be asked, or to have it read "
                   "from the standard input",
                   field->name),
               NULL;
    password = cli_ask_password("Password: ", error);
    return password ? g_variant_new_string(password) : NULL;
}

/* One more record, or none at all for "". */
static void
add_record(CliCall *call, const StoreField *field, GVariant *record)
{
    g_autoptr(GVariant) before = g_hash_table_lookup(call->values, field->name), given = NULL;
    GVariantBuilder list;

    if (before)
        g_variant_ref(before);
    given = record ? g_variant_ref_sink(record) : NULL;
    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (gsize i = 0; before && given && i < g_variant_n_children(before); i++) {
        g_autoptr(GVariant) child = g_variant_get_child_value(before, i);
        g_variant_builder_add_value(&list, child);
    }
    if (given)
        g_variant_builder_add_value(&list, given);
    g_hash_table_insert(call->values, (char *)field->name, g_variant_ref_sink(g_variant_builder_end(&list)));
}

StoreField
cli_field_of(const CliVerb *verb, const StoreField *field)
{
    const StoreCommandKind *command = verb->command;
    StoreField whole = *field;

    if (command && command->kind && command->action != STORE_MAKES && !strcmp(field->name, command->kind->name))
        whole.to = command->kind;
    return whole;
}

static GVariant *
read_value(CliCall *call, const StoreField *field, const char *text, GError **error)
{
    StoreField whole = cli_field_of(call->verb, field);

    if (is_password(field))
        return read_password(field, text, error);
    /* A list's "none" is no name. */
    if (call->verb->run == cli_run_list && !strcmp(text, "none"))
        return g_variant_new_string(text);
    return cli_value_read(call->client, &whole, text, error);
}

static bool
give(CliCall *call, const StoreField *field, const char *text, GError **error)
{
    if (field->type == STORE_FIELD_RECORDS && !*text) {
        add_record(call, field, NULL);
        return true;
    }
    GVariant *value = read_value(call, field, text, error);
    if (!value)
        return false;
    if (field->type == STORE_FIELD_RECORDS)
        add_record(call, field, value);
    else
        g_hash_table_insert(call->values, (char *)field->name, g_variant_ref_sink(value));
    return true;
}

static bool
no_option(CliCall *call, const char *word, GError **error)
{
    return cli_fail(error, CLI_USAGE, "carrel %s %s has no option %s; carrel %s %s --help lists them", call->verb->kind,
                    call->verb->name, word, call->verb->kind, call->verb->name);
}

/* "--isolated", "--no-isolated", "--memory 4G", "--memory=4G". *@words goes on to what was used. */
static bool
read_option(CliCall *call, char ***words, GError **error)
{
    g_auto(GStrv) sides = g_strsplit(**words + 2, "=", 2);
    const StoreField *field = find_option(call->verb->fields, sides[0]);
    char *next = (*words)[1];

    if (!strcmp(sides[0], "json") || !strcmp(sides[0], "no-wait")) {
        *(sides[0][0] == 'j' ? &call->json : &call->no_wait) = true;
        return !sides[1] || no_option(call, **words, error);
    }
    if (!field && g_str_has_prefix(sides[0], "no-") && !sides[1]) {
        field = find_option(call->verb->fields, sides[0] + 3);
        return field && field->type == STORE_FIELD_BOOL ? give(call, field, "no", error)
                                                        : no_option(call, **words, error);
    }
    if (!field)
        return no_option(call, **words, error);
    if (sides[1])
        return give(call, field, sides[1], error);
    if (field->type == STORE_FIELD_BOOL)
        return give(call, field, "yes", error);
    if (!next)
        return cli_fail(error, CLI_USAGE, "%s wants a value", **words);
    (*words)++;
    return give(call, field, next, error);
}

static bool
is_new_id(CliCall *call, const StoreField *field)
{
    const StoreCommandKind *command = call->verb->command;

    return command && command->action == STORE_MAKES && !strcmp(field->name, command->kind->name) &&
           field->type == STORE_FIELD_UUID;
}

/* The first that is required and not there yet. */
static const StoreField *
next_required(CliCall *call)
{
    for (const StoreField *field = call->verb->fields; field && field->name; field++)
        if (field->flags & STORE_FIELD_REQUIRED && !is_new_id(call, field) &&
            !g_hash_table_contains(call->values, field->name))
            return field;
    return NULL;
}

static bool
read_word(CliCall *call, const char *word, GError **error)
{
    const StoreField *field = next_required(call);

    if (field)
        return give(call, field, word, error);
    return cli_fail(error, CLI_USAGE, "carrel %s %s: “%s” is one word too many", call->verb->kind, call->verb->name,
                    word);
}

/* A desktop is made as its template is, but for what was said otherwise. */
static bool
fill_from_template(CliCall *call, GError **error)
{
    const char *template = cli_text(call, "template");
    g_autoptr(GVariant) thing = NULL;

    if (!template || !call->verb->command || strcmp(call->verb->command->name, "desktop.create"))
        return true;
    thing = cli_get(call->client, "template", template, error);
    if (!thing)
        return false;
    for (const StoreField *field = call->verb->fields; field->name; field++) {
        g_autoptr(GVariant) value =
            field->to ? NULL : g_variant_lookup_value(thing, field->name, store_field_variant_type(field->type));
        if (value && strcmp(field->name, "name") && !g_hash_table_contains(call->values, field->name))
            g_hash_table_insert(call->values, (char *)field->name, g_steal_pointer(&value));
    }
    return true;
}

static bool
complete(CliCall *call, GError **error)
{
    const StoreField *missing = next_required(call);

    if (missing && is_password(missing))
        return give(call, missing, "-", error);
    if (missing) {
        g_autofree char *option = cli_option_name(missing);
        return cli_fail(error, CLI_USAGE, "carrel %s %s needs --%s: %s", call->verb->kind, call->verb->name, option,
                        missing->about);
    }
    return true;
}

bool
cli_call_read(CliCall *call, char **words, GError **error)
{
    bool only_words = false;

    for (; *words; words++) {
        if (!only_words && !strcmp(*words, "--"))
            only_words = true;
        else if (only_words || !g_str_has_prefix(*words, "--") ? !read_word(call, *words, error)
                                                               : !read_option(call, &words, error))
            return false;
    }
    return fill_from_template(call, error) && complete(call, error);
}

const char *
cli_text(CliCall *call, const char *field)
{
    GVariant *value = g_hash_table_lookup(call->values, field);
    return value ? g_variant_get_string(value, NULL) : NULL;
}

int64_t
cli_number(CliCall *call, const char *field, int64_t fallback)
{
    GVariant *value = g_hash_table_lookup(call->values, field);
    return value ? g_variant_get_int64(value) : fallback;
}

bool
cli_bool(CliCall *call, const char *field)
{
    GVariant *value = g_hash_table_lookup(call->values, field);
    return value && g_variant_get_boolean(value);
}

GVariant *
cli_fields(CliCall *call)
{
    GVariantBuilder fields;
    GHashTableIter values;
    gpointer name, value;

    g_variant_builder_init(&fields, G_VARIANT_TYPE_VARDICT);
    g_hash_table_iter_init(&values, call->values);
    while (g_hash_table_iter_next(&values, &name, &value))
        g_variant_builder_add(&fields, "{sv}", name, value);
    return g_variant_builder_end(&fields);
}
