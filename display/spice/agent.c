/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spice-server reads and writes char devices as it likes, and is woken when something changed; the port pushes what the
 * guest wrote. In between is one buffer: bytes the guest wrote and spice-server did not yet ask for. It is filled only as
 * far as it is empty, so a guest that floods waits, and so does a client whose agent does not read.
 */
#include "display/spice/agent.h"

#include "display/spice/clipboard.h"

#include <string.h>

#include <glib.h>

#define PORT_NAME "com.redhat.spice.0"
/* Some chunks (VD_AGENT_MAX_DATA_SIZE is 2 KiB). */
#define BUFFER_BYTES 8192

struct Agent {
    SpiceCharDeviceInstance instance;
    SpiceServer *server;
    VirtioConsolePort *port;
    bool attached; /* spice-server has the instance: the guest's end is open */
    bool running;
    SpiceClipboard clipboard;
    bool taking; /* inside on_data(), which asks for more by itself */
    ClipboardFilter to_guest, from_guest;
    size_t start, end; /* of the bytes in the buffer */
    uint8_t buffer[BUFFER_BYTES];
};

static Agent *
agent_of(SpiceCharDeviceInstance *instance)
{
    return (Agent *)((char *)instance - offsetof(Agent, instance));
}

/* ---- spice-server's side ---- */

static int
write_to_guest(SpiceCharDeviceInstance *instance, const uint8_t *bytes, int len)
{
    Agent *agent = agent_of(instance);
    ClipboardFilter trial = agent->to_guest;
    uint8_t copy[BUFFER_BYTES];
    size_t n = MIN((size_t)MAX(len, 0), sizeof copy);

    if (!agent->running || !n)
        return 0;
    memcpy(copy, bytes, n);
    clipboard_filter_apply(&trial, copy, n);
    n = console_port_write(agent->port, copy, n);
    /* What was not taken comes again. */
    memcpy(copy, bytes, n);
    clipboard_filter_apply(&agent->to_guest, copy, n);
    return (int)n;
}

static int
read_from_guest(SpiceCharDeviceInstance *instance, uint8_t *bytes, int len)
{
    Agent *agent = agent_of(instance);
    size_t n = MIN((size_t)MAX(len, 0), agent->end - agent->start);

    if (!agent->running)
        return 0;
    memcpy(bytes, agent->buffer + agent->start, n);
    agent->start += n;
    if (agent->start == agent->end) {
        agent->start = agent->end = 0;
        if (!agent->taking)
            console_port_resume(agent->port);
    }
    return (int)n;
}

/* Also called with 0, and the instance dropped, when an agent breaks the protocol: until the guest opens its end anew. */
static void
set_state(SpiceCharDeviceInstance *instance, int connected)
{
    Agent *agent = agent_of(instance);

    agent->attached = connected;
    agent->start = agent->end = 0;
    clipboard_filter_init(&agent->to_guest, agent->clipboard, true);
    clipboard_filter_init(&agent->from_guest, agent->clipboard, false);
    console_port_set_open(agent->port, connected);
}

static const SpiceCharDeviceInterface agent_interface = {
    .base =
        {
            .type = SPICE_INTERFACE_CHAR_DEVICE,
            .description = "carrel agent",
            .major_version = SPICE_INTERFACE_CHAR_DEVICE_MAJOR,
            .minor_version = SPICE_INTERFACE_CHAR_DEVICE_MINOR,
        },
    .state = set_state,
    .write = write_to_guest,
    .read = read_from_guest,
    .flags = SPICE_CHAR_DEVICE_NOTIFY_WRITABLE, /* no timer that tries again */
};

/* ---- the port's side ---- */

static void
wake(Agent *agent)
{
    if (agent->attached && agent->running)
        spice_server_char_device_wakeup(&agent->instance);
}

/* Each waking may empty the buffer. If it is full in the end, it is read later, and then the port goes on. */
static size_t
on_data(void *back_end, const void *bytes, size_t len)
{
    Agent *agent = back_end;
    size_t taken = 0, n;

    if (!agent->attached)
        return len; /* nobody will ever ask for it */
    agent->taking = true;
    while (agent->attached && (n = MIN(len - taken, BUFFER_BYTES - agent->end)) > 0) {
        memcpy(agent->buffer + agent->end, (const uint8_t *)bytes + taken, n);
        clipboard_filter_apply(&agent->from_guest, agent->buffer + agent->end, n);
        agent->end += n;
        taken += n;
        wake(agent);
    }
    agent->taking = false;
    return agent->attached ? taken : len;
}

/* Either has spice-server call set_state(). */
static void
on_guest_open(void *back_end, bool open)
{
    Agent *agent = back_end;

    if (open && !agent->attached)
        spice_server_add_interface(agent->server, &agent->instance.base);
    else if (!open && agent->attached)
        spice_server_remove_interface(&agent->instance.base);
    wake(agent);
}

static void
on_writable(void *back_end)
{
    wake(back_end);
}

static const ConsolePortOps port_ops = {.data = on_data, .guest_open = on_guest_open, .writable = on_writable};

/* ---- life ---- */

Agent *
agent_new(SpiceServer *server, VirtioDevice *console, SpiceClipboard clipboard)
{
    Agent *agent = g_new0(Agent, 1);

    agent->server = server;
    agent->running = true;
    agent->clipboard = clipboard;
    agent->instance.base.sif = &agent_interface.base;
    agent->instance.subtype = "vdagent";
    agent->port = virtio_console_add_port(console, PORT_NAME, &port_ops, agent);
    return agent;
}

void
agent_free(Agent *agent)
{
    if (!agent)
        return;
    on_guest_open(agent, false);
    g_free(agent);
}

void
agent_set_running(Agent *agent, bool running)
{
    agent->running = running;
    if (running)
        on_guest_open(agent, console_port_guest_is_open(agent->port)); /* a loaded state may have it open */
}
