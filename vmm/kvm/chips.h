/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board's chips that live in the kernel: two PICs, the IOAPIC, and the PIT.
 *
 * Only their reset and their saved state are here; the guest's accesses and the interrupts never leave KVM.
 * Owner: the main thread.
 */
#pragma once

#include "vmm/board/device.h"

#include <linux/kvm.h>

/* What can be read from KVM and written back. */
typedef struct {
    struct kvm_pic_state pics[2]; /* master, slave */
    struct kvm_ioapic_state ioapic;
    struct kvm_pit_state2 pit; /* count_load_time: ns before the save, not a time of day */
} ChipRegisters;

typedef struct {
    int vm_fd;
    ChipRegisters now;      /* filled while saving and loading */
    ChipRegisters power_on; /* as KVM made them, for resets */
} Chips;

/* Creates the chips in KVM. Before the first vCPU. */
bool chips_init(Chips *chips, int vm_fd, GError **error);

/* The object of both is a Chips. */
extern const DeviceOps chips_irqchip_ops;
extern const DeviceOps chips_pit_ops;
