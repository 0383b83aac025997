/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The echo disk: the smallest desktop one can sit at. It greets, shows what is typed, and knows two keys:
 *
 *     Escape       switches itself off (ACPI's S5)
 *     Tab          writes what was typed since the last Tab into its second sector, and says "saved"
 *
 * At its start it shows what its second sector holds. Everything is asked of the PC's BIOS: picture by int 10h, keys by int 16h,
 * disk by int 13h. So it runs wherever a BIOS does, on a KVM too that takes seconds for what any real system would do at once.
 */
    .code16
    .globl _start

    .set NOTES, 0x8000          /* the second sector, in memory */
    .set PM1_CONTROL, 0x604
    .set PM1_S5, 0x2000         /* sleep enable, sleep type 0 */

_start:
    cli
    cld
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7c00, %sp
    sti
    movb %dl, drive
    movw $greeting, %si
    call print
    movb $0x02, %ah             /* read */
    call notes
    movw $NOTES, %si
    call print
    movw $newline, %si
    call print
    call forget

next:
    xorb %ah, %ah
    int $0x16
    cmpb $27, %al
    je off
    cmpb $9, %al
    je save
    cmpb $13, %al
    je line
    movw end, %di
    cmpw $NOTES + 511, %di
    jae next
    stosb
    movw %di, end
    call put
    jmp next

line:
    movw $newline, %si
    call print
    jmp next

save:
    movb $0x03, %ah             /* write */
    call notes
    call forget
    movw $saved, %si
    call print
    jmp next

off:
    movw $PM1_CONTROL, %dx
    movw $PM1_S5, %ax
    outw %ax, %dx
    hlt
    jmp off

/* int 13h function %ah: the second sector, at NOTES. */
notes:
    movb $1, %al
    movw $0x0002, %cx           /* cylinder 0, sector 2 */
    xorb %dh, %dh
    movb drive, %dl
    movw $NOTES, %bx
    int $0x13
    ret

/* What is typed next goes to an empty sector. */
forget:
    movw $NOTES, %di
    movw %di, end
    xorw %ax, %ax
    movw $256, %cx
    rep stosw
    ret

print:
    lodsb
    testb %al, %al
    jz 1f
    call put
    jmp print
1:  ret

put:
    movb $0x0e, %ah
    movw $7, %bx
    int $0x10
    ret

greeting:
    .asciz "Carrel echo. Type; Tab saves, Esc switches off.\r\n"
newline:
    .asciz "\r\n"
saved:
    .asciz " saved\r\n"
drive:
    .byte 0
end:
    .word 0

    .org 510
    .word 0xaa55
    .org 0x100000               /* 1 MiB: a disk */
