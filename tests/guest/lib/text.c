/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory and strings. Bulk work is in string instructions: where kernel mode is emulated an instruction costs the
 * same whether it moves one byte or a repeat of eight.
 */
#include "text.h"

void *
memcpy(void *to, const void *from, size_t n)
{
    void *at = to;
    size_t words = n / 8, rest = n % 8;

    __asm__ volatile("rep movsq" : "+D"(at), "+S"(from), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(rest) : : "memory");
    return to;
}

void *
memmove(void *to, const void *from, size_t n)
{
    if (to <= from || (const char *)to >= (const char *)from + n)
        return memcpy(to, from, n);
    for (size_t i = n; i > 0; i--)
        ((char *)to)[i - 1] = ((const char *)from)[i - 1];
    return to;
}

void *
memset(void *to, int byte, size_t n)
{
    void *at = to;
    size_t words = n / 8, rest = n % 8;
    uint64_t pattern = (uint8_t)byte * 0x0101010101010101u;

    __asm__ volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(pattern) : "memory");
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(rest) : "a"(pattern) : "memory");
    return to;
}

int
memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;

    /* Equal buffers are the common case: eight bytes at a time until one differs. */
    for (; n >= 8 && *(const uint64_t *)x == *(const uint64_t *)y; n -= 8, x += 8, y += 8)
        ;
    for (; n > 0; n--, x++, y++) {
        if (*x != *y)
            return *x - *y;
    }
    return 0;
}

size_t
strlen(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    return n;
}

int
strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

int
strncmp(const char *a, const char *b, size_t n)
{
    for (; n > 0; n--, a++, b++) {
        if (*a != *b || !*a)
            return (unsigned char)*a - (unsigned char)*b;
    }
    return 0;
}

uint64_t
text_number(const char *s)
{
    uint64_t value = 0, base = 10;

    if (s[0] == '0' && s[1] == 'x') {
        base = 16;
        s += 2;
    }
    for (;; s++) {
        uint64_t digit = *s >= '0' && *s <= '9' ? *s - '0' : *s >= 'a' && *s <= 'f' ? *s - 'a' + 10 : 99;
        if (digit >= base)
            return value;
        value = value * base + digit;
    }
}
