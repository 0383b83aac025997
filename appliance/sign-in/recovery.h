/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recovery codes: printed when one-time codes are switched on, for the day the phone is lost. Each opens the door once.
 *
 * A code is 80 random bits as "7k3m-q9xd-2h5t-w8fn" in Crockford's base32, whose letters cannot be mistaken for digits; what
 * people read wrong all the same (O for 0, I and L for 1) and however they write it (case, spaces, dashes) is understood. What is
 * kept is the SHA-256 of the code: nobody can try 2^80 of them, so no slow hash is needed.
 *
 * Any thread.
 */
#pragma once

#include "appliance/sign-in/secret.h"

#define RECOVERY_CODES 10 /* that a user is given at once */
#define RECOVERY_DIGEST_LENGTH 64

/* A new code, as it is shown once. */
SecretText *recovery_code_new(void);

/* What is kept of a code, in hexadecimal; NULL: the text is no code. */
char *recovery_code_digest(const char *code);
