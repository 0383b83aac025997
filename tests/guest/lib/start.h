/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the VMM told the guest at its start (the PVH start info), kept in the guest's own memory, and the pages that
 * are free to use.
 */
#ifndef GUEST_START_H
#define GUEST_START_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE 4096ul
#define START_REGIONS_MAX 32

#define START_REGION_RAM 1

typedef struct StartRegion {
    uint64_t address, size; /* bytes */
    uint32_t type;          /* as in the BIOS's E820: START_REGION_RAM, others are not memory to use */
} StartRegion;

typedef struct StartInfo {
    uint32_t version;
    uint64_t root_pointer;        /* physical address of ACPI's RSDP, 0: none */
    uint64_t module, module_size; /* the initial RAM disk, 0: none */
    char command_line[512];
    StartRegion regions[START_REGIONS_MAX];
    unsigned n_regions;
} StartInfo;

extern StartInfo start_info;

/* The test: each guest has one. Returning from it ends the guest. Kernel mode, interrupts off, one processor. */
void guest_main(void);

/* The value of "key=value" on the command line, or fallback. The text is good until the next call. */
const char *start_option(const char *key, const char *fallback);
uint64_t start_option_number(const char *key, uint64_t fallback);

/* Whether the harness runs the guest under QEMU, for the few places where QEMU is known to differ. */
bool start_on_qemu(void);

/* n pages of zeroes, physically contiguous, one to one. Never given back. */
void *pages_allocate(size_t n);

/* The first address past the last RAM region: nothing is there. below_4g: past the last one that lies below 4 GiB. */
uint64_t start_ram_end(bool below_4g);

#endif
