/* SPDX-License-Identifier: Apache-2.0 */
/* Formatted text to the 16550. */
#include "console.h"
#include "clock.h"
#include "cpu.h"

#define COM1 0x3f8
#define COM1_LINE_CONTROL (COM1 + 3)
#define COM1_LINE_STATUS (COM1 + 5)
#define LINE_STATUS_DATA 0x01
#define LINE_STATUS_HOLDING_EMPTY 0x20
#define FIFO_SIZE 16

static unsigned fifo_room;

void
console_init(void)
{
    port_write8(COM1 + 1, 0);
    port_write8(COM1_LINE_CONTROL, 0x80); /* divisor latch */
    port_write8(COM1, 1);                 /* 115200 baud */
    port_write8(COM1 + 1, 0);
    port_write8(COM1_LINE_CONTROL, 0x03); /* 8N1 */
    port_write8(COM1 + 2, 0x07);          /* FIFOs on and empty */
    port_write8(COM1 + 4, 0x03);          /* ready */
}

void
console_put(char c)
{
    /* An empty FIFO takes 16 bytes, so the status is asked once for as many: each port access is an exit. */
    if (fifo_room == 0) {
        while (!(port_read8(COM1_LINE_STATUS) & LINE_STATUS_HOLDING_EMPTY))
            cpu_pause();
        fifo_room = FIFO_SIZE;
    }
    fifo_room--;
    port_write8(COM1, c);
}

char
console_get(uint64_t timeout_ns)
{
    uint64_t deadline = clock_ns() + timeout_ns;

    while (!(port_read8(COM1_LINE_STATUS) & LINE_STATUS_DATA)) {
        if (clock_ns() > deadline)
            return 0;
        cpu_pause();
    }
    return port_read8(COM1);
}

static void
put_text(const char *s, unsigned width, char pad)
{
    unsigned length = 0;

    while (s[length])
        length++;
    for (; width > length; width--)
        console_put(pad);
    while (*s)
        console_put(*s++);
}

static void
put_number(uint64_t value, bool negative, unsigned base, unsigned width, char pad)
{
    char digits[24];
    char *at = digits + sizeof(digits) - 1;

    *at = '\0';
    do {
        *--at = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    if (negative)
        *--at = '-';
    put_text(at, width, pad);
}

void
console_vprintf(const char *format, va_list arguments)
{
    for (; *format; format++) {
        if (*format != '%') {
            console_put(*format);
            continue;
        }
        format++;

        char pad = ' ';
        if (*format == '0') {
            pad = '0';
            format++;
        }
        unsigned width = 0;
        for (; *format >= '0' && *format <= '9'; format++)
            width = width * 10 + *format - '0';
        bool wide = false;
        for (; *format == 'l' || *format == 'z'; format++)
            wide = true;

        switch (*format) {
        case 'd':
        case 'i': {
            int64_t value = wide ? va_arg(arguments, int64_t) : va_arg(arguments, int);
            put_number(value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0, 10, width, pad);
            break;
        }
        case 'u':
            put_number(wide ? va_arg(arguments, uint64_t) : va_arg(arguments, unsigned), false, 10, width, pad);
            break;
        case 'x':
            put_number(wide ? va_arg(arguments, uint64_t) : va_arg(arguments, unsigned), false, 16, width, pad);
            break;
        case 'p':
            put_text("0x", 0, ' ');
            put_number((uint64_t)va_arg(arguments, void *), false, 16, width, pad);
            break;
        case 's':
            put_text(va_arg(arguments, const char *), width, ' ');
            break;
        case 'c':
            console_put(va_arg(arguments, int));
            break;
        default:
            console_put(*format);
        }
    }
}

void
console_printf(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    console_vprintf(format, arguments);
    va_end(arguments);
}
