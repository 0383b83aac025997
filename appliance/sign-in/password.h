/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passwords of local users: hashed with yescrypt by libxcrypt, kept as crypt(5) text ("$y$j9T$…").
 *
 * Hashing takes tens to hundreds of milliseconds and megabytes by intent (password_cost_bytes()): never on the main loop;
 * worker.h runs it elsewhere. Every copy made here is overwritten; the caller's own is the caller's.
 *
 * A password is normalised first (Unicode NFKC; NIST SP 800-63B, 5.1.1.2), so that it is the same from every keyboard.
 * Any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The setting: each step doubles time and memory. */
#define PASSWORD_COST_MIN 3
#define PASSWORD_COST_MAX 8
#define PASSWORD_COST_DEFAULT 5 /* libxcrypt's own */

/* Bytes of a password that are looked at; a longer one is never right. */
#define PASSWORD_BYTES_MAX 256

#define PASSWORD_ERROR (password_error_quark())
GQuark password_error_quark(void);
typedef enum {
    PASSWORD_ERROR_TEXT,   /* not a password that anybody can have: empty, too long, or not UTF-8 */
    PASSWORD_ERROR_FAILED, /* libxcrypt could not: no memory */
} PasswordError;

/* What to keep for a password. */
char *password_hash(const char *password, unsigned cost, GError **error);

/*
 * Whether the password is the one that was hashed. @hash may be NULL (there is no such user, or one without a password): then
 * a hash that fits nothing is tried at @cost, so that the answer takes as long. False too for a hash that is none.
 */
bool password_verify(const char *password, const char *hash, unsigned cost);

/* Whether a hash is weaker than password_hash() at @cost would make it now, and so should be made again at a sign-in. */
bool password_hash_is_weak(const char *hash, unsigned cost);

/* Whether the text is a hash that password_verify() could ever find right, of a method that is still fit for use. */
bool password_hash_is_valid(const char *hash);

/* Memory that one hash takes while it is made. */
size_t password_cost_bytes(unsigned cost);

/*
 * The highest cost at which a hash takes at most @budget_us of this machine's time and @budget_bytes of its memory, at least
 * PASSWORD_COST_MIN. Measured: takes up to about twice the budget, so it is asked once, when the host is set up.
 */
unsigned password_measure_cost(int64_t budget_us, size_t budget_bytes);
