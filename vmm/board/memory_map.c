/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the memory map that depend on the machine: the 64-bit PCI window, and which line a PCI slot raises. */
#include "vmm/board/memory_map.h"

#include <glib.h>

#define GIB (1ull << 30)
#define HIGH_RAM_BASE (4 * GIB)
#define PCI64_MAX (256 * GIB)

static uint64_t
ram_end(uint64_t ram_size)
{
    return ram_size > BOARD_PCI32_BASE ? HIGH_RAM_BASE + (ram_size - BOARD_PCI32_BASE) : HIGH_RAM_BASE;
}

BoardWindow
board_pci64_window(uint64_t ram_size, unsigned physical_bits)
{
    g_assert(physical_bits >= 32 && physical_bits <= 52);
    uint64_t space = 1ull << physical_bits;
    uint64_t from = ram_end(ram_size);

    for (uint64_t size = MIN(space / 8, PCI64_MAX); size >= GIB; size /= 2) {
        uint64_t base = (from + size - 1) & ~(size - 1);
        if (base <= space - size)
            return (BoardWindow){base, size};
    }
    return (BoardWindow){0, 0};
}

uint64_t
board_ecam(uint64_t ecam)
{
    return ecam > BOARD_PCI32_BASE && ecam < BOARD_PCI32_END - BOARD_ECAM_SIZE ? ecam : BOARD_ECAM_BASE;
}

unsigned
board_intx_gsi(unsigned slot, unsigned pin)
{
    g_assert(slot < 32 && pin < 4);
    /* Slots 0-24 share PIRQE-H, rotated by slot; 25-31 are the chip's own and use PIRQA-D unrotated (ICH9, 10.1.32). */
    return slot < 25 ? BOARD_GSI_PIRQ_A + 4 + ((slot + pin) & 3) : BOARD_GSI_PIRQ_A + pin;
}
