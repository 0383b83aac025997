/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's wire: the guest's port "com.redhat.spice.0" joined to the clients' main channels.
 *
 * Clipboard, resizing and file transfer are what the agent in the guest and the clients say to each other over it;
 * spice-server only passes that on. Clients are told of an agent while the guest holds its end of the port open.
 *
 * Owner: the main thread.
 */
#pragma once

#include "display/spice/server.h"
#include "vmm/virtio/console.h"

#include <spice.h>

typedef struct Agent Agent;

/* Adds the port to @console. */
Agent *agent_new(SpiceServer *server, VirtioDevice *console, SpiceClipboard clipboard);
/* Before the server is destroyed. */
void agent_free(Agent *agent);
/* While not running, nothing goes to the guest's port or comes from it. */
void agent_set_running(Agent *agent, bool running);
