/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often somebody may guess. A function of what is remembered, an attempt and the time (µs, any clock that only goes
 * forward); it has no clock and no lock.
 *
 * Failures are counted by account and by source address. The first few are free; after each further one the next attempt has
 * to wait, twice as long each time up to a minute or some, and never for good: nobody can be locked out by others who guess.
 * An attempt within a wait is refused unseen and changes nothing, so that hammering does not prolong it.
 *
 *   An attempt counts as failed when it *begins*; success gives that back. A thousand at the same time are no way around.
 *
 *   A source from which an account has signed in before is *known* to it: what goes wrong there is counted for the two of them
 *   alone. So whoever guesses Anna's password from elsewhere does not slow Anna down at her desk, nor does a colleague behind
 *   the same address; and who guesses from her desk is slowed down there.
 *
 *   The host's own console waits for nothing and is not counted: an admin can always get in there.
 *
 * Addresses are counted as networks: IPv6 by its /64, since one client has all of it. Account names are folded (case, Unicode
 * composition); any text may come.
 *
 * Memory is fixed: LIMITER_ENTRIES each for accounts, sources and known pairs, 32 bytes each (384 KiB in all), placed by a keyed
 * hash that nobody outside can foresee. Where a flood of made-up names fills it, the entry with the fewest failures gives way:
 * an account under attack stays remembered until a whole set of others has failed more often, and one that is displaced starts
 * with its free attempts again. Nothing is kept over a restart.
 *
 * Owner: one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define LIMITER_ENTRIES 4096
#define LIMITER_KEY_BYTES 32

typedef struct {
    unsigned account_free; /* failures without a wait */
    unsigned source_free;  /* more: a source may be an office */
    int64_t first_wait;    /* after the next, µs */
    int64_t account_wait_max;
    int64_t source_wait_max;
    int64_t forget; /* an account or source without failures for so long is forgotten */
    int64_t know;   /* a known pair without a sign-in for so long, too */
} LimiterSettings;

/* 5 and 40 failures; 1 s; 5 minutes and 1 minute; an hour; 30 days. A directory that locks accounts itself wants account_free below its own. */
extern const LimiterSettings limiter_defaults;

typedef struct {
    const char *account; /* as typed, or better the user's id once the user is known: one account, one name */
    const char *source;  /* numeric IPv4 or IPv6 address; NULL or any other text is a source of that name */
    bool console;        /* by somebody at the host's own console */
} LimiterAttempt;

typedef struct Limiter Limiter;

/* @key: random bytes; a copy is kept. */
Limiter *limiter_new(const LimiterSettings *settings, const uint8_t key[LIMITER_KEY_BYTES]);
void limiter_free(Limiter *limiter);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Limiter, limiter_free)

/* 0: go ahead, and it counts as failed until one of the two below is called. Else: the µs to wait; nothing was counted. */
int64_t limiter_begin(Limiter *limiter, const LimiterAttempt *attempt, int64_t now);

/* The attempt that began showed nothing (the directory is out of reach), or was right so far and more is to come. */
void limiter_return(Limiter *limiter, const LimiterAttempt *attempt, int64_t now);

/* They are signed in: the attempt counts as none, and the source is known to the account from now on. */
void limiter_succeed(Limiter *limiter, const LimiterAttempt *attempt, int64_t now);

/* Whether the source is known to the account. */
bool limiter_knows(const Limiter *limiter, const LimiterAttempt *attempt, int64_t now);

/* A short tag of a name, the same until the next restart, by which an audit tells unknown names apart without having them:
 * people type passwords into the wrong field. */
char *limiter_tag(const Limiter *limiter, const char *account);
