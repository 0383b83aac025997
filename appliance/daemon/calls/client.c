/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/calls/client.h"

#include "appliance/daemon/caller.h"

#include <string.h>

void
client_read(GVariant *client, const Peer *peer, SignInAttempt *attempt)
{
    const char *kind = "command";

    attempt->source = NULL;
    g_variant_lookup(client, "address", "&s", &attempt->source);
    g_variant_lookup(client, "kind", "&s", &kind);
    attempt->client = SESSION_CLIENT_COMMAND;
    for (int i = 0; i < SESSION_CLIENTS; i++)
        if (!strcmp(caller_client_words[i], kind))
            attempt->client = i;
    attempt->console = !attempt->source && attempt->client == SESSION_CLIENT_COMMAND && peer_may_be_console(peer);
}
