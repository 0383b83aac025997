/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks and cards together: network.h says what for.
 *
 * A network is raised for its first card and lowered behind its last. Rules are made anew from all cards each time one
 * comes or goes; a card is on its bridge only while there are rules for it: they are there before it is plugged in, and go
 * when its interface is gone.
 */
#include "appliance/network/networks_private.h"

#include "appliance/network/counters.h"
#include "appliance/network/links.h"
#include "appliance/network/tap.h"
#include "appliance/network/watch.h"

#include <string.h>
#include <unistd.h>

static void
network_free(Network *network)
{
    g_free(network->id);
    g_free(network->bridge);
    g_free(network->problem);
    network_book_free(network->book);
    network_dns_free(network->dns);
    g_free(network);
}

static void
card_free(Card *card)
{
    g_free(card->desktop);
    g_free(card->mac);
    g_free(card->name);
    g_free(card);
}

void
network_plug_clear(NetworkPlug *plug)
{
    for (unsigned i = 0; i < plug->n_fds; i++)
        close(plug->fds[i]);
    g_free(plug->fds);
    g_free(plug->mac);
    g_free(plug->address);
    *plug = (NetworkPlug){0};
}

void
network_state_free(NetworkState *state)
{
    if (!state)
        return;
    g_free(state->id);
    g_free(state->interface);
    g_free(state->subnet);
    g_free(state->problem);
    g_free(state);
}

static bool
fail(GError **error, NetworkError code, const char *what)
{
    g_set_error_literal(error, NETWORK_ERROR, code, what);
    return false;
}

Networks *
networks_new(const NetworkOptions *options, GError **error)
{
    const char *range = options->nat_range ? options->nat_range : NETWORK_RANGE_DEFAULT;
    NetworkSubnet subnet;
    unsigned n_ports = 0;

    if (!network_subnet_parse(range, &subnet) || subnet.length > NETWORK_SUBNET_LENGTH || subnet.length < 8) {
        g_set_error(error, NETWORK_ERROR, NETWORK_ERROR_UNAVAILABLE,
                    "“%s” is no range for networks: it must be like 100.64.0.0/10, of a length from 8 to %u", range,
                    NETWORK_SUBNET_LENGTH);
        return NULL;
    }
    Networks *host = g_new0(Networks, 1);
    host->options = *options;
    host->runtime = g_strdup(options->runtime);
    host->state = g_strdup(options->state);
    host->dns_user = g_strdup(options->dns_user ? options->dns_user : "dnsmasq");
    while (options->host_ports && options->host_ports[n_ports])
        n_ports++;
    host->host_ports = g_new0(uint16_t, n_ports + 1);
    if (n_ports)
        memcpy(host->host_ports, options->host_ports, n_ports * sizeof(uint16_t));
    host->range = subnet;
    host->networks = g_ptr_array_new_with_free_func((GDestroyNotify)network_free);
    host->cards = g_ptr_array_new_with_free_func((GDestroyNotify)card_free);
    return host;
}

void
networks_free(Networks *host)
{
    if (!host)
        return;
    network_watch_free(host->watch);
    g_ptr_array_unref(host->cards);
    g_ptr_array_unref(host->networks);
    g_strfreev(host->routers);
    g_strfreev(host->uplinks);
    g_free(host->host_ports);
    g_free(host->dns_user);
    g_free(host->state);
    g_free(host->runtime);
    g_free(host);
}

void
networks_report(Networks *host, const char *message)
{
    if (host->options.report)
        host->options.report(host->options.user, message);
}

static Network *
find_network(Networks *host, const char *id)
{
    for (unsigned i = 0; i < host->networks->len; i++) {
        Network *network = host->networks->pdata[i];
        if (!strcmp(network->id, id))
            return network;
    }
    return NULL;
}

static Card *
find_card(Networks *host, const char *desktop, unsigned place)
{
    for (unsigned i = 0; i < host->cards->len; i++) {
        Card *card = host->cards->pdata[i];
        if (!strcmp(card->desktop, desktop) && card->place == place)
            return card;
    }
    return NULL;
}

/* ---- Rows */

static void
set_row(Network *network, const NetworkRow *row)
{
    network->type = row->type;
    network->vlan = row->vlan;
    g_free(network->bridge);
    network->bridge = g_strdup(row->bridge);
    network->isolated = row->isolated;
    network->gone = false;
}

/* Rules first where the change forbids something, and they are never what allows alone. */
static bool
set_isolation(Networks *host, Network *network, GError **error)
{
    g_autoptr(GString) lines = g_string_new(NULL);

    for (unsigned i = 0; i < host->cards->len; i++) {
        const Card *card = host->cards->pdata[i];
        if (card->network == network && if_nametoindex(card->tap))
            network_links_isolate(lines, card->tap, network->isolated);
    }
    return networks_load_rules(host, error) && network_links_run(lines, error) &&
           networks_tell_dns(host, network, error);
}

static bool
has_row(const NetworkRow *rows, unsigned n_rows, const char *id)
{
    for (unsigned i = 0; i < n_rows; i++)
        if (!strcmp(rows[i].id, id))
            return true;
    return false;
}

/* Address books of networks that are gone. */
static void
forget_books(Networks *host, const NetworkRow *rows, unsigned n_rows)
{
    g_autoptr(GDir) folder = g_dir_open(host->state, 0, NULL);
    const char *name;

    while (folder && (name = g_dir_read_name(folder))) {
        g_autofree char *path = g_build_filename(host->state, name, NULL);
        if (network_id_valid(name) && !has_row(rows, n_rows, name) && !find_network(host, name))
            unlink(path);
    }
}

bool
networks_set_rows(Networks *host, const NetworkRow *rows, unsigned n_rows, GError **error)
{
    g_autoptr(GPtrArray) before = g_steal_pointer(&host->networks);
    bool done = true;

    for (unsigned i = 0; i < n_rows; i++)
        if (!network_id_valid(rows[i].id)) {
            host->networks = g_steal_pointer(&before);
            return fail(error, NETWORK_ERROR_FAILED, "a network's id is no UUID in lower case");
        }
    host->networks = g_ptr_array_new_with_free_func((GDestroyNotify)network_free);
    for (unsigned i = 0; i < n_rows; i++) {
        unsigned k = 0;
        while (k < before->len && strcmp(((Network *)before->pdata[k])->id, rows[i].id))
            k++;
        Network *network = k < before->len ? g_ptr_array_steal_index(before, k) : g_new0(Network, 1);
        bool changed = network->n_cards && network->isolated != rows[i].isolated;
        if (!network->id)
            network->id = g_strdup(rows[i].id);
        /* What people cannot change of a network is not changed under its cards. */
        if (network->n_cards)
            network->isolated = rows[i].isolated, network->gone = false;
        else
            set_row(network, &rows[i]);
        g_ptr_array_add(host->networks, network);
        if (changed && network_is_managed(network))
            done = set_isolation(host, network, done ? error : NULL) && done;
    }
    while (before->len) {
        Network *network = g_ptr_array_steal_index(before, before->len - 1);
        network->gone = true;
        if (network->n_cards)
            g_ptr_array_add(host->networks, network);
        else
            network_free(network);
    }
    forget_books(host, rows, n_rows);
    return done;
}

/* ---- Cards */

static bool
mac_in_use(void *user, const char *mac)
{
    Networks *host = user;

    for (unsigned i = 0; i < host->cards->len; i++)
        if (!strcmp(((Card *)host->cards->pdata[i])->mac, mac))
            return true;
    return false;
}

/* Checked, and what was left open chosen. Not among the cards yet. */
static Card *
make_card(Networks *host, const NetworkCard *from, GError **error)
{
    if (!network_id_valid(from->desktop) || from->place > 7 || (from->mac && !network_mac_valid(from->mac))) {
        fail(error, NETWORK_ERROR_FAILED,
             "a card needs a desktop's id, a place from 0 to 7, and no or a proper MAC address");
        return NULL;
    }
    Network *network = find_network(host, from->network);
    if (!network) {
        fail(error, NETWORK_ERROR_UNKNOWN, "there is no such network");
        return NULL;
    }
    g_autofree char *mac = from->mac ? g_strdup(from->mac) : network_card_mac(from->desktop, from->place);
    if (find_card(host, from->desktop, from->place) || mac_in_use(host, mac)) {
        g_set_error(error, NETWORK_ERROR, NETWORK_ERROR_TAKEN, "a card with the MAC address %s is plugged in already",
                    mac);
        return NULL;
    }
    Card *card = g_new0(Card, 1);
    card->desktop = g_strdup(from->desktop);
    card->place = from->place;
    card->network = network;
    card->mac = g_steal_pointer(&mac);
    card->name = g_strdup(from->name);
    network_card_name(card->desktop, card->place, card->tap);
    return card;
}

static bool
give_address(Networks *host, Card *card, GError **error)
{
    unsigned place;

    if (card->network->type != NETWORK_NAT)
        return true;
    if (!network_book_place(card->network->book, card->mac, mac_in_use, host, &place, error))
        return false;
    card->address = network_subnet_place(&card->network->subnet, place);
    return true;
}

static void
add_card(Networks *host, Card *card)
{
    g_ptr_array_add(host->cards, card);
    card->network->n_cards++;
}

/* It is gone from the host already, or the host's side is without it. */
static void
drop_card(Networks *host, Card *card)
{
    Network *network = card->network;

    g_ptr_array_remove(host->cards, card);
    network->n_cards--;
    if (network->n_cards == 0 && network->up)
        networks_lower(host, network);
    if (network->n_cards == 0 && network->gone)
        g_ptr_array_remove(host->networks, network);
}

static bool
tell_dns_of_all(Networks *host, GError **error)
{
    bool done = true;

    for (unsigned i = 0; i < host->networks->len; i++)
        done = networks_tell_dns(host, host->networks->pdata[i], done ? error : NULL) && done;
    return done;
}

/* What the host is told of cards and networks as a whole, when they have become fewer. */
static void
settle(Networks *host)
{
    g_autoptr(GError) error = NULL;

    if (!host->ruled)
        return;
    if (!networks_set_forwarding(host, &error) || !networks_load_rules(host, &error))
        networks_report(host, error->message);
    g_clear_error(&error);
    if (!tell_dns_of_all(host, &error))
        networks_report(host, error->message);
}

static void
connect_card(GString *lines, const Card *card, unsigned mtu)
{
    g_autofree char *alias = network_card_alias(card->desktop, card->place);

    networks_leave_without_ipv6(card->tap);
    network_links_set_card(lines, card->tap, alias, card->mac, card->network->interface, mtu, card->network->isolated);
}

static void
remove_links_of(Networks *host, const char *desktop)
{
    for (unsigned i = 0; i < host->cards->len; i++) {
        const Card *card = host->cards->pdata[i];
        if (!strcmp(card->desktop, desktop) && network_is_managed(card->network))
            networks_remove_link(host, card->tap);
    }
}

/* Interfaces first: a card without rules is off its bridge. Whether there was one. */
static bool
drop_cards_of(Networks *host, const char *desktop)
{
    bool any = false;

    remove_links_of(host, desktop);
    for (unsigned i = host->cards->len; i-- > 0;) {
        Card *card = host->cards->pdata[i];
        if (!strcmp(card->desktop, desktop)) {
            any |= network_is_managed(card->network);
            drop_card(host, card);
        }
    }
    return any;
}

static bool
plug_tap(Networks *host, Card *card, unsigned n_queues, NetworkPlug *plug, GError **error)
{
    g_autofree int *fds = g_new(int, n_queues);
    g_autoptr(GString) lines = g_string_new(NULL);
    unsigned mtu = network_mtu(card->network->interface);

    if (!give_address(host, card, error))
        return false;
    if (!mtu) {
        g_set_error(error, NETWORK_ERROR, NETWORK_ERROR_UNAVAILABLE, "the bridge %s is gone", card->network->interface);
        return false;
    }
    if (!network_tap_open(card->tap, n_queues, fds, error))
        return false;
    plug->fds = g_steal_pointer(&fds);
    plug->n_fds = n_queues;
    plug->backend = "tap";
    plug->mtu = MIN(mtu, UINT16_MAX);
    connect_card(lines, card, mtu);
    /* The order matters: rules before it is on a bridge. */
    return networks_load_rules(host, error) && networks_tell_dns(host, card->network, error) &&
           network_links_run(lines, error);
}

bool
networks_plug(Networks *host, const NetworkCard *from, unsigned n_queues, NetworkPlug *plug, GError **error)
{
    g_auto(NetworkPlug) made = {.backend = "passt"};
    Card *card = make_card(host, from, error);

    g_assert(n_queues >= 1 && n_queues <= NETWORK_QUEUES_MAX);
    if (!card)
        return false;
    add_card(host, card);
    if (!networks_raise(host, card->network, error) ||
        (network_is_managed(card->network) && !plug_tap(host, card, n_queues, &made, error))) {
        network_plug_clear(&made); /* and with it the interface */
        drop_card(host, card);
        settle(host);
        return false;
    }
    made.mac = g_strdup(card->mac);
    if (card->network->type == NETWORK_NAT)
        made.address = network_address_text(card->address);
    *plug = made;
    made = (NetworkPlug){0};
    return true;
}

void
networks_unplug(Networks *host, const char *desktop)
{
    if (drop_cards_of(host, desktop))
        settle(host);
}

/* ---- After a restart */

/* Of ours that runs: the interface of that name is there, and is it. */
static bool
still_there(const Card *card, const GPtrArray *links)
{
    g_autofree char *alias = network_card_alias(card->desktop, card->place);
    const NetworkLink *link = network_links_find(links, card->tap);

    return link && !g_strcmp0(link->alias, alias);
}

static bool
take_up(Networks *host, const NetworkCard *from, const GPtrArray *links, GError **error)
{
    Card *card = find_card(host, from->desktop, from->place);

    if (card) /* called once more */
        return true;
    card = make_card(host, from, error);
    if (!card)
        return false;
    if (network_is_managed(card->network) && !still_there(card, links)) {
        card_free(card);
        return true;
    }
    add_card(host, card);
    if (networks_raise(host, card->network, error) && give_address(host, card, error))
        return true;
    drop_card(host, card);
    return false;
}

static bool
is_wanted(Networks *host, const NetworkLink *link)
{
    for (unsigned i = 0; i < host->cards->len; i++) {
        const Card *card = host->cards->pdata[i];
        if (network_is_managed(card->network) && !strcmp(card->tap, link->name))
            return true;
    }
    for (unsigned i = 0; i < host->networks->len; i++) {
        const Network *network = host->networks->pdata[i];
        NetworkName uplink;
        network_uplink_name(network->id, uplink);
        if (network->up && (!strcmp(network->interface, link->name) || !strcmp(uplink, link->name)))
            return true;
    }
    return false;
}

/* What a daemon before this one has left. */
static void
clear_leftovers(Networks *host, const GPtrArray *links)
{
    for (unsigned i = 0; i < links->len; i++) {
        const NetworkLink *link = links->pdata[i];
        if (!network_link_is_ours(link) || is_wanted(host, link))
            continue;
        g_autofree char *message =
            g_strdup_printf("%s (%s) belonged to nothing and was removed", link->name, link->alias);
        networks_remove_link(host, link->name);
        networks_report(host, message);
    }
}

static bool
connect_cards(Networks *host, GError **error)
{
    g_autoptr(GString) lines = g_string_new(NULL);

    for (unsigned i = 0; i < host->cards->len; i++) {
        const Card *card = host->cards->pdata[i];
        unsigned mtu = network_is_managed(card->network) ? network_mtu(card->network->interface) : 0;
        if (mtu && if_nametoindex(card->tap))
            connect_card(lines, card, mtu);
    }
    return network_links_run(lines, error);
}

/* A host that nothing was done to is not looked at more closely than this. */
static bool
has_traces(Networks *host)
{
    return g_file_test(host->runtime, G_FILE_TEST_IS_DIR);
}

bool
networks_adopt(Networks *host, const NetworkCard *cards, unsigned n_cards, GError **error)
{
    g_autoptr(GPtrArray) links = NULL;
    bool done = true;

    if (!host->options.manage || (!n_cards && !has_traces(host)))
        return true;
    links = network_links_look(error);
    if (!links)
        return false;
    for (unsigned i = 0; i < n_cards; i++)
        done = take_up(host, &cards[i], links, done ? error : NULL) && done;
    clear_leftovers(host, links);
    /* What can be done for the others is done. */
    done = networks_set_forwarding(host, done ? error : NULL) && done;
    done = networks_load_rules(host, done ? error : NULL) && done;
    done = connect_cards(host, done ? error : NULL) && done;
    return tell_dns_of_all(host, done ? error : NULL) && done;
}

/* ---- What there is */

bool
networks_counters(Networks *host, const char *desktop, uint64_t *received, uint64_t *sent)
{
    g_autofree char *text = NULL;
    uint64_t to_host, from_host, in = 0, out = 0;
    bool any = false;

    if (!g_file_get_contents("/proc/net/dev", &text, NULL, NULL))
        return false;
    for (unsigned i = 0; i < host->cards->len; i++) {
        const Card *card = host->cards->pdata[i];
        if (strcmp(card->desktop, desktop) || !network_is_managed(card->network))
            continue;
        if (network_counters_find(text, card->tap, &to_host, &from_host)) {
            in += from_host;
            out += to_host;
            any = true;
        }
    }
    if (any)
        *received = in, *sent = out;
    return any;
}

GPtrArray *
networks_states(Networks *host)
{
    GPtrArray *states = g_ptr_array_new_with_free_func((GDestroyNotify)network_state_free);

    for (unsigned i = 0; i < host->networks->len; i++) {
        const Network *network = host->networks->pdata[i];
        NetworkState *state = g_new0(NetworkState, 1);
        if (network->gone) {
            g_free(state);
            continue;
        }
        state->id = g_strdup(network->id);
        state->n_cards = network->n_cards;
        if (network->up) {
            state->interface = g_strdup(network->interface);
            state->subnet = network->type == NETWORK_NAT ? network_subnet_text(&network->subnet) : NULL;
        }
        state->problem = g_strdup(network->dns && network_dns_problem(network->dns) ? network_dns_problem(network->dns)
                                                                                    : network->problem);
        g_ptr_array_add(states, state);
    }
    return states;
}
