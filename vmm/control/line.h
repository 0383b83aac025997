/* SPDX-License-Identifier: Apache-2.0 */
/* Lines for people. What the parts are may come from a guest, or from a desktop that fell to one. Any thread. */
#pragma once

#include <glib.h>
#include <stdio.h>

/* Prints a line and ends it. Control characters in it, which could steer a terminal or feign a second line, become “?”. */
void print_line(FILE *to, const char *format, ...) G_GNUC_PRINTF(2, 3);
