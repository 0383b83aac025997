/* SPDX-License-Identifier: Apache-2.0 */
/* The firmware's code: see rom.h. */
#include "vmm/firmware/rom.h"

#include <errno.h>
#include <sys/mman.h>

#define PAGE 4096u
#define RESET_VECTOR 16 /* bytes before the end (Intel SDM 3A, 10.1.4) */

static bool
refuse(GError **error, int code, const char *name, const char *why)
{
    g_set_error(error, BOOT_ERROR, code, "%s: %s", name, why);
    return false;
}

/* Erased flash and zeroes are no instructions that anybody would begin with. */
static bool
has_reset_vector(const Rom *rom)
{
    const uint8_t *vector = rom->bytes + rom->size - RESET_VECTOR;
    bool all_ones = true, all_zero = true;

    for (unsigned i = 0; i < RESET_VECTOR; i++) {
        all_ones &= vector[i] == 0xff;
        all_zero &= vector[i] == 0;
    }
    return !all_ones && !all_zero;
}

bool
rom_init(Rom *rom, int fd, const char *name, GError **error)
{
    BootFile file;

    *rom = (Rom){0};
    if (!boot_file_init(&file, fd, name, error))
        return false;
    if (file.size < ROM_SIZE_MIN || file.size > ROM_SIZE_MAX || file.size % PAGE)
        return refuse(error, BOOT_ERROR_MALFORMED, name,
                      "not firmware: its size is not 128 KiB to 8 MiB in steps of 4 KiB");
    void *at = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        return refuse(error, BOOT_ERROR_IO, name, g_strerror(errno));
    *rom = (Rom){at, file.size};
    if (has_reset_vector(rom))
        return true;
    rom_finish(rom);
    return refuse(error, BOOT_ERROR_MALFORMED, name,
                  "not firmware: there is nothing where a processor begins, 16 bytes before its end");
}

void
rom_finish(Rom *rom)
{
    if (rom->bytes)
        munmap(rom->bytes, rom->size);
    *rom = (Rom){0};
}
