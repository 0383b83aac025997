/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Somebody who has come to the port: one connection, from accept to its end, whatever becomes of it.
 *
 *   first byte ─┬─ 0x16: TLS, handshake ──▶ HTTP, one request after another ──▶ perhaps a WebSocket's tunnel
 *               ├─ C: the head of a CONNECT ──▶ the desktop's tunnel, TLS inside
 *               └─ anything else: closed
 *
 * Who keeps the house waiting has a deadline, and is in the line of those that go first when the house is full: before the
 * first byte, in the handshake, between requests and in the middle of one's head. Whoever is served is in no such line.
 *
 * Owner: the main loop.
 */
#pragma once

#include "web-ui/server/tls/stream.h"

typedef struct Visitor Visitor;
typedef struct Guests Guests;

/* The visitors there are, and how many there may be. */
typedef struct {
    unsigned all;         /* at once */
    unsigned per_address; /* at once from one address (of IPv6: one /64) while nobody serves them */
} GuestLimits;

typedef struct {
    /* A handshake is done. */
    void (*http)(Visitor *visitor, void *data);
    /* The head of a CONNECT is there, ending with an empty line. */
    void (*connect)(Visitor *visitor, const char *head, size_t len, void *data);
} GuestOps;

Guests *guests_new(const GuestLimits *limits, const GuestOps *ops, void *data);
/* Closes what there is. */
void guests_free(Guests *guests);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Guests, guests_free)

/* What those who come from now on are shown. */
void guests_set_identity(Guests *guests, TlsIdentity *identity);
TlsIdentity *guests_get_identity(Guests *guests);

/* Takes a socket that was accepted; whoever has waited longest may have to go for it. */
void guests_arrive(Guests *guests, int fd);
/* False: nobody is waiting. */
bool guests_send_one_away(Guests *guests);

typedef struct {
    unsigned all, waiting;
    uint64_t arrived, sent_away;
} GuestCounts;
void guests_count(const Guests *guests, GuestCounts *counts);

/* "192.0.2.1"; and the same for libsoup, which keeps it: visitor_of_address() finds the way back. */
const char *visitor_get_address(const Visitor *visitor);
GSocketAddress *visitor_get_socket_address(Visitor *visitor);
Visitor *visitor_of_address(GSocketAddress *address); /* NULL: gone */
/* Where it came in; that, too, of IPv4 where both are. */
GSocketAddress *visitor_get_local_address(Visitor *visitor);

/* Nobody serves it for now; it has so many seconds. */
void visitor_wait(Visitor *visitor, unsigned seconds);
/* It is served, and has so many seconds; 0: for as long as it likes. */
void visitor_serve(Visitor *visitor, unsigned seconds);

/* Before TLS (CONNECT): sends a few bytes as they are; what the socket does not take at once is an error. */
bool visitor_say(Visitor *visitor, const char *text);
/* Before TLS: does the handshake, then calls; or else the visitor goes, and @data with it (@destroy, or NULL). */
typedef void (*VisitorReady)(Visitor *visitor, void *data);
void visitor_start_tls(Visitor *visitor, VisitorReady ready, void *data, GDestroyNotify destroy);

/* The stream for libsoup, which the visitor goes with. */
TlsStream *visitor_make_stream(Visitor *visitor);
/* The session for a tunnel, which tells visitor_close() in the end. NULL: its stream was closed. */
TlsSession *visitor_take_session(Visitor *visitor);

/* Has the session itself again, which a stream had; the stream is at its end. */
void visitor_reclaim(Visitor *visitor);
/* With the session its own: says this, and goes when the other side has had time to hear it. */
void visitor_part(Visitor *visitor, const char *bytes, size_t len);

/* Ends it; it may be gone when this returns. */
void visitor_close(Visitor *visitor);
