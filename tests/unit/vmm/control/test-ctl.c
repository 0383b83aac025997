/* SPDX-License-Identifier: Apache-2.0 */
/* `carrel-vmm ctl` against desktops that have fallen to their guests: nothing they say steers the caller's terminal. */
#include "vmm/board/listener.h"
#include "vmm/control/ctl.h"
#include "vmm/control/line.h"
#include "vmm/control/server.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVIL                                \
    "evil\033]0;x\007\nstate: fine\xc2\x9b" \
    "31m é"
#define TAMED "evil?]0;x??state: fine?31m é"

static void
test_line(void)
{
    char *text = NULL;
    size_t len;
    FILE *file = open_memstream(&text, &len);

    print_line(file, "%s and %d", EVIL, 7);
    print_line(file, "cut: \xc3");
    fclose(file);
    g_assert_cmpstr(text, ==, TAMED " and 7\ncut: \xef\xbf\xbd\n");
    free(text);
}

static void
statistics(void *desktop, GVariantBuilder *counters)
{
    g_variant_builder_add(counters, "{st}", EVIL, (guint64)7);
}

static void
stop(void *desktop)
{
}

static const ControlOps ops = {.statistics = statistics, .stop = stop};

typedef struct {
    char *folder, *path;
    int listener;
    pid_t child;
    int output; /* of the child, both standard ones */
} Call;

/* The child is ctl, and this process the desktop. All are forked at the start, while there is one thread. */
static Call
call(const char *verb)
{
    Call call = {.folder = g_dir_make_tmp("carrel-ctl-XXXXXX", NULL)};
    int ends[2];

    call.path = g_build_filename(call.folder, "control", NULL);
    call.listener = listener_new(call.path, NULL);
    g_assert_cmpint(call.listener, >=, 0);
    g_assert_cmpint(pipe(ends), ==, 0);
    call.child = fork();
    if (!call.child) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        int status = control_ctl(2, (char *[]){call.path, (char *)verb, NULL}, NULL);
        fflush(stdout);
        _exit(status);
    }
    close(ends[1]);
    call.output = ends[0];
    return call;
}

/* The exit status; *said is freed by the caller. */
static int
end_of(Call *call, char **said)
{
    char text[1024];
    int status;

    while (waitpid(call->child, &status, WNOHANG) == 0) {
        g_main_context_iteration(NULL, FALSE);
        g_usleep(1000);
    }
    ssize_t len = read(call->output, text, sizeof(text));
    *said = g_strndup(text, MAX(len, 0));
    close(call->output);
    g_unlink(call->path);
    g_rmdir(call->folder);
    g_free(call->path);
    g_free(call->folder);
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* What ctl prints of a desktop of evil words. */
static char *
answer(Call *asked)
{
    g_autoptr(ControlServer) server = control_server_new(asked->listener, EVIL, "uuid", &ops, NULL, NULL);
    const char *const reasons[] = {EVIL, NULL};
    char *said;

    control_server_set_state(server, EVIL, reasons, EVIL);
    g_assert_cmpint(end_of(asked, &said), ==, 0);
    g_assert_null(strchr(said, '\033'));
    return said;
}

static Call status_call, stats_call, cookie_call;

static void
test_evil_words(void)
{
    g_autofree char *status = answer(&status_call);
    g_autofree char *stats = answer(&stats_call);

    g_assert_nonnull(strstr(status, "name:    " TAMED "\n"));
    g_assert_nonnull(strstr(status, "state:   " TAMED " (" TAMED ")\n"));
    g_assert_nonnull(strstr(status, "reason:  " TAMED "\n"));
    g_assert_cmpstr(stats, ==, TAMED " 7\n");
}

/* The next line that ctl sends. */
static char *
next_line(int fd)
{
    GString *line = g_string_new(NULL);
    char byte;

    while (read(fd, &byte, 1) == 1 && byte != '\n')
        if (byte) /* a zero comes before the first */
            g_string_append_c(line, byte);
    return g_string_free_and_steal(line);
}

/* One that wants to hear of a file: it is not told. */
static void
test_no_cookie(void)
{
    static const char offer[] = "REJECTED DBUS_COOKIE_SHA1\r\n";
    g_autofree char *said = NULL;
    int peer = accept(cookie_call.listener, NULL, NULL);

    g_assert_cmpint(peer, >=, 0);
    g_autofree char *first = next_line(peer);
    g_assert_cmpstr(first, ==, "AUTH\r");
    g_assert_cmpint(write(peer, offer, strlen(offer)), ==, strlen(offer));
    g_autofree char *second = next_line(peer);
    g_assert_null(strstr(second, "DBUS_COOKIE_SHA1"));
    close(peer);
    close(cookie_call.listener);
    g_assert_cmpint(end_of(&cookie_call, &said), ==, 1);
    g_assert_nonnull(strstr(said, "cannot reach the desktop"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    status_call = call("status");
    stats_call = call("stats");
    cookie_call = call("status");
    g_test_add_func("/ctl/line", test_line);
    g_test_add_func("/ctl/no-cookie", test_no_cookie);
    g_test_add_func("/ctl/evil-words", test_evil_words);
    return g_test_run();
}
