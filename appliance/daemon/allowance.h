/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much one person may have done: so many calls at once, and then so many a second. What they do goes into the store and its audit
 * trail, which everybody waits for and nobody may fill. It counts by user, not by session, of which one can have many.
 *
 * A function of what is remembered and the time (µs, a clock that only goes forward). Of each user it remembers when their allowance will
 * be whole again; whose is, is not remembered. Owner: one thread.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef struct {
    unsigned at_once;
    unsigned a_second; /* not 0 */
} AllowanceRate;

typedef struct Allowance Allowance;

Allowance *allowance_new(void);
void allowance_free(Allowance *allowance);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Allowance, allowance_free)

/* 0: go ahead, and it counts. Else the µs to wait; nothing was counted. */
int64_t allowance_take(Allowance *allowance, const char *user, const AllowanceRate *rate, int64_t now);
/* Forgets those whose allowance is whole; now and then. How many are left. */
unsigned allowance_sweep(Allowance *allowance, int64_t now);
