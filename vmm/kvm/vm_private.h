/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that make up a Vm share. Each part has its own state and its own lock, where it needs one. */
#pragma once

#include "vmm/kvm/chips.h"
#include "vmm/kvm/guest_clock.h"
#include "vmm/kvm/routes.h"
#include "vmm/kvm/slots.h"
#include "vmm/kvm/vm.h"

struct Vm {
    int kvm_fd; /* borrowed */
    int fd;
    GuestMemory *memory; /* borrowed */
    Slots slots;
    Routes routes;
    GuestClock clock;
    Chips chips;
};

/* Entries of the machine's table: the guest's clock; the interrupt chips and the timer. For vcpus_add_to_machine(). */
void vm_add_clock(Vm *vm, Machine *machine);
void vm_add_chips(Vm *vm, Machine *machine);
