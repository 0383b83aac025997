/* SPDX-License-Identifier: Apache-2.0 */
/* The shortest guest: its first instructions put one byte on the serial port, and it halts. */
    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 8, 18 /* as in tests/guest/lib/boot.S */
    .asciz "Xen"
    .quad boot_pvh_entry

    .section .boot, "ax"
    .code32
    .globl boot_pvh_entry
boot_pvh_entry:
    movw $0x3f8, %dx
    movb $'!', %al
    outb %al, %dx
1:  cli
    hlt
    jmp 1b

    .section .note.GNU-stack, "", @progbits
