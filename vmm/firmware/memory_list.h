/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of memory a kernel is given at direct boot: what is RAM, and what to keep away from. The same entries go into
 * Linux's E820 table and PVH's memory map, whose types agree (ACPI 6.5, 15.1).
 */
#pragma once

#include "vmm/kvm/memory.h"

#define MEMORY_LIST_MAX 8

typedef enum { MEMORY_RAM = 1, MEMORY_RESERVED = 2 } MemoryType;

typedef struct {
    uint64_t gpa, size;
    MemoryType type;
} MemoryEntry;

typedef struct {
    MemoryEntry entries[MEMORY_LIST_MAX]; /* ascending, apart */
    unsigned n;
} MemoryList;

void memory_list_init(MemoryList *list, const GuestMemory *memory);
/* Where RAM below 4 GiB ends. */
uint64_t memory_low_end(const GuestMemory *memory);
