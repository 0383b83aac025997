/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operating system's loader, as UEFI starts it from \EFI\BOOT\BOOTX64.EFI: says that it was reached, straight on the first
 * serial port, and waits for the machine's end. A PE program of its own; nothing of the firmware's is called.
 */
#define COM1 0x3f8
#define COM1_LINE_STATUS (COM1 + 5)
#define ROOM_FOR_ONE 0x20

static unsigned char
in(unsigned short port)
{
    unsigned char value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void
out(unsigned short port, unsigned char value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

__attribute__((ms_abi)) unsigned long long
efi_main(void *image, void *system_table)
{
    static const char words[] = "\n@loader\n";

    for (unsigned i = 0; words[i]; i++) {
        while (!(in(COM1_LINE_STATUS)&ROOM_FOR_ONE))
            ;
        out(COM1, words[i]);
    }
    for (;;)
        __asm__ volatile("hlt");
}
