/* SPDX-License-Identifier: Apache-2.0 */
/* Opening tap interfaces as carrel-vmm wants them. Any thread. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * Makes the interface @name, which must not be there, and opens @n queues of it: IFF_TAP, IFF_NO_PI, IFF_VNET_HDR and
 * IFF_MULTI_QUEUE, close-on-exec, non-blocking. It is gone when the last of them is closed.
 */
bool network_tap_open(const char *name, unsigned n, int *fds, GError **error);

/* 0: there is no such interface. */
unsigned network_mtu(const char *name);
