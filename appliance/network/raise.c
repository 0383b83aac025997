/* SPDX-License-Identifier: Apache-2.0 */
/* A network's own part of the host: its bridge, VLAN, subnet, DHCP and DNS server, made and taken away. */
#include "appliance/network/networks_private.h"

#include "appliance/network/links.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

static bool
fail(GError **error, NetworkError code, const char *what)
{
    g_set_error_literal(error, NETWORK_ERROR, code, what);
    return false;
}

/* What is reached elsewhere already: routes that are not of our own bridges, and our other networks. */
static GArray *
taken_subnets(Networks *host, const Network *except, GError **error)
{
    g_autoptr(GArray) taken = g_array_new(FALSE, FALSE, sizeof(NetworkSubnet));
    g_autoptr(GPtrArray) routes = network_routes_look(error);
    NetworkName own;

    if (!routes)
        return NULL;
    network_bridge_name(except->id, own);
    for (unsigned i = 0; i < routes->len; i++) {
        const NetworkRoute *route = routes->pdata[i];
        if (route->to.length && g_strcmp0(route->through, own))
            g_array_append_val(taken, route->to);
    }
    for (unsigned i = 0; i < host->networks->len; i++) {
        const Network *other = host->networks->pdata[i];
        if (other != except && other->up && other->type == NETWORK_NAT)
            g_array_append_val(taken, other->subnet);
    }
    return g_steal_pointer(&taken);
}

/* That which its bridge has already, since cards may use it; else one that is free. */
static bool
choose_subnet(Networks *host, Network *network, const NetworkLink *bridge, GError **error)
{
    g_autoptr(GArray) taken = NULL;

    for (unsigned i = 0; bridge && i < bridge->addresses->len; i++) {
        NetworkSubnet has = g_array_index(bridge->addresses, NetworkSubnet, i);
        has.address--;
        if (network_subnet_possible(&host->range, &has)) {
            network->subnet = has;
            return true;
        }
    }
    taken = taken_subnets(host, network, error);
    if (!taken)
        return false;
    return network_subnet_choose(&host->range, network->id, taken, &network->subnet) ||
           fail(error, NETWORK_ERROR_TAKEN,
                "no range of addresses is free for the network: this host has routes to all of nat-range; choose "
                "another");
}

/* Interfaces of ours get no IPv6 address by themselves even if somebody's default says so. */
void
networks_leave_without_ipv6(const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
    FILE *file = fopen(path, "we");

    if (file) { /* no file: the host has no IPv6 */
        fputs("1", file);
        fclose(file);
    }
}

static bool
is_others(const NetworkLink *link, GError **error)
{
    if (!link || network_link_is_ours(link))
        return false;
    g_set_error(error, NETWORK_ERROR, NETWORK_ERROR_TAKEN, "the interface %s is not Carrel's: rename it", link->name);
    return true;
}

/* The network's own bridge, made if there is none. */
static bool
raise_bridge(Network *network, const GPtrArray *links, GError **error)
{
    g_autoptr(GString) lines = g_string_new(NULL);
    const NetworkLink *bridge;
    NetworkName name;

    network_bridge_name(network->id, name);
    bridge = network_links_find(links, name);
    if (is_others(bridge, error))
        return false;
    /* From here on it is ours, to be removed too. */
    memcpy(network->interface, name, sizeof(name));
    if (!bridge)
        network_links_make_bridge(lines, network->id);
    if (!network_links_run(lines, error))
        return false;
    networks_leave_without_ipv6(network->interface);
    return true;
}

static bool
raise_nat(Networks *host, Network *network, const GPtrArray *links, GError **error)
{
    g_autoptr(GString) lines = g_string_new(NULL);
    g_autofree char *book = g_build_filename(host->state, network->id, NULL);
    g_autofree char *folder = g_build_filename(host->runtime, network->id, NULL);

    if (!raise_bridge(network, links, error))
        return false;
    if (!choose_subnet(host, network, network_links_find(links, network->interface), error))
        return false;
    network_links_give_address(lines, network->interface, network_subnet_gateway(&network->subnet),
                               network->subnet.length);
    g_string_append_printf(lines, "link set dev %s up\n", network->interface);
    if (!network_links_run(lines, error))
        return false;
    NetworkDnsOptions options = {folder,         network->interface,   network->subnet,
                                 host->dns_user, host->options.report, host->options.user};
    network->dns = network_dns_new(&options, error);
    if (!network->dns)
        return false;
    network->book = network_book_new(book, network_subnet_places(&network->subnet));
    return true;
}

/* The bridge of the host's that a row names. */
static const NetworkLink *
find_hosts_bridge(const Network *network, const GPtrArray *links, GError **error)
{
    const NetworkLink *bridge =
        network_interface_valid(network->bridge) ? network_links_find(links, network->bridge) : NULL;

    if (bridge && !g_strcmp0(bridge->kind, "bridge") && !network_link_is_ours(bridge))
        return bridge;
    g_set_error(error, NETWORK_ERROR, NETWORK_ERROR_UNAVAILABLE, "this host has no bridge “%s” of its own: %s",
                network->bridge,
                bridge ? "the interface of that name is no bridge" : "make it in the host's network configuration");
    return NULL;
}

static bool
raise_vlan(Network *network, const GPtrArray *links, GError **error)
{
    g_autoptr(GString) lines = g_string_new(NULL);
    const NetworkLink *bridge = find_hosts_bridge(network, links, error), *uplink;
    NetworkName name;

    if (!bridge || !raise_bridge(network, links, error))
        return false;
    network_uplink_name(network->id, name);
    uplink = network_links_find(links, name);
    if (is_others(uplink, error))
        return false;
    network->has_uplink = true;
    if (!uplink)
        network_links_make_uplink(lines, network->id, bridge->name, network->vlan);
    g_string_append_printf(lines, "link set dev %s up\n", network->interface);
    return network_links_run(lines, error);
}

static bool
raise_type(Networks *host, Network *network, GError **error)
{
    g_autoptr(GPtrArray) links = network_links_look(error);
    const NetworkLink *bridge;

    if (!links)
        return false;
    if (network->type == NETWORK_NAT)
        return raise_nat(host, network, links, error);
    if (network->type == NETWORK_VLAN)
        return raise_vlan(network, links, error);
    bridge = find_hosts_bridge(network, links, error);
    if (bridge)
        g_strlcpy(network->interface, bridge->name, sizeof(network->interface));
    return bridge;
}

/* Interfaces of its own; what is not there is no matter. */
void
networks_remove_link(Networks *host, const char *name)
{
    g_autoptr(GString) lines = g_string_new(NULL);
    g_autoptr(GError) error = NULL;

    if (!if_nametoindex(name))
        return;
    network_links_remove(lines, name);
    if (!network_links_run(lines, &error) && if_nametoindex(name))
        networks_report(host, error->message);
}

void
networks_lower(Networks *host, Network *network)
{
    NetworkName name;

    g_clear_pointer(&network->dns, network_dns_free);
    g_clear_pointer(&network->book, network_book_free);
    network->up = false;
    if (network->has_uplink) {
        network_uplink_name(network->id, name);
        networks_remove_link(host, name);
        network->has_uplink = false;
    }
    if (network->type != NETWORK_BRIDGE && network->interface[0])
        networks_remove_link(host, network->interface);
    network->interface[0] = 0;
}

static bool
make_folders(Networks *host, GError **error)
{
    if (g_mkdir_with_parents(host->runtime, 0755) == 0 && g_mkdir_with_parents(host->state, 0755) == 0)
        return true;
    g_set_error(error, NETWORK_ERROR, NETWORK_ERROR_FAILED, "%s and %s cannot be made: %s", host->runtime, host->state,
                g_strerror(errno));
    return false;
}

bool
networks_raise(Networks *host, Network *network, GError **error)
{
    GError *inner = NULL;

    if (network->up || !network_is_managed(network))
        return true;
    if (!host->options.manage)
        return fail(error, NETWORK_ERROR_UNAVAILABLE,
                    "this host is configured to leave its networks alone: only networks of the type passt work here");
    g_clear_pointer(&network->problem, g_free);
    if (make_folders(host, &inner) && raise_type(host, network, &inner)) {
        network->up = true;
        if (network->type != NETWORK_NAT || networks_set_forwarding(host, &inner))
            return true;
    }
    network->problem = g_strdup(inner->message);
    g_propagate_error(error, inner);
    networks_lower(host, network);
    return false;
}
