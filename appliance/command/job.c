/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs: what takes a while. */
#include "appliance/command/call.h"

#include "appliance/command/print.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOK_AGAIN (G_USEC_PER_SEC / 5)
#define BAR 30

static GPtrArray *
list_jobs(CliCall *call, GError **error)
{
    g_autoptr(GVariant) answer =
        cli_call(call->client, "ListJobs", g_variant_new("(s)", call->client->token), NULL, error);
    g_autoptr(GVariant) list = answer ? g_variant_get_child_value(answer, 0) : NULL;

    return list ? cli_children(list) : NULL;
}

static GVariant *
find_job(GPtrArray *jobs, const char *id)
{
    for (unsigned i = 0; i < jobs->len; i++) {
        const char *has;
        if (g_variant_lookup(jobs->pdata[i], "id", "&s", &has) && !strcmp(has, id))
            return jobs->pdata[i];
    }
    return NULL;
}

static void
show_progress(GVariant *job)
{
    double progress = 0;
    const char *what = "";

    if (!isatty(STDERR_FILENO))
        return;
    g_variant_lookup(job, "progress", "d", &progress);
    g_variant_lookup(job, "what", "&s", &what);
    g_autofree char *bar = g_strnfill((gsize)(CLAMP(progress, 0, 1) * BAR), '#');
    fprintf(stderr, "\r\033[K%s  [%-*s] %3.0f %%", what, BAR, bar, progress * 100);
}

static void
end_progress(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

CliExit
cli_follow_job(CliCall *call, const char *id, GError **error)
{
    if (call->no_wait) {
        g_print("%s\n", id);
        return CLI_DONE;
    }
    for (;;) {
        g_autoptr(GPtrArray) jobs = list_jobs(call, error);
        GVariant *job = jobs ? find_job(jobs, id) : NULL;
        const char *state = "", *why = "";
        if (!jobs)
            return CLI_FAILED;
        if (job) {
            g_variant_lookup(job, "state", "&s", &state);
            g_variant_lookup(job, "error", "&s", &why);
            show_progress(job);
        }
        if (job && !strcmp(state, "running")) {
            g_usleep(LOOK_AGAIN);
            continue;
        }
        end_progress();
        if (!strcmp(state, "done"))
            return CLI_DONE;
        cli_fail(error, CLI_FAILED, "%s", *why ? why : "nobody knows any more how it ended");
        return CLI_FAILED;
    }
}

CliExit
cli_run_jobs(CliCall *call, GError **error)
{
    static const char *const columns[] = {"id", "what", "state", "progress", "kind", "thing", "began", "error", NULL};
    g_autoptr(GPtrArray) jobs = list_jobs(call, error);

    if (!jobs)
        return CLI_FAILED;
    cli_print_table(call->client, jobs, columns, call->json);
    return CLI_DONE;
}

CliExit
cli_run_cancel_job(CliCall *call, GError **error)
{
    g_autoptr(GVariant) answer = cli_call(
        call->client, "CancelJob", g_variant_new("(ss)", call->client->token, cli_text(call, "id")), NULL, error);
    return answer ? CLI_DONE : CLI_FAILED;
}
