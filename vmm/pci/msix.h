/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MSI-X (PCI Local Bus 3.0, 6.8.2): a table of messages, one a vector, each with a mask.
 *
 * Each vector has an eventfd. While the vector is unmasked, the kernel delivers its message whenever the eventfd is signalled
 * (IrqOps.route_add); while it is masked nobody reads the eventfd, so its count is the pending bit, and whoever holds the
 * eventfd, a vhost back end too, need not know about masks.
 *
 * Owner: the PCI device. The table's accesses come on vCPU threads and take a lock of its own.
 */
#pragma once

#include "vmm/pci/device.h"

#define PCI_MSIX_VECTORS_MAX 256

/* Gives @device @n_vectors vectors, with the table and the pending bits in BAR @bar (32-bit). Before pci_bus_add(). */
void pci_msix_add(PciDevice *device, unsigned n_vectors, unsigned bar);

/* Whether the guest turned MSI-X on. Any thread; false where the device has none. */
bool pci_msix_enabled(const PciDevice *device);
unsigned pci_msix_vectors(const PciDevice *device);
/* The eventfd of @vector, which must be below pci_msix_vectors(). Owned by the device. Any thread. */
int pci_msix_eventfd(const PciDevice *device, unsigned vector);
/* Interrupts the guest by @vector, at once or when it unmasks it. Nothing where there is no such vector. Any thread. */
void pci_msix_signal(PciDevice *device, unsigned vector);
