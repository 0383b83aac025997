/* SPDX-License-Identifier: Apache-2.0 */
/* Large pages, one to one: a 1 GiB page where the processor has them, else a table of 2 MiB ones. */
#include "paging.h"
#include "cpu.h"
#include "interrupt.h"
#include "start.h"

#define GIB_SHIFT 30
#define PAGE_LARGE_USER 0x87 /* present, writable, user, large */
#define PAGE_TABLE_USER 0x07

extern uint64_t boot_pml4[512];

static uint64_t
directory(uint64_t gib)
{
    uint64_t *entries = pages_allocate(1);

    for (unsigned i = 0; i < 512; i++)
        entries[i] = (gib << GIB_SHIFT) + ((uint64_t)i << 21) + PAGE_LARGE_USER;
    return (uint64_t)entries + PAGE_TABLE_USER;
}

/* The table that has an entry for each gibibyte of 512 of them. */
static uint64_t *
pointers(uint64_t gib)
{
    uint64_t *entry = &boot_pml4[gib / 512];

    if (!*entry)
        *entry = (uint64_t)pages_allocate(1) + PAGE_TABLE_USER;
    return (uint64_t *)(*entry & ~0xffful); /* the processor marks entries it used */
}

void
paging_map(uint64_t address, uint64_t size)
{
    bool huge = cpuid(0x80000001, 0).edx & 1u << 26;

    for (uint64_t gib = address >> GIB_SHIFT; gib <= (address + size - 1) >> GIB_SHIFT; gib++) {
        if (gib >= 256 * 512)
            panic("cannot map %lx: past what addresses reach", address);
        uint64_t *entry = &pointers(gib)[gib % 512];
        if (!*entry)
            *entry = huge ? (gib << GIB_SHIFT) + PAGE_LARGE_USER : directory(gib);
    }
}
