/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line, made whole before it is looked at, so that no part needs to be.
 */
#include "vmm/control/line.h"

#include <stdarg.h>

void
print_line(FILE *to, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_autoptr(GString) line = g_string_new(NULL);
    for (const char *c = valid; *c; c = g_utf8_next_char(c)) {
        gunichar character = g_utf8_get_char(c);
        g_string_append_unichar(line, g_unichar_iscntrl(character) ? '?' : character);
    }
    g_string_append_c(line, '\n');
    fputs(line->str, to);
}
