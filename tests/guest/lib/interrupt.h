/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupts and faults. An unexpected fault is reported on the console with its registers and ends the guest; a fault
 * a test asks for is caught by the *_safe helpers.
 */
#ifndef GUEST_INTERRUPT_H
#define GUEST_INTERRUPT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct InterruptFrame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
} InterruptFrame;

/* Runs in kernel mode with interrupts off, on the processor that took the interrupt. End-of-interrupt is sent after. */
typedef void (*InterruptHandler)(void *context);

/* Builds the descriptor table, once, on the boot processor. */
void interrupt_init(void);

/* Loads the table, this processor's task state and segments. Each processor calls it once. index: 0 is the boot one. */
void interrupt_init_cpu(unsigned index);

/* Gives out a vector whose handler is called with context; handler NULL only counts. Ends the guest when all are used. */
uint8_t interrupt_allocate(InterruptHandler handler, void *context);

/* How many interrupts a vector has taken so far, on all processors. */
uint64_t interrupt_count(uint8_t vector);

/*
 * Takes interrupts until the vector's count passes seen; false after timeout_ns. Kernel mode; interrupts are off again
 * on return. It does not halt: a lost interrupt then ends in a failed test, not in silence.
 */
bool interrupt_wait(uint8_t vector, uint64_t seen, uint64_t timeout_ns);

/* false, and *value untouched, where the access faults. Kernel mode. */
bool msr_read_safe(uint32_t msr, uint64_t *value);
bool msr_write_safe(uint32_t msr, uint64_t value);

/* Ends the guest with the reason on the console: for failures after which no further test means anything. */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
