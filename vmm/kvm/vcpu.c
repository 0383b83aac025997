/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the guest and out again: KVM_RUN, and the exits that reach user space.
 *
 * KVM finishes an exit that wanted data (a port or device read) at the next KVM_RUN. With immediate_exit set that call
 * finishes it and comes straight back with EINTR; it is the only way out of vcpu_run() for a healthy processor, so its
 * registers are whole whenever it is paused.
 */
#include "vmm/kvm/vcpu.h"

#include "vmm/kvm/host.h"
#include "vmm/kvm/memory_fault.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <glib/gstdio.h>

#define HYPERV_INVALID_HYPERCALL_CODE 2
#define FAULT_LOG_INTERVAL_US (10 * G_USEC_PER_SEC)

const char *const vcpu_exit_names[VCPU_EXITS] = {
    [VCPU_EXIT_PORT_READ] = "port-read",
    [VCPU_EXIT_PORT_WRITE] = "port-write",
    [VCPU_EXIT_MEMORY_READ] = "memory-read",
    [VCPU_EXIT_MEMORY_WRITE] = "memory-write",
    [VCPU_EXIT_KICK] = "kick",
    [VCPU_EXIT_OTHER] = "other",
};

bool
vcpu_init(Vcpu *vcpu, unsigned index, int kvm_fd, int vm_fd, GError **error)
{
    vcpu->index = index;
    vcpu->fd = ioctl(vm_fd, KVM_CREATE_VCPU, (unsigned long)index);
    if (vcpu->fd < 0) {
        kvm_set_error(error, errno, "cannot create a virtual processor: KVM_CREATE_VCPU");
        return false;
    }
    int size = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (size >= (int)sizeof(struct kvm_run)) {
        void *run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
        if (run != MAP_FAILED) {
            vcpu->run = run;
            vcpu->run_size = size;
            return true;
        }
    }
    kvm_set_error(error, errno, "cannot map a virtual processor's page");
    return false;
}

void
vcpu_finish(Vcpu *vcpu)
{
    if (vcpu->run)
        munmap(vcpu->run, vcpu->run_size);
    g_clear_fd(&vcpu->fd, NULL);
}

void
vcpu_forbid(Vcpu *vcpu)
{
    __atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
}

void
vcpu_allow(Vcpu *vcpu)
{
    __atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
}

static void
count(Vcpu *vcpu, VcpuExit exit)
{
    /* one writer: a plain addition that readers see whole */
    __atomic_store_n(&vcpu->exits[exit], vcpu->exits[exit] + 1, __ATOMIC_RELAXED);
}

static uint64_t
load_little(const uint8_t *bytes, unsigned size)
{
    uint64_t value = 0;
    memcpy(&value, bytes, size);
    return value;
}

static void
do_port(Vcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;
    unsigned size = run->io.size;
    uint8_t *data = (uint8_t *)run + run->io.data_offset;
    bool is_read = run->io.direction == KVM_EXIT_IO_IN;

    count(vcpu, is_read ? VCPU_EXIT_PORT_READ : VCPU_EXIT_PORT_WRITE);
    for (uint32_t i = 0; i < run->io.count; i++, data += size) { /* more than one: string instructions */
        if (is_read) {
            uint64_t value = bus_read(vcpu->ports, run->io.port, size);
            memcpy(data, &value, size);
        } else {
            bus_write(vcpu->ports, run->io.port, size, load_little(data, size));
        }
    }
}

/* In system management mode some addresses are other devices'. */
static Bus *
addresses_now(const Vcpu *vcpu)
{
    bool smm = vcpu->smm && (vcpu->run->flags & KVM_RUN_X86_SMM);
    return smm && bus_answers(vcpu->smm, vcpu->run->mmio.phys_addr) ? vcpu->smm : vcpu->addresses;
}

static void
do_memory(Vcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;
    Bus *addresses = addresses_now(vcpu);

    if (run->mmio.is_write) {
        count(vcpu, VCPU_EXIT_MEMORY_WRITE);
        bus_write(addresses, run->mmio.phys_addr, run->mmio.len, load_little(run->mmio.data, run->mmio.len));
    } else {
        count(vcpu, VCPU_EXIT_MEMORY_READ);
        uint64_t value = bus_read(addresses, run->mmio.phys_addr, run->mmio.len);
        memcpy(run->mmio.data, &value, run->mmio.len);
    }
}

static uint64_t
instruction_pointer(Vcpu *vcpu)
{
    struct kvm_regs regs;
    return ioctl(vcpu->fd, KVM_GET_REGS, &regs) == 0 ? regs.rip : 0;
}

static VcpuStop fail(Vcpu *vcpu, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Tells the machine what happened and where. */
static VcpuStop
fail(Vcpu *vcpu, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *detail =
        g_strdup_printf("vcpu%u: %s at rip 0x%" G_GINT64_MODIFIER "x", vcpu->index, what, instruction_pointer(vcpu));
    count(vcpu, VCPU_EXIT_OTHER);
    machine_request(vcpu->machine, MACHINE_REQUEST_PAUSE_ERROR, detail);
    return VCPU_STOP_ERROR;
}

static VcpuStop
fail_internal(Vcpu *vcpu)
{
    const struct kvm_run *run = vcpu->run;
    switch (run->internal.suberror) {
    case KVM_INTERNAL_ERROR_EMULATION:
        return fail(vcpu, "KVM cannot emulate an instruction");
    case KVM_INTERNAL_ERROR_DELIVERY_EV:
        return fail(vcpu, "KVM cannot deliver an event");
    default:
        return fail(vcpu, "KVM internal error %u", run->internal.suberror);
    }
}

static VcpuStop
shut_down(Vcpu *vcpu, MachineRequest request)
{
    count(vcpu, VCPU_EXIT_OTHER);
    machine_request(vcpu->machine, request, NULL);
    return VCPU_STOP_RESET;
}

/*
 * The one end of a guest that leaves no trace in the guest: said here, once in ten seconds, since some fault again and again.
 * Where it was cannot be told: AMD's processors forget.
 */
static VcpuStop
triple_fault(Vcpu *vcpu)
{
    int64_t now = g_get_monotonic_time();

    if (!vcpu->fault_logged || now - vcpu->fault_logged >= FAULT_LOG_INTERVAL_US) {
        vcpu->fault_logged = now;
        g_message("vcpu%u: a fault that the guest cannot handle (triple fault): the desktop is reset", vcpu->index);
    }
    return shut_down(vcpu, MACHINE_REQUEST_RESET);
}

/* What the guest asks the hypervisor for in KVM's or Hyper-V's own way. */
static VcpuStop
do_system_event(Vcpu *vcpu)
{
    switch (vcpu->run->system_event.type) {
    case KVM_SYSTEM_EVENT_SHUTDOWN:
        return shut_down(vcpu, MACHINE_REQUEST_SHUTDOWN);
    case KVM_SYSTEM_EVENT_RESET:
        return shut_down(vcpu, MACHINE_REQUEST_RESET);
    default:
        return fail(vcpu, "the guest reports event %u", vcpu->run->system_event.type);
    }
}

/* Hypercalls that KVM does not answer itself are a VMBus's, which there is none of (TLFS, appendix A: invalid code). */
static void
do_hyperv(Vcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;

    count(vcpu, VCPU_EXIT_OTHER);
    if (run->hyperv.type == KVM_EXIT_HYPERV_HCALL)
        run->hyperv.u.hcall.result = HYPERV_INVALID_HYPERCALL_CODE;
    /* that the guest moved its SynIC's pages concerns only who writes to them: KVM */
}

/* KVM_RUN itself refused. */
static VcpuStop
fail_run(Vcpu *vcpu, int code)
{
    if (code == EFAULT || code == EHWPOISON || code == ENOMEM)
        return fail(vcpu, "the host cannot supply the guest's memory (%s; %s)", g_strerror(code),
                    memory_fault_reason());
    return fail(vcpu, "KVM_RUN: %s", g_strerror(code));
}

VcpuStop
vcpu_run(Vcpu *vcpu)
{
    const struct kvm_run *run = vcpu->run;
    for (;;) {
        if (ioctl(vcpu->fd, KVM_RUN, 0) < 0) {
            if (errno == EAGAIN) /* a waiting processor got its INIT or SIPI */
                continue;
            if (errno != EINTR)
                return fail_run(vcpu, errno);
            count(vcpu, VCPU_EXIT_KICK);
            return VCPU_STOP_KICKED;
        }
        switch (run->exit_reason) {
        case KVM_EXIT_IO:
            do_port(vcpu);
            break;
        case KVM_EXIT_MMIO:
            do_memory(vcpu);
            break;
        case KVM_EXIT_HYPERV:
            do_hyperv(vcpu);
            break;
        case KVM_EXIT_INTR:
        case KVM_EXIT_IRQ_WINDOW_OPEN:
            break;
        case KVM_EXIT_SHUTDOWN:
            return triple_fault(vcpu);
        case KVM_EXIT_SYSTEM_EVENT:
            return do_system_event(vcpu);
        case KVM_EXIT_INTERNAL_ERROR:
            return fail_internal(vcpu);
        case KVM_EXIT_FAIL_ENTRY:
            return fail(vcpu, "the processor refuses to enter the guest (reason 0x%llx)",
                        run->fail_entry.hardware_entry_failure_reason);
        default:
            return fail(vcpu, "KVM left the guest for unknown reason %u", run->exit_reason);
        }
    }
}
