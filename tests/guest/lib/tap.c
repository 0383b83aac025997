/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers the results and prints them. */
#include "tap.h"
#include "clock.h"
#include "console.h"
#include "interrupt.h"

static unsigned n_results;

static void
line(const char *head, const char *format, va_list arguments)
{
    console_printf("%s", head);
    console_vprintf(format, arguments);
}

bool
ok(bool passed, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    console_printf("%sok %u - ", passed ? "" : "not ", ++n_results);
    line("", format, arguments);
    console_printf("\n");
    va_end(arguments);
    return passed;
}

bool
ok_equal(unsigned long got, unsigned long want, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    console_printf("%sok %u - ", got == want ? "" : "not ", ++n_results);
    line("", format, arguments);
    console_printf("\n");
    if (got != want)
        console_printf("# got %lu (0x%lx), want %lu (0x%lx)\n", got, got, want, want);
    va_end(arguments);
    return got == want;
}

void
skip(const char *reason, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    console_printf("ok %u - ", ++n_results);
    line("", format, arguments);
    console_printf(" # SKIP %s\n", reason);
    va_end(arguments);
}

void
note(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    line("# ", format, arguments);
    console_printf("\n");
    va_end(arguments);
}

void
ask_harness(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    line("@ ", format, arguments);
    console_printf("\n");
    va_end(arguments);
    if (!console_get(SECONDS(120)))
        panic("the harness does not answer");
}

void
tap_done(void)
{
    console_printf("1..%u\n", n_results);
}
