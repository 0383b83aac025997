/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host bridge of a Q35 (Intel 82G33 memory controller hub, device 0): its identity, and PCIEXBAR, which says where
 * ECAM is (Intel 3 Series Express Chipset datasheet, 5.1.17).
 *
 * ECAM is on from power-on, since without firmware nobody would turn it on. Part of the PCI bus, which embeds it.
 */
#pragma once

#include "vmm/pci/device.h"

typedef struct {
    PciDevice pci;
    uint64_t ecam; /* where it is mapped; 0: nowhere */
} PciHostBridge;

void pci_host_bridge_init(PciHostBridge *bridge, PciBus *bus);
void pci_host_bridge_finish(PciHostBridge *bridge);
/* Registers back to power-on and ECAM to where they say. */
void pci_host_bridge_reset(PciHostBridge *bridge);
/* ECAM to where loaded registers say; false where that is taken. */
bool pci_host_bridge_follow(PciHostBridge *bridge, GError **error);

/* Accesses to ECAM; the device is the PciBus. */
extern const BusOps pci_ecam_ops;
