/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that stall: a frame goes to all of them before the next one begins, so one that takes nothing holds up the
 * others. It is dropped after STALL_SHARED_SECONDS without any progress, or STALL_ALONE_SECONDS if it only harms itself.
 *
 * Owner: the main thread. Costs nothing while frames flow: the timer runs only from a frame that had to wait on.
 */
#pragma once

#include "display/spice/clients.h"
#include "display/spice/qxl.h"

#define STALL_SHARED_SECONDS 10
#define STALL_ALONE_SECONDS 60

typedef struct StallWatch StallWatch;

StallWatch *stall_watch_new(Clients *clients);
void stall_watch_free(StallWatch *watch);
/* The scanouts to look at; they belong to the caller. */
void stall_watch_set_scanouts(StallWatch *watch, Qxl *const *scanouts, unsigned n);
/* A frame has to wait for the one before it. Any thread. */
void stall_watch_start(StallWatch *watch);
