/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between fork and exec only what is safe in a process that had threads: system calls on what was made before.
 */
#include "appliance/desktops/spawn.h"

#include "appliance/apparmor/apparmor.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FD 3 /* sd_listen_fds(3): SD_LISTEN_FDS_START */
/* Where descriptors are put first, lest moving one overwrites another. */
#define HIGH_FD (FIRST_FD + SPAWN_FDS_MAX + 8)
#define PID_DIGITS 10

typedef struct {
    char **environment;
    char *pid_digits; /* within it: the child's to fill in */
    int null, log, gate;
} Child;

static bool
fail(GError **error, const char *what)
{
    int code = errno;

    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "%s: %s", what, g_strerror(code));
    return false;
}

static char **
make_environment(const SpawnPlan *plan, char **pid_digits)
{
    g_auto(GStrv) environment = g_get_environ();
    g_autoptr(GString) names = g_string_new(NULL);

    if (!plan->n_fds)
        return g_steal_pointer(&environment);
    for (unsigned i = 0; i < plan->n_fds; i++)
        g_string_append_printf(names, "%s%s", i ? ":" : "", plan->fds[i].name);
    g_autofree char *count = g_strdup_printf("%u", plan->n_fds);
    environment = g_environ_setenv(environment, "LISTEN_FDS", count, TRUE);
    environment = g_environ_setenv(environment, "LISTEN_FDNAMES", names->str, TRUE);
    environment = g_environ_setenv(environment, "LISTEN_PID", "0000000000", TRUE);
    *pid_digits = (char *)g_environ_getenv(environment, "LISTEN_PID");
    return g_steal_pointer(&environment);
}

static void
write_pid(char *digits)
{
    unsigned pid = (unsigned)getpid();

    for (int i = PID_DIGITS; i-- > 0; pid /= 10)
        digits[i] = (char)('0' + pid % 10);
}

/* ---- in the child ---- */

static _Noreturn void
give_up(int gate, int code)
{
    (void)!write(gate, &code, sizeof code);
    _exit(127);
}

static bool
move_fds(const SpawnPlan *plan)
{
    int moved[SPAWN_FDS_MAX];

    for (unsigned i = 0; i < plan->n_fds; i++)
        if ((moved[i] = fcntl(plan->fds[i].fd, F_DUPFD_CLOEXEC, HIGH_FD)) < 0)
            return false;
    for (unsigned i = 0; i < plan->n_fds; i++)
        if (dup2(moved[i], FIRST_FD + (int)i) < 0)
            return false;
    return true;
}

/* A daemon may be kept from the kernel's hand when memory is short; a desktop is not. */
static void
be_ordinary(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        (void)!write(fd, "0", 1);
        close(fd);
    }
}

static bool
change_user(uid_t uid)
{
    return !uid || (setgroups(0, NULL) == 0 && setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0);
}

static _Noreturn void
become(const SpawnPlan *plan, const Child *child)
{
    sigset_t none;
    char go;
    int gate = fcntl(child->gate, F_DUPFD_CLOEXEC, HIGH_FD);
    int null = fcntl(child->null, F_DUPFD_CLOEXEC, HIGH_FD);
    int log = fcntl(child->log, F_DUPFD_CLOEXEC, HIGH_FD);

    setsid();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    be_ordinary();
    if (gate < 0 || null < 0 || log < 0)
        give_up(child->gate, errno);
    /* Whoever holds our end is to be the only one: else this would never hear that they ended. */
    close(child->gate);
    if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(log, 2) < 0 || !move_fds(plan))
        give_up(gate, errno);
    if (read(gate, &go, 1) != 1)
        _exit(127);
    if (child->pid_digits)
        write_pid(child->pid_digits);
    if (!change_user(plan->uid))
        give_up(gate, errno);
    if (plan->profile)
        apparmor_on_exec(apparmor_open_on_exec(), plan->profile);
    execve(plan->arguments[0], (char *const *)plan->arguments, child->environment);
    give_up(gate, errno);
}

/* ---- in the parent ---- */

static bool
open_standard(const SpawnPlan *plan, int *null, int *log, GError **error)
{
    *null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (*null < 0)
        return fail(error, "/dev/null");
    *log = plan->log ? open(plan->log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600)
                     : fcntl(*null, F_DUPFD_CLOEXEC, 3);
    return *log >= 0 || fail(error, plan->log);
}

bool
spawn_hold(const SpawnPlan *plan, Spawned *spawned, GError **error)
{
    g_autofd int null = -1, log = -1, ours = -1, theirs = -1;
    int pair[2];
    Child child = {0};
    g_auto(GStrv) environment = make_environment(plan, &child.pid_digits);

    g_assert(plan->n_fds <= SPAWN_FDS_MAX);
    if (!open_standard(plan, &null, &log, error))
        return false;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return fail(error, "socketpair");
    ours = pair[0];
    theirs = pair[1];
    child.environment = environment;
    child.null = null;
    child.log = log;
    child.gate = theirs;
    pid_t pid = fork();
    if (pid < 0)
        return fail(error, "fork");
    if (!pid) {
        close(ours);
        become(plan, &child);
    }
    int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0) {
        fail(error, "pidfd_open");
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return false;
    }
    *spawned = (Spawned){.pid = pid, .pidfd = pidfd, .gate = g_steal_fd(&ours)};
    return true;
}

bool
spawn_go(Spawned *spawned, GError **error)
{
    g_autofd int gate = g_steal_fd(&spawned->gate);
    int code = 0;

    if (send(gate, "g", 1, MSG_NOSIGNAL) != 1)
        return fail(error, "the new process ended before it began");
    ssize_t n = TEMP_FAILURE_RETRY(read(gate, &code, sizeof code));
    if (n == 0)
        return true; /* its end was closed by becoming the program */
    errno = n == (ssize_t)sizeof code ? code : EIO;
    return fail(error, "it cannot be started");
}

void
spawn_drop(Spawned *spawned)
{
    g_clear_fd(&spawned->gate, NULL);
    if (spawned->pidfd < 0)
        return;
    pidfd_send_signal(spawned->pidfd, SIGKILL, NULL, 0);
    waitid(P_PIDFD, (id_t)spawned->pidfd, &(siginfo_t){0}, WEXITED);
    g_clear_fd(&spawned->pidfd, NULL);
}

uint64_t
spawn_began(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
    g_autofree char *text = NULL;
    unsigned long long began = 0;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return 0;
    const char *name_end = strrchr(text, ')'); /* the name may hold anything */
    /* proc_pid_stat(5): the state is field 3, the time of start field 22; a zombie is no process. */
    if (!name_end || name_end[1] != ' ' || name_end[2] == 'Z' ||
        sscanf(name_end + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
               &began) != 1)
        return 0;
    return began;
}

void
spawn_end(pid_t pid, uint64_t began)
{
    g_autofd int pidfd = pidfd_open(pid, 0);

    if (pidfd >= 0 && spawn_began(pid) == began)
        pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
}
