/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A refusal of a request whose body is still to come. libsoup would read all of it first, however long it is; here the
 * answer goes out at once, and the connection ends as soon as the client has had time to read it.
 *
 * Owner: the main loop.
 */
#pragma once

#include <libsoup/soup.h>
#include <stdbool.h>

/* Whether a body is to come that nobody has read. */
bool parting_is_due(SoupServerMessage *message);

/* Sends the message's status, headers and body as they are; the connection is taken from libsoup. */
void parting_send(SoupServerMessage *message);
