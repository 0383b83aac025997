/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of a CONNECT (RFC 9110, 9.3.6), as a SPICE client sends it to its proxy: for "TICKET.carrel:PORT" alone. Any
 * thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What tickets' names end with; such a name is never resolved. */
#define CONNECT_DOMAIN ".carrel"
#define TICKET_MIN 16
#define TICKET_MAX 64

/* Letters, digits, dashes and underscores. */
bool ticket_is_valid(const char *ticket);

/* @head ends with the empty line. False: it is anything else. */
bool connect_parse(const char *head, size_t len, char ticket[static TICKET_MAX + 1]);
