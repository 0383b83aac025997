/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the loaders of the two kinds of kernel share: the job they are given, and the steps both take.
 *
 * kernel.c has the table of loaders and does what is the same for all.
 */
#pragma once

#include "vmm/firmware/boot_file.h"
#include "vmm/firmware/memory_list.h"
#include "vmm/kvm/boot_state.h"

/* Enough of a file's beginning to tell what it is: all of a bzImage's header. */
#define LOADER_HEAD_SIZE 1024

typedef struct {
    GuestMemory *memory;
    BootFile kernel;
    BootFile initrd; /* .fd -1: none */
    const char *command_line;
    uint64_t rsdp; /* guest address of the ACPI tables' root; 0: none */
    bool fresh;    /* nothing ran in this memory yet: it is zero where nobody wrote */
} BootJob;

typedef struct {
    const char *name;
    /* Whether the file's first @len bytes say that it is of this kind. */
    bool (*recognises)(const uint8_t *head, size_t len);
    /* Whether its headers hold together and ask for nothing Carrel does not do. */
    bool (*check)(const BootFile *file, GError **error);
    /* Checks again, then loads everything but the ACPI tables. */
    bool (*load)(const BootJob *job, BootState *state, GError **error);
} KernelLoader;

extern const KernelLoader bzimage_loader;
extern const KernelLoader elf_loader;

typedef struct {
    uint64_t gpa, size; /* of the initrd; 0, 0: none */
} BootInitrd;

/*
 * Loads the initrd at the highest page of RAM below @limit, where it may not reach down to @kernel_end. Nothing to do
 * without one.
 */
bool loader_place_initrd(const BootJob *job, uint64_t kernel_end, uint64_t limit, BootInitrd *initrd, GError **error);
/* Puts the command line in its place. @max: bytes without the terminating zero that the kernel takes. */
bool loader_place_command_line(const BootJob *job, size_t max, GError **error);
/* Where a kernel may be: false where [gpa, gpa + size) is not RAM above the first MiB. */
bool loader_is_kernel_ram(const GuestMemory *memory, uint64_t gpa, uint64_t size);
