/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper: the process that stays outside. It holds no desktop resources, only the names of what must be removed.
 */
#include "vmm/sandbox/keeper.h"
#include "vmm/sandbox/sandbox.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static const int forwarded[] = {SIGTERM, SIGINT, SIGHUP};

bool
sandbox_signal_is_ignored(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static sigset_t
signal_set(void)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < G_N_ELEMENTS(forwarded); i++)
        if (!sandbox_signal_is_ignored(forwarded[i]))
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

static pid_t ends_last; /* 0: nobody */

void
sandbox_keep_after(pid_t child)
{
    ends_last = child;
}

/* The exit status; 128 and the signal's number after a violent end, which is told. */
static int
exit_status(int status)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);

    /* Whoever met the filter, or memory that is gone, has told that itself. */
    bool told = WIFEXITED(status) && (code == 128 + SIGSYS || code == 128 + SIGBUS);
    if (code > 128 && !told)
        fprintf(stderr, "carrel-vmm: the desktop process was ended by signal %d (%s)\n", code - 128,
                strsignal(code - 128));
    return code;
}

/* The terminal as it is now, for the desktop to change and for us to put back if it cannot. */
static bool
remember_terminal(struct termios *terminal)
{
    return isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp() && tcgetattr(STDIN_FILENO, terminal) == 0;
}

/* @terminal: as it was; NULL for none. */
static G_NORETURN void
keep(pid_t child, const char *const *paths, const struct termios *terminal)
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
    if (ends_last)
        waitpid(ends_last, NULL, 0);
    signal(SIGTTOU, SIG_IGN); /* in the background by now, perhaps: the terminal would stop us for changing it */
    if (terminal && status > 128)
        tcsetattr(STDIN_FILENO, TCSANOW, terminal);
    _exit(status);
}

/* ---- in the desktop process ---- */

static int keeper_fd = -1; /* a pidfd, which works across PID namespaces */

void
keeper_follow(void)
{
    struct pollfd gone = {.fd = keeper_fd, .events = POLLIN};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (poll(&gone, 1, 0) > 0)
        _exit(1); /* it died before the line above */
}

static gboolean
on_keeper_gone(int fd, GIOCondition condition, gpointer user)
{
    _exit(1);
}

/*
 * The kernel looks for whom to signal a moment before it calls the keeper dead: a death at that very moment is seen neither
 * by the signal nor by keeper_follow().
 */
void
sandbox_watch_keeper(void)
{
    if (keeper_fd >= 0)
        g_unix_fd_add(keeper_fd, G_IO_IN, on_keeper_gone, NULL);
}

/*
 * The first process of a PID namespace is spared by the signals it sends itself: abort() would look for another way out,
 * and the keeper would tell of that. Handlers are called all the same.
 */
static void
on_abort(int number)
{
    _exit(128 + number);
}

bool
sandbox_fork(const char *const *paths, GError **error)
{
    struct termios terminal;
    bool have_terminal = remember_terminal(&terminal);

    signal(SIGCHLD, SIG_DFL); /* inherited ignored, it would neither come nor leave a status */
    unshare(CLONE_NEWPID);    /* an ordinary user may not; the desktop is an ordinary child then */
    keeper_fd = pidfd_open(getpid(), 0);
    pid_t child = keeper_fd >= 0 ? fork() : -1;
    if (child < 0) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "cannot start the desktop process: %s",
                    g_strerror(errno));
        return false;
    }
    if (child > 0)
        keep(child, paths, have_terminal ? &terminal : NULL);
    keeper_follow();
    signal(SIGABRT, on_abort);
    return true;
}
