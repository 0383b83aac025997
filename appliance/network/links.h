/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's interfaces and routes, as ip(8) tells of them, and what to tell ip to have them as they must be.
 *
 * Functions without state but for the two that look: any thread. What is made into text are names and addresses that were
 * checked before (names.h).
 */
#pragma once

#include "appliance/network/names.h"
#include "appliance/network/subnet.h"

typedef struct {
    char *name;
    char *alias;       /* or NULL, as the next two */
    char *master;      /* the bridge it is a port of */
    char *kind;        /* "bridge", "vlan", "tun" */
    bool filters;      /* of a bridge: it keeps VLANs apart by itself */
    GArray *addresses; /* NetworkSubnet: IPv4, each with its own bits but the length of its subnet */
} NetworkLink;

/* Of NetworkLink. */
GPtrArray *network_links_look(GError **error);
GPtrArray *network_links_parse(const char *json, GError **error);
const NetworkLink *network_links_find(const GPtrArray *links, const char *name);

/* Whether this room made it: the alias says so, and it is called as what the alias tells is called. */
bool network_link_is_ours(const NetworkLink *link);

typedef struct {
    NetworkSubnet to; /* of length 0: the default route */
    char *through;    /* an interface, or NULL */
    bool main;        /* of the main table */
} NetworkRoute;

/* IPv4, of every table. */
GPtrArray *network_routes_look(GError **error);
GPtrArray *network_routes_parse(const char *json, GError **error);

/* Lines for ip -batch. */
bool network_links_run(const GString *lines, GError **error);
void network_links_make_bridge(GString *lines, const char *network);
/* @address: in the subnet of that length. */
void network_links_give_address(GString *lines, const char *name, uint32_t address, unsigned length);
/* One VLAN of a bridge, as a port of the network's. */
void network_links_make_uplink(GString *lines, const char *network, const char *bridge, unsigned vlan);
/* @mac: the guest's. */
void network_links_set_card(GString *lines, const char *tap, const char *alias, const char *mac, const char *bridge,
                            unsigned mtu, bool isolated);
void network_links_isolate(GString *lines, const char *tap, bool isolated);
void network_links_remove(GString *lines, const char *name);
