/* SPDX-License-Identifier: Apache-2.0 */
/*
 * More processors: starts them by INIT and SIPI and gives them work. Processor 0 is the boot processor, the others are
 * numbered in the MADT's order. Kernel mode, called on the boot processor.
 */
#ifndef GUEST_SMP_H
#define GUEST_SMP_H

#include <stdbool.h>
#include <stdint.h>

/* Starts every processor of the MADT; returns how many run, this one included. Those that start sleep in HLT. */
unsigned smp_start(void);

uint32_t smp_apic_id(unsigned cpu);

/* Has processor cpu (from 1) call run(context), and returns at once. One piece of work at a time. */
void smp_run(unsigned cpu, void (*run)(void *context), void *context);

/* Waits for that work's end; false after timeout_ns. */
bool smp_wait(unsigned cpu, uint64_t timeout_ns);

#endif
