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

void pci_lpc_bridge_init(PciDevice *bridge);
