/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptor table, the dispatch of vectors, the report of faults, and the task states that user mode needs. */
#include "interrupt.h"
#include "apic.h"
#include "clock.h"
#include "console.h"
#include "cpu.h"
#include "layout.h"
#include "power.h"
#include "text.h"
#include "user.h"

typedef struct Gate {
    uint16_t offset_low, selector, flags, offset_middle;
    uint32_t offset_high, reserved;
} Gate;

typedef struct TaskState {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, io_map;
} __attribute__((packed)) TaskState;

#define FAULT_OPCODE 6
#define FAULT_PROTECTION 13

#define GATE_INTERRUPT 0x8e00 /* present, interrupts off inside */

extern char interrupt_stubs[], user_stop[];
extern uint64_t boot_gdt[];
extern struct {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed)) boot_gdt_pointer;

static Gate gates[256] __attribute__((aligned(16)));
static TaskState tasks[SMP_CPUS_MAX];
static char task_stacks[SMP_CPUS_MAX][CPU_STACK_SIZE] __attribute__((aligned(16)));

static InterruptHandler handlers[256];
static void *contexts[256];
static volatile uint64_t counts[256];
static unsigned next_vector = VECTOR_FIRST_FREE;

/* Where a fault resumes while a *_safe helper runs; 0 otherwise. */
static volatile uint64_t fault_resume;

void interrupt_dispatch(InterruptFrame *frame);

static void
gate_set(unsigned vector)
{
    uint64_t stub = (uint64_t)interrupt_stubs + 16 * vector;

    gates[vector] = (Gate){
        .offset_low = stub,
        .selector = SEGMENT_KERNEL_CODE,
        .flags = GATE_INTERRUPT,
        .offset_middle = stub >> 16,
        .offset_high = stub >> 32,
    };
}

void
interrupt_init(void)
{
    for (unsigned i = 0; i < VECTOR_FIRST_FREE; i++)
        gate_set(i);
    gate_set(VECTOR_SPURIOUS);
}

void
interrupt_init_cpu(unsigned index)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = {sizeof(gates) - 1, (uint64_t)gates};
    TaskState *task = &tasks[index];
    uint64_t base = (uint64_t)task, limit = sizeof(*task) - 1;
    uint64_t *descriptor = &boot_gdt[SEGMENT_TASK / 8 + 2 * index];

    task->rsp[0] = (uint64_t)task_stacks[index] + CPU_STACK_SIZE;
    task->io_map = sizeof(*task);
    descriptor[0] = limit | (base & 0xffffff) << 16 | 0x89ul << 40 | (base >> 24 & 0xff) << 56;
    descriptor[1] = base >> 32;

    __asm__ volatile("lgdt %0" : : "m"(boot_gdt_pointer));
    __asm__ volatile("lidt %0" : : "m"(pointer));
    __asm__ volatile("ltr %0" : : "r"((uint16_t)(SEGMENT_TASK + 16 * index)));
}

uint8_t
interrupt_allocate(InterruptHandler handler, void *context)
{
    if (next_vector >= VECTOR_SPURIOUS)
        panic("no interrupt vector left");

    unsigned vector = next_vector++;
    handlers[vector] = handler;
    contexts[vector] = context;
    gate_set(vector);
    return vector;
}

uint64_t
interrupt_count(uint8_t vector)
{
    return counts[vector];
}

bool
interrupt_wait(uint8_t vector, uint64_t seen, uint64_t timeout_ns)
{
    uint64_t deadline = clock_ns() + timeout_ns;

    while (counts[vector] <= seen) {
        if (clock_ns() > deadline)
            return false;
        interrupts_on();
        cpu_pause();
        interrupts_off();
    }
    return true;
}

bool
msr_read_safe(uint32_t msr, uint64_t *value)
{
    uint32_t low, high;
    bool faulted;

    __asm__ volatile("movl $1, %k[faulted]\n\t"
                     "movq $1f, %[resume]\n\t"
                     "rdmsr\n\t"
                     "xorl %k[faulted], %k[faulted]\n"
                     "1: movq $0, %[resume]"
                     : "=a"(low), "=d"(high), [faulted] "=&r"(faulted), [resume] "=m"(fault_resume)
                     : "c"(msr), "a"(0), "d"(0)
                     : "memory");
    if (faulted)
        return false;
    *value = (uint64_t)high << 32 | low;
    return true;
}

bool
msr_write_safe(uint32_t msr, uint64_t value)
{
    bool faulted;

    __asm__ volatile("movl $1, %k[faulted]\n\t"
                     "movq $1f, %[resume]\n\t"
                     "wrmsr\n\t"
                     "xorl %k[faulted], %k[faulted]\n"
                     "1: movq $0, %[resume]"
                     : [faulted] "=&r"(faulted), [resume] "=m"(fault_resume)
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
    return !faulted;
}

/*
 * A port access in user mode faults where the KVM below does not honour I/O privilege: it is done here instead.
 * Only the one-byte forms with the port in %dx, which is what cpu.h's helpers compile to.
 */
static bool
port_access_from_user(InterruptFrame *frame)
{
    const uint8_t *code = (const uint8_t *)frame->rip;
    bool word = code[0] == 0x66;
    uint16_t port = frame->rdx;

    switch (code[word]) {
    case 0xec:
        frame->rax = (frame->rax & ~0xfful) | port_read8(port);
        break;
    case 0xed:
        frame->rax = word ? (frame->rax & ~0xfffful) | port_read16(port) : port_read32(port);
        break;
    case 0xee:
        port_write8(port, frame->rax);
        break;
    case 0xef:
        if (word)
            port_write16(port, frame->rax);
        else
            port_write32(port, frame->rax);
        break;
    default:
        return false;
    }
    frame->rip += 1 + word;
    return true;
}

static void
fault(InterruptFrame *frame)
{
    uint64_t cr2;

    if (frame->vector == FAULT_OPCODE && frame->rip == (uint64_t)user_stop)
        user_exit(frame->rdi);
    if (frame->vector == FAULT_PROTECTION && frame->cs == SEGMENT_USER_CODE && port_access_from_user(frame))
        return;
    if (fault_resume && frame->cs == SEGMENT_KERNEL_CODE) {
        frame->rip = fault_resume;
        return;
    }
    __asm__ volatile("movq %%cr2, %0" : "=r"(cr2));
    console_printf("# fault %lu error %lx at %lx:%lx flags %lx stack %lx cr2 %lx\n", frame->vector, frame->error,
                   frame->cs, frame->rip, frame->rflags, frame->rsp, cr2);
    console_printf("# rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx\n", frame->rax, frame->rbx, frame->rcx,
                   frame->rdx, frame->rsi, frame->rdi);
    panic("fault");
}

void
interrupt_dispatch(InterruptFrame *frame)
{
    unsigned vector = frame->vector;

    if (vector < VECTOR_FIRST_FREE) {
        fault(frame);
        return;
    }
    if (vector == VECTOR_SPURIOUS)
        return;

    __atomic_fetch_add(&counts[vector], 1, __ATOMIC_SEQ_CST);
    if (handlers[vector])
        handlers[vector](contexts[vector]);
    local_apic_end_of_interrupt();
}

void
panic(const char *format, ...)
{
    va_list arguments;

    console_printf("Bail out! ");
    va_start(arguments, format);
    console_vprintf(format, arguments);
    va_end(arguments);
    console_printf("\n");
    power_end();
}
