/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/spawn.h"

#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

static int
status_of(Spawned *spawned)
{
    siginfo_t info = {0};

    g_assert_cmpint(waitid(P_PIDFD, (id_t)spawned->pidfd, &info, WEXITED), ==, 0);
    g_clear_fd(&spawned->pidfd, NULL);
    return info.si_status;
}

static void
hold(const SpawnPlan *plan, Spawned *spawned)
{
    g_autoptr(GError) error = NULL;

    spawn_hold(plan, spawned, &error);
    g_assert_no_error(error);
}

/* What it inherits, by name and in order, whatever numbers we have them under. */
static void
test_descriptors(void)
{
    int one[2], two[2];
    const char *arguments[] = {"/bin/sh", "-c",
                               "test $LISTEN_PID -eq $$ && test $LISTEN_FDS = 2 && test $LISTEN_FDNAMES = b:a && "
                               "echo first >&3 && echo second >&4",
                               NULL};
    char text[16] = "";
    Spawned spawned;

    g_assert_cmpint(pipe2(one, O_CLOEXEC), ==, 0);
    g_assert_cmpint(pipe2(two, O_CLOEXEC), ==, 0);
    const SpawnPlan plan = {.arguments = arguments, .fds = {{two[1], "b"}, {one[1], "a"}}, .n_fds = 2};
    hold(&plan, &spawned);
    g_assert_true(spawn_go(&spawned, NULL));
    g_assert_cmpint(status_of(&spawned), ==, 0);
    g_assert_cmpint(read(two[0], text, sizeof text), ==, 6);
    g_assert_cmpmem(text, 6, "first\n", 6);
    g_assert_cmpint(read(one[0], text, sizeof text), ==, 7);
    for (unsigned i = 0; i < 2; i++) {
        close(one[i]);
        close(two[i]);
    }
}

static void
test_waits_at_the_gate(void)
{
    const char *arguments[] = {"/bin/true", NULL};
    const SpawnPlan plan = {.arguments = arguments};
    Spawned spawned;

    hold(&plan, &spawned);
    struct pollfd end = {.fd = spawned.pidfd, .events = POLLIN};
    g_assert_cmpint(poll(&end, 1, 50), ==, 0);
    g_assert_cmpuint(spawn_began(spawned.pid), >, 0);
    g_assert_true(spawn_go(&spawned, NULL));
    g_assert_cmpint(status_of(&spawned), ==, 0);
}

/* Nobody lets it go any more: it ends, and never was the program. */
static void
test_owner_goes(void)
{
    const char *arguments[] = {"/bin/sh", "-c", "exit 5", NULL};
    const SpawnPlan plan = {.arguments = arguments};
    Spawned spawned;

    hold(&plan, &spawned);
    g_clear_fd(&spawned.gate, NULL);
    g_assert_cmpint(status_of(&spawned), ==, 127);
}

static void
test_no_program(void)
{
    const char *arguments[] = {"/nowhere/to/be/found", NULL};
    const SpawnPlan plan = {.arguments = arguments};
    g_autoptr(GError) error = NULL;
    Spawned spawned;

    hold(&plan, &spawned);
    g_assert_false(spawn_go(&spawned, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
    g_assert_cmpint(status_of(&spawned), ==, 127);
}

static void
test_dropped(void)
{
    const char *arguments[] = {"/bin/true", NULL};
    const SpawnPlan plan = {.arguments = arguments};
    Spawned spawned;

    hold(&plan, &spawned);
    pid_t pid = spawned.pid;
    spawn_drop(&spawned);
    g_assert_cmpint(kill(pid, 0), ==, -1);
}

static void
test_log(void)
{
    g_autofree char *path = g_strdup_printf("%s/spawn-%d", g_get_tmp_dir(), getpid()), *text = NULL;
    const char *arguments[] = {"/bin/sh", "-c", "echo out; echo words >&2", NULL};
    const SpawnPlan plan = {.arguments = arguments, .log = path};
    Spawned spawned;

    hold(&plan, &spawned);
    g_assert_true(spawn_go(&spawned, NULL));
    status_of(&spawned);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "words\n");
    g_unlink(path);
}

/* A process id alone names nobody. */
static void
test_end_by_time(void)
{
    const char *arguments[] = {"/bin/sleep", "100", NULL};
    const SpawnPlan plan = {.arguments = arguments};
    Spawned spawned;

    hold(&plan, &spawned);
    g_assert_true(spawn_go(&spawned, NULL));
    uint64_t began = spawn_began(spawned.pid);
    spawn_end(spawned.pid, began + 1);
    g_assert_cmpuint(spawn_began(spawned.pid), ==, began);
    spawn_end(spawned.pid, began);
    g_assert_cmpint(status_of(&spawned), ==, SIGKILL);
    g_assert_cmpuint(spawn_began(spawned.pid), ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/spawn/descriptors", test_descriptors);
    g_test_add_func("/spawn/waits-at-the-gate", test_waits_at_the_gate);
    g_test_add_func("/spawn/owner-goes", test_owner_goes);
    g_test_add_func("/spawn/no-program", test_no_program);
    g_test_add_func("/spawn/dropped", test_dropped);
    g_test_add_func("/spawn/log", test_log);
    g_test_add_func("/spawn/end-by-time", test_end_by_time);
    return g_test_run();
}
