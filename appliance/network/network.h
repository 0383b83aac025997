/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's side of desktops' network cards: what a card is plugged into, and who may talk to whom there.
 *
 * A network is a row of the store; a card is one of a desktop that runs. Given both, this room makes what the host needs
 * (bridges, VLANs, addresses, a DHCP and DNS server, firewall rules) and takes it away again: a network is there while a
 * card is plugged into it, and all that is there is a function of the rows and the cards. A host on which no network of
 * the types nat, bridge and vlan has a card is not touched.
 *
 *     type     its cards are on
 *     nat      a bridge of this room's with addresses of its own; what the host's default route goes through is the
 *              outside, which sees the host's address
 *     bridge   a bridge that the host has, with whatever is behind it
 *     vlan     one VLAN of such a bridge
 *     passt    passt(1), which carrel-vmm starts by itself and which needs nothing of the host
 *
 * Whatever the type (but passt, where the kernel's own rules hold): a card sends from its own MAC address only, on nat from
 * its own IPv4 address only; it is no DHCP server and no router; desktops do not reach the host, but for DHCP and DNS on
 * nat and the ports of NetworkOptions; desktops of an isolated network do not reach one another.
 *
 * A tap interface lives as long as somebody holds it open, so it ends with its VMM, and outlives whoever plugged it in: a
 * daemon that starts again says which cards still are (networks_adopt()). There is one Networks in a network
 * namespace. What it made is known by names and an alias ("carrel card …"); what others made is never changed.
 *
 * Owner: the main thread. Calls run ip(8) and nft(8) and wait for them, some milliseconds.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define NETWORK_ERROR (network_error_quark())
GQuark network_error_quark(void);
typedef enum {
    NETWORK_ERROR_UNKNOWN,     /* no such network */
    NETWORK_ERROR_UNAVAILABLE, /* this host cannot: no such bridge, a program missing, networks switched off */
    NETWORK_ERROR_TAKEN,       /* an interface, a MAC address, a VLAN or all addresses are somebody else's already */
    NETWORK_ERROR_FAILED,      /* what ip or nft said */
} NetworkError;

typedef enum { NETWORK_NAT, NETWORK_BRIDGE, NETWORK_VLAN, NETWORK_PASST } NetworkType;
/* As the store has it: "nat", "bridge", "vlan", "passt"; false for any other word. */
bool network_type_from_name(const char *name, NetworkType *type);

/* A network, as the store has it. Copied where it is given. */
typedef struct {
    const char *id; /* a UUID, lower case */
    NetworkType type;
    const char *bridge; /* of bridge and vlan, else NULL */
    unsigned vlan;      /* of vlan: 1 to 4094 */
    bool isolated;
} NetworkRow;

/* A card of a desktop's. Copied where it is given. */
typedef struct {
    const char *desktop; /* a UUID, lower case */
    unsigned place;      /* 0 to 7: which of the desktop's cards */
    const char *network; /* a row's id */
    const char *mac;     /* "52:54:00:12:34:56", lower case, unicast; NULL: as network_card_mac() makes it */
    const char *name;    /* what people call the desktop; NULL: nothing. On nat its host name, unless isolated */
} NetworkCard;

/* Of a card for which none was chosen: always the same, locally administered. Free it. */
char *network_card_mac(const char *desktop, unsigned place);

#define NETWORK_QUEUES_MAX 64

/* How a card is plugged in. Zero it before; network_plug_clear() closes and frees what is in it. */
typedef struct {
    const char *backend; /* as carrel-desktop.conf(5) has it: "tap" or "passt" */
    int *fds; /* tap: a descriptor for each queue pair, close-on-exec; hand them to the VMM, then clear this */
    unsigned n_fds;
    char *mac;     /* that the guest's card must have */
    char *address; /* nat: the IPv4 address that DHCP gives it; else NULL */
    uint16_t mtu;  /* to tell the guest; 0: nothing to tell */
} NetworkPlug;
void network_plug_clear(NetworkPlug *plug);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(NetworkPlug, network_plug_clear)

typedef struct {
    /* False: nothing of the host's is touched, and only networks of the type passt work. */
    bool manage;
    const char *runtime;   /* a folder for what may be gone at the next boot: "/run/carrel/network". Made if missing */
    const char *state;     /* a folder for address books: "/var/lib/carrel/network". Made if missing */
    const char *nat_range; /* from which nat networks get a /20 each; NULL: "100.64.0.0/10" */
    const char *dns_user;  /* who dnsmasq(8) runs as; NULL: "dnsmasq" */
    /* TCP ports of the host that desktops may reach, ends with 0; NULL: none. */
    const uint16_t *host_ports;
    /*
     * One line for the log: what was cleared away, or what stopped working and is tried again. Main thread; may be
     * NULL.
     */
    void (*report)(void *user, const char *message);
    void *user;
} NetworkOptions;

typedef struct Networks Networks;

/* Changes nothing yet. Needs CAP_NET_ADMIN from the first card on. NULL: an option is wrong. */
Networks *networks_new(const NetworkOptions *options, GError **error);
/* Leaves networks and cards as they are, but for DHCP and DNS: desktops run on, and networks_adopt() goes on. */
void networks_free(Networks *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Networks, networks_free)

/*
 * The networks there are now; call it first, and after each change of them. A change of `isolated` reaches cards that are
 * plugged in at once. Networks that still have cards stay until those are gone, whatever the rows say.
 */
bool networks_set_rows(Networks *host, const NetworkRow *rows, unsigned n_rows, GError **error);

/*
 * Once, behind the first networks_set_rows(): the cards of desktops that run already. Makes everything as it must
 * be for these, mends what is missing, and clears away what belongs to none of them, cards included. A card whose
 * interface is gone is plugged in no more. On failure some of it may be done; it may be called again.
 */
bool networks_adopt(Networks *host, const NetworkCard *cards, unsigned n_cards, GError **error);

/*
 * Plugs a card in, with @n_queues queue pairs, 1 to NETWORK_QUEUES_MAX. A card that is plugged in already is TAKEN. On
 * failure nothing is left of it.
 */
bool networks_plug(Networks *host, const NetworkCard *card, unsigned n_queues, NetworkPlug *plug, GError **error);
/* Of a desktop that runs no more, or before it runs: all of its cards. Nothing happens if it has none. */
void networks_unplug(Networks *host, const char *desktop);

/* Bytes since its cards were plugged in, as the desktop sees them; false: it has none with figures. */
bool networks_counters(Networks *host, const char *desktop, uint64_t *received, uint64_t *sent);

/* How a network is on this host. */
typedef struct {
    char *id;
    char *interface; /* the bridge its cards are on; NULL: there is none now */
    char *subnet;    /* nat: "100.64.16.0/20" */
    char *problem;   /* a sentence of what does not work; NULL: nothing */
    unsigned n_cards;
} NetworkState;
void network_state_free(NetworkState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetworkState, network_state_free)
/* Of each row, in the order they were given: an array of NetworkState. */
GPtrArray *networks_states(Networks *host);
