/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where everything is: guest physical addresses, I/O ports and interrupt numbers of the board. The one place that names
 * them; devices, ACPI tables, loaders and vmm/desktop/ take them from here.
 *
 * The map is QEMU's q35, because that is what OVMF and SeaBIOS look for. What firmware brings with it has its room kept
 * free: flash ends at 4 GiB, the TPM's registers are at 0xfed40000, the ICH9's root complex at 0xfed1c000.
 *
 *     0                 RAM, up to 2 GiB
 *     0x0a0000-0x0fffff   reserved in the guest's map: VGA's window, then RAM with the ACPI tables (direct boot)
 *     0x80000000        32-bit PCI window
 *     0xe0000000        ECAM, 256 buses
 *     0xfec00000        IOAPIC, LAPIC, flash
 *     4 GiB             the rest of RAM
 *     above it          64-bit PCI window
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* RAM below 4 GiB ends here at the latest; the same number is GUEST_LOW_RAM_MAX of vmm/kvm/memory.h. */
#define BOARD_PCI32_BASE 0x80000000ull
#define BOARD_PCI32_SIZE 0x60000000ull
#define BOARD_PCI32_END 0xfec00000ull /* firmware may put ECAM in the middle and use what is above it too */
#define BOARD_ECAM_BASE 0xe0000000ull /* PCIEXBAR as OVMF sets it */
#define BOARD_ECAM_SIZE 0x10000000ull /* 1 MiB a bus */
#define BOARD_ECAM_LAST_BUS 255
#define BOARD_IOAPIC_BASE 0xfec00000ull
#define BOARD_TPM_BASE 0xfed40000ull /* as the TCG wants it, locality 0 */
#define BOARD_TPM_SIZE 0x1000
#define BOARD_LAPIC_BASE 0xfee00000ull
/* Pages KVM needs for itself on Intel hosts without unrestricted guest; 16 MiB of flash fit above them. */
#define BOARD_KVM_IDENTITY_MAP 0xfeffc000ull /* 4 KiB */
#define BOARD_KVM_TSS 0xfeffd000ull          /* 12 KiB */
#define BOARD_FLASH_END 0x100000000ull

/* I/O ports. */
#define BOARD_PORT_KEYBOARD 0x64 /* command port of the 8042: only its reset line is there */
#define BOARD_PORT_RTC 0x70      /* index, data */
#define BOARD_PORT_APM 0xb2      /* command, status: software's way into system management mode (ICH9, 13.7.1) */
#define BOARD_PORTS_APM 2
#define BOARD_PORT_COM1 0x3f8   /* 8 ports */
#define BOARD_PORT_DEBUG 0x402  /* where firmware prints for its makers; only where somebody wants to know */
#define BOARD_PORT_FW_CFG 0x510 /* 12 ports */
#define BOARD_PORT_PM 0x600     /* ICH9 PMBASE, 128 ports */
#define BOARD_PORT_PM_SIZE 0x80
#define BOARD_PORT_PCI_ADDRESS 0xcf8 /* dword; a byte at 0xcf9 is the reset control register */
#define BOARD_PORT_RESET 0xcf9
#define BOARD_PORT_PCI_DATA 0xcfc

/* Global system interrupts. 0-15 are the ISA lines, 16-23 the ICH9's PIRQA-PIRQH. */
#define BOARD_GSI_PIT 2 /* ISA 0 arrives on IOAPIC pin 2 */
#define BOARD_GSI_COM1 4
#define BOARD_GSI_RTC 8
#define BOARD_GSI_SCI 9 /* level, active high */
#define BOARD_GSI_PIRQ_A 16
#define BOARD_GSI_COUNT 24

/* What direct boot puts where no RAM is handed out to the kernel, and below 640 KiB what only its first steps read. */
#define BOARD_BOOT_GDT 0x1000
#define BOARD_BOOT_PAGE_TABLES 0x2000  /* 3 pages */
#define BOARD_BOOT_ZERO_PAGE 0x8000    /* Linux's boot_params, or PVH's start info */
#define BOARD_BOOT_COMMAND_LINE 0x9000 /* to BOARD_BOOT_COMMAND_LINE_END */
#define BOARD_BOOT_COMMAND_LINE_END 0x19000
#define BOARD_BOOT_STACK_TOP 0x20000
#define BOARD_LOW_RAM_END 0xa0000
#define BOARD_ACPI_BASE 0xe0000 /* RSDP first, where a scan finds it too (ACPI 6.5, 5.2.5.1) */
#define BOARD_ACPI_END 0x100000
#define BOARD_KERNEL_BASE 0x100000 /* nothing of a kernel or initrd goes below */

typedef struct {
    uint64_t base;
    uint64_t size; /* 0: there is none */
} BoardWindow;

/*
 * The 64-bit PCI window: the first multiple of its size above @ram_size bytes of RAM. An eighth of what @physical_bits
 * address, 256 GiB at most, halved until it fits; none where less than 1 GiB is left.
 */
BoardWindow board_pci64_window(uint64_t ram_size, unsigned physical_bits);

/* Where ECAM is for tables that say so: @ecam, or BOARD_ECAM_BASE where that is no place for it. */
uint64_t board_ecam(uint64_t ecam);

/*
 * The interrupt of @pin (0: INTA) of the device in @slot of bus 0, as the ICH9 and QEMU's _PRT route it. Devices behind
 * bridges swizzle up to bus 0 first (PCI-to-PCI Bridge 1.2, 9.1).
 */
unsigned board_intx_gsi(unsigned slot, unsigned pin);
