/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing an image in: made known to the store, then its bytes down a pipe that carreld reads. */
#include "appliance/command/call.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER (1 << 20)
#define SHOW_EVERY (G_USEC_PER_SEC / 5)

static const char *
guess_type(CliCall *call)
{
    const char *type = cli_text(call, "type");
    g_autofree char *lower = g_ascii_strdown(cli_text(call, "file"), -1);

    return type ? type : g_str_has_suffix(lower, ".iso") ? "iso" : "disk";
}

static char *
make_known(CliCall *call, GError **error)
{
    g_autofree char *id = g_uuid_string_random(), *request = g_uuid_string_random();
    const char *description = cli_text(call, "description");
    g_autoptr(GVariant) answer = NULL;
    GVariantBuilder fields;

    g_variant_builder_init(&fields, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&fields, "{sv}", "image", g_variant_new_string(id));
    g_variant_builder_add(&fields, "{sv}", "name", g_variant_new_string(cli_text(call, "name")));
    g_variant_builder_add(&fields, "{sv}", "type", g_variant_new_string(guess_type(call)));
    if (description)
        g_variant_builder_add(&fields, "{sv}", "description", g_variant_new_string(description));
    answer = cli_call(call->client, "Submit",
                      g_variant_new("(sssx@a{sv})", call->client->token, request, "image.create", (gint64)0,
                                    g_variant_builder_end(&fields)),
                      NULL, error);
    return answer ? g_steal_pointer(&id) : NULL;
}

static void
show_progress(uint64_t done, uint64_t all, gint64 *shown)
{
    gint64 now = g_get_monotonic_time();
    g_autofree char *has = NULL, *total = NULL;

    if (!isatty(STDERR_FILENO) || (now - *shown < SHOW_EVERY && done != all))
        return;
    *shown = now;
    has = g_format_size_full(done, G_FORMAT_SIZE_IEC_UNITS);
    total = all ? g_format_size_full(all, G_FORMAT_SIZE_IEC_UNITS) : g_strdup("?");
    fprintf(stderr, "\r\033[K%s of %s", has, total);
}

/* A sink that is closed early has a reason, which the job tells. */
static bool
copy(int from, int to, uint64_t all, const char *path, GError **error)
{
    g_autofree char *buffer = g_malloc(BUFFER);
    uint64_t done = 0;
    gint64 shown = 0;
    ssize_t got;

    while ((got = read(from, buffer, BUFFER)) > 0) {
        for (ssize_t at = 0, put; at < got; at += put) {
            put = write(to, buffer + at, got - at);
            if (put < 0 && errno == EPIPE)
                return true;
            if (put < 0)
                return cli_fail(error, CLI_FAILED, "sending the image: %s", g_strerror(errno));
        }
        done += got;
        show_progress(done, all, &shown);
    }
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
    return got == 0 || cli_fail(error, CLI_FAILED, "%s: %s", path, g_strerror(errno));
}

static bool
send_image(CliCall *call, const char *image, int file, char **job, GError **error)
{
    g_autoptr(GUnixFDList) fds = NULL;
    g_autoptr(GVariant) answer = NULL;
    struct stat status;
    uint64_t bytes = fstat(file, &status) == 0 && S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;

    answer = cli_call(call->client, "Upload", g_variant_new("(sst)", call->client->token, image, (guint64)bytes), &fds,
                      error);
    if (!answer)
        return false;
    g_variant_get(answer, "(hs)", NULL, job);
    g_autofd int sink = fds ? g_unix_fd_list_get(fds, 0, NULL) : -1;
    if (sink < 0)
        return cli_fail(error, CLI_FAILED, "carreld gave nothing to write the image to");
    /* The list has the same pipe, which is at its end only when both are closed. */
    g_clear_object(&fds);
    return copy(file, sink, bytes, cli_text(call, "file"), error);
}

CliExit
cli_run_upload(CliCall *call, GError **error)
{
    const char *path = cli_text(call, "file");
    g_autofd int file = strcmp(path, "-") ? g_open(path, O_RDONLY | O_CLOEXEC, 0) : dup(STDIN_FILENO);
    g_autofree char *image = NULL, *job = NULL;

    if (file < 0)
        return cli_fail(error, CLI_FAILED, "%s: %s", path, g_strerror(errno)), CLI_FAILED;
    image = make_known(call, error);
    if (!image || !send_image(call, image, file, &job, error))
        return CLI_FAILED;
    CliExit exit = cli_follow_job(call, job, error);
    if (exit == CLI_DONE && !call->no_wait)
        g_print("%s\n", image);
    return exit;
}
