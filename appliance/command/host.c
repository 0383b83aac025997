/* SPDX-License-Identifier: Apache-2.0 */
/* The host itself, and what was done on it. */
#include "appliance/command/call.h"

#include "appliance/command/print.h"

#include <stdio.h>

/* A call without more than the session. */
static GVariant *
ask(CliCall *call, const char *method, GError **error)
{
    g_autoptr(GVariant) answer = cli_call(call->client, method, g_variant_new("(s)", call->client->token), NULL, error);
    return answer ? g_variant_get_child_value(answer, 0) : NULL;
}

CliExit
cli_run_host(CliCall *call, GError **error)
{
    static const char *const first[] = {"name", "version", "cpu_model", "cpus", "cpu", "memory", "memory_free", NULL};
    g_autoptr(GVariant) host = ask(call, "GetHost", error);

    if (!host)
        return CLI_FAILED;
    cli_print_thing(call->client, host, first, call->json);
    return CLI_DONE;
}

CliExit
cli_run_orphans(CliCall *call, GError **error)
{
    static const char *const columns[] = {"name", "bytes", "changed", NULL};
    g_autoptr(GVariant) list = ask(call, "ListOrphans", error);

    if (!list)
        return CLI_FAILED;
    g_autoptr(GPtrArray) orphans = cli_children(list);
    cli_print_table(call->client, orphans, columns, call->json);
    return CLI_DONE;
}

CliExit
cli_run_metrics(CliCall *call, GError **error)
{
    g_autoptr(GVariant) text = ask(call, "GetMetrics", error);

    if (!text)
        return CLI_FAILED;
    fputs(g_variant_get_string(text, NULL), stdout);
    return CLI_DONE;
}

CliExit
cli_run_audit(CliCall *call, GError **error)
{
    static const char *const shown[] = {"time",    "actor_name", "actor",   "command", "thing_name",
                                        "outcome", "error",      "address", NULL};
    static const char *const columns[] = {"actor", "thing", "command"};
    GVariantBuilder query;
    unsigned n = 0;

    g_variant_builder_init(&query, G_VARIANT_TYPE_VARDICT);
    for (size_t i = 0; i < G_N_ELEMENTS(columns); i++)
        if (cli_text(call, columns[i]) && !n++) {
            g_variant_builder_add(&query, "{sv}", "column", g_variant_new_string(columns[i]));
            g_variant_builder_add(&query, "{sv}", "value", g_variant_new_string(cli_text(call, columns[i])));
        }
    g_variant_builder_add(&query, "{sv}", "limit",
                          g_variant_new_uint32((guint32)CLAMP(cli_number(call, "limit", 50), 1, 1000)));
    g_autoptr(GVariant) fields = g_variant_ref_sink(g_variant_builder_end(&query));
    if (n > 1)
        return cli_fail(error, CLI_USAGE, "the audit trail is narrowed by one option at a time"), CLI_USAGE;
    g_autoptr(GVariant) answer =
        cli_call(call->client, "ListAudit", g_variant_new("(s@a{sv})", call->client->token, fields), NULL, error);
    g_autoptr(GVariant) list = answer ? g_variant_get_child_value(answer, 0) : NULL;
    if (!list)
        return CLI_FAILED;
    g_autoptr(GPtrArray) lines = cli_children(list);
    cli_print_table(call->client, lines, shown, call->json);
    return CLI_DONE;
}
