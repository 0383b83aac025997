/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first serial port, a 16550 at 0x3f8, as the guest's one way to say something. Any mode, one processor at a time.
 */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H

#include <stdarg.h>
#include <stdint.h>

/* 115200 8N1, FIFOs on, interrupts off. */
void console_init(void);

/* One byte, unchanged. */
void console_put(char c);

/* Waits for a byte and returns it; 0 after timeout_ns. */
char console_get(uint64_t timeout_ns);

/*
 * %d %i %u %x %c %s %p %%, with l, ll and z for 64-bit values, a minimum width and zero padding ("%08x").
 */
void console_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void console_vprintf(const char *format, va_list arguments);

#endif
