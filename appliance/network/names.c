/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/network/names.h"

#include <string.h>

#define UUID_LENGTH 36
#define UUID_TAIL 12 /* the digits behind its last hyphen, random in every version but 1 */
#define HOST_NAME_MAX_LENGTH 63

G_DEFINE_QUARK(carrel - network - error - quark, network_error)

static const char *const type_names[] = {"nat", "bridge", "vlan", "passt"};

bool
network_type_from_name(const char *name, NetworkType *type)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(type_names); i++)
        if (!g_strcmp0(name, type_names[i])) {
            *type = i;
            return true;
        }
    return false;
}

static const char *
tail_of(const char *id)
{
    g_assert(strlen(id) == UUID_LENGTH);
    return id + UUID_LENGTH - UUID_TAIL;
}

void
network_bridge_name(const char *network, NetworkName name)
{
    g_snprintf(name, IFNAMSIZ, "cn%s", tail_of(network));
}

void
network_uplink_name(const char *network, NetworkName name)
{
    g_snprintf(name, IFNAMSIZ, "cv%s", tail_of(network));
}

void
network_card_name(const char *desktop, unsigned place, NetworkName name)
{
    g_assert(place < 10);
    g_snprintf(name, IFNAMSIZ, "ct%s%u", tail_of(desktop), place);
}

char *
network_bridge_alias(const char *network)
{
    return g_strdup_printf(NETWORK_ALIAS "network %s", network);
}

char *
network_uplink_alias(const char *network)
{
    return g_strdup_printf(NETWORK_ALIAS "uplink %s", network);
}

char *
network_card_alias(const char *desktop, unsigned place)
{
    return g_strdup_printf(NETWORK_ALIAS "card %s %u", desktop, place);
}

bool
network_id_valid(const char *id)
{
    for (const char *c = id; c && *c; c++)
        if (g_ascii_isupper(*c))
            return false;
    return id && g_uuid_string_is_valid(id);
}

bool
network_interface_valid(const char *name)
{
    if (!name || !*name || strlen(name) >= IFNAMSIZ || *name == '-' || *name == '.')
        return false;
    for (const char *c = name; *c; c++)
        if (!g_ascii_isalnum(*c) && !strchr("-_.", *c))
            return false;
    return true;
}

bool
network_mac_valid(const char *mac)
{
    if (!mac || strlen(mac) != 17)
        return false;
    for (unsigned i = 0; i < 17; i++)
        if (i % 3 == 2 ? mac[i] != ':' : !g_ascii_isxdigit(mac[i]) || g_ascii_isupper(mac[i]))
            return false;
    return !(g_ascii_xdigit_value(mac[1]) & 1) && strcmp(mac, "00:00:00:00:00:00");
}

char *
network_mac_from(const char *text)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    uint8_t digest[32];
    size_t len = sizeof(digest);

    g_checksum_update(sum, (const uint8_t *)text, -1);
    g_checksum_get_digest(sum, digest, &len);
    /* IEEE 802c, 4.1: bit 0 group, bit 1 locally administered. */
    return g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", (digest[0] & 0xfc) | 0x02, digest[1], digest[2], digest[3],
                           digest[4], digest[5]);
}

char *
network_card_mac(const char *desktop, unsigned place)
{
    g_autofree char *alias = network_card_alias(desktop, place);
    return network_mac_from(alias);
}

char *
network_dns_name(const char *name)
{
    g_autofree char *ascii = name ? g_str_to_ascii(name, "C") : NULL;
    g_autoptr(GString) label = g_string_new(NULL);

    for (const char *c = ascii; c && *c && label->len < HOST_NAME_MAX_LENGTH; c++) {
        if (g_ascii_isalnum(*c))
            g_string_append_c(label, g_ascii_tolower(*c));
        else if (label->len && label->str[label->len - 1] != '-' && *c != '\'' && *c != '?')
            g_string_append_c(label, '-');
    }
    while (label->len && label->str[label->len - 1] == '-')
        g_string_truncate(label, label->len - 1);
    return label->len ? g_strdup(label->str) : NULL;
}
