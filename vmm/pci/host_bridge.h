/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host bridge of a Q35 (Intel 82G33 memory controller hub, device 0; Intel 3 Series Express Chipset datasheet, 5.1): its
 * identity, and the registers that say where things are in memory:
 *
 *     0x60  PCIEXBAR  where ECAM is. On from power-on, since without firmware nobody would turn it on
 *     0x90  PAM0-6    which pieces of 0xc0000-0xfffff are RAM, to be read and to be written
 *     0x9d  SMRAM     whether 0xa0000-0xbffff is RAM; the lock of this and the next two
 *     0x9e  ESMRAMC   whether the end of low RAM is TSEG, and how large
 *     0x50  QEMU's word for a larger TSEG: written 0xffff, it reads the MiB of the largest
 *
 * Without somebody who carries out the last four (pci_bus_set_memory_control()) they are read-only. Part of the PCI bus,
 * which embeds it.
 */
#pragma once

#include "vmm/pci/device.h"

#define PCI_SHADOW_PIECES 13 /* twelve of 16 KiB from 0xc0000, one of 64 KiB at 0xf0000 */
#define PCI_SHADOW_READ 1
#define PCI_SHADOW_WRITE 2
#define PCI_TSEG_EXTENDED (16ull << 20)

/* What they say. */
typedef struct {
    uint8_t shadow[PCI_SHADOW_PIECES]; /* which accesses to each piece go to RAM */
    bool low_smram;                    /* 0xa0000-0xbffff is RAM in system management mode … */
    bool low_smram_open;               /* … and to everybody */
    uint64_t tseg_size;                /* bytes at the end of low RAM for system management mode alone; 0: none */
} PciMemoryControl;

/* Called with the bridge's config lock held, on a vCPU's thread, or on the main thread by a reset or a load. */
typedef void (*PciMemoryControlChanged)(void *user, const PciMemoryControl *control);

typedef struct {
    PciDevice pci;
    uint64_t ecam;                   /* where it is mapped; 0: nowhere */
    PciMemoryControlChanged changed; /* NULL: nobody carries them out */
    void *user;
} PciHostBridge;

void pci_host_bridge_init(PciHostBridge *bridge, PciBus *bus);
void pci_host_bridge_finish(PciHostBridge *bridge);
/* See pci_bus_set_memory_control(). */
void pci_host_bridge_set_memory_control(PciHostBridge *bridge, PciMemoryControlChanged changed, void *user);
/* Registers back to power-on, and everything to where they say. */
void pci_host_bridge_reset(PciHostBridge *bridge);
/* Everything to where loaded registers say; false where ECAM's place is taken. */
bool pci_host_bridge_follow(PciHostBridge *bridge, GError **error);

/* Accesses to ECAM; the device is the PciBus. */
extern const BusOps pci_ecam_ops;
