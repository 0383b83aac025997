/* SPDX-License-Identifier: Apache-2.0 */
/* kvmclock gives the scale of the time stamp counter; after that, reading the time is RDTSC and a multiplication. */
#include "clock.h"
#include "apic.h"
#include "cpu.h"
#include "interrupt.h"

#include <stddef.h>

#define MSR_KVM_WALL_CLOCK_NEW 0x4b564d00
#define MSR_KVM_SYSTEM_TIME_NEW 0x4b564d01

/* The page KVM keeps up to date: Linux, Documentation/virt/kvm/x86/msr.rst, pvclock_vcpu_time_info. */
typedef struct KvmTime {
    uint32_t version, pad0;
    uint64_t tsc_timestamp, system_time;
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags, pad[2];
} KvmTime;

/* KVM's clock began at this moment of the host's: pvclock_wall_clock. */
typedef struct KvmWall {
    uint32_t version, seconds, nanoseconds;
} KvmWall;

static volatile KvmWall kvm_wall __attribute__((aligned(64)));
static volatile KvmTime kvm_time __attribute__((aligned(64)));
static uint32_t scale_mul;
static int scale_shift;
static uint64_t start_tsc;

static uint64_t
scale(uint64_t ticks, uint32_t mul, int shift)
{
    ticks = shift < 0 ? ticks >> -shift : ticks << shift;
    return (unsigned __int128)ticks * mul >> 32;
}

void
clock_init(void)
{
    uint32_t leaf = 0x40000000;

    if (cpuid(leaf, 0).ebx != 0x4b4d564b) /* Hyper-V's leaves may be in the first place */
        leaf += 0x100;
    if (cpuid(leaf, 0).ebx != 0x4b4d564b || !(cpuid(leaf + 1, 0).eax & 1u << 3))
        panic("no kvmclock (signature %x)", cpuid(leaf, 0).ebx);
    msr_write(MSR_KVM_SYSTEM_TIME_NEW, (uint64_t)&kvm_time | 1);
    msr_write(MSR_KVM_WALL_CLOCK_NEW, (uint64_t)&kvm_wall);
    scale_mul = kvm_time.tsc_to_system_mul;
    scale_shift = kvm_time.tsc_shift;
    if (!scale_mul)
        panic("kvmclock gives no scale");
    start_tsc = tsc_read();
}

uint64_t
clock_ns(void)
{
    return scale(tsc_read() - start_tsc, scale_mul, scale_shift);
}

uint64_t
clock_kvm_ns(void)
{
    uint32_t version;
    uint64_t ns;

    do {
        version = kvm_time.version;
        ns = kvm_time.system_time +
             scale(tsc_read() - kvm_time.tsc_timestamp, kvm_time.tsc_to_system_mul, kvm_time.tsc_shift);
    } while ((version & 1) || version != kvm_time.version);
    return ns;
}

uint64_t
clock_host_ns(void)
{
    return kvm_wall.seconds * 1000000000ull + kvm_wall.nanoseconds + clock_kvm_ns();
}

uint64_t
clock_tsc_hz(void)
{
    uint64_t hz = (1000000000ull << 32) / scale_mul;

    return scale_shift < 0 ? hz << -scale_shift : hz >> scale_shift;
}

void
clock_delay(uint64_t ns)
{
    uint64_t start = clock_ns();

    while (clock_ns() - start < ns)
        cpu_pause();
}

void
clock_sleep_until(uint64_t ns)
{
    static uint8_t vector;

    if (!vector)
        vector = interrupt_allocate(NULL, NULL);
    local_apic_write(LOCAL_APIC_TIMER_DIVIDE, 0xb); /* by 1: KVM's timer then counts nanoseconds */
    local_apic_write(LOCAL_APIC_TIMER, vector);
    for (uint64_t now; (now = clock_ns()) < ns;) {
        local_apic_write(LOCAL_APIC_TIMER_COUNT, ns - now < 0xffffffff ? ns - now : 0xffffffff);
        cpu_wait_interrupt();
    }
}
