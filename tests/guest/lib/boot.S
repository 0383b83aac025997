/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way in: PVH entry (32-bit protected mode, paging off, %ebx = start info) to long mode with the first 4 GiB
 * mapped one to one, then boot_main(). Also the application processors' real-mode entry and the interrupt stubs.
 *
 * Kernel mode can be emulated and slow on the host, so everything that can be is laid down by the assembler: page
 * tables and segment descriptors cost no guest instruction. All pages are user pages: code that drops to user mode
 * sees the same world.
 */
#include "layout.h"

    .section .note.pvh, "a", @note
    .balign 4
    .long 4 /* name size */
    .long 8 /* descriptor size */
    .long 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .quad boot_pvh_entry

    .section .boot, "ax"
    .code32
    .globl boot_pvh_entry
boot_pvh_entry:
    cld
    movl %ebx, boot_start_info
    movl $boot_stack_end, %esp
    lgdt boot_gdt_pointer
    call boot_enter_long_mode
    ljmp $SEGMENT_KERNEL_CODE, $boot_long

/* Turns paging and long mode on; the caller's far jump makes it 64-bit. Clobbers %eax, %ecx, %edx. */
boot_enter_long_mode:
    movl %cr4, %eax
    orl $0x20, %eax /* PAE */
    movl %eax, %cr4
    movl $boot_pml4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx /* EFER */
    rdmsr
    orl $0x101, %eax /* LME, SCE */
    wrmsr
    movl %cr0, %eax
    orl $0x80000001, %eax /* PG, PE */
    movl %eax, %cr0
    ret

    .code64
boot_long:
    movl $SEGMENT_KERNEL_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movq $boot_stack_end, %rsp
    xorl %ebp, %ebp
    call boot_main
1:  hlt
    jmp 1b

/*
 * Application processors start here in real mode, copied to SMP_TRAMPOLINE. The lock word keeps them in line for the
 * one start stack; smp.c hands each its own through smp_boot_stack.
 */
    .code16
    .globl boot_ap_begin, boot_ap_end
boot_ap_begin:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    lgdtl SMP_TRAMPOLINE + (boot_ap_gdt_pointer - boot_ap_begin)
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $SEGMENT_KERNEL_CODE32, $(SMP_TRAMPOLINE + (boot_ap_32 - boot_ap_begin))
    .code32
boot_ap_32:
    movl $SEGMENT_KERNEL_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $smp_start_stack_end, %esp
    movl $boot_enter_long_mode, %eax
    call *%eax
    ljmp $SEGMENT_KERNEL_CODE, $boot_ap_long
    .balign 8
boot_ap_gdt_pointer:
    .word boot_gdt_end - boot_gdt - 1
    .long boot_gdt
boot_ap_end:
    .code64
boot_ap_long:
    movq smp_boot_stack, %rsp
    xorl %ebp, %ebp
    call smp_ap_main
1:  hlt
    jmp 1b

/*
 * Interrupt stubs: one of 16 bytes for each vector, so that the address of vector N is interrupt_stubs + 16 * N.
 * Vectors without an error code push a zero in its place.
 */
    .text
    .balign 16
    .globl interrupt_stubs
interrupt_stubs:
    .set vector, 0
    .rept 256
    .balign 16
    .if (vector != 8) && ((vector < 10) || (vector > 14)) && (vector != 17) && (vector != 21)
    pushq $0
    .endif
    pushq $vector
    jmp interrupt_common
    .set vector, vector + 1
    .endr

interrupt_common:
    pushq %rax
    pushq %rbx
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %rbp
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    cld
    movq %rsp, %rdi
    call interrupt_dispatch
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rbp
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rbx
    popq %rax
    addq $16, %rsp
    iretq

/*
 * uint64_t user_enter(uint64_t (*run)(void *), void *argument, void *stack, uint64_t *kernel_stack)
 *
 * Saves what the ABI asks for on the kernel stack, stores that stack's pointer for the way back, and goes to user mode
 * with interrupts on.
 */
    .globl user_enter
user_enter:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rcx)
    movq %rdi, %rax
    movq %rsi, %rdi
    pushq $SEGMENT_USER_DATA
    pushq %rdx
    pushq $0x202 /* IF */
    pushq $SEGMENT_USER_CODE
    pushq $user_start
    iretq
user_start:
    call *%rax
    movq %rax, %rdi
    .globl user_stop
user_stop:
    ud2 /* the way back: a fault works on every KVM, a software interrupt does not */

/* void user_leave(uint64_t result, uint64_t kernel_stack): the way back, from the handler of user_stop's fault. */
    .globl user_leave
user_leave:
    movq %rsi, %rsp
    movq %rdi, %rax
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret

    .data
    .balign 16
    .globl boot_gdt
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* kernel code, 64 bits */
    .quad 0x00cf93000000ffff /* data */
    .quad 0x00cff3000000ffff /* user data */
    .quad 0x00affb000000ffff /* user code, 64 bits */
    .quad 0x00cf9b000000ffff /* kernel code, 32 bits: the application processors' way through */
    .quad 0
    .quad 0
    .skip 16 * SMP_CPUS_MAX, 0 /* a task state segment for each processor, filled by cpu_init() */
boot_gdt_end:
    .balign 8
    .globl boot_gdt_pointer
boot_gdt_pointer:
    .word boot_gdt_end - boot_gdt - 1
    .quad boot_gdt

/* Identity page tables. 0x87: present, writable, user, 2 MiB page. 0x07: a table. */
    .balign 4096
    .globl boot_pml4, boot_pdpt
boot_pml4:
    .quad boot_pdpt + 7
    .skip 511 * 8, 0
boot_pdpt:
    .quad boot_page_directories + 0x0007
    .quad boot_page_directories + 0x1007
    .quad boot_page_directories + 0x2007
    .quad boot_page_directories + 0x3007
    .skip 508 * 8, 0
boot_page_directories:
    .set page, 0
    .rept 2048
    .quad (page << 21) + 0x87
    .set page, page + 1
    .endr

    .globl boot_start_info
boot_start_info:
    .quad 0

    .bss
    .balign 4096
    .skip BOOT_STACK_SIZE
    .globl boot_stack_end
boot_stack_end:
    .skip 256
smp_start_stack_end:

    .section .note.GNU-stack, "", @progbits
