/* SPDX-License-Identifier: Apache-2.0 */
#include "workload.h"

#include "ha/store/setting.h"

#include <string.h>

#define IDS 12

static unsigned
one_of(GRand *dice, unsigned n)
{
    return g_rand_int_range(dice, 0, n);
}

static char *
uuid(const char *kind, unsigned n)
{
    return g_strdup_printf("%08x-0000-4000-8000-%012x", g_str_hash(kind), n);
}

static GVariant *dictionary(GRand *dice, const StoreCommandKind *command, const StoreField *fields);

static GVariant *
records(GRand *dice, const StoreCommandKind *command, const StoreField *field)
{
    g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));

    for (unsigned n = one_of(dice, 3); n; n--)
        g_variant_builder_add_value(&list, dictionary(dice, command, field->fields));
    return g_variant_builder_end(&list);
}

static char *
token(GRand *dice, const StoreField *field)
{
    if (!strcmp(field->name, "setting"))
        return g_strdup(store_setting(one_of(dice, 3))->id);
    if (!strcmp(field->name, "source"))
        return g_strdup(one_of(dice, 4) ? "local" : "ldap");
    return g_strdup_printf("%.8s%u", field->name, one_of(dice, 4));
}

static char *
name(GRand *dice)
{
    static const char *const names[] = {"Büro", "office", "OFFICE", "経理", "Приёмная", "a/b", "\"quoted\"", "naïve"};

    return g_strdup_printf("%s %u", names[one_of(dice, G_N_ELEMENTS(names))], one_of(dice, 4));
}

static char *
text(GRand *dice, const StoreCommandKind *command, const StoreField *field)
{
    const StoreKind *kind = field->to ? field->to : command->kind;

    if (field->flags & STORE_FIELD_CLEARABLE && !one_of(dice, 3))
        return g_strdup("");
    switch (field->type) {
    case STORE_FIELD_UUID:
        return uuid(kind ? kind->name : "none", one_of(dice, IDS));
    case STORE_FIELD_TOKEN:
        return token(dice, field);
    case STORE_FIELD_WORD:
        return g_strdup(field->words[one_of(dice, g_strv_length((char **)field->words))]);
    case STORE_FIELD_HASH:
        return g_strdup_printf("$y$j9T$salt$%u", one_of(dice, 3)); /* few, so that one is met again */
    case STORE_FIELD_BASE32:
        return g_strdup("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
    case STORE_FIELD_SHA256:
        return g_compute_checksum_for_string(G_CHECKSUM_SHA256, field->name, -1);
    case STORE_FIELD_MAC:
        return g_strdup_printf("52:54:00:00:00:%02x", one_of(dice, 40));
    default:
        return name(dice);
    }
}

/* Small numbers of what is counted, any of what is not, and now and then the ends. */
static int64_t
number(GRand *dice, const StoreField *field)
{
    if (field->type == STORE_FIELD_TIME)
        return INT64_C(1700000000000000) + one_of(dice, 1000000);
    switch (one_of(dice, 8)) {
    case 0:
        return field->min;
    case 1:
        return field->max;
    default:
        return field->min + one_of(dice, (unsigned)MIN(field->max - field->min, 20) + 1);
    }
}

static GVariant *
value(GRand *dice, const StoreCommandKind *command, const StoreField *field)
{
    if (field->type == STORE_FIELD_RECORDS)
        return records(dice, command, field);
    if (field->type == STORE_FIELD_BOOL)
        return g_variant_new_boolean(!one_of(dice, 3));
    if (field->type == STORE_FIELD_NUMBER || field->type == STORE_FIELD_TIME)
        return g_variant_new_int64(number(dice, field));
    return g_variant_new_take_string(text(dice, command, field));
}

static GVariant *
dictionary(GRand *dice, const StoreCommandKind *command, const StoreField *fields)
{
    g_auto(GVariantDict) values = G_VARIANT_DICT_INIT(NULL);

    for (const StoreField *field = fields; field->name; field++)
        if (field->flags & STORE_FIELD_REQUIRED || one_of(dice, 2))
            g_variant_dict_insert_value(&values, field->name, value(dice, command, field));
    return g_variant_dict_end(&values);
}

static const StoreCommandKind *
any_command(GRand *dice)
{
    unsigned n = 0;

    while (store_catalog_command(n))
        n++;
    /* What removes would soon leave nothing. */
    const StoreCommandKind *command = store_catalog_command(one_of(dice, n));
    return command->action == STORE_REMOVES && one_of(dice, 3) ? any_command(dice) : command;
}

static char *
any_actor(GRand *dice)
{
    switch (one_of(dice, 8)) {
    case 0:
        return g_strdup(STORE_ACTOR_CONSOLE);
    case 1:
        return uuid("user", one_of(dice, IDS));
    default:
        return g_strdup(STORE_ACTOR_DAEMON);
    }
}

StoreCommand *
workload_command(uint32_t seed, uint32_t place)
{
    const guint32 seeds[] = {seed, place};
    GRand *dice = g_rand_new_with_seed_array(seeds, G_N_ELEMENTS(seeds));
    const StoreCommandKind *kind = any_command(dice);
    g_autofree char *id = g_strdup_printf("%08x-0000-4000-8000-%012x", seed, place);
    g_autofree char *actor = any_actor(dice);
    bool has_seen = kind->action == STORE_CHANGES || kind->action == STORE_REMOVES;
    int64_t seen = has_seen && !one_of(dice, 10) ? 1 + one_of(dice, place + 1) : 0;
    GVariant *fields = dictionary(dice, kind, kind->fields);

    g_rand_free(dice);
    return store_command_new_full(id, kind->name, actor, "host1", INT64_C(1700000000000000) + place, seen, fields);
}
