/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The modern virtio-pci transport (virtio 1.2, 4.1): shows a VirtioDevice to the guest as a PCI device.
 *
 * Device ids are 0x1040 + the virtio id; there is no legacy interface. BAR 1 holds MSI-X, one vector a queue and one for
 * configuration changes; BAR 4 (64-bit) the common, ISR, device and notification structures. While the driver runs, each
 * queue's doorbell is an eventfd in the kernel and each unmasked vector a route, so that a kick and an interrupt cost one
 * eventfd write and no exit to this process.
 *
 * To put a device on the bus:
 *
 *     VirtioPci *pci = virtio_pci_new(device, bus, PCI_SLOT_ANY, error);   // takes the device
 *     machine_add(machine, id, &virtio_pci_ops, pci);                      // the machine owns it now
 *     … and once, after the last one: pci_bus_assign(bus, …)
 *
 * Register accesses come on vCPU threads; common and device configuration take the virtio device's lock, ISR and doorbells
 * do not.
 */
#pragma once

#include "vmm/pci/bus.h"
#include "vmm/virtio/device.h"

typedef struct VirtioPci VirtioPci;

/* NULL, and the device freed, where the bus has no such slot free. @slot: 1 to 30 or PCI_SLOT_ANY. Main thread. */
VirtioPci *virtio_pci_new(VirtioDevice *device, PciBus *bus, int slot, GError **error);

/* For the machine's table (device: the VirtioPci): reset, quiesce, resume, state, free. */
extern const DeviceOps virtio_pci_ops;

VirtioDevice *virtio_pci_device(VirtioPci *pci);
unsigned virtio_pci_slot(const VirtioPci *pci);
