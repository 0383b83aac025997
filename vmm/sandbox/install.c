/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting the compiled filters in force, and saying which call broke one: without that line, a missing entry in filters.c
 * would look like a crash.
 */
#include "vmm/sandbox/install.h"
#include "vmm/sandbox/compiled-filters.h"
#include "vmm/sandbox/filters.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <ucontext.h>
#include <unistd.h>

#define PROGRAM(code) {.len = G_N_ELEMENTS(code), .filter = (struct sock_filter *)(code)}

static const struct sock_fprog programs[SANDBOX_N_ROLES] = {
    [SANDBOX_ROLE_SET_UP] = PROGRAM(set_up_filter),   [SANDBOX_ROLE_MAIN] = PROGRAM(main_filter),
    [SANDBOX_ROLE_VCPU] = PROGRAM(vcpu_filter),       [SANDBOX_ROLE_IO] = PROGRAM(io_filter),
    [SANDBOX_ROLE_DISPLAY] = PROGRAM(display_filter), [SANDBOX_ROLE_USB] = PROGRAM(usb_filter),
};

static bool in_force;

/* In a signal handler: only what is safe there. */
static void
on_forbidden(int number, siginfo_t *info, void *context)
{
    const greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    char line[160], thread[16] = "?";

    prctl(PR_GET_NAME, thread);
    int len = snprintf(line, sizeof(line),
                       "carrel-vmm: thread %.15s made system call %d (%#llx, %#llx), which the sandbox forbids\n",
                       thread, info->si_syscall, registers[REG_RDI], registers[REG_RSI]);
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

/* In the filter's copy, our own process number where FILTER_OWN_PID stands for it. */
static void
fill_in_pid(struct sock_filter *code, unsigned len)
{
    unsigned filled = 0;

    for (unsigned i = 0; i < len; i++)
        if (code[i].code == (BPF_JMP | BPF_JEQ | BPF_K) && code[i].k == FILTER_OWN_PID) {
            code[i].k = getpid();
            filled++;
        }
    g_assert(filled > 0);
}

void
sandbox_filter_thread(SandboxRole role)
{
    struct sock_fprog program = programs[role];

    if (!in_force)
        return;
    g_autofree struct sock_filter *code = g_memdup2(program.filter, program.len * sizeof(*code));
    fill_in_pid(code, program.len);
    program.filter = code;
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        g_error("the kernel refuses the system call filter: %s", g_strerror(errno));
}
