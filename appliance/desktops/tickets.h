/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tickets: who knows one may connect to the desktop it names. 128 random bits, of which only a digest is kept, so that neither a look at
 * this memory nor the time that a lookup takes tells one.
 *
 * A ticket is good until its time to connect is over, and then as long as something it opened is open: a SPICE client has a
 * connection for each channel, and makes new ones later. Time is injected: µs of one clock. Owner: one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define TICKET_SECONDS 120
#define TICKETS_PER_SESSION 32
/* Of one ticket all may be closed, and something be opened again: a client that looked what it needs. Each time is written down. */
#define TICKET_USES 8
#define TICKETS_MAX 20000

typedef struct {
    char *desktop, *user, *session;
    char *caller;  /* may be NULL */
    char *tag;     /* what its connections' sockets are called (socket.h) */
    char *address; /* whose first connection is open still, and from where; NULL: none is */
    int64_t expires;
    unsigned open; /* connections, and those that are waited for */
    unsigned uses; /* how often the last of its connections was closed */
} Ticket;

typedef struct Tickets Tickets;

Tickets *tickets_new(void);
void tickets_free(Tickets *tickets);

/* @who: up to .caller; the rest is set; copied. The text, the caller's; NULL with an error: too many. */
char *tickets_issue(Tickets *tickets, const Ticket *who, int64_t now, GError **error);
/* NULL: it is none, or none any more. Good until a call that may remove it. */
Ticket *tickets_find(Tickets *tickets, const char *text, int64_t now);
/* What a ticket opened is closed; it may be gone after this. */
void tickets_closed(Tickets *tickets, Ticket *ticket, int64_t now);
/* How many there are for a desktop. */
unsigned tickets_of(Tickets *tickets, const char *desktop, int64_t now);
/* One of a desktop's by its tag; NULL: there is none. */
Ticket *tickets_find_tag(Tickets *tickets, const char *desktop, const char *tag);

/* A desktop's tickets, to be written down; and one that was, which is copied but for .open. From no digest can a ticket be had. */
typedef void (*TicketTeller)(void *user, const char *digest, const Ticket *ticket);
void tickets_tell(Tickets *tickets, const char *desktop, TicketTeller tell, void *user);
Ticket *tickets_put(Tickets *tickets, const char *digest, const Ticket *ticket);

/* Those of which @is_void says so are: at once, or where something is open, when that is closed. */
typedef bool (*TicketJudge)(const Ticket *ticket, void *user);
void tickets_void(Tickets *tickets, TicketJudge is_void, void *user);
