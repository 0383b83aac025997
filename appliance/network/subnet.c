/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/network/subnet.h"

#include <arpa/inet.h>

static uint32_t
mask_of(unsigned length)
{
    return length ? UINT32_MAX << (32 - length) : 0;
}

bool
network_subnet_parse(const char *text, NetworkSubnet *subnet)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", 2);
    struct in_addr address;
    guint64 length = 32;

    if (!parts[0] || inet_pton(AF_INET, parts[0], &address) != 1)
        return false;
    if (parts[1] && !g_ascii_string_to_unsigned(parts[1], 10, 0, 32, &length, NULL))
        return false;
    if (ntohl(address.s_addr) & ~mask_of(length))
        return false;
    *subnet = (NetworkSubnet){ntohl(address.s_addr), length};
    return true;
}

char *
network_address_text(uint32_t address)
{
    return g_strdup_printf("%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
}

char *
network_subnet_text(const NetworkSubnet *subnet)
{
    g_autofree char *address = network_address_text(subnet->address);
    return g_strdup_printf("%s/%u", address, subnet->length);
}

bool
network_subnet_overlap(const NetworkSubnet *a, const NetworkSubnet *b)
{
    return ((a->address ^ b->address) & mask_of(MIN(a->length, b->length))) == 0;
}

static bool
is_taken(const NetworkSubnet *subnet, const GArray *taken)
{
    for (unsigned i = 0; i < taken->len; i++)
        if (network_subnet_overlap(subnet, &g_array_index(taken, NetworkSubnet, i)))
            return true;
    return false;
}

bool
network_subnet_choose(const NetworkSubnet *range, const char *id, const GArray *taken, NetworkSubnet *subnet)
{
    if (range->length > NETWORK_SUBNET_LENGTH)
        return false;
    uint32_t n = 1u << (NETWORK_SUBNET_LENGTH - range->length), first = g_str_hash(id) % n;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t which = (first + i) % n;
        NetworkSubnet candidate = {range->address + (which << (32 - NETWORK_SUBNET_LENGTH)), NETWORK_SUBNET_LENGTH};
        if (!is_taken(&candidate, taken)) {
            *subnet = candidate;
            return true;
        }
    }
    return false;
}

bool
network_subnet_possible(const NetworkSubnet *range, const NetworkSubnet *subnet)
{
    return subnet->length == NETWORK_SUBNET_LENGTH && range->length <= subnet->length &&
           network_subnet_overlap(range, subnet);
}

uint32_t
network_subnet_gateway(const NetworkSubnet *subnet)
{
    return subnet->address + 1;
}

unsigned
network_subnet_places(const NetworkSubnet *subnet)
{
    return (1u << (32 - subnet->length)) - 3; /* neither the subnet itself, the host, nor broadcast */
}

uint32_t
network_subnet_place(const NetworkSubnet *subnet, unsigned place)
{
    g_assert(place < network_subnet_places(subnet));
    return subnet->address + 2 + place;
}
