/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox on the real kernel: each case becomes a keeper and a desktop process, and is judged by how it ends. */
#include "vmm/sandbox/apparmor.h"
#include "vmm/sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define UID 65534

static char *left_out;

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
    if (!sandbox_fork(path ? paths : paths + 1, &error) || (enter && !sandbox_enter(UID, &left_out, &error)))
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
    /* A machine that builds this need not have loaded the profile. */
    if (getpid() != 1 || (left_out && strcmp(left_out, "AppArmor's profile " APPARMOR_PROFILE)))
        return 5;
    return 0;
}

static void
test_given_up(void)
{
    g_assert_cmpint(run(check_given_up), ==, 0);
}

/* ---- what a role may not do ---- */

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

static void
make_ring(void)
{
    syscall(SYS_io_uring_setup, 1, NULL);
}

static void
make_vm(void)
{
    ioctl(-1, KVM_CREATE_VM, 0);
}

static void
make_memory(void)
{
    memfd_create("more", 0);
}

static void
map_code(void)
{
    mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void
signal_another_process(void)
{
    syscall(SYS_tgkill, getpid() + 1, getpid() + 1, 0);
}

static void
signal_by_kill(void)
{
    kill(-1, SIGTERM);
}

/* A descriptor sends its owner whatever signal it is told to. */
static void
signal_by_descriptor(void)
{
    fcntl(STDERR_FILENO, F_SETOWN, 1);
}

static void
type_into_terminal(void)
{
    ioctl(-1, TIOCSTI, "x");
}

static void
limit_another_process(void)
{
    prlimit(getpid() + 1, RLIMIT_CPU, NULL, NULL);
}

static void
raise_limit(void)
{
    struct rlimit limit = {0, 0};
    prlimit(0, RLIMIT_CPU, &limit, NULL);
}

/* Its end can send to any address, whatever it is connected to. */
static void
make_datagram_pair(void)
{
    int pair[2];
    (void)!socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
}

static void
make_namespace(void)
{
    unshare(CLONE_NEWUSER);
}

typedef void (*Attempt)(void);

static const struct {
    SandboxRole role;
    Attempt attempts[20];
} forbidden[] = {
    {SANDBOX_ROLE_SET_UP,
     {fork_it, exec_it, map_code, signal_another_process, signal_by_kill, signal_by_descriptor, type_into_terminal,
      limit_another_process, make_datagram_pair, make_namespace}},
    {SANDBOX_ROLE_MAIN,
     {fork_it, exec_it, map_code, signal_another_process, signal_by_kill, signal_by_descriptor, type_into_terminal,
      limit_another_process, raise_limit, make_datagram_pair, make_namespace, make_ring, make_vm, make_memory}},
    {SANDBOX_ROLE_VCPU,
     {open_file, make_ring, make_vm, make_memory, signal_another_process, signal_by_descriptor, type_into_terminal}},
    {SANDBOX_ROLE_IO,
     {open_file, make_ring, make_vm, make_memory, signal_another_process, signal_by_descriptor, type_into_terminal}},
    {SANDBOX_ROLE_DISPLAY,
     {open_file, make_ring, make_vm, make_memory, signal_another_process, signal_by_descriptor, type_into_terminal}},
};

static SandboxRole role_now;
static Attempt attempt_now;

static int
attempt_inside(void)
{
    if (role_now != SANDBOX_ROLE_SET_UP)
        sandbox_filter_thread(SANDBOX_ROLE_SET_UP);
    sandbox_filter_thread(role_now);
    if (getpid() != 1)
        return 1;
    attempt_now();
    return 0;
}

static void
test_filters(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(forbidden); i++)
        for (const Attempt *attempt = forbidden[i].attempts; *attempt; attempt++) {
            role_now = forbidden[i].role;
            attempt_now = *attempt;
            g_test_message("role %u, attempt %zu", role_now, attempt - forbidden[i].attempts);
            g_assert_cmpint(run(attempt_inside), ==, 128 + SIGSYS);
        }
}

/*
 * An ordinary user gets no PID namespace, and other processes of the user are in reach of a signal: only the filter is in
 * the way.
 */
static int
signals_own_threads_only(void)
{
    if (getpid() == 1 || !strstr(left_out, "PID namespace"))
        return 1;
    sandbox_filter_thread(SANDBOX_ROLE_MAIN);
    if (syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), 0) != 0)
        return 2;
    syscall(SYS_tgkill, getppid(), getppid(), 0);
    return 3;
}

static void
test_signals_without_namespace(void)
{
    pid_t pid = fork();

    g_assert_cmpint(pid, >=, 0);
    if (!pid) {
        if (setgid(UID) < 0 || setuid(UID) < 0)
            _exit(4);
        _exit(run(signals_own_threads_only));
    }
    g_assert_cmpint(end_of(pid), ==, 128 + SIGSYS);
}

/* Libraries look for files and write to the log; they are told that there is nothing. */
static int
looks_in_vain(void)
{
    struct stat st;

    sandbox_filter_thread(SANDBOX_ROLE_SET_UP);
    sandbox_filter_thread(SANDBOX_ROLE_MAIN);
    if (open("/", O_RDONLY) >= 0 || errno != ENOENT || stat("/", &st) == 0 || access("/", F_OK) == 0)
        return 1; /* not even the empty root */
    if (socket(AF_UNIX, SOCK_DGRAM, 0) >= 0 || errno != EACCES || socket(AF_INET, SOCK_STREAM, 0) >= 0)
        return 2;
    return fstat(STDERR_FILENO, &st) == 0 ? 0 : 3;
}

static void
test_nothing_to_find(void)
{
    g_assert_cmpint(run(looks_in_vain), ==, 0);
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

static void *
forbidden_while_blocked(void *user)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL); /* as GLib does on its worker thread */
    sandbox_filter_thread(SANDBOX_ROLE_DISPLAY);
    kill(1, SIGTERM);
    return NULL;
}

static int
break_filter_on_thread(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, forbidden_while_blocked, NULL);
    pthread_join(thread, NULL);
    return 0;
}

/* What @inside's end has the keeper say on standard error; status is its exit status. */
static char *
words_of(Inside inside, int *status)
{
    char words[256] = "";
    int ends[2], saved = dup(STDERR_FILENO);

    g_assert_cmpint(pipe(ends), ==, 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    *status = run(inside);
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t len = read(ends[0], words, sizeof(words) - 1);
    close(ends[0]);
    return g_strndup(words, MAX(len, 0));
}

/* Who met the filter says so; a thread that could not has the keeper say it. */
static void
test_forbidden_is_told(void)
{
    int status;
    g_autofree char *words = words_of(break_filter_on_thread, &status);

    g_assert_cmpint(status, ==, 128 + SIGSYS);
    g_assert_cmpstr(words, ==, "carrel-vmm: the desktop process was ended by signal 31 (Bad system call)\n");
}

static int
do_nothing(void)
{
    return 7;
}

/* Ignored by whoever started us, the child's end would never be told. */
static void
test_child_signal_ignored(void)
{
    signal(SIGCHLD, SIG_IGN);
    pid_t pid = start(do_nothing, false, NULL);
    signal(SIGCHLD, SIG_DFL);
    g_assert_cmpint(end_of(pid), ==, 7);
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
    g_test_add_func("/sandbox/signals-without-namespace", test_signals_without_namespace);
    g_test_add_func("/sandbox/nothing-to-find", test_nothing_to_find);
    g_test_add_func("/sandbox/threads", test_threads);
    g_test_add_func("/sandbox/keeper-cleans-up", test_keeper_cleans_up);
    g_test_add_func("/sandbox/abort-is-told", test_abort_is_told);
    g_test_add_func("/sandbox/forbidden-is-told", test_forbidden_is_told);
    g_test_add_func("/sandbox/child-signal-ignored", test_child_signal_ignored);
    g_test_add_func("/sandbox/signals-are-forwarded", test_signals_are_forwarded);
    g_test_add_func("/sandbox/dies-with-keeper", test_dies_with_keeper);
    return g_test_run();
}
