/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may talk to whom, as text for nft(8): two tables of ours, "bridge carrel" and "inet carrel", replaced as a whole in
 * one transaction. The rules are always the same; what there is of networks and cards is elements of their sets.
 *
 * A function without state: any thread. Names, addresses and MAC addresses were checked before (names.h).
 */
#pragma once

#include "appliance/network/subnet.h"

/* A nat network. */
typedef struct {
    const char *bridge;
    NetworkSubnet subnet;
    bool isolated;
} NetworkRulesNat;

typedef struct {
    const char *tap;
    const char *mac;
    bool isolated;
    bool nat;
    uint32_t address; /* of nat: the only one it may have */
} NetworkRulesCard;

typedef struct {
    const NetworkRulesNat *nats;
    unsigned n_nats;
    const NetworkRulesCard *cards;
    unsigned n_cards;
    const char *const *uplinks; /* where nat networks reach out to; NULL: nowhere */
    const char *const *routers; /* interfaces that forward only because of us; NULL: none */
    const uint16_t *host_ports; /* ends with 0; NULL: none */
} NetworkRules;

/* Free it. With neither networks nor cards: no tables. */
char *network_rules_text(const NetworkRules *rules);
