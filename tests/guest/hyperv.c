/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hyper-V's interface as a guest that was made for it uses it: leaves, hypercall page, reference TSC page, direct timers
 * (Hypervisor Top Level Functional Specification 6.0b). Where the host's KVM has none of it, what must hold is that KVM's
 * own leaves are in their place.
 */
#include "clock.h"
#include "cpu.h"
#include "interrupt.h"
#include "smp.h"
#include "start.h"
#include "tap.h"

#define MSR_GUEST_OS_ID 0x40000000
#define MSR_HYPERCALL 0x40000001
#define MSR_VP_INDEX 0x40000002
#define MSR_TIME_REF_COUNT 0x40000020
#define MSR_REFERENCE_TSC 0x40000021
#define MSR_TSC_FREQUENCY 0x40000022
#define MSR_STIMER0_CONFIG 0x400000b0
#define MSR_STIMER0_COUNT 0x400000b1
#define MSR_REENLIGHTENMENT 0x40000106 /* never offered */

#define HAS_TIME (1u << 1 | 1u << 9)
#define HAS_STIMER (1u << 3)
#define HAS_VP_INDEX (1u << 6)
#define HAS_FREQUENCIES (1u << 11)
#define DIRECT_TIMERS (1u << 19) /* of edx */

#define TIMER_ENABLE 1u
#define TIMER_DIRECT (1u << 12)
#define TIMER_VECTOR_SHIFT 4

typedef struct ReferenceTsc {
    uint32_t sequence, reserved;
    uint64_t scale;
    int64_t offset;
} ReferenceTsc;

/* In units of 100 ns. */
static uint64_t
page_time(const volatile ReferenceTsc *page)
{
    return (uint64_t)((unsigned __int128)tsc_read() * page->scale >> 64) + page->offset;
}

static void
test_leaves(void)
{
    CpuidLeaf signature = cpuid(0x40000000, 0), kvm = cpuid(0x40000100, 0);

    ok(signature.ebx == 0x7263694d && signature.ecx == 0x666f736f && signature.edx == 0x76482074,
       "leaves: the signature is Microsoft's");
    ok(signature.eax >= 0x40000005, "leaves: up to the limits");
    ok(kvm.ebx == 0x4b4d564b && kvm.eax == 0x40000101, "leaves: KVM's own follow");
    ok(cpuid(0x40000101, 0).eax & 1u << 3, "leaves: kvmclock among them");
    note("privileges %x, features %x, recommendations %x", cpuid(0x40000003, 0).eax, cpuid(0x40000003, 0).edx,
         cpuid(0x40000004, 0).eax);
}

static void
test_hypercall_page(void)
{
    uint8_t *page = pages_allocate(1);

    msr_write(MSR_GUEST_OS_ID, 0x8100ull << 48 | 1);
    msr_write(MSR_HYPERCALL, (uint64_t)page | 1);
    ok(page[0] == 0x0f && page[1] == 0x01 && (page[2] == 0xc1 || page[2] == 0xd9) && page[3] == 0xc3,
       "hypercall page: VMCALL or VMMCALL, and RET");
}

static void
test_reference_time(void)
{
    volatile ReferenceTsc *page = pages_allocate(1);

    msr_write(MSR_REFERENCE_TSC, (uint64_t)page | 1);
    uint64_t before = msr_read(MSR_TIME_REF_COUNT);
    clock_delay(MILLISECONDS(1));
    ok(msr_read(MSR_TIME_REF_COUNT) >= before + 9000, "reference time: goes on in units of 100 ns");
    if (!page->sequence) {
        skip("this host's clock is no TSC", "reference time: the page agrees with the register");
        return;
    }
    before = msr_read(MSR_TIME_REF_COUNT);
    uint64_t of_page = page_time(page), after = msr_read(MSR_TIME_REF_COUNT);
    ok(before <= of_page && of_page <= after, "reference time: the page agrees with the register");
}

static void
test_direct_timer(void)
{
    uint8_t vector = interrupt_allocate(NULL, NULL);

    msr_write(MSR_STIMER0_CONFIG, TIMER_ENABLE | TIMER_DIRECT | (uint64_t)vector << TIMER_VECTOR_SHIFT);
    msr_write(MSR_STIMER0_COUNT, msr_read(MSR_TIME_REF_COUNT) + 10000);
    ok(interrupt_wait(vector, 0, SECONDS(5)), "timer: a direct one interrupts");
}

static void
read_index(void *to)
{
    *(uint64_t *)to = msr_read(MSR_VP_INDEX);
}

static void
test_index(void)
{
    uint64_t of_second = 0;

    ok_equal(msr_read(MSR_VP_INDEX), 0, "index: the first processor is 0");
    if (smp_start() < 2)
        return;
    smp_run(1, read_index, &of_second);
    ok(smp_wait(1, SECONDS(5)) && of_second == 1, "index: the second is 1");
}

void
guest_main(void)
{
    CpuidLeaf interface = cpuid(0x40000001, 0);
    uint64_t value;

    if (interface.eax != 0x31237648) {
        ok(cpuid(0x40000000, 0).ebx == 0x4b4d564b, "leaves: KVM's own are in their place");
        skip("this host's KVM has none of it", "Hyper-V's interface");
        tap_done();
        return;
    }
    CpuidLeaf offered = cpuid(0x40000003, 0);
    test_leaves();
    test_hypercall_page();
    if ((offered.eax & HAS_TIME) == HAS_TIME)
        test_reference_time();
    if (offered.eax & HAS_FREQUENCIES) {
        uint64_t hz = msr_read(MSR_TSC_FREQUENCY), kvm_hz = clock_tsc_hz();
        ok(hz > kvm_hz - kvm_hz / 1000 && hz < kvm_hz + kvm_hz / 1000, "frequencies: the TSC's is kvmclock's");
    }
    if (offered.eax & HAS_STIMER && offered.edx & DIRECT_TIMERS)
        test_direct_timer();
    if (offered.eax & HAS_VP_INDEX)
        test_index();
    ok(!msr_read_safe(MSR_REENLIGHTENMENT, &value), "a register that is not offered is a fault");
    tap_done();
}
