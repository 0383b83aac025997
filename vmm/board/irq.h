/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupts as devices see them: lines into the IOAPIC, and messages (MSI, MSI-X) with or without an eventfd.
 *
 * vmm/kvm/ implements it on KVM's in-kernel interrupt chip; unit tests implement it with a recorder. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t address; /* as the guest wrote it, PCI Local Bus 3.0, 6.8.1 */
    uint32_t data;
} MsiMessage;

typedef struct {
    /* Sets global system interrupt 0-23 (IOAPIC pin) high or low. Lines are shared by the caller, not here. */
    void (*set_line)(void *host, unsigned gsi, bool high);
    /* Delivers one message now. */
    void (*send)(void *host, const MsiMessage *message);
    /* From now on a signal on @eventfd delivers @message, in the kernel. Returns a route (>= 0) or a negative errno. */
    int (*route_add)(void *host, int eventfd, const MsiMessage *message);
    /* The same route, another message (the guest rewrote its vector). 0 or a negative errno. */
    int (*route_change)(void *host, int route, int eventfd, const MsiMessage *message);
    void (*route_remove)(void *host, int route, int eventfd);
} IrqOps;

typedef struct {
    const IrqOps *ops; /* every member is mandatory */
    void *host;
} IrqController;
