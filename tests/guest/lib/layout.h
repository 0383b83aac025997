/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers shared by the assembly and the C of the micro guests: segment selectors, fixed vectors and the few fixed
 * places in memory.
 */
#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

/* The order is what SYSRET wants: kernel code, kernel data, user data, user code. */
#define SEGMENT_KERNEL_CODE 0x08
#define SEGMENT_KERNEL_DATA 0x10
#define SEGMENT_USER_DATA (0x18 | 3)
#define SEGMENT_USER_CODE (0x20 | 3)
#define SEGMENT_KERNEL_CODE32 0x28
#define SEGMENT_TASK 0x38 /* of processor 0; the others follow, 16 bytes each */

/* Vectors below 32 are the processor's exceptions; the next are given out by interrupt_allocate(). */
#define VECTOR_FIRST_FREE 32
#define VECTOR_SPURIOUS 0xff

#define SMP_CPUS_MAX 64
#define SMP_TRAMPOLINE 0x8000 /* real-mode entry of application processors: a page below 640 KiB */

#define BOOT_STACK_SIZE 65536
#define CPU_STACK_SIZE 16384 /* an application processor's, and each processor's interrupt stack */
#define USER_STACK_SIZE 65536

#endif
