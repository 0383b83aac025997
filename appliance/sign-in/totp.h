/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-time codes from an authenticator app (RFC 6238 with SHA-1, 30 s, 6 digits: what every app can do), computed by liboath.
 *
 * A secret is 160 bits (RFC 4226, 4, R6) as 32 characters of base32. Of each user the *step* of the last code taken is kept;
 * that one and all before it are refused (RFC 6238, 5.2), so a code that was seen over a shoulder is worth nothing.
 *
 * Pure but for totp_secret_new(); time is seconds since 1970, UTC. Any thread.
 */
#pragma once

#include "appliance/sign-in/secret.h"

#define TOTP_DIGITS 6
#define TOTP_PERIOD 30 /* s */
#define TOTP_WINDOW 1  /* steps before and after the present one: clocks differ, and people type slowly */
#define TOTP_STEP_NONE (-1)

/* Once a process, before any other call here, in its main thread. False: liboath is too old or does not work. */
bool totp_init(void);

SecretText *totp_secret_new(void);

/* For the QR code that an app reads: "otpauth://totp/Carrel:anna?…", every character of a name escaped that needs it. */
SecretText *totp_uri(const char *secret, const char *issuer, const char *account);

/*
 * The step that @code stands for: to be kept as the last one. -1: it is wrong, or not later than @last_step (TOTP_STEP_NONE: none
 * was taken yet), or the secret is none. Spaces in the code are passed over, as apps show them.
 */
int64_t totp_verify(const char *secret, const char *code, int64_t now, int64_t last_step);

/* What an app shows at that time; for tests and tools. */
SecretText *totp_code(const char *secret, int64_t now);
