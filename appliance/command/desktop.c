/* SPDX-License-Identifier: Apache-2.0 */
/* What is done to desktops beside the store: actions, snapshots, pictures. */
#include "appliance/command/call.h"

#include "appliance/command/print.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

static GPtrArray *
list_snapshots(CliCall *call, GError **error)
{
    g_autoptr(GVariant) answer =
        cli_call(call->client, "ListSnapshots", g_variant_new("(ss)", call->client->token, cli_text(call, "desktop")),
                 NULL, error);
    g_autoptr(GVariant) list = answer ? g_variant_get_child_value(answer, 0) : NULL;

    return list ? cli_children(list) : NULL;
}

/* The id of the snapshot that was named, by its name or its id; NULL where there is no such, or several. Free it. */
static char *
find_snapshot(CliCall *call, GError **error)
{
    g_autoptr(GPtrArray) snapshots = list_snapshots(call, error);
    const char *wanted = cli_text(call, "snapshot"), *id, *name, *found = NULL;

    if (!snapshots)
        return NULL;
    for (unsigned i = 0; i < snapshots->len; i++) {
        if (!g_variant_lookup(snapshots->pdata[i], "id", "&s", &id))
            continue;
        if (!strcmp(id, wanted))
            return g_strdup(id);
        if (!g_variant_lookup(snapshots->pdata[i], "name", "&s", &name) || strcmp(name, wanted))
            continue;
        if (found)
            return cli_fail(error, CLI_CONFLICT, "several snapshots are called “%s”: give the id", wanted), NULL;
        found = id;
    }
    if (!found)
        cli_fail(error, CLI_NOT_FOUND, "the desktop has no snapshot “%s”", wanted);
    return g_strdup(found);
}

static void
add_text(GVariantBuilder *options, const char *name, const char *text)
{
    if (text)
        g_variant_builder_add(options, "{sv}", name, g_variant_new_string(text));
}

/* The options of Control have types of their own. NULL with an error. */
static GVariant *
control_options(CliCall *call, GError **error)
{
    g_autofree char *snapshot = NULL, *id = NULL;
    GVariantBuilder options;

    if (cli_text(call, "snapshot") && !(snapshot = find_snapshot(call, error)))
        return NULL;
    if (!strcmp(call->verb->name, "clone") || !strcmp(call->verb->name, "make-template"))
        id = g_uuid_string_random();
    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    add_text(&options, "snapshot", snapshot);
    add_text(&options, "name", cli_text(call, "name"));
    add_text(&options, "image", cli_text(call, "image"));
    add_text(&options, "id", id);
    if (g_hash_table_contains(call->values, "disk"))
        g_variant_builder_add(&options, "{sv}", "disk", g_variant_new_uint32((guint32)cli_number(call, "disk", 0)));
    if (g_hash_table_contains(call->values, "drive"))
        g_variant_builder_add(&options, "{sv}", "drive", g_variant_new_uint32((guint32)cli_number(call, "drive", 0)));
    if (g_hash_table_contains(call->values, "bytes"))
        g_variant_builder_add(&options, "{sv}", "bytes", g_variant_new_uint64((guint64)cli_number(call, "bytes", 0)));
    if (cli_bool(call, "force"))
        g_variant_builder_add(&options, "{sv}", "force", g_variant_new_boolean(true));
    return g_variant_builder_end(&options);
}

CliExit
cli_run_control(CliCall *call, GError **error)
{
    GVariant *options = control_options(call, error);
    g_autoptr(GVariant) answer = NULL;
    const char *job;

    if (!options)
        return CLI_FAILED;
    answer = cli_call(
        call->client, "Control",
        g_variant_new("(sss@a{sv})", call->client->token, cli_text(call, "desktop"), call->verb->name, options), NULL,
        error);
    if (!answer)
        return CLI_FAILED;
    g_variant_get(answer, "(&s)", &job);
    return *job ? cli_follow_job(call, job, error) : CLI_DONE;
}

CliExit
cli_run_snapshots(CliCall *call, GError **error)
{
    static const char *const columns[] = {"name", "created", "bytes", "frozen", "id", NULL};
    g_autoptr(GPtrArray) snapshots = list_snapshots(call, error);

    if (!snapshots)
        return CLI_FAILED;
    cli_print_table(call->client, snapshots, columns, call->json);
    return CLI_DONE;
}

CliExit
cli_run_mine(CliCall *call, GError **error)
{
    static const char *const columns[] = {"name", "kind", "state", "detail", NULL};
    g_autoptr(GVariant) answer =
        cli_call(call->client, "ListMine", g_variant_new("(s)", call->client->token), NULL, error);
    g_autoptr(GVariant) list = answer ? g_variant_get_child_value(answer, 0) : NULL;
    g_autoptr(GPtrArray) things = list ? cli_children(list) : NULL;

    if (!things)
        return CLI_FAILED;
    cli_print_table(call->client, things, columns, call->json);
    return CLI_DONE;
}

static bool
copy_to(int from, const char *path, GError **error)
{
    char buffer[65536];
    g_autofd int file =
        strcmp(path, "-") ? g_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : dup(STDOUT_FILENO);
    ssize_t got = 0;

    if (file < 0)
        return cli_fail(error, CLI_FAILED, "%s: %s", path, g_strerror(errno));
    while ((got = read(from, buffer, sizeof(buffer))) > 0)
        for (ssize_t at = 0, put; at < got; at += put)
            if ((put = write(file, buffer + at, got - at)) < 0)
                return cli_fail(error, CLI_FAILED, "%s: %s", path, g_strerror(errno));
    return got == 0 || cli_fail(error, CLI_FAILED, "the picture: %s", g_strerror(errno));
}

CliExit
cli_run_screenshot(CliCall *call, GError **error)
{
    g_autoptr(GUnixFDList) fds = NULL;
    g_autoptr(GVariant) answer =
        cli_call(call->client, "Screenshot",
                 g_variant_new("(sst)", call->client->token, cli_text(call, "desktop"), (guint64)0), &fds, error);

    if (!answer)
        return CLI_FAILED;
    g_autofd int picture = fds ? g_unix_fd_list_get(fds, 0, NULL) : -1;
    if (picture < 0)
        return cli_fail(error, CLI_FAILED, "carreld gave no picture"), CLI_FAILED;
    return copy_to(picture, cli_text(call, "file"), error) ? CLI_DONE : CLI_FAILED;
}
