/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI: configuration space by the ports and by memory (ECAM), base address registers, capabilities and MSI-X.
 * The memory-mapped way works in any mode, the rest in kernel mode.
 */
#ifndef GUEST_PCI_H
#define GUEST_PCI_H

#include <stdbool.h>
#include <stdint.h>

#define PCI_VENDOR 0x00
#define PCI_DEVICE 0x02
#define PCI_COMMAND 0x04
#define PCI_COMMAND_IO 0x1
#define PCI_COMMAND_MEMORY 0x2
#define PCI_COMMAND_MASTER 0x4
#define PCI_COMMAND_INTX_OFF 0x400
#define PCI_STATUS 0x06
#define PCI_STATUS_INTERRUPT 0x8
#define PCI_STATUS_CAPABILITIES 0x10
#define PCI_REVISION 0x08
#define PCI_CLASS 0x0a /* subclass in the low byte */
#define PCI_HEADER 0x0e
#define PCI_BAR0 0x10
#define PCI_SUBSYSTEM_VENDOR 0x2c
#define PCI_SUBSYSTEM 0x2e
#define PCI_CAPABILITIES 0x34
#define PCI_INTERRUPT_LINE 0x3c
#define PCI_INTERRUPT_PIN 0x3d

#define PCI_CAPABILITY_VENDOR 0x09
#define PCI_CAPABILITY_EXPRESS 0x10
#define PCI_CAPABILITY_MSIX 0x11

typedef struct PciDevice {
    uint8_t bus, slot, function;
    uint16_t vendor, id;
} PciDevice;

typedef struct PciBar {
    uint64_t address, size; /* bytes; size 0: not implemented */
    bool io, wide, prefetchable;
} PciBar;

/* size is 1, 2 or 4. pci_* uses ECAM where the MCFG names one and the ports elsewhere; the others say which. */
uint32_t pci_read(const PciDevice *device, unsigned offset, unsigned size);
void pci_write(const PciDevice *device, unsigned offset, unsigned size, uint32_t value);
uint32_t pci_port_read(const PciDevice *device, unsigned offset, unsigned size);
void pci_port_write(const PciDevice *device, unsigned offset, unsigned size, uint32_t value);
uint64_t pci_ecam(const PciDevice *device, unsigned offset); /* an address */

/* Functions of bus 0 in slot order; returns how many there are, at most max. */
unsigned pci_enumerate(PciDevice *devices, unsigned max);
bool pci_find(uint16_t vendor, uint16_t id, unsigned n, PciDevice *device);

/* Sizes a register by writing ones with decoding off, and puts everything back. */
PciBar pci_bar(const PciDevice *device, unsigned index);
void pci_bar_move(const PciDevice *device, unsigned index, uint64_t address);

/*
 * Gives every memory register still at 0 a place in the hole below 4 GiB, maps those above, and switches decoding and
 * mastering on. Kernel mode.
 */
void pci_enable(const PciDevice *device);

/* The next capability with the id after offset `after` (0: the first); 0 where there is none. */
unsigned pci_capability(const PciDevice *device, uint8_t id, unsigned after);

/* MSI-X. entry's message goes to the boot processor. */
unsigned pci_msix_entries(const PciDevice *device); /* 0: no MSI-X */
uint64_t pci_msix_table(const PciDevice *device);   /* address of entry 0, 16 bytes each */
uint64_t pci_msix_pending(const PciDevice *device); /* address of the pending bits */
void pci_msix_enable(const PciDevice *device, bool on, bool function_mask);
void pci_msix_set(const PciDevice *device, unsigned entry, uint8_t vector, bool masked);

#endif
