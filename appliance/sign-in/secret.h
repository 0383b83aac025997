/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that must not be found in memory afterwards, and bytes that nobody can guess.
 *
 * A SecretText is one heap string that is overwritten before it is freed. It is never logged, never part of an error.
 * Any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef char SecretText;

/* A copy; NULL gives NULL. */
SecretText *secret_text_new(const char *text);
void secret_text_free(SecretText *text);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SecretText, secret_text_free)

/* Fills in bytes of the kernel's generator. */
void secret_random(void *bytes, size_t len);

/* Bytes in base64url without padding (RFC 4648, 5). */
SecretText *secret_base64url(const uint8_t *bytes, size_t len);

/* So many random bytes as such text: a token of SECRET_TOKEN_BYTES cannot be guessed. */
#define SECRET_TOKEN_BYTES 32
#define SECRET_TOKEN_LENGTH 43
SecretText *secret_token_new(size_t len);

/* Whether two texts are the same, in a time that tells nothing but their lengths. Neither may be NULL. */
bool secret_same(const char *a, const char *b);

/* SHA-256 in lower-case hexadecimal digits: of what has at least 80 bits that nobody can guess, never of a password. */
char *secret_digest(const char *text);
