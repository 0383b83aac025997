/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spice-server writes and reads as it likes and is woken when something changed; the peer likewise. Each thread has one
 * GSource that the other makes ready: no allocation, and no wake-up where one is on its way already.
 */
#include "usb/redirect/channel.h"

#include "usb/redirect/peer.h"
#include "usb/redirect/pipe.h"

#include <spice.h>

/* A disk's largest command by today's drivers, and some more: a transfer seldom waits for the other thread half way. */
#define PIPE_BYTES (256u << 10)

struct RedirectChannel {
    SpiceCharDeviceInstance instance;
    UsbBus *bus;
    const UsbPolicy *policy;
    char *id;
    RedirectChannelMoved moved;
    void *user;
    bool connected; /* main thread */
    Pipe *to_usb, *to_client;
    GSource *usb_source, *main_source;
    RedirectPeer *peer; /* USB thread; NULL: no client */
};

static RedirectChannel *
channel_of(SpiceCharDeviceInstance *instance)
{
    return (RedirectChannel *)((char *)instance - offsetof(RedirectChannel, instance));
}

/* --- waking ----------------------------------------------------------------------------------------------------- */

/* Any thread; the source's context is woken. */
static void
make_ready(GSource *source, bool wanted)
{
    if (wanted)
        g_source_set_ready_time(source, 0);
}

static gboolean
dispatch(GSource *source, GSourceFunc callback, gpointer user)
{
    g_source_set_ready_time(source, -1);
    return callback(user);
}

static GSourceFuncs source_funcs = {.dispatch = dispatch};

static GSource *
source_new(GMainContext *context, GSourceFunc callback, RedirectChannel *channel)
{
    GSource *source = g_source_new(&source_funcs, sizeof(GSource));

    g_source_set_callback(source, callback, channel, NULL);
    g_source_attach(source, context);
    return source;
}

/* --- the USB thread's side -------------------------------------------------------------------------------------- */

static size_t
read_client(void *user, void *to, size_t len)
{
    RedirectChannel *channel = user;
    bool wake;
    size_t n = pipe_read(channel->to_usb, to, len, &wake);

    make_ready(channel->main_source, wake);
    return n;
}

static size_t
write_client(void *user, const void *from, size_t len)
{
    RedirectChannel *channel = user;
    bool wake;
    size_t n = pipe_write(channel->to_client, from, len, &wake);

    make_ready(channel->main_source, wake);
    return n;
}

static const RedirectPeerOps peer_ops = {.read = read_client, .write = write_client};

static gboolean
on_usb_ready(gpointer user)
{
    RedirectChannel *channel = user;

    if (!channel->peer)
        return G_SOURCE_CONTINUE;
    make_ready(channel->usb_source, redirect_peer_work(channel->peer));
    channel->moved(channel->user);
    return G_SOURCE_CONTINUE;
}

static void
open_peer(void *user)
{
    RedirectChannel *channel = user;

    pipe_clear(channel->to_usb);
    pipe_clear(channel->to_client);
    channel->peer = redirect_peer_new(channel->bus, channel->policy, channel->id, &peer_ops, channel);
}

static void
close_peer(void *user)
{
    RedirectChannel *channel = user;

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
    bool wake;
    size_t n = pipe_write(channel->to_usb, bytes, (size_t)MAX(len, 0), &wake);

    make_ready(channel->usb_source, wake);
    return (int)n;
}

static int
on_read(SpiceCharDeviceInstance *instance, uint8_t *bytes, int len)
{
    RedirectChannel *channel = channel_of(instance);
    bool wake;
    size_t n = pipe_read(channel->to_client, bytes, (size_t)MAX(len, 0), &wake);

    make_ready(channel->usb_source, wake);
    return (int)n;
}

static void
on_connected(SpiceCharDeviceInstance *instance, int connected)
{
    RedirectChannel *channel = channel_of(instance);

    if (channel->connected == (bool)connected)
        return;
    channel->connected = connected;
    usb_bus_call(channel->bus, connected ? open_peer : close_peer, channel);
}

static gboolean
on_main_ready(gpointer user)
{
    RedirectChannel *channel = user;

    if (channel->connected)
        spice_server_char_device_wakeup(&channel->instance);
    return G_SOURCE_CONTINUE;
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
    channel->to_usb = pipe_new(PIPE_BYTES);
    channel->to_client = pipe_new(PIPE_BYTES);
    channel->usb_source = source_new(usb_bus_context(bus), on_usb_ready, channel);
    channel->main_source = source_new(NULL, on_main_ready, channel);
    channel->instance.base.sif = &interface.base;
    channel->instance.subtype = "usbredir";
    spice_server_add_interface(server, &channel->instance.base);
    return channel;
}

/* On the USB thread: nothing of it runs there afterwards. */
static void
leave_usb_thread(void *user)
{
    RedirectChannel *channel = user;

    g_source_destroy(channel->usb_source);
    g_source_unref(channel->usb_source);
    if (channel->peer)
        close_peer(channel);
}

void
redirect_channel_free(RedirectChannel *channel)
{
    if (!channel)
        return;
    spice_server_remove_interface(&channel->instance.base);
    usb_bus_call(channel->bus, leave_usb_thread, channel);
    g_source_destroy(channel->main_source);
    g_source_unref(channel->main_source);
    pipe_free(channel->to_usb);
    pipe_free(channel->to_client);
    g_free(channel->id);
    g_free(channel);
}
