/* SPDX-License-Identifier: Apache-2.0 */
/* What the targets for kernel loaders share: one guest to load into, and what must hold of whatever is loaded. */
#pragma once

#include "vmm/firmware/loader.h"

#define FUZZ_MEMORY_SIZE (8u << 20)

static inline void
fuzz_loader(const KernelLoader *loader, const uint8_t *bytes, size_t len)
{
    static GuestMemory *memory;
    BootJob job = {.command_line = "console=ttyS0", .rsdp = 0xe0000};
    BootState state = {0};
    g_autoptr(GError) error = NULL;

    if (!len || !loader->recognises(bytes, MIN(len, LOADER_HEAD_SIZE)))
        return;
    if (!memory)
        memory = guest_memory_new(&(GuestMemoryOptions){.size = FUZZ_MEMORY_SIZE}, NULL);
    job.memory = memory;
    g_assert_true(boot_file_init(&job.kernel, fuzz_file(bytes, len), "kernel", NULL));
    job.initrd = job.kernel; /* any file is as good an initrd as another */
    if (!loader->load(&job, &state, &error)) {
        g_assert_nonnull(error);
        return;
    }
    g_assert_true(loader->check(&job.kernel, NULL));
    g_assert_nonnull(guest_memory_at(memory, state.rip, 1));
}
