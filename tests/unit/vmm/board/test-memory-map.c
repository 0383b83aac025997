/* SPDX-License-Identifier: Apache-2.0 */
/* The memory map: windows that never meet RAM nor leave the address space, and the lines PCI slots raise. */
#include "vmm/board/memory_map.h"

#include <glib.h>

#define GIB (1ull << 30)

static void
test_fixed_ranges_do_not_overlap(void)
{
    g_assert_cmphex(BOARD_PCI32_BASE + BOARD_PCI32_SIZE, ==, BOARD_ECAM_BASE);
    g_assert_cmphex(BOARD_ECAM_SIZE, ==, (BOARD_ECAM_LAST_BUS + 1ull) << 20);
    g_assert_cmphex(BOARD_ECAM_BASE + BOARD_ECAM_SIZE, <=, BOARD_IOAPIC_BASE);
    g_assert_cmphex(BOARD_KVM_IDENTITY_MAP + 0x1000, ==, BOARD_KVM_TSS);
    g_assert_cmphex(BOARD_KVM_TSS + 0x3000, <=, BOARD_FLASH_END - (16u << 20));
}

static void
test_pci64_window(void)
{
    static const uint64_t sizes[] = {1ull << 20, GIB, 2 * GIB, 2 * GIB + (1 << 20), 3 * GIB, 62 * GIB, 512 * GIB};

    for (unsigned bits = 32; bits <= 52; bits++) {
        for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
            BoardWindow window = board_pci64_window(sizes[i], bits);
            if (!window.size)
                continue;
            uint64_t ram_end = 4 * GIB + (sizes[i] > 2 * GIB ? sizes[i] - 2 * GIB : 0);
            g_assert_cmphex(window.base, >=, ram_end);
            g_assert_cmphex(window.base % window.size, ==, 0);
            g_assert_cmphex(window.base + window.size, <=, 1ull << bits);
            g_assert_cmphex(window.size, >=, GIB);
        }
    }
    /* Common hosts. */
    g_assert_cmphex(board_pci64_window(4 * GIB, 36).size, ==, 8 * GIB);
    g_assert_cmphex(board_pci64_window(4 * GIB, 40).size, ==, 128 * GIB);
    g_assert_cmphex(board_pci64_window(4 * GIB, 48).size, ==, 256 * GIB);
    /* Squeezed between RAM and the end, and squeezed out. */
    g_assert_cmphex(board_pci64_window(60 * GIB, 36).base, ==, 62 * GIB);
    g_assert_cmphex(board_pci64_window(60 * GIB, 36).size, ==, 2 * GIB);
    g_assert_cmphex(board_pci64_window(62 * GIB, 36).size, ==, 0);
    g_assert_cmphex(board_pci64_window(GIB, 32).size, ==, 0);
}

static void
test_intx(void)
{
    g_assert_cmpuint(board_intx_gsi(0, 0), ==, 20);
    g_assert_cmpuint(board_intx_gsi(1, 0), ==, 21);
    g_assert_cmpuint(board_intx_gsi(1, 3), ==, 20);
    g_assert_cmpuint(board_intx_gsi(24, 3), ==, 23);
    g_assert_cmpuint(board_intx_gsi(25, 0), ==, 16);
    g_assert_cmpuint(board_intx_gsi(31, 3), ==, 19);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/memory-map/fixed-ranges", test_fixed_ranges_do_not_overlap);
    g_test_add_func("/memory-map/pci64-window", test_pci64_window);
    g_test_add_func("/memory-map/intx", test_intx);
    return g_test_run();
}
