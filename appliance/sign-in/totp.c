/* SPDX-License-Identifier: Apache-2.0 */
/* One-time codes from an authenticator app (RFC 6238), computed by liboath. */
#include "appliance/sign-in/totp.h"

#include <liboath/oath.h>
#include <string.h>

#define SECRET_BYTES 20

typedef struct {
    char *bytes;
    size_t len;
} Key;

static void
key_finish(Key *key)
{
    if (key->bytes)
        explicit_bzero(key->bytes, key->len);
    free(key->bytes);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Key, key_finish)

bool
totp_init(void)
{
    return oath_init() == OATH_OK && oath_check_version("2.6.7");
}

SecretText *
totp_secret_new(void)
{
    char raw[SECRET_BYTES], *text = NULL;
    size_t len = 0;
    SecretText *secret;

    secret_random(raw, sizeof(raw));
    g_assert(oath_base32_encode(raw, sizeof(raw), &text, &len) == OATH_OK);
    explicit_bzero(raw, sizeof(raw));
    secret = g_strndup(text, len);
    explicit_bzero(text, len);
    free(text);
    return secret;
}

SecretText *
totp_uri(const char *secret, const char *issuer, const char *account)
{
    g_autofree char *from = g_uri_escape_string(issuer, NULL, true);
    g_autofree char *who = g_uri_escape_string(account, NULL, true);

    /* The parameters are the defaults; they are there because some apps guess when they are not. */
    return g_strdup_printf("otpauth://totp/%s:%s?secret=%s&issuer=%s&algorithm=SHA1&digits=%d&period=%d", from, who,
                           secret, from, TOTP_DIGITS, TOTP_PERIOD);
}

static bool
key_from_secret(Key *key, const char *secret)
{
    return oath_base32_decode(secret, strlen(secret), &key->bytes, &key->len) == OATH_OK && key->len > 0;
}

static bool
code_of_step(const Key *key, int64_t step, char code[TOTP_DIGITS + 1])
{
    return oath_hotp_generate(key->bytes, key->len, (uint64_t)step, TOTP_DIGITS, false, OATH_HOTP_DYNAMIC_TRUNCATION,
                              code) == OATH_OK;
}

/* The digits alone; false: something else is in it, or too many or too few. */
static bool
read_code(const char *text, char code[TOTP_DIGITS + 1])
{
    unsigned n = 0;

    for (; *text; text++) {
        if (*text == ' ')
            continue;
        if (!g_ascii_isdigit(*text) || n == TOTP_DIGITS)
            return false;
        code[n++] = *text;
    }
    code[n] = 0;
    return n == TOTP_DIGITS;
}

int64_t
totp_verify(const char *secret, const char *code, int64_t now, int64_t last_step)
{
    g_auto(Key) key = {0};
    char given[TOTP_DIGITS + 1], right[TOTP_DIGITS + 1];
    int64_t present = now / TOTP_PERIOD, found = -1;

    if (now < 0 || !read_code(code, given) || !key_from_secret(&key, secret))
        return -1;
    /* Every step is computed, whichever fits: the time it takes tells nothing. */
    for (int64_t step = present - TOTP_WINDOW; step <= present + TOTP_WINDOW; step++)
        if (step >= 0 && code_of_step(&key, step, right) && secret_same(given, right) && step > last_step && found < 0)
            found = step;
    explicit_bzero(right, sizeof(right));
    return found;
}

SecretText *
totp_code(const char *secret, int64_t now)
{
    g_auto(Key) key = {0};
    char code[TOTP_DIGITS + 1];

    return now >= 0 && key_from_secret(&key, secret) && code_of_step(&key, now / TOTP_PERIOD, code) ? g_strdup(code)
                                                                                                    : NULL;
}
