/* SPDX-License-Identifier: Apache-2.0 */
/* The channel's protocol: greeting, a device that comes and goes, policy, and a peer that breaks the rules. */
#include "usb/redirect/private.h"

#include <stdarg.h>
#include <usbredirfilter.h>

#define TURN_BYTES (4u << 20)

static const UsbSpeed speeds[] = {
    [usb_redir_speed_low] = USB_LOW,
    [usb_redir_speed_full] = USB_FULL,
    [usb_redir_speed_high] = USB_HIGH,
    [usb_redir_speed_super] = USB_SUPER,
};

/* --- what goes wrong -------------------------------------------------------------------------------------------- */

void
redirect_peer_complain(RedirectPeer *peer, const char *format, ...)
{
    va_list args;

    if (peer->complained)
        return;
    peer->complained = true;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    g_message("usb: %s: %s; more of the kind is not logged", peer->id, what);
}

/* --- the device comes and goes ---------------------------------------------------------------------------------- */

static void
unplug(RedirectPeer *peer, const char *reason)
{
    RedirectDevice *device = g_steal_pointer(&peer->device);

    if (!device)
        return;
    redirect_device_let_go(device);
    usb_bus_detach(peer->bus, &device->usb, reason);
    usb_device_free(&device->usb);
}

static gboolean
sweep(gpointer user)
{
    RedirectPeer *peer = user;

    g_clear_pointer(&peer->sweep, g_source_unref);
    unplug(peer, "its client broke the protocol");
    return G_SOURCE_REMOVE;
}

void
redirect_peer_break(RedirectPeer *peer, const char *what)
{
    if (peer->broken)
        return;
    peer->broken = true;
    peer->complained = false; /* whatever was said before: this is the end */
    redirect_peer_complain(peer, "the client broke the protocol (%s), and is not listened to any more", what);
    peer->sweep = g_idle_source_new();
    g_source_set_callback(peer->sweep, sweep, peer, NULL);
    g_source_attach(peer->sweep, usb_bus_context(peer->bus));
}

#define AGAINST_POLICY "the desktop's USB policy does not allow it"

static void
identify(const RedirectPeer *peer, UsbIdentity *identity)
{
    const struct usb_redir_device_connect_header *offer = &peer->offer;

    *identity = (UsbIdentity){.vendor = offer->vendor_id,
                              .product = offer->product_id,
                              .version = offer->device_version_bcd,
                              .class = offer->device_class,
                              .subclass = offer->device_subclass,
                              .protocol = offer->device_protocol,
                              .n_interfaces = peer->interfaces.interface_count};
    for (unsigned i = 0; i < identity->n_interfaces; i++) {
        identity->interface_class[i] = peer->interfaces.interface_class[i];
        identity->interface_subclass[i] = peer->interfaces.interface_subclass[i];
        identity->interface_protocol[i] = peer->interfaces.interface_protocol[i];
    }
}

/* The client is told, so that it can tell its user. */
static void
reject(RedirectPeer *peer)
{
    if (usbredirparser_peer_has_cap(peer->parser, usb_redir_cap_filter))
        usbredirparser_send_filter_reject(peer->parser);
}

/* So are listeners here. */
static void
refuse(RedirectPeer *peer, UsbDevice *device, const char *reason)
{
    usb_bus_tell(peer->bus, USB_REFUSED, device, reason);
    reject(peer);
}

static void
on_connect(void *user, struct usb_redir_device_connect_header *offer)
{
    RedirectPeer *peer = user;
    g_autoptr(GError) error = NULL;
    UsbIdentity identity;

    if (peer->broken)
        return;
    if (peer->device || !peer->has_interfaces || !peer->has_endpoints) {
        redirect_peer_break(peer, peer->device ? "a second device" : "a device without interfaces or endpoints");
        return;
    }
    peer->offer = *offer;
    identify(peer, &identity);
    bool known = offer->speed < G_N_ELEMENTS(speeds);
    RedirectDevice *device = redirect_device_new(peer, known ? speeds[offer->speed] : USB_FULL, &identity);
    if (!known)
        refuse(peer, &device->usb, "its client does not know its speed");
    else if (!usb_policy_allows(peer->policy, &identity))
        refuse(peer, &device->usb, AGAINST_POLICY);
    else if (!usb_bus_attach(peer->bus, &device->usb, NULL, USB_PORT_ANY, "its client redirects it", &error))
        refuse(peer, &device->usb, error->message);
    else
        peer->device = g_steal_pointer(&device);
    if (device)
        usb_device_free(&device->usb);
}

static void
on_disconnect(void *user)
{
    RedirectPeer *peer = user;

    unplug(peer, "its client took it back");
    peer->has_interfaces = peer->has_endpoints = false;
}

/* Another configuration has other interfaces, which policy may not allow. */
static void
check_again(RedirectPeer *peer)
{
    UsbIdentity identity;

    identify(peer, &identity);
    if (usb_policy_allows(peer->policy, &identity))
        return;
    reject(peer);
    unplug(peer, AGAINST_POLICY);
}

static void
on_interfaces(void *user, struct usb_redir_interface_info_header *info)
{
    RedirectPeer *peer = user;

    if (info->interface_count > USB_INTERFACES_MAX) {
        redirect_peer_break(peer, "too many interfaces");
        return;
    }
    peer->interfaces = *info;
    peer->has_interfaces = true;
    if (peer->device)
        check_again(peer);
}

static void
on_endpoints(void *user, struct usb_redir_ep_info_header *info)
{
    RedirectPeer *peer = user;

    peer->endpoints = *info;
    peer->has_endpoints = true;
    if (peer->device)
        redirect_device_learn(peer->device, info);
}

/* --- greeting --------------------------------------------------------------------------------------------------- */

static void
on_hello(void *user, struct usb_redir_hello_header *hello)
{
    RedirectPeer *peer = user;
    int n;
    const struct usbredirfilter_rule *rules = usb_policy_rules(peer->policy, &n);

    if (usbredirparser_peer_has_cap(peer->parser, usb_redir_cap_filter))
        usbredirparser_send_filter_filter(peer->parser, rules, n);
}

/* The client's own policy: it keeps to it by itself. */
static void
on_filter(void *user, struct usbredirfilter_rule *rules, int n)
{
    usbredirfilter_free(rules);
}

static void
on_log(void *user, int level, const char *message)
{
    RedirectPeer *peer = user;

    if (level != usbredirparser_error)
        return;
    g_free(peer->parser_said);
    peer->parser_said = g_strdup(message);
}

static int
read_bytes(void *user, uint8_t *to, int count)
{
    RedirectPeer *peer = user;

    /* The parser asks for a packet's data as a whole, and has memory for them that nobody has touched yet. */
    if (count > REDIRECT_PACKET_MAX) {
        redirect_peer_break(peer, "a packet larger than any transfer");
        return -1;
    }
    size_t n = peer->ops->read(peer->user, to, MIN((size_t)MAX(count, 0), peer->turn));

    peer->turn -= n;
    return (int)n;
}

static int
write_bytes(void *user, uint8_t *from, int count)
{
    RedirectPeer *peer = user;

    return (int)peer->ops->write(peer->user, from, (size_t)MAX(count, 0));
}

static struct usbredirparser *
make_parser(RedirectPeer *peer)
{
    static const int ours[] = {usb_redir_cap_connect_device_version,
                               usb_redir_cap_filter,
                               usb_redir_cap_device_disconnect_ack,
                               usb_redir_cap_ep_info_max_packet_size,
                               usb_redir_cap_64bits_ids,
                               usb_redir_cap_32bits_bulk_length,
                               usb_redir_cap_bulk_streams};
    struct usbredirparser *parser = usbredirparser_create();
    uint32_t caps[USB_REDIR_CAPS_SIZE] = {0};

    if (!parser)
        g_error("out of memory");
    parser->priv = peer;
    parser->log_func = on_log;
    parser->read_func = read_bytes;
    parser->write_func = write_bytes;
    parser->hello_func = on_hello;
    parser->device_connect_func = on_connect;
    parser->device_disconnect_func = on_disconnect;
    parser->interface_info_func = on_interfaces;
    parser->ep_info_func = on_endpoints;
    parser->filter_filter_func = on_filter;
    redirect_device_set_callbacks(parser);
    redirect_receive_set_callbacks(parser);
    for (size_t i = 0; i < G_N_ELEMENTS(ours); i++)
        usbredirparser_caps_set_cap(caps, ours[i]);
    usbredirparser_init(parser, "Carrel " CARREL_VERSION, caps, USB_REDIR_CAPS_SIZE, 0);
    return parser;
}

/* --- life ------------------------------------------------------------------------------------------------------- */

RedirectPeer *
redirect_peer_new(UsbBus *bus, const UsbPolicy *policy, const char *id, const RedirectPeerOps *ops, void *user)
{
    RedirectPeer *peer = g_new0(RedirectPeer, 1);

    peer->bus = bus;
    peer->policy = policy;
    peer->id = g_strdup(id);
    peer->ops = ops;
    peer->user = user;
    peer->parser = make_parser(peer);
    redirect_peer_flush(peer);
    return peer;
}

void
redirect_peer_free(RedirectPeer *peer, const char *reason)
{
    if (!peer)
        return;
    unplug(peer, reason);
    if (peer->sweep)
        g_source_destroy(peer->sweep);
    g_clear_pointer(&peer->sweep, g_source_unref);
    usbredirparser_destroy(peer->parser);
    g_free(peer->parser_said);
    g_free(peer->id);
    g_free(peer);
}

void
redirect_peer_flush(RedirectPeer *peer)
{
    usbredirparser_do_write(peer->parser); /* what does not fit stays in the parser's queue */
    if (usbredirparser_get_bufferered_output_size(peer->parser) > REDIRECT_UNREAD_BYTES_MAX)
        redirect_peer_break(peer, "it does not read what it is sent");
}

static void
throw_away(RedirectPeer *peer)
{
    uint8_t bytes[4096];

    while (peer->turn && read_bytes(peer, bytes, sizeof bytes))
        ;
}

bool
redirect_peer_work(RedirectPeer *peer)
{
    peer->turn = TURN_BYTES;
    if (!peer->broken && usbredirparser_do_read(peer->parser) < 0)
        redirect_peer_break(peer, peer->parser_said ? peer->parser_said : "a packet that is none");
    if (peer->broken)
        throw_away(peer);
    else if (peer->parser_said)
        redirect_peer_complain(peer, "%s", peer->parser_said);
    redirect_peer_flush(peer);
    return peer->turn == 0;
}

bool
redirect_peer_has_device(const RedirectPeer *peer)
{
    return peer->device;
}
