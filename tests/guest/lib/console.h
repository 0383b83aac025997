/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first serial port, a 16550 at 0x3f8, as the guest's one way to say something. Any mode, one processor at a time.
 */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H

#include <stdarg.h>

/* 115200 8N1, FIFOs on, interrupts off. */
void console_init(void);

/* One byte, unchanged. */
void console_put(char c);

/*
 * %d %i %u %x %c %s %p %%, with l, ll and z for 64-bit values, a minimum width and zero padding ("%08x").
 */
void console_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void console_vprintf(const char *format, va_list arguments);

#endif
