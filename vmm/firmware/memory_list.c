/* SPDX-License-Identifier: Apache-2.0 */
/* The list of memory at direct boot. */
#include "vmm/firmware/memory_list.h"

#include "vmm/board/memory_map.h"

G_STATIC_ASSERT(BOARD_PCI32_BASE == GUEST_LOW_RAM_MAX);

static void
add(MemoryList *list, uint64_t gpa, uint64_t end, MemoryType type)
{
    if (gpa >= end)
        return;
    g_assert(list->n < MEMORY_LIST_MAX);
    list->entries[list->n++] = (MemoryEntry){gpa, end - gpa, type};
}

uint64_t
memory_low_end(const GuestMemory *memory)
{
    size_t n;
    return guest_memory_regions(memory, &n)[0].size;
}

void
memory_list_init(MemoryList *list, const GuestMemory *memory)
{
    size_t n;
    const GuestRegion *regions = guest_memory_regions(memory, &n);

    list->n = 0;
    add(list, 0, BOARD_LOW_RAM_END, MEMORY_RAM);
    /* VGA's window and, where a PC has its ROMs, the ACPI tables. There is RAM behind it, but not for the taking. */
    add(list, BOARD_LOW_RAM_END, BOARD_ACPI_END, MEMORY_RESERVED);
    add(list, BOARD_ACPI_END, regions[0].size, MEMORY_RAM);
    /* Linux uses ECAM only where the memory map or the DSDT reserves it (PCI Firmware 3.2, 4.1.2). */
    add(list, BOARD_ECAM_BASE, BOARD_ECAM_BASE + BOARD_ECAM_SIZE, MEMORY_RESERVED);
    add(list, BOARD_KVM_IDENTITY_MAP, BOARD_KVM_TSS + 0x3000, MEMORY_RESERVED);
    if (n > 1)
        add(list, regions[1].gpa, regions[1].gpa + regions[1].size, MEMORY_RAM);
}
