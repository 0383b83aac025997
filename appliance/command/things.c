/* SPDX-License-Identifier: Apache-2.0 */
/* What the store keeps: listing it, showing one, and the catalog's commands. */
#include "appliance/command/call.h"

#include "appliance/command/print.h"

#include <string.h>

/* The state of desktops, which the store does not know, as members of theirs. */
static void
add_live(CliCall *call, GPtrArray *things)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_autoptr(GVariant) answer = NULL, live = NULL;

    for (unsigned i = 0; i < things->len; i++) {
        const char *id;
        if (g_variant_lookup(things->pdata[i], "id", "&s", &id))
            g_strv_builder_add(builder, id);
    }
    g_auto(GStrv) ids = g_strv_builder_end(builder);
    answer = cli_call(call->client, "GetLive", g_variant_new("(s^as)", call->client->token, ids), NULL, NULL);
    if (!answer) /* the list is worth something without it */
        return;
    live = g_variant_get_child_value(answer, 0);
    for (unsigned i = 0; i < things->len; i++) {
        g_autoptr(GVariant) thing = things->pdata[i], state = NULL;
        const char *id = "";
        GVariantDict members;
        g_variant_lookup(thing, "id", "&s", &id);
        state = g_variant_lookup_value(live, id, G_VARIANT_TYPE_VARDICT);
        g_variant_dict_init(&members, thing);
        g_variant_dict_insert(&members, "state", "s", "stopped");
        GVariantIter iter;
        const char *name;
        GVariant *value;
        g_variant_iter_init(&iter, state ? state : thing);
        while (state && g_variant_iter_loop(&iter, "{&sv}", &name, &value))
            if (strcmp(name, "memory")) /* the host's, not what it is made with */
                g_variant_dict_insert_value(&members, name, value);
        things->pdata[i] = g_variant_ref_sink(g_variant_dict_end(&members));
    }
}

static void
add_columns(GStrvBuilder *names, const StoreKind *kind, const StoreColumn *columns)
{
    static const char *const left_out[] = {"description", "about", "totp_step",
                                           NULL}; /* long, or a matter between programs */

    for (const StoreColumn *column = columns; column->name; column++)
        if (column->type != STORE_COLUMN_SECRET && strcmp(column->name, kind->label) &&
            !g_strv_contains(left_out, column->name))
            g_strv_builder_add(names, column->name);
}

/* What a table shows: what people call it, for a desktop how it is, then its columns but long ones. */
static char **
columns_of(const StoreKind *kind)
{
    g_autoptr(GStrvBuilder) columns = g_strv_builder_new();

    g_strv_builder_add(columns, kind->label);
    if (!strcmp(kind->name, "desktop"))
        g_strv_builder_add_many(columns, "state", "clients", NULL);
    add_columns(columns, kind, kind->columns);
    if (kind->told)
        add_columns(columns, kind, kind->told);
    return g_strv_builder_end(columns);
}

CliExit
cli_run_list(CliCall *call, GError **error)
{
    const StoreKind *kind = cli_store_kind(call->verb->kind);
    CliNarrow narrow = {.search = cli_text(call, "search")};
    GHashTableIter given;
    gpointer name;

    g_hash_table_iter_init(&given, call->values);
    while (g_hash_table_iter_next(&given, &name, NULL)) {
        if (!strcmp(name, "search"))
            continue;
        if (narrow.filter)
            return cli_fail(error, CLI_USAGE, "a list is narrowed by one option at a time, and --search"), CLI_USAGE;
        narrow.filter = name;
        narrow.value = cli_text(call, name);
    }
    if (!g_strcmp0(narrow.value, "none"))
        narrow.value = NULL;
    g_autoptr(GPtrArray) things = cli_list(call->client, kind->name, &narrow, 0, error);
    if (!things)
        return CLI_FAILED;
    if (!strcmp(kind->name, "desktop"))
        add_live(call, things);
    g_auto(GStrv) columns = columns_of(kind);
    cli_print_table(call->client, things, (const char *const *)columns, call->json);
    return CLI_DONE;
}

CliExit
cli_run_show(CliCall *call, GError **error)
{
    const StoreKind *kind = cli_store_kind(call->verb->kind);
    g_autoptr(GPtrArray) one = g_ptr_array_new_with_free_func((GDestroyNotify)g_variant_unref);
    GVariant *thing = cli_get(call->client, kind->name, cli_text(call, kind->name), error);

    if (!thing)
        return CLI_FAILED;
    g_ptr_array_add(one, thing);
    if (!strcmp(kind->name, "desktop"))
        add_live(call, one);
    g_auto(GStrv) columns = columns_of(kind);
    cli_print_thing(call->client, one->pdata[0], (const char *const *)columns, call->json);
    return CLI_DONE;
}

CliExit
cli_run_command(CliCall *call, GError **error)
{
    const StoreCommandKind *command = call->verb->command;
    const char *target = command->kind ? command->kind->name : NULL;
    g_autofree char *request = g_uuid_string_random(), *id = NULL;
    g_autoptr(GVariant) answer = NULL, result = NULL;

    if (command->action == STORE_MAKES && !g_hash_table_contains(call->values, target)) {
        id = g_uuid_string_random();
        g_hash_table_insert(call->values, (char *)target, g_variant_ref_sink(g_variant_new_string(id)));
    }
    answer = cli_call(
        call->client, "Submit",
        g_variant_new("(sssx@a{sv})", call->client->token, request, command->name, (gint64)0, cli_fields(call)), NULL,
        error);
    if (!answer)
        return CLI_FAILED;
    result = g_variant_get_child_value(answer, 1);
    if (call->json)
        cli_print_json(result);
    else if (id) /* for who goes on with it */
        g_print("%s\n", id);
    else if (g_variant_n_children(result))
        cli_print_thing(call->client, result, (const char *const[]){NULL}, false);
    return CLI_DONE;
}
