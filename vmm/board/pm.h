/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power management: ACPI's fixed hardware with the layout of an ICH9 at PMBASE 0x600 (ACPI 6.5, 4.8; ICH9, 13.8.3), and the
 * ways a guest resets the machine (port 0xcf9, and 0xfe to the keyboard controller's port 0x64).
 *
 * ACPI mode is always on: SCI_EN reads 1 and the tables name no SMI command port (4.8.10.1). The power button is the fixed one.
 * S5 is the only sleeping state. The PM timer has 32 bits and runs on the board's clock; it arms a host timer only while
 * the guest wants its overflow interrupt. Register access: any thread, under the device's own lock. The rest: main thread.
 */
#pragma once

#include "vmm/board/bus.h"
#include "vmm/board/clock.h"
#include "vmm/board/irq.h"
#include "vmm/board/machine.h"

/* The block's registers, from PMBASE. */
#define PM_REGISTER_STATUS 0x00  /* PM1a_STS, 16 bits */
#define PM_REGISTER_ENABLE 0x02  /* PM1a_EN, 16 bits */
#define PM_REGISTER_CONTROL 0x04 /* PM1a_CNT, 16 bits used */
#define PM_REGISTER_TIMER 0x08   /* 32 bits */
#define PM_REGISTER_GPE0 0x20    /* 8 bytes of status, 8 of enable */
#define PM_GPE0_SIZE 16
#define PM_REGISTER_SMI_ENABLE 0x30 /* 32 bits */

#define PM_RESET_VALUE 0x06 /* written to BOARD_PORT_RESET: a hard reset, now */

typedef struct Pm Pm;

/* How it asks for power off and reset: machine_request(), or a test's recorder. Any thread. */
typedef void (*PmRequest)(void *user, MachineRequest request);

Pm *pm_new(Clock *clock, const IrqController *irq, PmRequest request, void *user);

/*
 * There is system management mode: @raise enters it, on the calling vCPU's thread with the block's lock held, whenever the
 * guest writes a command to BOARD_PORT_APM and has enabled that. Without it firmware finds the enable set, as it is once
 * firmware has done all it wanted there, and leaves it alone. Before the first vCPU runs.
 */
typedef void (*PmSmi)(void *user);
void pm_set_smi(Pm *pm, PmSmi raise, void *user);
/* For pci_bus_set_smi_lock(); the user is the Pm. While locked, the guest cannot clear SMI_EN's global enable. Any thread. */
void pm_set_smi_lock(void *pm, bool locked);

/* Somebody pressed the power button. A guest without an ACPI driver does not notice. */
void pm_power_button(Pm *pm);

extern const BusOps pm_bus_ops; /* BOARD_PORT_PM_SIZE ports at BOARD_PORT_PM */
/* One port at BOARD_PORT_RESET. It lies within the PCI address port: vmm/pci/ maps that and hands byte accesses on. */
extern const BusOps pm_reset_bus_ops;
extern const BusOps pm_apm_bus_ops;      /* BOARD_PORTS_APM ports at BOARD_PORT_APM; only with firmware */
extern const BusOps pm_keyboard_bus_ops; /* one port at BOARD_PORT_KEYBOARD */
extern const DeviceOps pm_device_ops;
