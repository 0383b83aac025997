/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flash chip that keeps UEFI's variables: Intel's command set (Intel 28F256J3 and its like; JEDEC JEP137 command set
 * 0001) on a bus one byte wide, in blocks of 4 KiB, as OVMF drives QEMU's.
 *
 * What is read is the array, straight from memory without an exit, until a command puts the chip into another mode; then
 * reads and writes come here (FlashOps.show). A write that is not part of a command is one:
 *
 *     ff         read the array              70     read the status, as after programming and erasing
 *     50         clear the status; array     90     read the identity         98  read the CFI table
 *     10 or 40   program: the next byte written is put where it is written
 *     20, d0     erase the block: every byte ff
 *
 * The contents are one file of the desktop's. What was programmed and erased reaches it, and stable storage, before the
 * next command begins anything new: so after a power cut the file holds all that was done up to some moment and nothing
 * of what came later, which is what UEFI's fault tolerant writing relies on. Where the file cannot be written the machine is
 * asked to pause, and it is tried again on resume.
 *
 * Register access: any thread, under the chip's own lock. The rest: main thread.
 */
#pragma once

#include "vmm/board/bus.h"
#include "vmm/board/device.h"
#include "vmm/board/machine.h"

#include <glib.h>

#define FLASH_BLOCK_SIZE 4096u
#define FLASH_SIZE_MAX (8u * 1024 * 1024)

typedef struct Flash Flash;

typedef struct {
    /* Reads are of the array (@array), or of what the chip says. Under the chip's lock, any thread. */
    void (*show)(void *user, bool array);
    /* The file cannot be written; @detail is a sentence for people. Any thread. */
    void (*failed)(void *user, const char *detail);
} FlashOps;

/* 8 KiB to FLASH_SIZE_MAX, in whole blocks. */
bool flash_size_is_valid(uint64_t size);

/*
 * The chip with the contents of the file at @fd, which is taken over (also on failure), open for reading and writing
 * and of a valid size; what it holds is the firmware's. @name is for messages and is copied.
 */
Flash *flash_new(int fd, const char *name, GError **error);
/* Before the first access. @ops may be NULL, and is not copied. */
void flash_set_user(Flash *flash, const FlashOps *ops, void *user);

uint8_t *flash_bytes(const Flash *flash); /* page aligned; the chip's, as long as it lives */
uint64_t flash_size(const Flash *flash);

extern const BusOps flash_bus_ops; /* flash_size() bytes */
extern const DeviceOps flash_device_ops;
