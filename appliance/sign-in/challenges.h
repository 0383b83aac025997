/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who gave the right password and still owes the second factor. The client gets a random token and comes back with it and a
 * code; so the password travels, and is hashed, once.
 *
 * A challenge is good for a few minutes, a few codes, and only from the address and the kind of client that it was given to.
 * Memory is fixed: CHALLENGES_MAX in all and CHALLENGES_USER_MAX of a user, beyond which the oldest goes.
 *
 * Time is injected (µs). Owner: one thread.
 */
#pragma once

#include "appliance/sign-in/sessions.h"

#define CHALLENGES_MAX 4096
#define CHALLENGES_USER_MAX 4
#define CHALLENGES_LIFETIME ((int64_t)5 * 60 * G_USEC_PER_SEC)
#define CHALLENGES_CODES 5 /* wrong ones that end it */

typedef struct {
    const char *user_id, *account; /* the user; the name they typed */
    const char *source;
    SessionClient client;
} Challenge;

typedef struct Challenges Challenges;

Challenges *challenges_new(void);
void challenges_free(Challenges *challenges);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Challenges, challenges_free)

/* The token. @what is copied. */
SecretText *challenges_begin(Challenges *challenges, const Challenge *what, int64_t now);

/* Whose it is; NULL: nobody's (any more), or not theirs who ask. Good until the next call. */
const Challenge *challenges_find(Challenges *challenges, const char *token, const char *source, SessionClient client,
                                 int64_t now);

/* The same, and it has one code less. */
const Challenge *challenges_try(Challenges *challenges, const char *token, const char *source, SessionClient client,
                                int64_t now);

/* The code was right, or the user may not sign in any more. */
void challenges_end(Challenges *challenges, const char *token);
void challenges_end_user(Challenges *challenges, const char *user_id);

unsigned challenges_count(const Challenges *challenges);
