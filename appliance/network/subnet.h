/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPv4 subnets: reading and writing them, and which one a network gets.
 *
 * Each nat network has a /20, some four thousand desktops, out of a range. Which, its id decides: the same on every host and
 * after every start, unless something else is reached there already; then the next that is free.
 *
 * Functions without state: any thread. Addresses are in host byte order.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define NETWORK_SUBNET_LENGTH 20
#define NETWORK_RANGE_DEFAULT "100.64.0.0/10" /* RFC 6598: rarely what an office uses by itself */

typedef struct {
    uint32_t address;
    unsigned length; /* 0 to 32 */
} NetworkSubnet;

/* "10.0.0.0/8", or one address alone; false: it is neither, or has bits behind its length. */
bool network_subnet_parse(const char *text, NetworkSubnet *subnet);
/* "10.0.0.0/8"; "10.0.0.1". Free them. */
char *network_subnet_text(const NetworkSubnet *subnet);
char *network_address_text(uint32_t address);

bool network_subnet_overlap(const NetworkSubnet *a, const NetworkSubnet *b);

/* A /20 of @range for the network @id that overlaps none of @taken (NetworkSubnet); false: there is none. */
bool network_subnet_choose(const NetworkSubnet *range, const char *id, const GArray *taken, NetworkSubnet *subnet);
/* Whether it is one that might have been chosen. */
bool network_subnet_possible(const NetworkSubnet *range, const NetworkSubnet *subnet);

/* The host's own address in it, and how many others there are for cards: the first is the one behind the host's. */
uint32_t network_subnet_gateway(const NetworkSubnet *subnet);
unsigned network_subnet_places(const NetworkSubnet *subnet);
uint32_t network_subnet_place(const NetworkSubnet *subnet, unsigned place);
