/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools: the plan (pool_plan.h) held against the store, and carried out by commands. A pool is looked at again when its commands
 * are done, when one of its desktops changes, and when the time of somebody who left runs out. Owner: the main thread.
 */
#pragma once

#include "appliance/desktops/desktop.h"

typedef struct Pools Pools;

Pools *pools_new(Desktops *desktops);
void pools_free(Pools *pools);
/* Something of the store changed that may concern pools; @kind NULL: everything. */
void pools_look(Pools *pools, const char *kind, const char *id);
/* How the desktop is, or who uses it, has changed. */
void pools_look_at_pool_of(Pools *pools, const Desktop *desktop);
