/* SPDX-License-Identifier: Apache-2.0 */
/* Who may talk to whom, who forwards, who gets which address: told to nft(8), the kernel and dnsmasq(8). */
#include "appliance/network/networks_private.h"

#include "appliance/network/command.h"
#include "appliance/network/forwarding.h"
#include "appliance/network/links.h"
#include "appliance/network/rules.h"
#include "appliance/network/watch.h"

#include <string.h>

static char *
make_rules(Networks *host)
{
    g_autoptr(GArray) nats = g_array_new(FALSE, FALSE, sizeof(NetworkRulesNat));
    g_autoptr(GArray) cards = g_array_new(FALSE, FALSE, sizeof(NetworkRulesCard));

    for (unsigned i = 0; i < host->networks->len; i++) {
        const Network *network = host->networks->pdata[i];
        NetworkRulesNat nat = {network->interface, network->subnet, network->isolated};
        if (network->up && network->type == NETWORK_NAT)
            g_array_append_val(nats, nat);
    }
    for (unsigned i = 0; i < host->cards->len; i++) {
        const Card *card = host->cards->pdata[i];
        NetworkRulesCard rule = {card->tap, card->mac, card->network->isolated, card->network->type == NETWORK_NAT,
                                 card->address};
        if (network_is_managed(card->network))
            g_array_append_val(cards, rule);
    }
    NetworkRules rules = {
        .nats = (const NetworkRulesNat *)nats->data,
        .n_nats = nats->len,
        .cards = (const NetworkRulesCard *)cards->data,
        .n_cards = cards->len,
        .uplinks = (const char *const *)host->uplinks,
        .routers = (const char *const *)host->routers,
        .host_ports = host->host_ports,
    };
    return network_rules_text(&rules);
}

/* Those that default routes go through: where what nat networks' desktops send goes, and answers come from. */
static char **
find_uplinks(GError **error)
{
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) routes = network_routes_look(error);

    if (!routes)
        return NULL;
    for (unsigned i = 0; i < routes->len; i++) {
        const NetworkRoute *route = routes->pdata[i];
        if (route->main && route->to.length == 0 && network_interface_valid(route->through) &&
            strcmp(route->through, "lo") && g_hash_table_add(seen, route->through))
            g_strv_builder_add(names, route->through);
    }
    return g_strv_builder_end(names);
}

bool
networks_set_forwarding(Networks *host, GError **error)
{
    g_autofree char *file = g_build_filename(host->runtime, "forwarding", NULL);
    g_autoptr(GStrvBuilder) wanted = g_strv_builder_new();
    g_auto(GStrv) names = NULL, uplinks = g_new0(char *, 1);
    unsigned n_nats = 0;

    for (unsigned i = 0; i < host->networks->len; i++) {
        const Network *network = host->networks->pdata[i];
        if (network->up && network->type == NETWORK_NAT) {
            g_strv_builder_add(wanted, network->interface);
            n_nats++;
        }
    }
    if (n_nats) {
        g_strfreev(uplinks);
        uplinks = find_uplinks(error);
        if (!uplinks)
            return false;
        g_strv_builder_addv(wanted, (const char **)uplinks);
    }
    names = g_strv_builder_end(wanted);
    char **routers = network_forwarding_set(file, (const char *const *)names, error);
    if (!routers)
        return false;
    g_strfreev(host->routers);
    g_strfreev(host->uplinks);
    host->routers = routers;
    host->uplinks = g_steal_pointer(&uplinks);
    return true;
}

static bool
has_managed_cards(Networks *host)
{
    for (unsigned i = 0; i < host->cards->len; i++)
        if (network_is_managed(((const Card *)host->cards->pdata[i])->network))
            return true;
    return false;
}

/* A table that is not there makes nft fail. */
static bool
rules_are_there(Networks *host)
{
    static const char *const bridge[] = {"nft", "list", "table", "bridge", "carrel", NULL};
    static const char *const inet[] = {"nft", "list", "table", "inet", "carrel", NULL};
    bool nat = false;

    for (unsigned i = 0; i < host->networks->len; i++) {
        const Network *network = host->networks->pdata[i];
        nat |= network->up && network->type == NETWORK_NAT;
    }
    return network_command(bridge, NULL, NULL, NULL) && (!nat || network_command(inet, NULL, NULL, NULL));
}

/* Somebody has deleted tables or changed routes: ours, or what ours depend on, or neither. */
static void
on_change(void *user)
{
    Networks *host = user;
    g_autoptr(GError) error = NULL;

    if (!has_managed_cards(host))
        return;
    g_auto(GStrv) before = g_strdupv(host->uplinks);
    bool there = rules_are_there(host);
    bool done = networks_set_forwarding(host, &error);
    bool same =
        before && host->uplinks && g_strv_equal((const char *const *)before, (const char *const *)host->uplinks);
    if (done && (!there || !same))
        done = networks_load_rules(host, &error);
    if (!done)
        networks_report(host, error->message);
    else if (!there)
        networks_report(host, "somebody had deleted the firewall rules between desktops; they are there again");
}

bool
networks_load_rules(Networks *host, GError **error)
{
    g_autofree char *text = make_rules(host);

    host->ruled = true;
    if (!host->watch)
        host->watch = network_watch_new(on_change, host);
    return network_command((const char *const[]){"nft", "-f", "-", NULL}, text, NULL, error);
}

/* Desktops of an isolated network do not learn of each other by name. */
bool
networks_tell_dns(Networks *host, Network *network, GError **error)
{
    g_autoptr(GArray) cards = g_array_new(FALSE, FALSE, sizeof(NetworkDnsCard));
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

    if (!network->dns)
        return true;
    for (unsigned i = 0; i < host->cards->len; i++) {
        const Card *card = host->cards->pdata[i];
        if (card->network != network)
            continue;
        char *name = network->isolated ? NULL : network_dns_name(card->name);
        NetworkDnsCard entry = {card->mac, card->address, name};
        g_ptr_array_add(names, name);
        g_array_append_val(cards, entry);
    }
    return network_dns_set_cards(network->dns, (const NetworkDnsCard *)cards->data, cards->len, error);
}
