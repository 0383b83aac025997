/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firmware's code: a file that the guest sees at the end of its first 4 GiB and begins to run there. The file's pages
 * are mapped, so that desktops with the same firmware share them; nobody writes to them. Owner: the main thread.
 */
#pragma once

#include "vmm/firmware/boot_file.h"

#define ROM_SIZE_MIN (128 * 1024)      /* what is seen below 1 MiB */
#define ROM_SIZE_MAX (8 * 1024 * 1024) /* leaves as much for variables below KVM's own pages */

typedef struct {
    uint8_t *bytes; /* read-only */
    uint64_t size;  /* a multiple of 4 KiB */
} Rom;

/*
 * Maps the file at @fd, which stays the caller's. An error in BOOT_ERROR where it is not one: of a size that none has, or
 * without the jump that processors begin with, 16 bytes before its end.
 */
bool rom_init(Rom *rom, int fd, const char *name, GError **error);
void rom_finish(Rom *rom);
