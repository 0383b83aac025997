/* SPDX-License-Identifier: Apache-2.0 */
/* Telling why guest memory is gone: a handler of SIGBUS, and the words for it, written down before they are needed. */
#include "vmm/kvm/memory_fault.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static struct {
    const uint8_t *from;
    uint64_t size;
    char reason[512];
    char line[640];
} watched;

/* Only what a signal handler may do. A fault elsewhere happens again, and then ends the process as if nobody had watched. */
static void
on_fault(int number, siginfo_t *info, void *context)
{
    if ((uintptr_t)info->si_addr - (uintptr_t)watched.from >= watched.size)
        return;
    (void)!write(STDERR_FILENO, watched.line, strlen(watched.line));
    _exit(128 + number);
}

void
memory_fault_watch(const GuestMemory *memory, const char *file)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_RESETHAND};
    size_t n;

    watched.from = guest_memory_regions(memory, &n)[0].host;
    watched.size = guest_memory_size(memory);
    if (file)
        g_snprintf(watched.reason, sizeof(watched.reason), "%s, which it is read from, was cut short or cannot be read",
                   file);
    else
        g_strlcpy(watched.reason, "the host has no pages left for it", sizeof(watched.reason));
    g_snprintf(watched.line, sizeof(watched.line), "carrel-vmm: the guest's memory is lost: %s\n", watched.reason);
    sigaction(SIGBUS, &action, NULL);
}

const char *
memory_fault_reason(void)
{
    return watched.reason;
}
