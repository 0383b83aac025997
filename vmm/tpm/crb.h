/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TPM as the guest sees it: a command response buffer (TCG PC Client Platform TPM Profile for TPM 2.0, 1.05, 6.5.3),
 * locality 0, no interrupts. swtpm.h is behind it.
 *
 * A command is what lies in the buffer when the driver writes START; while it is under way the buffer and the registers stay
 * as they are. A size in the command's header that no command has is answered here, as a TPM does. Where swtpm is lost the
 * device says that it has failed for good, one line is reported, and the desktop lives on.
 *
 * The TPM's state is saved with the desktop: crb_fetch_state() before the machine's table is, since it can fail.
 *
 * Registers: any thread, under the device's lock. The rest: the main thread.
 */
#pragma once

#include "vmm/board/bus.h"
#include "vmm/board/device.h"
#include "vmm/tpm/swtpm.h"

#define CRB_SIZE 0x1000
#define CRB_CONTROL_AREA 0x40 /* where ACPI's table points */

typedef struct Crb Crb;

/* @control: to swtpm (swtpm_new()), owned. The TPM is powered on. @report is told of its loss, main thread. */
Crb *crb_new(int control, void (*report)(void *user, const char *message), void *user, GError **error);

/* Takes a copy of the TPM's state, for the table. The machine is paused. */
bool crb_fetch_state(Crb *crb, GError **error);

extern const BusOps crb_bus_ops; /* CRB_SIZE bytes at BOARD_TPM_BASE */
extern const DeviceOps crb_device_ops;
