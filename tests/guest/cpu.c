/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processors: what CPUID promises, clocks, local APIC, the other processors, user mode.
 * Command line: cpus=N as the machine was made; baseline=1 when the machine's CPUID policy is a named baseline.
 */
#include "acpi.h"
#include "apic.h"
#include "clock.h"
#include "cpu.h"
#include "interrupt.h"
#include "layout.h"
#include "smp.h"
#include "start.h"
#include "tap.h"
#include "text.h"
#include "user.h"

#define MSR_TSC_DEADLINE 0x6e0
#define MSR_NOBODY_HAS 0x4b5640ff /* inside KVM's own range, not assigned */
#define TIMER_ONE_SHOT 0
#define TIMER_DEADLINE (2u << 17)

static void
test_cpuid(void)
{
    CpuidLeaf one = cpuid(1, 0), signature = cpuid(0x40000000, 0), kvm = cpuid(0x40000001, 0);

    ok(one.ecx & 1u << 31, "cpuid: the hypervisor bit is set");
    ok(one.ecx & 1u << 21, "cpuid: x2APIC is offered");
    ok(local_apic_is_x2apic(), "cpuid: and could be switched on");
    ok(signature.ebx == 0x4b4d564b && signature.ecx == 0x564b4d56 && signature.edx == 0x4d,
       "cpuid: the signature is KVM's");
    ok(kvm.eax & 1u << 3, "cpuid: kvmclock is offered");
    ok(kvm.eax & 1u << 24, "cpuid: and does not jump between processors");
    ok_equal(cpuid(0x0a, 0).eax & 0xff, 0, "cpuid: no performance monitoring unit");
    ok(!(cpuid(0x80000001, 0).ecx & 1u << 23), "cpuid: no performance counter extensions");
    ok_equal(one.ebx >> 24, local_apic_id() & 0xff, "cpuid: leaf 1 names this processor's APIC");
}

static void
test_clocks(void)
{
    uint64_t last = clock_kvm_ns();
    bool forward = true;

    for (unsigned i = 0; i < 200; i++) {
        uint64_t now = clock_kvm_ns();
        forward = forward && now >= last;
        last = now;
    }
    ok(forward, "clock: kvmclock never goes back");
    ok(clock_tsc_hz() > 100000000 && clock_tsc_hz() < 10000000000, "clock: a time stamp counter of some gigahertz");

    uint64_t value;
    ok(!msr_read_safe(MSR_NOBODY_HAS, &value), "msr: a register nobody has is a fault, not the end");
    ok(!msr_write_safe(MSR_NOBODY_HAS, 1), "msr: and so is writing it");
}

static void
test_timer(void)
{
    uint8_t vector = interrupt_allocate(NULL, NULL);

    local_apic_write(LOCAL_APIC_TIMER_DIVIDE, 0xb);
    local_apic_write(LOCAL_APIC_TIMER, vector | TIMER_ONE_SHOT);
    local_apic_write(LOCAL_APIC_TIMER_COUNT, 100000);
    ok(interrupt_wait(vector, 0, SECONDS(2)), "apic timer: one shot fires");

    uint64_t seen = interrupt_count(vector);
    local_apic_write(LOCAL_APIC_TIMER_COUNT, 1000000);
    cpu_wait_interrupt();
    ok(interrupt_count(vector) > seen, "apic timer: and ends a HLT");

    if (!(cpuid(1, 0).ecx & 1u << 24)) {
        skip("not offered by this host", "apic timer: TSC deadline fires");
        return;
    }
    seen = interrupt_count(vector);
    local_apic_write(LOCAL_APIC_TIMER, vector | TIMER_DEADLINE);
    msr_write(MSR_TSC_DEADLINE, tsc_read() + clock_tsc_hz() / 1000);
    ok(interrupt_wait(vector, seen, SECONDS(2)), "apic timer: TSC deadline fires");
}

typedef struct Report {
    uint32_t apic_id, leaf_1_id, leaf_b_id;
    uint64_t tsc;
} Report;

static void
report(void *context)
{
    Report *r = context;

    r->apic_id = local_apic_id();
    r->leaf_1_id = cpuid(1, 0).ebx >> 24;
    r->leaf_b_id = cpuid(0x0b, 0).edx;
    r->tsc = tsc_read();
}

static void
test_processors(void)
{
    unsigned want = start_option_number("cpus", 1), leaf_1_wrong = 0, leaf_b_wrong = 0, backward = 0, lost = 0;

    ok_equal(acpi.n_cpus, want, "smp: the MADT lists every processor");
    if (!ok_equal(smp_start(), want, "smp: every processor starts"))
        return;
    bool has_leaf_b = cpuid(0, 0).eax >= 0x0b && cpuid(0x0b, 0).ebx;
    for (unsigned i = 1; i < want; i++) {
        Report r = {0};
        uint64_t before = tsc_read();
        smp_run(i, report, &r);
        lost += !smp_wait(i, SECONDS(2));
        leaf_1_wrong += r.leaf_1_id != (r.apic_id & 0xff) || r.apic_id != smp_apic_id(i);
        leaf_b_wrong += has_leaf_b && r.leaf_b_id != r.apic_id;
        backward += r.tsc < before || tsc_read() < r.tsc;
    }
    ok_equal(lost, 0, "smp: every processor wakes from HLT for an interrupt and does its work");
    ok_equal(leaf_1_wrong, 0, "smp: CPUID leaf 1 names each processor's own APIC");
    ok_equal(leaf_b_wrong, 0, "smp: CPUID leaf 0xb names each processor's own APIC");
    ok_equal(backward, 0, "smp: time stamps agree between processors");
}

static uint64_t
add_one(void *argument)
{
    return *(uint64_t *)argument + 1;
}

static uint64_t
read_status_port(void *argument)
{
    (void)argument;
    return port_read8(0x3fd);
}

void
guest_main(void)
{
    uint64_t value = 41;

    note("vendor %x, family %x, %s", cpuid(0, 0).ebx, cpuid(1, 0).eax, start_info.command_line);
    test_cpuid();
    test_clocks();
    test_timer();
    test_processors();
    ok_equal(user_run(add_one, &value), 42, "user mode: there and back");
    ok(user_run(read_status_port, NULL) & 0x20, "user mode: a port is reached");
    tap_done();
}
