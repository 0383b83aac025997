/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User mode, for speed: where kernel mode is emulated, user mode still runs natively. The address space is the same, so
 * device registers work as they do in kernel mode. Ports work, but slowly: an access may be a fault that kernel mode
 * answers. Control and model-specific registers, HLT and their like are for kernel mode only.
 */
#ifndef GUEST_USER_H
#define GUEST_USER_H

#include <stdint.h>

/*
 * Runs run(argument) in user mode on a stack of its own and returns what it returned. Boot processor only, not nested.
 * Interrupts are on inside, and as they were afterwards.
 */
uint64_t user_run(uint64_t (*run)(void *argument), void *argument);

/* For interrupt.c: the fault that ends user mode. */
_Noreturn void user_exit(uint64_t result);

#endif
