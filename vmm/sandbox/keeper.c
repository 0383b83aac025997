/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper: the process that stays outside. It holds no desktop resources, only the names of what must be removed.
 */
#include "vmm/sandbox/sandbox.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const int forwarded[] = {SIGTERM, SIGINT, SIGHUP};

static sigset_t
signal_set(void)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < G_N_ELEMENTS(forwarded); i++)
        sigaddset(&set, forwarded[i]);
    return set;
}

void
sandbox_hold_signals(void)
{
    sigset_t set = signal_set();
    sigprocmask(SIG_BLOCK, &set, NULL);
}

void
sandbox_release_signals(void)
{
    sigset_t set = signal_set();
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* Waits for the child's end, handing on every signal meant for it. Returns its wait status. */
static int
wait_for_child(pid_t child, const sigset_t *set)
{
    int status;

    /* Looked at before each sleep: it may have ended before its signal was held. */
    while (waitpid(child, &status, WNOHANG) == 0) {
        int number = sigwaitinfo(set, NULL);
        if (number > 0 && number != SIGCHLD)
            kill(child, number);
    }
    return status;
}

static int
exit_status(int status)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    fprintf(stderr, "carrel-vmm: the desktop process was ended by signal %d (%s)\n", WTERMSIG(status),
            strsignal(WTERMSIG(status)));
    return 128 + WTERMSIG(status);
}

static G_NORETURN void
keep(pid_t child, const char *const *paths)
{
    sigset_t set = signal_set();

    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    /* Whatever the desktop uses must be its alone: a socket kept open here would look alive after the desktop is gone. */
    close_range(STDERR_FILENO + 1, ~0u, 0);
    prctl(PR_SET_NAME, "carrel-keeper");
    int status = exit_status(wait_for_child(child, &set));
    for (; *paths; paths++)
        unlink(*paths);
    _exit(status);
}

bool
sandbox_fork(const char *const *paths, GError **error)
{
    pid_t keeper = getpid();

    /* Without the right to a PID namespace the desktop is an ordinary child; sandbox_enter() tries again with a user's. */
    bool own_pids = unshare(CLONE_NEWPID) == 0;
    pid_t child = fork();
    if (child < 0) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "cannot start the desktop process: %s",
                    g_strerror(errno));
        return false;
    }
    if (child > 0)
        keep(child, paths);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!own_pids && getppid() != keeper)
        _exit(1); /* it died before the line above */
    return true;
}
