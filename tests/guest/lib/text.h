/* SPDX-License-Identifier: Apache-2.0 */
/* Memory and strings: what a freestanding C compiler expects to find, and what the tests need. Any mode. */
#ifndef GUEST_TEXT_H
#define GUEST_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);

/* Decimal, or hexadecimal after 0x; stops at the first other character. */
uint64_t text_number(const char *s);

#endif
