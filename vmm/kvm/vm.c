/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a virtual machine in KVM: everything that has to be there before its first processor.
 */
#include "vmm/kvm/vm_private.h"

#include "vmm/board/memory_map.h"
#include "vmm/kvm/host.h"

#include <errno.h>
#include <sys/ioctl.h>

#include <glib/gstdio.h>

static int
create_vm(int kvm_fd, GError **error)
{
    int fd;
    do {
        fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0)
        kvm_set_error(error, errno, "cannot create a virtual machine: KVM_CREATE_VM");
    return fd;
}

/* Pages KVM wants for itself on Intel processors that cannot run real mode natively. Before any vCPU. */
static bool
place_kvm_pages(Vm *vm, GError **error)
{
    uint64_t identity_map = BOARD_KVM_IDENTITY_MAP;
    if (ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) == 0 &&
        ioctl(vm->fd, KVM_SET_TSS_ADDR, (unsigned long)BOARD_KVM_TSS) == 0)
        return true;
    kvm_set_error(error, errno, "cannot place KVM's own pages");
    return false;
}

static bool
add_memory(Vm *vm, GError **error)
{
    MemorySlot list[2];
    size_t n_regions;
    const GuestRegion *regions = guest_memory_regions(vm->memory, &n_regions);
    for (size_t i = 0; i < n_regions; i++)
        list[i] = (MemorySlot){.gpa = regions[i].gpa, .size = regions[i].size, .host = regions[i].host};
    int result = slots_set(&vm->slots, SLOTS_ORDINARY, list, n_regions);
    if (result < 0)
        kvm_set_error(error, -result, "cannot give KVM the guest's memory: KVM_SET_USER_MEMORY_REGION");
    return result == 0;
}

/* Processor numbers of 32 bits in messages and saved LAPICs, and no broadcast in xAPIC's fashion. */
static bool
set_x2apic(Vm *vm, GError **error)
{
    struct kvm_enable_cap cap = {
        .cap = KVM_CAP_X2APIC_API,
        .args = {KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK},
    };
    if (ioctl(vm->fd, KVM_ENABLE_CAP, &cap) == 0)
        return true;
    kvm_set_error(error, errno, "cannot set up x2APIC: KVM_CAP_X2APIC_API");
    return false;
}

static bool
init_routes(Vm *vm, GError **error)
{
    int result = routes_init(&vm->routes, vm->fd, ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_IRQ_ROUTING));
    if (result < 0)
        kvm_set_error(error, -result, "cannot wire the interrupt lines: KVM_SET_GSI_ROUTING");
    return result == 0;
}

Vm *
vm_new(int kvm_fd, GuestMemory *memory, GError **error)
{
    g_autoptr(Vm) vm = g_new0(Vm, 1);
    vm->kvm_fd = kvm_fd;
    vm->memory = memory;
    vm->fd = create_vm(kvm_fd, error);
    vm->clock.vm_fd = vm->fd;
    slots_init(&vm->slots, vm->fd);
    if (vm->fd < 0 || !place_kvm_pages(vm, error) || !add_memory(vm, error) || !set_x2apic(vm, error) ||
        !chips_init(&vm->chips, vm->fd, error) || !init_routes(vm, error))
        return NULL;
    return g_steal_pointer(&vm);
}

void
vm_free(Vm *vm)
{
    if (!vm)
        return;
    routes_finish(&vm->routes);
    slots_finish(&vm->slots);
    g_clear_fd(&vm->fd, NULL);
    g_free(vm);
}

int
vm_fd(const Vm *vm)
{
    return vm->fd;
}

int
vm_kvm_fd(const Vm *vm)
{
    return vm->kvm_fd;
}

Slots *
vm_slots(Vm *vm)
{
    return &vm->slots;
}

IrqController
vm_irq_controller(Vm *vm)
{
    return (IrqController){.ops = &routes_irq_ops, .host = &vm->routes};
}

void
vm_hold_routes(Vm *vm)
{
    routes_hold(&vm->routes);
}

bool
vm_release_routes(Vm *vm, GError **error)
{
    int result = routes_release(&vm->routes);
    if (result < 0)
        kvm_set_error(error, -result, "cannot set the interrupt routes: KVM_SET_GSI_ROUTING");
    return result == 0;
}

static int
set_doorbell(Vm *vm, bool is_port, uint64_t address, unsigned size, int eventfd, bool on)
{
    struct kvm_ioeventfd doorbell = {
        .addr = address,
        .len = size,
        .fd = eventfd,
        .flags = (is_port ? KVM_IOEVENTFD_FLAG_PIO : 0) | (on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN),
    };
    return ioctl(vm->fd, KVM_IOEVENTFD, &doorbell) < 0 ? -errno : 0;
}

static int
vm_doorbell_add(void *host, bool is_port, uint64_t address, unsigned size, int eventfd)
{
    return set_doorbell(host, is_port, address, size, eventfd, true);
}

static int
vm_doorbell_remove(void *host, bool is_port, uint64_t address, unsigned size, int eventfd)
{
    return set_doorbell(host, is_port, address, size, eventfd, false);
}

const BusHostOps vm_bus_ops = {.doorbell_add = vm_doorbell_add, .doorbell_remove = vm_doorbell_remove};

void
vm_add_clock(Vm *vm, Machine *machine)
{
    machine_add(machine, "kvmclock", &guest_clock_ops, &vm->clock);
}

void
vm_add_chips(Vm *vm, Machine *machine)
{
    /* the timer first: a reset must stop it before the chips forget the interrupt of its last tick */
    machine_add(machine, "pit", &chips_pit_ops, &vm->chips);
    machine_add(machine, "irqchip", &chips_irqchip_ops, &vm->chips);
}
