/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The display channels of one scanout that are just being set up.
 *
 *     main thread: expect                …             told (in its next turn)
 *     worker:             begin → (spice-server sets the channel up) end_heard
 *
 * A lock of its own, which no other is taken with.
 */
#pragma once

#include "display/spice/arrival.h"

typedef struct Arrivals Arrivals;

Arrivals *arrivals_new(void);
void arrivals_free(Arrivals *arrivals);

/* Main thread: spice-server is about to be told of this one. Takes it. */
void arrivals_expect(Arrivals *arrivals, Arrival *arrival);
/* Worker: what spice-server is told next is that. */
void arrivals_begin(Arrivals *arrivals);
/* Worker: ends those that are set up. To be called before spice-server goes on to write to them. */
void arrivals_end_heard(Arrivals *arrivals);
/* Worker: spice-server was told of one more by now. If it is not set up, it never will be. */
void arrivals_told(Arrivals *arrivals);
/* spice-server is about to close descriptor @number. Any thread. */
void arrivals_forget(Arrivals *arrivals, int number);
