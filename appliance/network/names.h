/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this room's interfaces are called, and how they are known to be ours.
 *
 * An interface's name has room for 15 characters: two letters, the last twelve digits of a UUID, for a card its place.
 * Ids may agree in those, and anybody may call an interface so; the alias, which has the whole id, decides whose it is.
 *
 * Functions without state: any thread.
 */
#pragma once

#include "appliance/network/network.h"

#include <net/if.h>

typedef char NetworkName[IFNAMSIZ];

void network_bridge_name(const char *network, NetworkName name);               /* cn 0242ac120002 */
void network_uplink_name(const char *network, NetworkName name);               /* cv 0242ac120002 */
void network_card_name(const char *desktop, unsigned place, NetworkName name); /* ct 0242ac120002 0 */

/* All aliases of ours begin so. Free what the functions return. */
#define NETWORK_ALIAS "carrel "
char *network_bridge_alias(const char *network);
char *network_uplink_alias(const char *network);
char *network_card_alias(const char *desktop, unsigned place);

/* Whether it is a UUID in lower case; whether it may stand for an interface where ip and nft read it. */
bool network_id_valid(const char *id);
bool network_interface_valid(const char *name);
/* Whether it is a unicast address in lower case. */
bool network_mac_valid(const char *mac);
/* A fixed unicast address, locally administered, made from a text. Free it. */
char *network_mac_from(const char *text);
/* What is left of it as a host name: letters, digits and hyphens, at most 63; NULL: nothing. Free it. */
char *network_dns_name(const char *name);
