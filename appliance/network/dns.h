/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DHCP and DNS of one nat network: a dnsmasq(8) that answers the cards it was told of, and nobody else.
 *
 * It runs as a user of its own with three capabilities, as a child that ends with this process and is started again when it
 * ends by itself. A new daemon starts its own: leases are no secret that would be lost, since the address book decides.
 *
 * Owner: the main thread, which runs the main loop.
 */
#pragma once

#include "appliance/network/subnet.h"

typedef struct NetworkDns NetworkDns;

typedef struct {
    const char *folder; /* of its own; its parents must be open to everybody (0755) */
    const char *bridge;
    NetworkSubnet subnet;
    const char *user;
    void (*report)(void *user, const char *message); /* or NULL */
    void *report_data;
} NetworkDnsOptions;

/* It starts with the first cards. Options are copied. */
NetworkDns *network_dns_new(const NetworkDnsOptions *options, GError **error);
void network_dns_free(NetworkDns *dns);

typedef struct {
    const char *mac;
    uint32_t address;
    const char *name; /* a host name (names.h), or NULL */
} NetworkDnsCard;
/* The cards there are now. */
bool network_dns_set_cards(NetworkDns *dns, const NetworkDnsCard *cards, unsigned n_cards, GError **error);

/* A sentence, or NULL: it runs. */
const char *network_dns_problem(NetworkDns *dns);

/* What it reads. Free them. */
char *network_dns_config(const NetworkDnsOptions *options);
char *network_dns_hosts(const NetworkDnsCard *cards, unsigned n_cards);
