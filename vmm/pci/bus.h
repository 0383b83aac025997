/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI bus 0 of a Q35: 32 slots of one function each, reached through the ports 0xcf8 and 0xcfc and through ECAM.
 *
 * Slot 0 is the host bridge (Intel 82G33's ids, as QEMU's q35 has and firmware looks for), whose PCIEXBAR moves ECAM; slot
 * 31 is the ICH9's LPC bridge. INTx lines go to the IOAPIC as the ICH9 routes them; devices on one line are or-ed here, one lock a line.
 *
 * Without firmware nobody gives BARs their addresses, so pci_bus_assign() does at power-on; the guest may move them.
 *
 * Setting up: main thread, before the first vCPU runs. A device stays until pci_device_finish().
 */
#pragma once

#include "vmm/board/device.h"
#include "vmm/board/irq.h"
#include "vmm/board/memory_map.h"
#include "vmm/pci/device.h"
#include "vmm/pci/host_bridge.h"
#include "vmm/pci/lpc_bridge.h"

#define PCI_SLOTS 32
#define PCI_SLOTS_FREE 30 /* the board has the first and the last */

/* @ports and @memory outlive the bus; @irq is copied, its host outlives the bus. Maps 0xcf8-0xcff and ECAM. */
PciBus *pci_bus_new(Bus *ports, Bus *memory, const IrqController *irq);
void pci_bus_free(PciBus *bus);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PciBus, pci_bus_free)

/* Puts @device into @slot; PCI_SLOT_ANY: the first free one from 1. Returns the slot, or -1 where it is taken. */
#define PCI_SLOT_ANY (-1)
int pci_bus_add(PciBus *bus, PciDevice *device, int slot);

/*
 * Gives every BAR of every device an address: 64-bit ones in @high where it has room, the others and the rest in @low.
 * false, with an error that says what does not fit. Once, after the last pci_bus_add().
 */
bool pci_bus_assign(PciBus *bus, const BoardWindow *low, const BoardWindow *high, GError **error);

/* Byte accesses to port 0xcf9, which lies inside the address port: the board's reset control register. */
void pci_bus_set_reset_port(PciBus *bus, const BusOps *ops, void *device);

/*
 * Who carries out what the host bridge's registers say of memory (host_bridge.h), which the guest may write from here on;
 * called at once with what they say now. @changed NULL: nobody any more. Main thread, while no vCPU runs.
 */
void pci_bus_set_memory_control(PciBus *bus, PciMemoryControlChanged changed, void *user);

/* The same for the LPC bridge's lock of SMI_EN, with system management mode only. */
void pci_bus_set_smi_lock(PciBus *bus, PciSmiLockChanged changed, void *user);

/*
 * The window above 4 GiB for tables that say so: from the lowest to the highest of the BARs that are there, with room to
 * either side up to whole GiB; @usual where none is. Any thread.
 */
BoardWindow pci_bus_high_window(const PciBus *bus, BoardWindow usual);

/* Where ECAM is; 0: nowhere. Any thread. */
uint64_t pci_bus_ecam(const PciBus *bus);

/* For the machine's table (device: the PciBus): the bridges and the address port. */
extern const DeviceOps pci_bus_ops;

/* For pci/device.c and pci/msix.c. */
Bus *pci_bus_memory(const PciBus *bus);
const IrqController *pci_bus_irq(const PciBus *bus);
void pci_bus_set_line(PciBus *bus, unsigned slot, bool high);
void pci_bus_remove(PciBus *bus, PciDevice *device);
