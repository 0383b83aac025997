/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox on the real kernel: each case becomes a keeper and a desktop process, and is judged by how it ends. */
#include "vmm/sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define UID 65534

typedef int (*Inside)(void); /* the desktop process; returns its exit status */

static pid_t
start(Inside inside, bool enter, const char *path)
{
    const char *const paths[] = {path, NULL};
    pid_t pid = fork();

    g_assert_cmpint(pid, >=, 0);
    if (pid)
        return pid;
    g_autoptr(GError) error = NULL;
    sandbox_hold_signals();
    if (!sandbox_fork(path ? paths : paths + 1, &error) || (enter && !sandbox_enter(UID, NULL, &error)))
        _exit(99);
    _exit(inside());
}

static int
end_of(pid_t pid)
{
    int status;
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int
run(Inside inside)
{
    return end_of(start(inside, true, NULL));
}

static int
check_given_up(void)
{
    struct stat st;

    if (getuid() != UID || geteuid() != UID || getgid() != UID || getgroups(0, NULL) != 0)
        return 1;
    if (setuid(0) == 0)
        return 2;
    if (open("/etc/passwd", O_RDONLY) >= 0 || stat("/proc", &st) == 0 || open("/x", O_CREAT | O_WRONLY, 0600) >= 0)
        return 3;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 4;
    if (getpid() != 1)
        return 5;
    return 0;
}

static void
test_given_up(void)
{
    g_assert_cmpint(run(check_given_up), ==, 0);
}

static int
allowed_then_forbidden(SandboxRole role, void (*forbidden)(void))
{
    sandbox_filter_thread(role);
    if (getpid() != 1)
        return 1;
    forbidden();
    return 0;
}

static void
make_inet_socket(void)
{
    socket(AF_INET, SOCK_STREAM, 0);
}

static void
fork_it(void)
{
    syscall(SYS_fork);
}

static void
exec_it(void)
{
    execl("/bin/true", "true", NULL);
}

static void
open_file(void)
{
    open("/etc/passwd", O_RDONLY);
}

static int
main_socket(void)
{
    return allowed_then_forbidden(SANDBOX_ROLE_MAIN, make_inet_socket);
}

static int
main_fork(void)
{
    return allowed_then_forbidden(SANDBOX_ROLE_MAIN, fork_it);
}

static int
main_exec(void)
{
    return allowed_then_forbidden(SANDBOX_ROLE_MAIN, exec_it);
}

static int
vcpu_open(void)
{
    return allowed_then_forbidden(SANDBOX_ROLE_VCPU, open_file);
}

static int
io_open(void)
{
    return allowed_then_forbidden(SANDBOX_ROLE_IO, open_file);
}

static int
display_open(void)
{
    return allowed_then_forbidden(SANDBOX_ROLE_DISPLAY, open_file);
}

static void
test_filters(void)
{
    static const Inside broken[] = {main_socket, main_fork, main_exec, vcpu_open, io_open, display_open};
    for (size_t i = 0; i < G_N_ELEMENTS(broken); i++)
        g_assert_cmpint(run(broken[i]), ==, 128 + SIGSYS);
}

static void *
narrow_thread(void *user)
{
    sandbox_filter_thread(SANDBOX_ROLE_VCPU);
    open("/etc/passwd", O_RDONLY);
    return NULL;
}

static int
thread_narrows(void)
{
    pthread_t thread;

    sandbox_filter_thread(SANDBOX_ROLE_MAIN);
    if (open("/etc/passwd", O_RDONLY) >= 0 || errno != ENOENT)
        return 1; /* the main loop may look, and finds nothing */
    if (pthread_create(&thread, NULL, narrow_thread, NULL))
        return 2;
    pthread_join(thread, NULL);
    return 0;
}

static void
test_threads(void)
{
    g_assert_cmpint(run(thread_narrows), ==, 128 + SIGSYS);
}

static int
be_killed(void)
{
    raise(SIGKILL);
    syscall(SYS_exit_group, 3); /* process 1 of a namespace is spared by its own signals */
    return 0;
}

/* However the desktop ends, its sockets go. */
static void
test_keeper_cleans_up(void)
{
    g_autofree char *path = NULL;
    g_close(g_file_open_tmp("carrel-keeper-XXXXXX", &path, NULL), NULL);
    g_assert_cmpint(end_of(start(be_killed, true, path)), ==, 3);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

static int
abort_at_once(void)
{
    abort();
}

/* Said to be what it was, in a PID namespace too, and on a thread that may do nothing. */
static int
abort_confined(void)
{
    sandbox_filter_thread(SANDBOX_ROLE_DISPLAY);
    abort();
}

static void
test_abort_is_told(void)
{
    g_assert_cmpint(run(abort_at_once), ==, 128 + SIGABRT);
    g_assert_cmpint(run(abort_confined), ==, 128 + SIGABRT);
}

static volatile sig_atomic_t told;

static void
on_term(int number)
{
    told = 1;
}

static int
wait_for_term(void)
{
    signal(SIGTERM, on_term);
    sandbox_release_signals();
    while (!told)
        usleep(1000);
    return 42;
}

static void
test_signals_are_forwarded(void)
{
    sandbox_hold_signals(); /* inherited: the first process must not end before it holds them itself */
    pid_t pid = start(wait_for_term, false, NULL);
    sandbox_release_signals();
    kill(pid, SIGTERM);
    g_assert_cmpint(end_of(pid), ==, 42);
}

static int
wait_forever(void)
{
    while (pause() < 0)
        ;
    return 0;
}

/* The keeper is killed: the desktop must not live on without it. The pipe's end tells that it is gone. */
static void
test_dies_with_keeper(void)
{
    int ends[2];
    char byte;

    g_assert_cmpint(pipe(ends), ==, 0);
    pid_t pid = start(wait_forever, true, NULL);
    close(ends[1]);
    usleep(50000);
    kill(pid, SIGKILL);
    g_assert_cmpint(read(ends[0], &byte, 1), ==, 0);
    waitpid(pid, NULL, 0);
    close(ends[0]);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (geteuid() != 0) {
        g_test_message("needs root");
        return 77;
    }
    g_test_add_func("/sandbox/given-up", test_given_up);
    g_test_add_func("/sandbox/filters", test_filters);
    g_test_add_func("/sandbox/threads", test_threads);
    g_test_add_func("/sandbox/keeper-cleans-up", test_keeper_cleans_up);
    g_test_add_func("/sandbox/abort-is-told", test_abort_is_told);
    g_test_add_func("/sandbox/signals-are-forwarded", test_signals_are_forwarded);
    g_test_add_func("/sandbox/dies-with-keeper", test_dies_with_keeper);
    return g_test_run();
}
