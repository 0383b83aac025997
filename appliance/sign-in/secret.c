/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that must not be found in memory afterwards, and bytes that nobody can guess. */
#include "appliance/sign-in/secret.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

SecretText *
secret_text_new(const char *text)
{
    return g_strdup(text);
}

void
secret_text_free(SecretText *text)
{
    if (!text)
        return;
    explicit_bzero(text, strlen(text));
    g_free(text);
}

void
secret_random(void *bytes, size_t len)
{
    uint8_t *at = bytes;

    while (len) {
        ssize_t got = getrandom(at, len, 0);
        g_assert(got > 0 || errno == EINTR); /* it fails for wrong arguments alone */
        if (got > 0) {
            at += got;
            len -= (size_t)got;
        }
    }
}

SecretText *
secret_base64url(const uint8_t *bytes, size_t len)
{
    SecretText *text = g_base64_encode(bytes, len);

    g_strdelimit(text, "+", '-');
    g_strdelimit(text, "/", '_');
    text[strcspn(text, "=")] = 0;
    return text;
}

SecretText *
secret_token_new(size_t len)
{
    uint8_t bytes[SECRET_TOKEN_BYTES];
    SecretText *text;

    g_assert(len <= sizeof(bytes));
    secret_random(bytes, len);
    text = secret_base64url(bytes, len);
    explicit_bzero(bytes, sizeof(bytes));
    return text;
}

bool
secret_same(const char *a, const char *b)
{
    size_t len = strlen(a);
    volatile uint8_t differ = 0;

    if (strlen(b) != len)
        return false;
    for (size_t i = 0; i < len; i++)
        differ |= (uint8_t)(a[i] ^ b[i]);
    return differ == 0;
}

char *
secret_digest(const char *text)
{
    return g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
}
