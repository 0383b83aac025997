/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Global system interrupts and where they lead: KVM's routing table, and the eventfds that inject into it.
 *
 * GSIs 0-23 are the board's lines, wired as on a PC: ISA lines reach both the PIC and the IOAPIC, line 0 (the timer) the
 * IOAPIC's pin 2. Above them each message route has a GSI of its own. KVM takes the table only as a whole and waits for
 * every vCPU to notice, so a route that comes back with the message it had (masked and unmasked again) costs no new table.
 *
 * Any thread; one lock.
 */
#pragma once

#include "vmm/board/irq.h"

#include <glib.h>

typedef struct {
    MsiMessage message; /* as KVM has it; kept after removal */
    bool used;
} Route;

typedef struct {
    int vm_fd;
    unsigned routes_max;
    GMutex lock;
    GArray *routes; /* of Route; index + ROUTES_FIRST_GSI is its GSI */
    bool held;
    bool changed; /* while held */
} Routes;

#define ROUTES_FIRST_GSI 24

/* @max: what KVM_CAP_IRQ_ROUTING allows. Gives KVM the first table. 0 or a negative errno. */
int routes_init(Routes *routes, int vm_fd, unsigned max);
void routes_finish(Routes *routes);
/* See vm_hold_routes(). 0 or a negative errno. */
void routes_hold(Routes *routes);
int routes_release(Routes *routes);

/* The host of these is a Routes. */
extern const IrqOps routes_irq_ops;
