/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells when somebody else may have changed what this room relies on: firewall tables that were deleted
 * (`nft flush ruleset`, which reloading a firewall does), IPv4 routes. What really is so, is to be looked at then.
 *
 * Owner: the main thread, which runs the main loop.
 */
#pragma once

#include <glib.h>

typedef struct NetworkWatch NetworkWatch;

/* @changed: once for whatever came within half a second. Where the kernel does not tell, it is never called. */
NetworkWatch *network_watch_new(void (*changed)(void *user), void *user);
void network_watch_free(NetworkWatch *watch);
