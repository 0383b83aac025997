/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The LPC bridge of an ICH9 (device 31, function 0): the board's ISA side as PCI sees it (Intel ICH9 datasheet, 13.1).
 *
 * What it bridges to (RTC, power management, serial port) is in vmm/board/ at fixed places; here are the registers that say
 * so, and those that route interrupts, which are scratch: the IOAPIC's lines are fixed. Part of the PCI bus, which embeds it.
 */
#pragma once

#include "vmm/pci/device.h"

#define LPC_BRIDGE_SLOT 31

/* Whether SMI_EN's global enable is locked (GEN_PMCON_1's SMI_LOCK). Under the config lock, or on the main thread. */
typedef void (*PciSmiLockChanged)(void *user, bool locked);

typedef struct {
    PciDevice pci;
    PciSmiLockChanged changed; /* NULL: there is no system management mode, and the lock reads 0 */
    void *user;
} PciLpcBridge;

void pci_lpc_bridge_init(PciLpcBridge *bridge);
/* See pci_bus_set_smi_lock(). */
void pci_lpc_bridge_set_smi_lock(PciLpcBridge *bridge, PciSmiLockChanged changed, void *user);
/* After a reset or a load: tells what its registers say, and what the guest may write. */
void pci_lpc_bridge_follow(PciLpcBridge *bridge);
