/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The USB controller: xHCI 1.2 as a PCI function of class 0c0330, which in-box drivers of Linux, Windows, the BSDs and OVMF
 * bind to by that class.
 *
 * Each port of the bus is a USB 2 port of its and, up to the fifteenth, a USB 3 port too: a device shows on the side that
 * its speed belongs to. 64 slots, 8 interrupters with a vector each (MSI-X; INTx for the first), streams (16 ids), no
 * scratchpad memory.
 *
 * What the guest does wrong ends in the completion code that the specification has for it; where there is none, in a Host
 * Controller Error, which lasts until the guest resets the controller. One line is logged.
 *
 * Owner: the main thread makes, frees, saves and resets it; its work is done on the bus's USB thread.
 */
#pragma once

#include "usb/bus.h"
#include "vmm/board/clock.h"
#include "vmm/pci/bus.h"

typedef struct Xhci Xhci;

typedef struct {
    UsbBus *bus;         /* not owned; outlives it, and has no other controller */
    GuestMemory *memory; /* not owned */
    Clock *clock;        /* not owned; its timers fire on the bus's context */
} XhciOptions;

/* NULL with an error where @slot (PCI_SLOT_ANY: any) is not to be had. What is on the bus already is plugged in. */
Xhci *xhci_new(PciBus *pci, int slot, const XhciOptions *options, GError **error);
void xhci_free(Xhci *xhci);

/* Its registers (owner: the Xhci), for tests; the guest reaches them through the BAR. */
extern const BusOps xhci_bus_ops;

/* For the machine's table (device: the Xhci). It saves the devices on its bus with itself. */
extern const DeviceOps xhci_device_ops;

/* Where it is on PCI. */
unsigned xhci_slot_number(const Xhci *xhci);

/* Counts since it was made. Any thread. */
typedef struct {
    uint64_t transfers, bytes; /* completed, and what they moved */
    uint64_t errors;           /* of these, with another status than USB_OK */
    uint64_t interrupts;
} XhciStats;
void xhci_stats(Xhci *xhci, XhciStats *stats);
