/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Host header: what a browser calls this host, and so what a SPICE client started from it is to call it. It is
 * whatever somebody wrote, until it was read here. Any thread.
 */
#pragma once

#include <gio/gio.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    char host[256]; /* a name or an address; of IPv6 in brackets */
    uint16_t port;  /* 443 where none was given */
} Authority;

/* RFC 9110, 7.2: host and perhaps a port; nothing else, and nothing that is no name or address. */
bool authority_parse(const char *text, Authority *authority);
/*
 * "localhost" as the one address that a connection to @local stands for: a loopback address, itself, else 127.0.0.1 (somebody
 * passes a port on). SPICE clients go to the first address of a proxy's name and try no other, and which comes first is for
 * their own system to say. All other names stay: what they mean where the client is, nobody knows here. @local may be NULL.
 */
void authority_settle(Authority *authority, GInetAddress *local);
/* Whether an Origin header says the same ("https://host:port"). */
bool authority_is_origin(const Authority *authority, const char *origin);
