/* SPDX-License-Identifier: Apache-2.0 */
#include "rooms.h"

G_DEFINE_QUARK(rooms_network_error, network_error)

struct Networks {
    int none;
};

Networks *
rooms_networks(void)
{
    static Networks networks;

    return &networks;
}

void
network_plug_clear(NetworkPlug *plug)
{
    g_free(plug->mac);
    g_free(plug->address);
    *plug = (NetworkPlug){0};
}

bool
networks_plug(Networks *networks, const NetworkCard *card, unsigned n_queues, NetworkPlug *plug, GError **error)
{
    plug->backend = "passt";
    plug->mac = g_strdup("52:54:00:12:34:56");
    return true;
}

void
networks_unplug(Networks *networks, const char *desktop)
{
}

bool
networks_adopt(Networks *networks, const NetworkCard *cards, unsigned n_cards, GError **error)
{
    return true;
}

bool
networks_counters(Networks *networks, const char *desktop, uint64_t *received, uint64_t *sent)
{
    return false;
}
