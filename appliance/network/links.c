/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/network/links.h"

#include "appliance/network/command.h"

#include <json-glib/json-glib.h>
#include <string.h>

static void
link_free(NetworkLink *link)
{
    g_free(link->name);
    g_free(link->alias);
    g_free(link->master);
    g_free(link->kind);
    g_array_unref(link->addresses);
    g_free(link);
}

static void
route_free(NetworkRoute *route)
{
    g_free(route->through);
    g_free(route);
}

/* The array of objects that ip prints. */
static JsonArray *
read_array(JsonParser *parser, const char *json, GError **error)
{
    g_autoptr(GError) inner = NULL;

    if (!json_parser_load_from_data(parser, *json ? json : "[]", -1, &inner)) {
        g_set_error(error, NETWORK_ERROR, NETWORK_ERROR_FAILED, "ip: what it says is not JSON: %s", inner->message);
        return NULL;
    }
    JsonNode *root = json_parser_get_root(parser);
    if (root && JSON_NODE_HOLDS_ARRAY(root))
        return json_node_get_array(root);
    g_set_error_literal(error, NETWORK_ERROR, NETWORK_ERROR_FAILED, "ip: what it says is no list");
    return NULL;
}

static const char *
text_of(JsonObject *object, const char *name)
{
    return object ? json_object_get_string_member_with_default(object, name, NULL) : NULL;
}

static JsonObject *
object_of(JsonObject *object, const char *name)
{
    JsonNode *node = object ? json_object_get_member(object, name) : NULL;
    return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

static void
read_addresses(NetworkLink *link, JsonObject *from)
{
    JsonNode *node = json_object_get_member(from, "addr_info");
    JsonArray *list = node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;

    for (unsigned i = 0; list && i < json_array_get_length(list); i++) {
        JsonObject *each = json_array_get_object_element(list, i);
        const char *local = text_of(each, "local");
        NetworkSubnet address;
        if (!g_strcmp0(text_of(each, "family"), "inet") && local && network_subnet_parse(local, &address)) {
            address.length = CLAMP(json_object_get_int_member_with_default(each, "prefixlen", 32), 0, 32);
            g_array_append_val(link->addresses, address);
        }
    }
}

static NetworkLink *
read_link(JsonObject *from)
{
    NetworkLink *link = g_new0(NetworkLink, 1);
    JsonObject *info = object_of(from, "linkinfo"), *data = object_of(info, "info_data");

    link->name = g_strdup(text_of(from, "ifname"));
    link->alias = g_strdup(text_of(from, "ifalias"));
    link->master = g_strdup(text_of(from, "master"));
    link->kind = g_strdup(text_of(info, "info_kind"));
    link->filters = data && json_object_get_int_member_with_default(data, "vlan_filtering", 0);
    link->addresses = g_array_new(FALSE, FALSE, sizeof(NetworkSubnet));
    read_addresses(link, from);
    return link;
}

GPtrArray *
network_links_parse(const char *json, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GPtrArray) links = g_ptr_array_new_with_free_func((GDestroyNotify)link_free);
    JsonArray *list = read_array(parser, json, error);

    if (!list)
        return NULL;
    for (unsigned i = 0; i < json_array_get_length(list); i++) {
        JsonObject *each = json_array_get_object_element(list, i);
        if (text_of(each, "ifname")) /* ip prints empty objects for what it filtered out */
            g_ptr_array_add(links, read_link(each));
    }
    return g_steal_pointer(&links);
}

GPtrArray *
network_links_look(GError **error)
{
    g_autofree char *json = NULL;

    if (!network_command((const char *const[]){"ip", "-json", "-details", "address", "show", NULL}, NULL, &json, error))
        return NULL;
    return network_links_parse(json, error);
}

const NetworkLink *
network_links_find(const GPtrArray *links, const char *name)
{
    for (unsigned i = 0; i < links->len; i++) {
        const NetworkLink *link = links->pdata[i];
        if (!strcmp(link->name, name))
            return link;
    }
    return NULL;
}

bool
network_link_is_ours(const NetworkLink *link)
{
    g_auto(GStrv) words = g_strsplit(link->alias ? link->alias : "", " ", 5);
    unsigned n = g_strv_length(words);
    NetworkName name = "";

    if (n < 3 || strcmp(words[0], "carrel") || !network_id_valid(words[2]))
        return false;
    if (n == 3 && !strcmp(words[1], "network"))
        network_bridge_name(words[2], name);
    else if (n == 3 && !strcmp(words[1], "uplink"))
        network_uplink_name(words[2], name);
    else if (n == 4 && !strcmp(words[1], "card") && strlen(words[3]) == 1 && g_ascii_isdigit(*words[3]))
        network_card_name(words[2], g_ascii_digit_value(*words[3]), name);
    return !strcmp(name, link->name);
}

static NetworkRoute *
read_route(JsonObject *from)
{
    const char *to = text_of(from, "dst");
    NetworkSubnet subnet = {0};

    if (!to || (strcmp(to, "default") && !network_subnet_parse(to, &subnet)))
        return NULL;
    NetworkRoute *route = g_new0(NetworkRoute, 1);
    route->to = subnet;
    route->through = g_strdup(text_of(from, "dev"));
    route->main = !text_of(from, "table") || !strcmp(text_of(from, "table"), "main");
    return route;
}

GPtrArray *
network_routes_parse(const char *json, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GPtrArray) routes = g_ptr_array_new_with_free_func((GDestroyNotify)route_free);
    JsonArray *list = read_array(parser, json, error);

    if (!list)
        return NULL;
    for (unsigned i = 0; i < json_array_get_length(list); i++) {
        NetworkRoute *route = read_route(json_array_get_object_element(list, i));
        if (route)
            g_ptr_array_add(routes, route);
    }
    return g_steal_pointer(&routes);
}

GPtrArray *
network_routes_look(GError **error)
{
    g_autofree char *json = NULL;

    if (!network_command((const char *const[]){"ip", "-json", "-4", "route", "show", "table", "all", NULL}, NULL, &json,
                         error))
        return NULL;
    return network_routes_parse(json, error);
}

bool
network_links_run(const GString *lines, GError **error)
{
    return !lines->len || network_command((const char *const[]){"ip", "-batch", "-", NULL}, lines->str, NULL, error);
}

void
network_links_make_bridge(GString *lines, const char *network)
{
    g_autofree char *alias = network_bridge_alias(network), *mac = network_mac_from(alias);
    NetworkName name;

    /* A port forwards at once, and there is nobody else's spanning tree in it. A fixed address: gateways are remembered. */
    network_bridge_name(network, name);
    g_string_append_printf(
        lines, "link add name %s address %s type bridge stp_state 0 forward_delay 0 mcast_snooping 0\n", name, mac);
    g_string_append_printf(lines, "link set dev %s alias \"%s\"\n", name, alias);
    /* The host has no business on it but what it is given: no address that it makes itself. */
    g_string_append_printf(lines, "link set dev %s addrgenmode none\n", name);
}

void
network_links_give_address(GString *lines, const char *name, uint32_t address, unsigned length)
{
    g_autofree char *text = network_address_text(address);
    g_string_append_printf(lines, "address replace %s/%u dev %s\n", text, length, name);
}

void
network_links_make_uplink(GString *lines, const char *network, const char *bridge, unsigned vlan)
{
    g_autofree char *alias = network_uplink_alias(network);
    NetworkName name, master;

    network_uplink_name(network, name);
    network_bridge_name(network, master);
    g_string_append_printf(lines, "link add link %s name %s type vlan id %u\n", bridge, name, vlan);
    g_string_append_printf(lines, "link set dev %s alias \"%s\"\n", name, alias);
    g_string_append_printf(lines, "link set dev %s addrgenmode none master %s up\n", name, master);
}

void
network_links_isolate(GString *lines, const char *tap, bool isolated)
{
    g_string_append_printf(lines, "link set dev %s type bridge_slave isolated %s\n", tap, isolated ? "on" : "off");
}

void
network_links_set_card(GString *lines, const char *tap, const char *alias, const char *mac, const char *bridge,
                       unsigned mtu, bool isolated)
{
    /*
     * A bridge takes the lowest of its ports' addresses for its own, unless it was given one: so the tap's is higher than
     * any card of the host's has. It is not the guest's, which the bridge would then take for the host.
     */
    const char *first = g_str_has_prefix(mac, "fe:") ? "fa" : "fe";

    g_string_append_printf(lines, "link set dev %s alias \"%s\"\n", tap, alias);
    g_string_append_printf(lines, "link set dev %s address %s%s mtu %u addrgenmode none master %s\n", tap, first,
                           mac + 2, mtu, bridge);
    network_links_isolate(lines, tap, isolated);
    g_string_append_printf(lines, "link set dev %s up\n", tap);
}

void
network_links_remove(GString *lines, const char *name)
{
    g_string_append_printf(lines, "link delete dev %s\n", name);
}
