/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Direct boot: a Linux bzImage, or an ELF with a PVH entry, put into guest memory without firmware.
 *
 *     kernel_new()   looks at the kernel's headers, so that a wrong file is an error before anything starts
 *     kernel_load()  kernel, initrd, command line, memory map and ACPI tables into RAM; again on each reset
 *
 * The files stay open for that. They are somebody else's and may change meanwhile, so each load checks them anew. Owner: the
 * main thread.
 */
#pragma once

#include "vmm/board/acpi.h"
#include "vmm/kvm/boot_state.h"
#include "vmm/kvm/memory.h"

typedef struct Kernel Kernel;

typedef struct {
    int kernel_fd;           /* taken over, also on failure */
    int initrd_fd;           /* likewise; -1: none */
    const char *kernel_name; /* for messages */
    const char *initrd_name;
    const char *command_line; /* NULL: empty */
    const AcpiTables *acpi;   /* not owned, outlives the kernel; NULL: the guest gets none */
    bool fresh_memory;        /* RAM is all zero until the first load; false for a desktop that is restored */
} KernelOptions;

/* Whether the file at @fd is a kernel that can be booted here, by its headers alone. An error in BOOT_ERROR otherwise. */
bool kernel_check(int fd, const char *name, GError **error);

/* NULL and an error in BOOT_ERROR where kernel_check() gives one. @memory outlives the kernel. */
Kernel *kernel_new(const KernelOptions *options, GuestMemory *memory, GError **error);
void kernel_free(Kernel *kernel);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Kernel, kernel_free)

/* As BootLoader wants it. On failure guest memory is half written and must not be run. */
bool kernel_load(void *kernel, BootState *state, GError **error);
