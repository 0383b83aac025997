/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many bytes go to clients and come from them. A Unix socket does not count, and spice-server does not say: so write(2) and
 * writev(2) are defined here, as read(2) is for guards, and count what goes to descriptors that are guarded (guard.h).
 *
 * Any thread; nothing is locked.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Bytes read from a client. */
void traffic_received(size_t n);
/* Since the process began, of all clients and all their channels. */
void traffic_count(uint64_t *sent, uint64_t *received);
