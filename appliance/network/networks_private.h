/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of Networks share: its data, and the two that know the host. Owner: the main thread. */
#pragma once

#include "appliance/network/book.h"
#include "appliance/network/dns.h"
#include "appliance/network/names.h"
#include "appliance/network/subnet.h"

typedef struct {
    char *id;
    NetworkType type;
    char *bridge;
    unsigned vlan;
    bool isolated;
    bool gone; /* no row any more, but cards */
    unsigned n_cards;

    bool up;
    char interface[IFNAMSIZ]; /* of what is up: the bridge that cards are on */
    bool has_uplink;          /* vlan */
    NetworkSubnet subnet;     /* nat, as the next two */
    NetworkBook *book;
    NetworkDns *dns;
    char *problem; /* of its last raising */
} Network;

typedef struct {
    char *desktop;
    unsigned place;
    Network *network;
    char *mac;
    char *name;
    NetworkName tap; /* not of passt */
    uint32_t address;
} Card;

struct Networks {
    NetworkOptions options;
    char *runtime, *state, *dns_user;
    uint16_t *host_ports;
    NetworkSubnet range;
    GPtrArray *networks;        /* Network, rows first, in their order */
    GPtrArray *cards;           /* Card */
    char **uplinks;             /* through which default routes go */
    char **routers;             /* interfaces that forward because of us */
    struct NetworkWatch *watch; /* from the first rules on */
    bool ruled;                 /* there may be rules of ours */
};

static inline bool
network_is_managed(const Network *network)
{
    return network->type != NETWORK_PASST;
}

void networks_report(Networks *host, const char *message);

/* Makes a network's own interfaces and addresses, if it is not up. On failure it is down, and knows why. (raise.c) */
bool networks_raise(Networks *host, Network *network, GError **error);
/* Of a network without cards. */
void networks_lower(Networks *host, Network *network);
/* Deletes an interface if there is one. */
void networks_remove_link(Networks *host, const char *name);

/* Tells the host who may talk to whom, by the cards and networks there are now. (guard.c) */
bool networks_load_rules(Networks *host, GError **error);
/* Which interfaces forward. Before the rules, which name those that do because of us. */
bool networks_set_forwarding(Networks *host, GError **error);
/* The network's DHCP and DNS server, if it has one, which cards there are. */
bool networks_tell_dns(Networks *host, Network *network, GError **error);
/* Its interface gets no IPv6 address by itself, even if somebody's default says so. */
void networks_leave_without_ipv6(const char *interface);
