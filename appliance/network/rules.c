/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/network/rules.h"

/* Elements are gathered as ", "-separated words; nft wants no "elements" where there are none. */
static void
add_set(GString *text, const char *name, const char *type, const GString *elements)
{
    g_string_append_printf(text, "\tset %s {\n\t\t%s\n", name, type);
    if (elements->len)
        g_string_append_printf(text, "\t\telements = { %s }\n", elements->str);
    g_string_append(text, "\t}\n");
}

G_GNUC_PRINTF(2, 3)
static void
add_element(GString *elements, const char *format, ...)
{
    va_list arguments;

    if (elements->len)
        g_string_append(elements, ", ");
    va_start(arguments, format);
    g_string_append_vprintf(elements, format, arguments);
    va_end(arguments);
}

static void
add_names(GString *elements, const char *const *names)
{
    for (; names && *names; names++)
        add_element(elements, "\"%s\"", *names);
}

/* "{ 443, 80 }"; NULL: none. */
static char *
ports_text(const uint16_t *ports)
{
    g_autoptr(GString) list = g_string_new(NULL);

    for (; ports && *ports; ports++)
        add_element(list, "%u", *ports);
    return list->len ? g_strdup_printf("{ %s }", list->str) : NULL;
}

static void
add_card_sets(GString *text, const NetworkRules *rules)
{
    g_autoptr(GString) cards = g_string_new(NULL), nat = g_string_new(NULL), alone = g_string_new(NULL);
    g_autoptr(GString) macs = g_string_new(NULL), addresses = g_string_new(NULL);

    for (unsigned i = 0; i < rules->n_cards; i++) {
        const NetworkRulesCard *card = &rules->cards[i];
        add_element(cards, "\"%s\"", card->tap);
        add_element(macs, "\"%s\" . %s", card->tap, card->mac);
        if (card->isolated)
            add_element(alone, "\"%s\"", card->tap);
        if (card->nat) {
            g_autofree char *address = network_address_text(card->address);
            add_element(nat, "\"%s\"", card->tap);
            add_element(addresses, "\"%s\" . %s", card->tap, address);
        }
    }
    add_set(text, "cards", "type ifname", cards);
    add_set(text, "nat_cards", "type ifname", nat);
    add_set(text, "isolated_cards", "type ifname", alone);
    add_set(text, "macs", "type ifname . ether_addr", macs);
    add_set(text, "addresses", "type ifname . ipv4_addr", addresses);
}

/*
 * Before the bridge has learned anything from the frame. Whoever hides what it is from these rules in a VLAN tag, or in a
 * protocol that desktops do not speak (the spanning tree's is one), is dropped for that.
 */
static const char from_cards[] = "\tchain from_nat_cards {\n"
                                 "\t\tether type != { ip, arp } drop\n"
                                 "\t\tarp saddr ip 0.0.0.0 accept\n" /* RFC 5227: is this address free? */
                                 "\t\tether type arp iifname . arp saddr ip != @addresses drop\n"
                                 "\t\tip saddr 0.0.0.0 udp dport 67 accept\n"
                                 "\t\tether type ip iifname . ip saddr != @addresses drop\n"
                                 "\t}\n"
                                 "\tchain from_cards {\n"
                                 "\t\ttype filter hook prerouting priority -310; policy accept;\n"
                                 "\t\tiifname != @cards accept\n"
                                 "\t\tether type { 8021q, 8021ad } drop\n"
                                 "\t\tether type != { ip, arp, ip6 } drop\n"
                                 "\t\tiifname . ether saddr != @macs drop\n"
                                 "\t\tether type arp iifname . arp saddr ether != @macs drop\n"
                                 "\t\tudp sport { 67, 547 } drop\n"
                                 "\t\ticmpv6 type { nd-router-advert, nd-redirect } drop\n"
                                 "\t\tiifname @nat_cards jump from_nat_cards\n"
                                 "\t}\n"
                                 "\tchain between {\n"
                                 "\t\ttype filter hook forward priority 0; policy accept;\n"
                                 "\t\tiifname @isolated_cards oifname @isolated_cards drop\n"
                                 "\t}\n";

static void
add_bridge_table(GString *text, const NetworkRules *rules, const char *ports)
{
    g_string_append(text, "table bridge carrel {\n");
    add_card_sets(text, rules);
    g_string_append(text, from_cards);
    /* What nat cards send the host is looked at as IP, below. */
    g_string_append(text, "\tchain to_host {\n"
                          "\t\ttype filter hook input priority 0; policy accept;\n"
                          "\t\tiifname != @cards accept\n"
                          "\t\tiifname @nat_cards accept\n");
    if (ports)
        g_string_append_printf(text,
                               "\t\tether type arp accept\n"
                               "\t\ticmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n"
                               "\t\ttcp dport %s accept\n",
                               ports);
    g_string_append(text, "\t\tdrop\n\t}\n}\n");
}

static void
add_nat_sets(GString *text, const NetworkRules *rules)
{
    g_autoptr(GString) bridges = g_string_new(NULL), subnets = g_string_new(NULL), gateways = g_string_new(NULL);
    g_autoptr(GString) open = g_string_new(NULL);
    g_autoptr(GString) uplinks = g_string_new(NULL), routers = g_string_new(NULL);

    for (unsigned i = 0; i < rules->n_nats; i++) {
        const NetworkRulesNat *nat = &rules->nats[i];
        g_autofree char *subnet = network_subnet_text(&nat->subnet);
        g_autofree char *gateway = network_address_text(network_subnet_gateway(&nat->subnet));
        add_element(bridges, "\"%s\"", nat->bridge);
        add_element(subnets, "%s", subnet);
        add_element(gateways, "\"%s\" . %s", nat->bridge, gateway);
        if (!nat->isolated)
            add_element(open, "\"%s\" . \"%s\"", nat->bridge, nat->bridge);
    }
    add_names(uplinks, rules->uplinks);
    add_names(routers, rules->routers);
    add_set(text, "bridges", "type ifname", bridges);
    add_set(text, "subnets", "type ipv4_addr; flags interval", subnets);
    add_set(text, "gateways", "type ifname . ipv4_addr", gateways);
    add_set(text, "open", "type ifname . ifname", open);
    add_set(text, "uplinks", "type ifname", uplinks);
    add_set(text, "routers", "type ifname", routers);
}

static void
add_inet_table(GString *text, const NetworkRules *rules, const char *ports)
{
    g_string_append(text, "table inet carrel {\n");
    add_nat_sets(text, rules);
    g_string_append(text, "\tchain to_host {\n"
                          "\t\ttype filter hook input priority -10; policy accept;\n"
                          "\t\tiifname != @bridges accept\n"
                          "\t\tct state established,related accept\n"
                          "\t\tudp dport 67 accept\n"
                          "\t\tiifname . ip daddr @gateways meta l4proto { tcp, udp } th dport 53 accept\n");
    if (ports)
        g_string_append_printf(text, "\t\ttcp dport %s accept\n", ports);
    g_string_append(text, "\t\tdrop\n\t}\n");
    /*
     * Frames within a bridge come through here too where bridge-nf-call-iptables is set, hence @open. What is no uplink
     * (another nat network, the wire between two hosts) is not the desktops'. The last rule: a host that routes only
     * because of us does not route for anybody else.
     */
    g_string_append(text, "\tchain through {\n"
                          "\t\ttype filter hook forward priority -10; policy accept;\n"
                          "\t\tiifname . oifname @open accept\n"
                          "\t\tiifname @bridges oifname != @uplinks drop\n"
                          "\t\tiifname @bridges accept\n"
                          "\t\toifname @bridges ct state established,related accept\n"
                          "\t\toifname @bridges drop\n"
                          "\t\tiifname @routers ct state new drop\n"
                          "\t}\n"
                          "\tchain outward {\n"
                          "\t\ttype nat hook postrouting priority srcnat; policy accept;\n"
                          "\t\tip saddr @subnets oifname != @bridges masquerade\n"
                          "\t}\n"
                          "}\n");
}

char *
network_rules_text(const NetworkRules *rules)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *ports = ports_text(rules->host_ports);

    /* A table is named first because one that is not there cannot be deleted. */
    g_string_append(text, "table bridge carrel\ndelete table bridge carrel\n"
                          "table inet carrel\ndelete table inet carrel\n");
    if (rules->n_cards)
        add_bridge_table(text, rules, ports);
    if (rules->n_nats)
        add_inet_table(text, rules, ports);
    return g_string_free_and_steal(g_steal_pointer(&text));
}
