/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtual machine as KVM sees it: memory slots, the in-kernel interrupt chips and timer, doorbells and interrupt routes.
 * Its processors are in vcpus.h.
 *
 * Created and freed on the main thread. Doorbells and interrupts may be used from any thread.
 */
#pragma once

#include "vmm/board/bus.h"
#include "vmm/board/irq.h"
#include "vmm/board/machine.h"
#include "vmm/kvm/memory.h"
#include "vmm/kvm/slots.h"

typedef struct Vm Vm;

/*
 * @kvm_fd comes from kvm_host_open() and is borrowed for the life of the VM. @memory is borrowed too; all of it becomes
 * guest memory. NULL and an error of KVM_ERROR.
 */
Vm *vm_new(int kvm_fd, GuestMemory *memory, GError **error);
/* After the machine, its devices and the vCPUs are gone: their routes and doorbells are the VM's. */
void vm_free(Vm *vm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Vm, vm_free)

int vm_fd(const Vm *vm);
int vm_kvm_fd(const Vm *vm);
/* At first the guest's memory is all there, wherever it belongs. */
Slots *vm_slots(Vm *vm);

/* For bus_new(): doorbells that KVM rings; the host is the Vm. */
extern const BusHostOps vm_bus_ops;
/*
 * For devices. Messages are what a PC's root complex takes: addresses 0xfeexxxxx; route_add and route_change give -EINVAL
 * for any other, and send drops it. At most some 4000 routes (-ENOSPC beyond). @vm outlives the controller.
 */
IrqController vm_irq_controller(Vm *vm);
/*
 * Between hold and release, changed routes are noted and given to KVM in one go: for loading a saved desktop, whose devices
 * put all their routes back at once. Interrupts that devices signal in between may be lost. Main thread.
 */
void vm_hold_routes(Vm *vm);
bool vm_release_routes(Vm *vm, GError **error);
