/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes to and from a server: the payload of a SPICE channel that carries bytes (spice-protocol, SpiceVMC), which somebody
 * else has opened and signed in to, flow control being answered here; or a socket's own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct Link Link;

/* @fd: connected; @messages: a SPICE channel, with short message headers from here on. Lives as long as the process. */
Link *link_new(int fd, bool messages);
/* There is something to read: takes as much as fits. false: the server is gone. */
bool link_fill(Link *link);
/* Payload that has come: returns how much, 0 for none. */
size_t link_read(Link *link, void *to, size_t len);
/* Is gathered until link_flush(), or sent at once where it is large. Waits for a server that is slow. */
void link_write(Link *link, const void *from, size_t len);
bool link_flush(Link *link);
