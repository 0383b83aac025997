/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-instruction helpers: ports, memory-mapped registers, model-specific registers, CPUID, barriers.
 * Any mode unless said otherwise; in user mode a port access may be a fault that interrupt.c answers, so it is slow there.
 */
#ifndef GUEST_CPU_H
#define GUEST_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline void
port_write8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "d"(port) : "memory");
}

static inline void
port_write16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "d"(port) : "memory");
}

static inline void
port_write32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "d"(port) : "memory");
}

static inline uint8_t
port_read8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "d"(port) : "memory");
    return value;
}

static inline uint16_t
port_read16(uint16_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "d"(port) : "memory");
    return value;
}

static inline uint32_t
port_read32(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "d"(port) : "memory");
    return value;
}

/* Registers are reached with plain moves of the named width: what a device decodes is what was written here. */
static inline uint8_t
mmio_read8(uint64_t address)
{
    uint8_t value;
    __asm__ volatile("movb (%1), %0" : "=q"(value) : "r"(address) : "memory");
    return value;
}

static inline uint16_t
mmio_read16(uint64_t address)
{
    uint16_t value;
    __asm__ volatile("movw (%1), %0" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline uint32_t
mmio_read32(uint64_t address)
{
    uint32_t value;
    __asm__ volatile("movl (%1), %0" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline uint64_t
mmio_read64(uint64_t address)
{
    uint64_t value;
    __asm__ volatile("movq (%1), %0" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline void
mmio_write8(uint64_t address, uint8_t value)
{
    __asm__ volatile("movb %0, (%1)" : : "q"(value), "r"(address) : "memory");
}

static inline void
mmio_write16(uint64_t address, uint16_t value)
{
    __asm__ volatile("movw %0, (%1)" : : "r"(value), "r"(address) : "memory");
}

static inline void
mmio_write32(uint64_t address, uint32_t value)
{
    __asm__ volatile("movl %0, (%1)" : : "r"(value), "r"(address) : "memory");
}

static inline void
mmio_write64(uint64_t address, uint64_t value)
{
    __asm__ volatile("movq %0, (%1)" : : "r"(value), "r"(address) : "memory");
}

typedef struct CpuidLeaf {
    uint32_t eax, ebx, ecx, edx;
} CpuidLeaf;

static inline CpuidLeaf
cpuid(uint32_t leaf, uint32_t subleaf)
{
    CpuidLeaf r;
    __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
    return r;
}

/* Kernel mode only; a register that is not there is a fault (msr_read_safe() in interrupt.h asks first). */
static inline uint64_t
msr_read(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static inline void
msr_write(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static inline uint64_t
tsc_read(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static inline void
cpu_pause(void)
{
    __asm__ volatile("pause");
}

static inline void
interrupts_on(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static inline void
interrupts_off(void)
{
    __asm__ volatile("cli" : : : "memory");
}

/* Sleeps until an interrupt has been taken; interrupts are off before and after. */
static inline void
cpu_wait_interrupt(void)
{
    __asm__ volatile("sti; hlt; cli" : : : "memory");
}

/* Other observers see earlier writes before later ones (x86 keeps that order by itself). */
static inline void
barrier_write(void)
{
    __asm__ volatile("" : : : "memory");
}

/* Earlier writes are seen before later reads are done: the one order x86 does not keep by itself. */
static inline void
barrier_full(void)
{
    __asm__ volatile("lock; orl $0, (%%rsp)" : : : "memory");
}

#endif
