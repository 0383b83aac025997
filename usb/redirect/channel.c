/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes from the client is handed to the peer where it lies, in spice-server's buffer, by the main thread acting as the USB
 * thread: a disk's data wake nobody on their way to the guest. What goes to the client waits in the peer; the main thread
 * is woken once, and takes it into spice-server's buffer the same way.
 */
#include "usb/redirect/channel.h"

#include "usb/redirect/peer.h"

#include <spice.h>
#include <string.h>

struct RedirectChannel {
    SpiceCharDeviceInstance instance;
    UsbBus *bus;
    const UsbPolicy *policy;
    char *id;
    RedirectChannelMoved moved;
    void *user;
    bool connected;     /* main thread */
    GSource *to_client; /* the main thread's, made ready by whoever has something to say */

    /* The USB thread's, and of who acts as it. */
    RedirectPeer *peer;  /* NULL: no client */
    const uint8_t *said; /* by the client, while it is being read … */
    size_t n_said;
    uint8_t *room; /* … and what the client takes, while it is being filled */
    size_t n_room;
    bool is_told; /* the main thread knows that there is something to say */
};

static RedirectChannel *
channel_of(SpiceCharDeviceInstance *instance)
{
    return (RedirectChannel *)((char *)instance - offsetof(RedirectChannel, instance));
}

/* --- acting as the USB thread ----------------------------------------------------------------------------------- */

static size_t
read_client(void *user, void *to, size_t len)
{
    RedirectChannel *channel = user;
    size_t n = MIN(len, channel->n_said);

    if (!n)
        return 0;
    memcpy(to, channel->said, n);
    channel->said += n;
    channel->n_said -= n;
    return n;
}

static size_t
write_client(void *user, const void *from, size_t len)
{
    RedirectChannel *channel = user;
    size_t n = MIN(len, channel->n_room);

    if (n) {
        memcpy(channel->room, from, n);
        channel->room += n;
        channel->n_room -= n;
    }
    if (n < len && !channel->is_told) {
        channel->is_told = true;
        g_source_set_ready_time(channel->to_client, 0);
    }
    return n;
}

static const RedirectPeerOps peer_ops = {.read = read_client, .write = write_client};

static void
open_peer(RedirectChannel *channel)
{
    channel->is_told = false;
    channel->peer = redirect_peer_new(channel->bus, channel->policy, channel->id, &peer_ops, channel);
}

static void
close_peer(RedirectChannel *channel)
{
    redirect_peer_free(g_steal_pointer(&channel->peer), "its client went away");
    channel->moved(channel->user);
}

bool
redirect_channel_has_device(const RedirectChannel *channel)
{
    return channel->peer && redirect_peer_has_device(channel->peer);
}

/* --- spice-server's side ---------------------------------------------------------------------------------------- */

static int
on_write(SpiceCharDeviceInstance *instance, const uint8_t *bytes, int len)
{
    RedirectChannel *channel = channel_of(instance);

    usb_bus_enter(channel->bus);
    channel->said = bytes;
    channel->n_said = (size_t)MAX(len, 0);
    while (channel->peer && redirect_peer_work(channel->peer))
        continue;
    channel->n_said = 0;
    channel->moved(channel->user);
    usb_bus_leave(channel->bus);
    return len;
}

static int
on_read(SpiceCharDeviceInstance *instance, uint8_t *bytes, int len)
{
    RedirectChannel *channel = channel_of(instance);

    usb_bus_enter(channel->bus);
    channel->is_told = false;
    channel->room = bytes;
    channel->n_room = (size_t)MAX(len, 0);
    if (channel->peer)
        redirect_peer_work(channel->peer);
    int n = MAX(len, 0) - (int)channel->n_room;
    channel->n_room = 0;
    usb_bus_leave(channel->bus);
    return n;
}

static void
on_connected(SpiceCharDeviceInstance *instance, int connected)
{
    RedirectChannel *channel = channel_of(instance);

    if (channel->connected == (bool)connected)
        return;
    channel->connected = connected;
    usb_bus_enter(channel->bus);
    if (connected)
        open_peer(channel);
    else
        close_peer(channel);
    usb_bus_leave(channel->bus);
}

static const SpiceCharDeviceInterface interface = {
    .base =
        {
            .type = SPICE_INTERFACE_CHAR_DEVICE,
            .description = "carrel usb redirection",
            .major_version = SPICE_INTERFACE_CHAR_DEVICE_MAJOR,
            .minor_version = SPICE_INTERFACE_CHAR_DEVICE_MINOR,
        },
    .state = on_connected,
    .write = on_write,
    .read = on_read,
    .flags = SPICE_CHAR_DEVICE_NOTIFY_WRITABLE, /* no timer that tries again */
};

/* --- life ------------------------------------------------------------------------------------------------------- */

static gboolean
on_something_to_say(gpointer user)
{
    RedirectChannel *channel = user;

    if (channel->connected)
        spice_server_char_device_wakeup(&channel->instance);
    return G_SOURCE_CONTINUE;
}

static gboolean
dispatch(GSource *source, GSourceFunc callback, gpointer user)
{
    g_source_set_ready_time(source, -1);
    return callback(user);
}

static GSourceFuncs source_funcs = {.dispatch = dispatch};

RedirectChannel *
redirect_channel_new(SpiceServer *server, UsbBus *bus, const UsbPolicy *policy, const char *id,
                     RedirectChannelMoved moved, void *user)
{
    RedirectChannel *channel = g_new0(RedirectChannel, 1);

    channel->bus = bus;
    channel->policy = policy;
    channel->id = g_strdup(id);
    channel->moved = moved;
    channel->user = user;
    channel->to_client = g_source_new(&source_funcs, sizeof(GSource));
    g_source_set_callback(channel->to_client, on_something_to_say, channel, NULL);
    g_source_attach(channel->to_client, NULL);
    channel->instance.base.sif = &interface.base;
    channel->instance.subtype = "usbredir";
    spice_server_add_interface(server, &channel->instance.base);
    return channel;
}

void
redirect_channel_free(RedirectChannel *channel)
{
    if (!channel)
        return;
    spice_server_remove_interface(&channel->instance.base);
    usb_bus_enter(channel->bus);
    if (channel->peer)
        close_peer(channel);
    usb_bus_leave(channel->bus);
    g_source_destroy(channel->to_client);
    g_source_unref(channel->to_client);
    g_free(channel->id);
    g_free(channel);
}
