/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that is to be loaded into guest memory: bounded reads at an offset, straight to where the bytes belong.
 *
 * What the file says of itself is not believed: every offset and length is checked against its real size. Any thread.
 */
#pragma once

#include "vmm/kvm/memory.h"

#define BOOT_ERROR (boot_error_quark())
GQuark boot_error_quark(void);
typedef enum {
    BOOT_ERROR_NOT_A_KERNEL, /* neither a bzImage nor a PVH ELF */
    BOOT_ERROR_TRUNCATED,    /* shorter than it says of itself */
    BOOT_ERROR_MALFORMED,    /* it contradicts itself, or asks for what Carrel does not do */
    BOOT_ERROR_NO_ROOM,      /* it does not fit into this desktop's memory */
    BOOT_ERROR_COMMAND_LINE, /* too long */
    BOOT_ERROR_IO,
} BootError;

typedef struct {
    int fd; /* not owned */
    const char *name;
    uint64_t size; /* bytes */
} BootFile;

/* @name: for messages, not copied. false where @fd is not a file with a size (a pipe, a folder), or is empty. */
bool boot_file_init(BootFile *file, int fd, const char *name, GError **error);
/* Reads exactly [offset, offset + len). false where the file ends before, or cannot be read. */
bool boot_file_read(const BootFile *file, uint64_t offset, void *to, size_t len, GError **error);
/* The same into guest memory at @gpa, all of which must be RAM. @len 0 is fine. */
bool boot_file_load(const BootFile *file, uint64_t offset, uint64_t len, GuestMemory *memory, uint64_t gpa,
                    GError **error);
