/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <string.h>
#include <usbredirfilter.h>

/* --- what the client hears -------------------------------------------------------------------------------------- */

static void G_GNUC_PRINTF(2, 3) hear(void *user, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_string_append_vprintf(((Client *)user)->heard, format, args);
    va_end(args);
    g_string_append_c(((Client *)user)->heard, ' ');
}

static void
take_data(Client *client, uint64_t id, uint8_t *data, int len)
{
    client->last_id = id;
    g_byte_array_set_size(client->last_data, 0);
    if (data)
        g_byte_array_append(client->last_data, data, (guint)len);
    usbredirparser_free_packet_data(client->parser, data);
}

static void
hear_hello(void *user, struct usb_redir_hello_header *hello)
{
    hear(user, "hello");
}

static void
hear_reset(void *user)
{
    hear(user, "reset");
}

static void
hear_reject(void *user)
{
    hear(user, "reject");
}

static void
hear_ack(void *user)
{
    hear(user, "ack");
}

static void
hear_filter(void *user, struct usbredirfilter_rule *rules, int n)
{
    hear(user, "filter %d", n);
    usbredirfilter_free(rules);
}

static void
hear_set_configuration(void *user, uint64_t id, struct usb_redir_set_configuration_header *header)
{
    hear(user, "set-configuration %u", header->configuration);
    ((Client *)user)->last_id = id;
}

static void
hear_get_configuration(void *user, uint64_t id)
{
    hear(user, "get-configuration");
    ((Client *)user)->last_id = id;
}

static void
hear_set_alt(void *user, uint64_t id, struct usb_redir_set_alt_setting_header *header)
{
    hear(user, "set-alt %u %u", header->interface, header->alt);
    ((Client *)user)->last_id = id;
}

static void
hear_get_alt(void *user, uint64_t id, struct usb_redir_get_alt_setting_header *header)
{
    hear(user, "get-alt %u", header->interface);
    ((Client *)user)->last_id = id;
}

static void
hear_start_iso(void *user, uint64_t id, struct usb_redir_start_iso_stream_header *header)
{
    hear(user, "start-iso %02x %u*%u", header->endpoint, header->pkts_per_urb, header->no_urbs);
}

static void
hear_stop_iso(void *user, uint64_t id, struct usb_redir_stop_iso_stream_header *header)
{
    hear(user, "stop-iso %02x", header->endpoint);
}

static void
hear_start_interrupt(void *user, uint64_t id, struct usb_redir_start_interrupt_receiving_header *header)
{
    hear(user, "start-interrupt %02x", header->endpoint);
}

static void
hear_stop_interrupt(void *user, uint64_t id, struct usb_redir_stop_interrupt_receiving_header *header)
{
    hear(user, "stop-interrupt %02x", header->endpoint);
}

static void
hear_alloc_streams(void *user, uint64_t id, struct usb_redir_alloc_bulk_streams_header *header)
{
    hear(user, "streams %x %u", header->endpoints, header->no_streams);
}

static void
hear_free_streams(void *user, uint64_t id, struct usb_redir_free_bulk_streams_header *header)
{
    hear(user, "no-streams %x", header->endpoints);
}

static void
hear_cancel(void *user, uint64_t id)
{
    hear(user, "cancel %" G_GUINT64_FORMAT, id);
}

static void
hear_control(void *user, uint64_t id, struct usb_redir_control_packet_header *header, uint8_t *data, int len)
{
    hear(user, "control %02x %02x %04x %04x %u", header->requesttype, header->request, header->value, header->index,
         header->length);
    take_data(user, id, data, len);
}

static void
hear_bulk(void *user, uint64_t id, struct usb_redir_bulk_packet_header *header, uint8_t *data, int len)
{
    hear(user, "bulk %02x %u", header->endpoint, (uint32_t)header->length_high << 16 | header->length);
    if (header->stream_id)
        hear(user, "stream %u", header->stream_id);
    take_data(user, id, data, len);
}

static void
hear_interrupt(void *user, uint64_t id, struct usb_redir_interrupt_packet_header *header, uint8_t *data, int len)
{
    hear(user, "interrupt %02x %u", header->endpoint, header->length);
    take_data(user, id, data, len);
}

static void
hear_iso(void *user, uint64_t id, struct usb_redir_iso_packet_header *header, uint8_t *data, int len)
{
    hear(user, "iso %02x %u", header->endpoint, header->length);
    take_data(user, id, data, len);
}

static void
hear_log(void *user, int level, const char *message)
{
    if (level <= usbredirparser_warning)
        g_test_message("client: %s", message);
}

/* --- bytes ------------------------------------------------------------------------------------------------------ */

static size_t
take(GByteArray *from, void *to, size_t len)
{
    size_t n = MIN(len, from->len);

    memcpy(to, from->data, n);
    g_byte_array_remove_range(from, 0, (guint)n);
    return n;
}

static int
client_read(void *user, uint8_t *to, int len)
{
    return (int)take(((Client *)user)->to_client, to, (size_t)len);
}

static int
client_write(void *user, uint8_t *from, int len)
{
    g_byte_array_append(((Client *)user)->to_peer, from, (guint)len);
    return len;
}

static size_t
peer_read(void *user, void *to, size_t len)
{
    return take(((Client *)user)->to_peer, to, len);
}

static size_t
peer_write(void *user, const void *from, size_t len)
{
    Client *client = user;
    size_t n = MIN(len, client->room - MIN(client->room, client->to_client->len));

    g_byte_array_append(client->to_client, from, (guint)n);
    return n;
}

static const RedirectPeerOps peer_ops = {peer_read, peer_write};

void
client_pump(Client *client)
{
    size_t moved;

    do {
        moved = client->to_client->len + client->to_peer->len;
        g_assert_cmpint(usbredirparser_do_read(client->parser), ==, 0);
        g_assert_cmpint(usbredirparser_do_write(client->parser), ==, 0);
        moved += client->to_client->len + client->to_peer->len;
        while (redirect_peer_work(client->peer))
            ;
        moved += client->to_client->len + client->to_peer->len;
        while (g_main_context_iteration(client->context, FALSE))
            ;
    } while (moved);
}

void
client_send_raw(Client *client, const void *bytes, size_t len)
{
    usbredirparser_do_write(client->parser);
    g_byte_array_append(client->to_peer, bytes, (guint)len);
}

static char *
take_text(GString *text)
{
    char *all = g_strdup(g_strchomp(text->str));

    g_string_truncate(text, 0);
    return all;
}

char *
client_heard(Client *client)
{
    client_pump(client);
    return take_text(client->heard);
}

char *
client_told(Client *client)
{
    client_pump(client);
    return take_text(client->told);
}

/* --- the bus ---------------------------------------------------------------------------------------------------- */

static void
on_change(void *user, UsbChange change, const UsbDevice *device, const char *reason)
{
    static const char *const names[] = {
        [USB_ATTACHED] = "attached", [USB_DETACHED] = "detached", [USB_REFUSED] = "refused"};
    g_string_append_printf(((Client *)user)->told, "%s %s: %s ", names[change], device ? device->id : "-", reason);
}

static void
no_device(void *controller, UsbDevice *device)
{
}

static void
nothing(void *controller)
{
}

static const UsbControllerOps controller_ops = {no_device, no_device, no_device, no_device, no_device, nothing};

static struct usbredirparser *
make_parser(Client *client, int without)
{
    static const int all[] = {
        usb_redir_cap_bulk_streams,          usb_redir_cap_connect_device_version,  usb_redir_cap_filter,
        usb_redir_cap_device_disconnect_ack, usb_redir_cap_ep_info_max_packet_size, usb_redir_cap_64bits_ids,
        usb_redir_cap_32bits_bulk_length,    usb_redir_cap_bulk_receiving};
    struct usbredirparser *parser = usbredirparser_create();
    uint32_t caps[USB_REDIR_CAPS_SIZE] = {0};

    parser->priv = client;
    parser->log_func = hear_log;
    parser->read_func = client_read;
    parser->write_func = client_write;
    parser->hello_func = hear_hello;
    parser->reset_func = hear_reset;
    parser->filter_reject_func = hear_reject;
    parser->filter_filter_func = hear_filter;
    parser->device_disconnect_ack_func = hear_ack;
    parser->set_configuration_func = hear_set_configuration;
    parser->get_configuration_func = hear_get_configuration;
    parser->set_alt_setting_func = hear_set_alt;
    parser->get_alt_setting_func = hear_get_alt;
    parser->start_iso_stream_func = hear_start_iso;
    parser->stop_iso_stream_func = hear_stop_iso;
    parser->start_interrupt_receiving_func = hear_start_interrupt;
    parser->stop_interrupt_receiving_func = hear_stop_interrupt;
    parser->alloc_bulk_streams_func = hear_alloc_streams;
    parser->free_bulk_streams_func = hear_free_streams;
    parser->cancel_data_packet_func = hear_cancel;
    parser->control_packet_func = hear_control;
    parser->bulk_packet_func = hear_bulk;
    parser->interrupt_packet_func = hear_interrupt;
    parser->iso_packet_func = hear_iso;
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
        if (all[i] != without)
            usbredirparser_caps_set_cap(caps, all[i]);
    usbredirparser_init(parser, "test", caps, USB_REDIR_CAPS_SIZE, usbredirparser_fl_usb_host);
    return parser;
}

Client *
client_new_without(unsigned n_ports, const char *policy, int capability)
{
    g_autoptr(GError) error = NULL;
    Client *client = g_new0(Client, 1);

    client->context = g_main_context_new();
    client->bus = usb_bus_new(client->context, n_ports);
    client->to_peer = g_byte_array_new();
    client->to_client = g_byte_array_new();
    client->last_data = g_byte_array_new();
    client->heard = g_string_new(NULL);
    client->told = g_string_new(NULL);
    client->room = SIZE_MAX;
    usb_bus_set_controller(client->bus, &controller_ops, client);
    usb_bus_listen(client->bus, on_change, client);
    client->policy = usb_policy_new(policy, &error);
    g_assert_no_error(error);
    client->parser = make_parser(client, capability);
    client->peer = redirect_peer_new(client->bus, client->policy, "client0", &peer_ops, client);
    client_pump(client);
    return client;
}

Client *
client_new(unsigned n_ports, const char *policy)
{
    g_autofree char *heard = NULL;
    Client *client = client_new_without(n_ports, policy, -1);

    heard = client_heard(client);
    return client;
}

void
client_free(Client *client)
{
    redirect_peer_free(client->peer, "its client went away");
    usbredirparser_destroy(client->parser);
    usb_bus_free(client->bus);
    usb_policy_free(client->policy);
    g_main_context_unref(client->context);
    g_byte_array_unref(client->to_peer);
    g_byte_array_unref(client->to_client);
    g_byte_array_unref(client->last_data);
    g_string_free(client->heard, TRUE);
    g_string_free(client->told, TRUE);
    g_free(client);
}

/* --- a device --------------------------------------------------------------------------------------------------- */

void
client_offer(Client *client, uint8_t speed, uint8_t class)
{
    client_offer_as(client, speed, class, 0x1234, 0x5678);
}

void
client_offer_as(Client *client, uint8_t speed, uint8_t class, uint16_t vendor, uint16_t product)
{
    static const uint8_t types[] = {usb_redir_type_bulk,      usb_redir_type_bulk, usb_redir_type_interrupt,
                                    usb_redir_type_interrupt, usb_redir_type_iso,  usb_redir_type_iso};
    struct usb_redir_interface_info_header interfaces = {
        .interface_count = 1, .interface_class = {class}, .interface_protocol = {0x50}};
    struct usb_redir_ep_info_header endpoints = {.type = {0}};
    struct usb_redir_device_connect_header offer = {.speed = speed, .vendor_id = vendor, .product_id = product};

    memset(endpoints.type, usb_redir_type_invalid, sizeof endpoints.type);
    endpoints.type[0] = endpoints.type[16] = usb_redir_type_control;
    for (unsigned i = 0; i < G_N_ELEMENTS(types); i++)
        endpoints.type[(i + 1) + (i % 2 ? 0 : 16)] = types[i];
    usbredirparser_send_interface_info(client->parser, &interfaces);
    usbredirparser_send_ep_info(client->parser, &endpoints);
    usbredirparser_send_device_connect(client->parser, &offer);
    client_pump(client);
}

UsbDevice *
client_connect(Client *client)
{
    client_offer(client, usb_redir_speed_high, 8);
    return usb_bus_find(client->bus, "client0");
}

/* --- transfers -------------------------------------------------------------------------------------------------- */

static void
on_done(UsbTransfer *transfer)
{
    Move *move = (Move *)transfer;

    g_assert_false(move->done);
    move->done = true;
}

/* Its data in four parts, one of them a byte. */
static Move *
move_make(UsbDevice *device, UsbTransferType type, uint8_t endpoint, uint32_t len)
{
    Move *move = g_new0(Move, 1);
    uint32_t at = 0;

    move->bytes = g_malloc0(MAX(len, 1));
    for (uint32_t i = 0; i < len; i++)
        move->bytes[i] = (uint8_t)(i * 7 + i / 256);
    for (unsigned i = 0; i < 4 && at < len; i++) {
        uint32_t part = i == 3 ? len - at : i == 1 ? 1 : MIN(len - at, len / 4 + 1);
        move->iov[move->transfer.n_iov++] = (struct iovec){move->bytes + at, part};
        at += part;
    }
    move->transfer.device = device;
    move->transfer.type = type;
    move->transfer.endpoint = endpoint;
    move->transfer.iov = move->iov;
    move->transfer.length = len;
    move->transfer.period_us = 1000;
    move->transfer.done = on_done;
    return move;
}

Move *
move_new(UsbDevice *device, UsbTransferType type, uint8_t endpoint, uint32_t len)
{
    Move *move = move_make(device, type, endpoint, len);

    device->ops->submit(device, &move->transfer);
    return move;
}

Move *
move_new_out(UsbDevice *device, uint8_t endpoint, const void *bytes, uint32_t len)
{
    Move *move = move_make(device, USB_BULK, endpoint, len);

    memcpy(move->bytes, bytes, len);
    device->ops->submit(device, &move->transfer);
    return move;
}

Move *
move_new_command(UsbDevice *device, uint32_t len)
{
    uint8_t wrapper[31] = {'U', 'S', 'B', 'C', 1, 2, 3, 4, [12] = USB_DIR_IN, [14] = 10, [15] = 0x28};

    for (unsigned i = 0; i < 4; i++)
        wrapper[8 + i] = (uint8_t)(len >> 8 * i);
    return move_new_out(device, 0x02, wrapper, sizeof wrapper);
}

Move *
move_new_control(UsbDevice *device, uint8_t request_type, uint8_t request, uint16_t value, uint16_t index, uint16_t len)
{
    Move *move = move_make(device, USB_CONTROL, 0, len);

    move->transfer.setup = (UsbSetup){request_type, request, value, index, len};
    device->ops->submit(device, &move->transfer);
    return move;
}

void
move_free(Move *move)
{
    g_assert_true(move->done);
    g_free(move->bytes);
    g_free(move);
}
