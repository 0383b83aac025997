/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting the compiled filters in force, and saying which call broke one: without that line, a missing entry in filters.c
 * would look like a crash.
 */
#include "vmm/sandbox/install.h"
#include "vmm/sandbox/compiled-filters.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PROGRAM(code) {.len = G_N_ELEMENTS(code), .filter = (struct sock_filter *)(code)}

static const struct sock_fprog programs[SANDBOX_N_ROLES] = {
    [SANDBOX_ROLE_MAIN] = PROGRAM(main_filter),
    [SANDBOX_ROLE_VCPU] = PROGRAM(vcpu_filter),
    [SANDBOX_ROLE_IO] = PROGRAM(io_filter),
    [SANDBOX_ROLE_DISPLAY] = PROGRAM(display_filter),
};

static bool in_force;

/* In a signal handler: only what is safe there. */
static void
on_forbidden(int number, siginfo_t *info, void *context)
{
    char line[128], thread[16] = "?";

    prctl(PR_GET_NAME, thread);
    int len = snprintf(line, sizeof(line), "carrel-vmm: thread %.15s made system call %d, which the sandbox forbids\n",
                       thread, info->si_syscall);
    (void)!write(STDERR_FILENO, line, len);
    _exit(128 + SIGSYS);
}

void
filters_begin(void)
{
    struct sigaction action = {.sa_sigaction = on_forbidden, .sa_flags = SA_SIGINFO};

    sigaction(SIGSYS, &action, NULL);
    in_force = true;
}

void
sandbox_filter_thread(SandboxRole role)
{
    if (in_force && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &programs[role]) < 0)
        g_error("the kernel refuses the system call filter: %s", g_strerror(errno));
}
