/* SPDX-License-Identifier: Apache-2.0 */
/* Recovery codes: 80 random bits that people can read and type. */
#include "appliance/sign-in/recovery.h"

#include <string.h>

#define CODE_CHARACTERS 16
#define GROUP_CHARACTERS 4

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

SecretText *
recovery_code_new(void)
{
    uint8_t random[CODE_CHARACTERS];
    char text[CODE_CHARACTERS + CODE_CHARACTERS / GROUP_CHARACTERS], *to = text;
    SecretText *code;

    secret_random(random, sizeof(random));
    for (unsigned i = 0; i < CODE_CHARACTERS; i++) {
        if (i && i % GROUP_CHARACTERS == 0)
            *to++ = '-';
        *to++ = alphabet[random[i] % 32];
    }
    *to = 0;
    code = secret_text_new(text);
    explicit_bzero(random, sizeof(random));
    explicit_bzero(text, sizeof(text));
    return code;
}

/* The character as codes are written with; 0: it cannot be in one. */
static char
canonical(char c)
{
    c = g_ascii_tolower(c);
    if (c == 'o')
        return '0';
    if (c == 'i' || c == 'l')
        return '1';
    return c && strchr(alphabet, c) ? c : 0;
}

char *
recovery_code_digest(const char *code)
{
    char text[CODE_CHARACTERS + 1] = {0};
    unsigned n = 0;
    char *digest;

    for (; *code; code++) {
        if (*code == '-' || *code == ' ')
            continue;
        if (n == CODE_CHARACTERS || !canonical(*code))
            break;
        text[n++] = canonical(*code);
    }
    digest = *code || n != CODE_CHARACTERS ? NULL : secret_digest(text);
    explicit_bzero(text, sizeof(text));
    return digest;
}
