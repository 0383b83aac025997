/* SPDX-License-Identifier: Apache-2.0 */
/* A device at a client: how it comes and goes, what it is asked, and what a client that breaks the protocol achieves. */
#include "client.h"

#include <string.h>

#define assert_heard(client, text)                      \
    do {                                                \
        g_autofree char *heard_ = client_heard(client); \
        g_assert_cmpstr(heard_, ==, text);              \
    } while (0)
#define assert_told(client, text)                     \
    do {                                              \
        g_autofree char *told_ = client_told(client); \
        g_assert_cmpstr(told_, ==, text);             \
    } while (0)
#define assert_moved(move, wanted_status, wanted_actual)              \
    do {                                                              \
        g_assert_true((move)->done);                                  \
        g_assert_cmpint((move)->transfer.status, ==, wanted_status);  \
        g_assert_cmpuint((move)->transfer.actual, ==, wanted_actual); \
    } while (0)

/* --- coming and going ------------------------------------------------------------------------------------------- */

static void
test_comes_and_goes(void)
{
    g_autoptr(Client) client = client_new_without(4, USB_POLICY_ALL, -1);

    assert_heard(client, "hello filter 1");
    UsbDevice *device = client_connect(client);
    g_assert_nonnull(device);
    g_assert_cmpuint(device->vendor, ==, 0x1234);
    g_assert_cmpuint(device->product, ==, 0x5678);
    g_assert_cmpint(device->speed, ==, USB_HIGH);
    assert_told(client, "attached client0: its client redirects it");
    usbredirparser_send_device_disconnect(client->parser);
    assert_told(client, "detached client0: its client took it back");
    assert_heard(client, "ack");
    g_assert_nonnull(client_connect(client));
    redirect_peer_free(g_steal_pointer(&client->peer), "its client went away");
    g_assert_null(usb_bus_find(client->bus, "client0"));
}

static void
test_refused(void)
{
    g_autoptr(Client) client = client_new(1, "0x03,-1,-1,-1,0|-1,-1,-1,-1,1");

    client_offer(client, usb_redir_speed_low, 3);
    assert_told(client, "refused client0: the desktop's USB policy does not allow it");
    assert_heard(client, "reject");
    g_assert_nonnull(client_connect(client)); /* the next is another device */

    g_autoptr(Client) fast = client_new(1, USB_POLICY_ALL);
    client_offer(fast, usb_redir_speed_unknown, 8);
    assert_told(fast, "refused client0: its client does not know its speed");
}

/* Interfaces that come with another configuration are held against the policy, too. */
static void
test_refused_later(void)
{
    g_autoptr(Client) client = client_new(1, "0x03,-1,-1,-1,0|-1,-1,-1,-1,1");
    struct usb_redir_interface_info_header interfaces = {.interface_count = 2, .interface_class = {8, 8}};

    g_assert_nonnull(client_connect(client));
    usbredirparser_send_interface_info(client->parser, &interfaces);
    client_pump(client);
    g_assert_nonnull(usb_bus_find(client->bus, "client0"));
    g_free(client_told(client));
    g_free(client_heard(client));
    interfaces.interface_class[1] = 3;
    interfaces.interface_subclass[1] = 1;
    usbredirparser_send_interface_info(client->parser, &interfaces);
    assert_told(client, "detached client0: the desktop's USB policy does not allow it");
    assert_heard(client, "reject");
    g_assert_nonnull(client_connect(client));
}

static void
no_transfer(UsbDevice *device, UsbTransfer *transfer)
{
    g_assert_not_reached();
}

static void
no_reset(UsbDevice *device)
{
}

static void
test_no_port(void)
{
    static const UsbDeviceOps ops = {.kind = "plain", .submit = no_transfer, .cancel = no_transfer, .reset = no_reset};
    g_autoptr(Client) client = client_new(1, USB_POLICY_ALL);
    g_autoptr(GError) error = NULL;
    UsbDevice *other = g_new0(UsbDevice, 1);

    usb_device_init(other, &ops, USB_HIGH, "other", "other");
    g_assert_true(usb_bus_attach(client->bus, other, NULL, USB_PORT_ANY, NULL, &error));
    g_string_truncate(client->told, 0);
    g_assert_null(client_connect(client));
    g_autofree char *told = client_told(client);
    g_assert_true(g_str_has_prefix(told, "refused client0: "));
    assert_heard(client, "reject");
}

/* --- transfers -------------------------------------------------------------------------------------------------- */

static void
answer_control(Client *client, uint8_t status, void *data, int len)
{
    struct usb_redir_control_packet_header header = {
        .endpoint = data ? 0x80 : 0, .status = status, .length = (uint16_t)len};

    usbredirparser_send_control_packet(client->parser, client->last_id, &header, data, data ? len : 0);
    client_pump(client);
}

static void
test_control(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = client_connect(client);
    uint8_t descriptor[18] = {18, 1, 2};

    g_autoptr(Move) in = move_new_control(device, 0x80, 6, 0x100, 0, 64);
    assert_heard(client, "control 80 06 0100 0000 64");
    g_assert_false(in->done);
    answer_control(client, usb_redir_success, descriptor, sizeof descriptor);
    assert_moved(in, USB_OK, 18);
    g_assert_cmpmem(in->bytes, 18, descriptor, 18);

    g_autoptr(Move) out = move_new_control(device, 0x21, 9, 0x200, 1, 300);
    assert_heard(client, "control 21 09 0200 0001 300");
    g_assert_cmpmem(client->last_data->data, client->last_data->len, out->bytes, 300);
    answer_control(client, usb_redir_success, NULL, 300);
    assert_moved(out, USB_OK, 300);

    g_autoptr(Move) stalled = move_new_control(device, 0x80, 6, 0xff00, 0, 4);
    client_pump(client);
    answer_control(client, usb_redir_stall, NULL, 0);
    assert_moved(stalled, USB_STALL, 0);

    /* CVE-2020-14364's kind: more data than the setup packet asked for. */
    g_autoptr(Move) babble = move_new_control(device, 0x80, 6, 0x100, 0, 8);
    client_pump(client);
    answer_control(client, usb_redir_success, descriptor, sizeof descriptor);
    assert_moved(babble, USB_BABBLE, 8);
}

static void
test_settings(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = client_connect(client);

    g_autoptr(Move) configure = move_new_control(device, 0x00, USB_REQ_SET_CONFIGURATION, 1, 0, 0);
    assert_heard(client, "set-configuration 1");
    struct usb_redir_configuration_status_header configured = {.configuration = 1};
    usbredirparser_send_configuration_status(client->parser, client->last_id, &configured);
    client_pump(client);
    assert_moved(configure, USB_OK, 0);

    g_autoptr(Move) asked = move_new_control(device, 0x80, USB_REQ_GET_CONFIGURATION, 0, 0, 1);
    assert_heard(client, "get-configuration");
    usbredirparser_send_configuration_status(client->parser, client->last_id, &configured);
    client_pump(client);
    assert_moved(asked, USB_OK, 1);
    g_assert_cmpuint(asked->bytes[0], ==, 1);

    g_autoptr(Move) alt = move_new_control(device, 0x01, USB_REQ_SET_INTERFACE, 3, 2, 0);
    assert_heard(client, "set-alt 2 3");
    struct usb_redir_alt_setting_status_header refused = {.status = usb_redir_inval, .interface = 2, .alt = 3};
    usbredirparser_send_alt_setting_status(client->parser, client->last_id, &refused);
    client_pump(client);
    assert_moved(alt, USB_STALL, 0);

    g_autoptr(Move) which = move_new_control(device, 0x81, USB_REQ_GET_INTERFACE, 0, 2, 1);
    assert_heard(client, "get-alt 2");
    refused.status = usb_redir_success;
    usbredirparser_send_alt_setting_status(client->parser, client->last_id, &refused);
    client_pump(client);
    assert_moved(which, USB_OK, 1);
    g_assert_cmpuint(which->bytes[0], ==, 3);
}

static void
answer_bulk(Client *client, uint64_t id, uint8_t endpoint, uint8_t status, void *data, uint32_t len)
{
    struct usb_redir_bulk_packet_header header = {
        .endpoint = endpoint, .status = status, .length = (uint16_t)len, .length_high = (uint16_t)(len >> 16)};

    usbredirparser_send_bulk_packet(client->parser, id, &header, data, data ? (int)len : 0);
    client_pump(client);
}

/* Several at a time, answered in the order the client likes. */
static void
test_bulk(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = client_connect(client);
    uint8_t data[1000];

    memset(data, 0x5a, sizeof data);
    g_assert_cmpuint(device->ops->depth(device, 0x81), >, 1);
    g_assert_cmpuint(device->ops->depth(device, 0x83), ==, 1);
    g_autoptr(Move) first = move_new(device, USB_BULK, 0x81, 4096);
    client_pump(client);
    uint64_t first_id = client->last_id;
    g_autoptr(Move) second = move_new(device, USB_BULK, 0x81, 100000);
    assert_heard(client, "bulk 81 4096 bulk 81 100000");
    answer_bulk(client, client->last_id, 0x81, usb_redir_success, data, sizeof data);
    assert_moved(second, USB_OK, sizeof data);
    g_assert_cmpmem(second->bytes, sizeof data, data, sizeof data);
    g_assert_false(first->done);
    answer_bulk(client, first_id, 0x81, usb_redir_ioerror, NULL, 0);
    assert_moved(first, USB_FAULT, 0);

    g_autoptr(Move) empty = move_new(device, USB_BULK, 0x02, 0);
    assert_heard(client, "bulk 02 0");
    answer_bulk(client, client->last_id, 0x02, usb_redir_success, NULL, 0);
    assert_moved(empty, USB_OK, 0);
}

/* A megabyte through a window of a few bytes: it waits in the parser's queue, and comes whole. */
static void
test_slow_client(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = client_connect(client);

    client->room = 1000;
    g_autoptr(Move) out = move_new(device, USB_BULK, 0x02, 1 << 20);
    assert_heard(client, "bulk 02 1048576");
    g_assert_cmpmem(client->last_data->data, client->last_data->len, out->bytes, 1 << 20);
    answer_bulk(client, client->last_id, 0x02, usb_redir_success, NULL, 1 << 20);
    assert_moved(out, USB_OK, 1u << 20);
}

/* What is on its way to a client that takes nothing stays within bounds; the rest waits in the guest. */
static void
test_out_is_bounded(void)
{
    enum { N = 6, BYTES = 8 << 20 };
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = client_connect(client);
    Move *moves[N];

    for (unsigned i = 0; i < N; i++)
        moves[i] = move_new(device, USB_BULK, 0x02, BYTES);
    assert_heard(client, "bulk 02 8388608 bulk 02 8388608 bulk 02 8388608 bulk 02 8388608");
    device->ops->cancel(device, &moves[N - 1]->transfer);
    assert_moved(moves[N - 1], USB_CANCELLED, 0);
    answer_bulk(client, client->last_id, 0x02, usb_redir_success, NULL, BYTES);
    assert_heard(client, "bulk 02 8388608");
    assert_moved(moves[3], USB_OK, (uint32_t)BYTES);
    redirect_peer_free(g_steal_pointer(&client->peer), "its client went away");
    for (unsigned i = 0; i < N; i++)
        move_free(moves[i]);
}

static void
test_old_client(void)
{
    g_autoptr(Client) client = client_new_without(4, USB_POLICY_ALL, usb_redir_cap_32bits_bulk_length);
    UsbDevice *device = client_connect(client);

    g_autoptr(Move) large = move_new(device, USB_BULK, 0x81, 65536);
    assert_moved(large, USB_FAULT, 0);
    g_autoptr(Move) small = move_new(device, USB_BULK, 0x81, 65535);
    client_pump(client);
    answer_bulk(client, client->last_id, 0x81, usb_redir_success, NULL, 0);
    assert_moved(small, USB_OK, 0);
}

static void
test_streams(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = client_connect(client);

    g_assert_true(device->ops->set_streams(device, 0x81, 8));
    assert_heard(client, "streams 20000 8");
    g_assert_true(device->ops->set_streams(device, 0x81, 0));
    assert_heard(client, "no-streams 20000");

    g_autoptr(Client) old = client_new_without(4, USB_POLICY_ALL, usb_redir_cap_bulk_streams);
    device = client_connect(old);
    g_assert_false(device->ops->set_streams(device, 0x81, 8));
}

static void
test_cancel(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = client_connect(client);
    uint8_t data[512] = {1, 2, 3};
    g_autoptr(Move) in = move_new(device, USB_BULK, 0x81, 512);

    /* The answer was on its way: nothing of it is lost. */
    client_pump(client);
    device->ops->cancel(device, &in->transfer);
    device->ops->cancel(device, &in->transfer);
    assert_heard(client, "bulk 81 512 cancel 1");
    g_assert_false(in->done);
    answer_bulk(client, 1, 0x81, usb_redir_success, data, sizeof data);
    assert_moved(in, USB_OK, 512);

    /* One that never comes is not waited for, and forgiven when it comes after all. */
    g_autoptr(Move) lost = move_new(device, USB_BULK, 0x81, 512);
    device->ops->cancel(device, &lost->transfer);
    while (!lost->done)
        g_main_context_iteration(client->context, TRUE);
    assert_moved(lost, USB_CANCELLED, 0);
    answer_bulk(client, 2, 0x81, usb_redir_cancelled, data, 100);
    g_assert_nonnull(usb_bus_find(client->bus, "client0"));
}

/* --- data that come unasked ------------------------------------------------------------------------------------- */

static void
send_interrupt(Client *client, uint8_t status, uint8_t value, int len)
{
    struct usb_redir_interrupt_packet_header header = {.endpoint = 0x83, .status = status, .length = (uint16_t)len};
    uint8_t data[64];

    memset(data, value, sizeof data);
    usbredirparser_send_interrupt_packet(client->parser, 0, &header, len ? data : NULL, len);
}

static void
test_interrupt_in(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = client_connect(client);

    send_interrupt(client, usb_redir_success, 9, 8); /* before anybody asked: dropped */
    client_pump(client);
    g_autoptr(Move) first = move_new(device, USB_INTERRUPT, 0x83, 8);
    g_autoptr(Move) second = move_new(device, USB_INTERRUPT, 0x83, 8);
    assert_heard(client, "start-interrupt 83");
    send_interrupt(client, usb_redir_success, 1, 4);
    client_pump(client);
    assert_moved(first, USB_OK, 4);
    g_assert_false(second->done);
    device->ops->cancel(device, &second->transfer);
    assert_moved(second, USB_CANCELLED, 0);

    /* They wait for the guest, the newest of them. */
    for (unsigned i = 0; i < REDIRECT_INTERRUPT_PACKETS_MAX + 10; i++)
        send_interrupt(client, usb_redir_success, (uint8_t)i, 8);
    client_pump(client);
    for (unsigned i = 0; i < REDIRECT_INTERRUPT_PACKETS_MAX; i++) {
        g_autoptr(Move) next = move_new(device, USB_INTERRUPT, 0x83, 8);
        assert_moved(next, USB_OK, 8);
        g_assert_cmpuint(next->bytes[0], ==, i + 10);
    }
    g_autoptr(Move) waits = move_new(device, USB_INTERRUPT, 0x83, 8);
    g_assert_false(waits->done);
    send_interrupt(client, usb_redir_success, 5, 64);
    client_pump(client);
    assert_moved(waits, USB_BABBLE, 8);
    device->ops->stop(device, 0x83);
    assert_heard(client, "stop-interrupt 83");
    device->ops->stop(device, 0x83);
    assert_heard(client, "");
}

static void
test_interrupt_stall(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = client_connect(client);
    struct usb_redir_interrupt_receiving_status_header stall = {.status = usb_redir_stall, .endpoint = 0x83};

    g_autoptr(Move) waits = move_new(device, USB_INTERRUPT, 0x83, 8);
    client_pump(client);
    usbredirparser_send_interrupt_receiving_status(client->parser, 0, &stall);
    client_pump(client);
    assert_moved(waits, USB_STALL, 0);
    g_autoptr(Move) again = move_new(device, USB_INTERRUPT, 0x83, 8);
    assert_heard(client, "start-interrupt 83 start-interrupt 83");
    g_assert_false(again->done);
    usbredirparser_send_device_disconnect(client->parser);
    client_pump(client);
    assert_moved(again, USB_GONE, 0);
}

static void
test_interrupt_out(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = client_connect(client);
    struct usb_redir_interrupt_packet_header header = {.endpoint = 0x04, .length = 6};

    g_autoptr(Move) out = move_new(device, USB_INTERRUPT, 0x04, 6);
    assert_heard(client, "interrupt 04 6");
    usbredirparser_send_interrupt_packet(client->parser, client->last_id, &header, NULL, 0);
    client_pump(client);
    assert_moved(out, USB_OK, 6);
}

static void
send_iso(Client *client, uint8_t status, uint8_t value, int len)
{
    struct usb_redir_iso_packet_header header = {.endpoint = 0x85, .status = status, .length = (uint16_t)len};
    uint8_t data[192];

    memset(data, value, sizeof data);
    usbredirparser_send_iso_packet(client->parser, 0, &header, data, len);
    client_pump(client);
}

/* Nothing until a buffer's worth is there, then packet by packet; empty when it has run dry. */
static void
test_iso_in(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = client_connect(client);
    unsigned target = REDIRECT_ISO_BUFFER_MS; /* one a millisecond */

    for (unsigned i = 0; i < target; i++) {
        g_autoptr(Move) none = move_new(device, USB_ISOCHRONOUS, 0x85, 192);
        assert_moved(none, USB_OK, 0);
        if (i == 0)
            client_pump(client);
        send_iso(client, usb_redir_success, (uint8_t)i, 192);
    }
    assert_heard(client, "start-iso 85 10*6");
    for (unsigned i = 0; i < target; i++) {
        g_autoptr(Move) packet = move_new(device, USB_ISOCHRONOUS, 0x85, 192);
        assert_moved(packet, USB_OK, 192);
        g_assert_cmpuint(packet->bytes[191], ==, i);
    }
    g_autoptr(Move) dry = move_new(device, USB_ISOCHRONOUS, 0x85, 192);
    assert_moved(dry, USB_OK, 0);
    device->ops->stop(device, 0x85);
    assert_heard(client, "stop-iso 85");
}

/* CVE-2021-3527's and 3682's kind: packets without end that nobody takes. */
static void
test_iso_flood(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = client_connect(client);
    g_autoptr(Move) start = move_new(device, USB_ISOCHRONOUS, 0x85, 192);
    unsigned n = 0;

    client_pump(client);
    for (unsigned i = 0; i < 10000; i++)
        send_iso(client, usb_redir_success, (uint8_t)i, 192);
    for (bool got = true; got; n += got) {
        g_autoptr(Move) packet = move_new(device, USB_ISOCHRONOUS, 0x85, 192);
        got = packet->transfer.actual;
    }
    g_assert_cmpuint(n, ==, REDIRECT_ISO_KEPT_MS);
}

static void
test_iso_out(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = client_connect(client);
    struct usb_redir_iso_stream_status_header failed = {.status = usb_redir_stall, .endpoint = 0x06};

    for (unsigned i = 0; i < 2; i++) {
        g_autoptr(Move) packet = move_new(device, USB_ISOCHRONOUS, 0x06, 192);
        assert_moved(packet, USB_OK, 192);
    }
    assert_heard(client, "start-iso 06 10*6 iso 06 192 iso 06 192");
    usbredirparser_send_iso_stream_status(client->parser, 0, &failed);
    client_pump(client);
    g_autoptr(Move) told = move_new(device, USB_ISOCHRONOUS, 0x06, 192);
    assert_moved(told, USB_STALL, 192);
    assert_heard(client, "start-iso 06 10*6");
}

static void
test_reset(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = client_connect(client);
    g_autoptr(Move) iso = move_new(device, USB_ISOCHRONOUS, 0x85, 192);

    device->resetting = true;
    device->ops->reset(device);
    g_assert_false(device->resetting);
    assert_heard(client, "start-iso 85 10*6 reset");
    g_autoptr(Move) again = move_new(device, USB_ISOCHRONOUS, 0x85, 192);
    assert_heard(client, "start-iso 85 10*6");
}

/* --- clients that break the protocol ---------------------------------------------------------------------------- */

static void
test_gone_in_the_middle(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = client_connect(client);
    g_autoptr(Move) in = move_new(device, USB_BULK, 0x81, 512);
    g_autoptr(Move) out = move_new(device, USB_BULK, 0x02, 512);
    g_autoptr(Move) control = move_new_control(device, 0x80, 6, 0x100, 0, 18);
    g_autoptr(Move) interrupt = move_new(device, USB_INTERRUPT, 0x83, 8);

    client_pump(client);
    device->ops->cancel(device, &out->transfer);
    usbredirparser_send_device_disconnect(client->parser);
    client_pump(client);
    assert_moved(in, USB_GONE, 0);
    assert_moved(out, USB_GONE, 0);
    assert_moved(control, USB_GONE, 0);
    assert_moved(interrupt, USB_GONE, 0);
    answer_bulk(client, 1, 0x81, usb_redir_success, NULL, 0); /* too late, for nobody */
}

/* As the controller does: one that failed has it ask for the others of its endpoint. */
static UsbTransfer *others[4];

static void
ask_for_others(UsbTransfer *transfer)
{
    ((Move *)transfer)->done = true;
    for (unsigned i = 0; i < G_N_ELEMENTS(others); i++) {
        UsbTransfer *other = g_steal_pointer(&others[i]);
        if (other && !((Move *)other)->done)
            other->device->ops->cancel(other->device, other);
    }
}

static void
test_gone_with_many(void)
{
    enum { N = 10, BYTES = 8 << 20 };
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = client_connect(client);
    Move *moves[N];

    for (unsigned i = 0; i < N; i++) /* some on their way, some held; two that wait for a packet */
        moves[i] = i < 8 ? move_new(device, USB_BULK, 0x02, BYTES) : move_new(device, USB_INTERRUPT, 0x83, 8);
    for (unsigned i = 0; i < N; i++)
        moves[i]->transfer.done = ask_for_others;
    others[0] = &moves[1]->transfer, others[1] = &moves[6]->transfer;
    others[2] = &moves[8]->transfer, others[3] = &moves[9]->transfer;
    client_pump(client);
    usbredirparser_send_device_disconnect(client->parser);
    client_pump(client);
    for (unsigned i = 0; i < N; i++) {
        g_assert_cmpint(moves[i]->transfer.status, ==, USB_GONE);
        move_free(moves[i]);
    }
}

static void
assert_ended(Client *client)
{
    client_pump(client);
    g_assert_null(usb_bus_find(client->bus, "client0"));
    g_assert_null(client_connect(client)); /* it is not listened to any more */
}

static void
test_garbage(void)
{
    struct {
        uint32_t type, length;
        uint64_t id;
    } lies[] = {
        {usb_redir_bulk_packet, UINT32_MAX, 1},
        {usb_redir_bulk_packet, 3, 1},
        {usb_redir_bulk_packet, REDIRECT_PACKET_MAX + 100, 1},
        {usb_redir_ep_info, 4, 0},
        {99, 16, 0},
        {usb_redir_set_configuration, 1, 0},
        {usb_redir_iso_packet, 2, 0},
        {usb_redir_control_packet, 1 << 30, 0},
        {usb_redir_interface_info, 1 << 16, 0},
    };
    uint8_t rest[64];

    memset(rest, 0xff, sizeof rest);
    for (unsigned i = 0; i < G_N_ELEMENTS(lies); i++) {
        g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
        UsbDevice *device = client_connect(client);
        g_autoptr(Move) in = move_new(device, USB_BULK, 0x81, 512);
        client_pump(client);
        client_send_raw(client, &lies[i], sizeof lies[i]);
        for (unsigned j = 0; j < 100; j++)
            client_send_raw(client, rest, sizeof rest);
        assert_ended(client);
        assert_moved(in, USB_GONE, 0);
    }
}

static void
test_second_device(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);

    client_connect(client);
    client_offer(client, usb_redir_speed_full, 3);
    assert_ended(client);
}

static void
test_device_out_of_nothing(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    struct usb_redir_device_connect_header offer = {.speed = usb_redir_speed_high};

    usbredirparser_send_device_connect(client->parser, &offer);
    assert_ended(client);
}

static void
test_too_many_interfaces(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    struct {
        uint32_t type, length;
        uint64_t id;
        struct usb_redir_interface_info_header interfaces;
    } packet = {usb_redir_interface_info, sizeof packet.interfaces, 0, {.interface_count = 33}};

    client_send_raw(client, &packet, sizeof packet);
    assert_ended(client);
}

/* Ids never given out, answers of another kind than the question, data for endpoints that have none: thrown away. */
static void
test_answers_never_asked_for(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = client_connect(client);
    struct usb_redir_interrupt_packet_header wrong = {.endpoint = 0x81, .length = 4};
    struct usb_redir_iso_packet_header iso = {.endpoint = 0x81, .length = 4};
    struct usb_redir_configuration_status_header configured = {.configuration = 1};
    struct usb_redir_bulk_streams_status_header streams = {.status = usb_redir_inval};
    uint8_t data[4] = {0};
    g_autoptr(Move) in = move_new(device, USB_BULK, 0x81, 512);

    client_pump(client);
    answer_bulk(client, 0, 0x81, usb_redir_success, data, 4);
    answer_bulk(client, UINT64_MAX, 0x81, usb_redir_success, data, 4);
    answer_control(client, usb_redir_success, data, 4);
    usbredirparser_send_configuration_status(client->parser, client->last_id, &configured);
    usbredirparser_send_bulk_streams_status(client->parser, 0, &streams);
    usbredirparser_send_interrupt_packet(client->parser, 1, &wrong, data, 4);
    usbredirparser_send_iso_packet(client->parser, 1, &iso, data, 4);
    client_pump(client);
    g_assert_false(in->done);
    answer_bulk(client, 1, 0x81, usb_redir_success, data, 4);
    assert_moved(in, USB_OK, 4);
}

/* Bulk data that come by themselves are for hosts that start them: nothing here does. */
static void
test_buffered_bulk_never_asked_for(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = client_connect(client);
    g_autoptr(Move) in = move_new(device, USB_BULK, 0x81, 512);
    struct usb_redir_bulk_receiving_status_header status = {.endpoint = 0x81};
    uint8_t data[512] = {0};

    client_pump(client);
    usbredirparser_send_bulk_receiving_status(client->parser, client->last_id, &status);
    for (unsigned id = 0; id < 10; id++) {
        struct usb_redir_buffered_bulk_packet_header header = {
            .stream_id = id, .length = sizeof data, .endpoint = 0x81};
        usbredirparser_send_buffered_bulk_packet(client->parser, id, &header, data, sizeof data);
    }
    client_pump(client);
    g_assert_false(in->done);
    answer_bulk(client, client->last_id, 0x81, usb_redir_success, data, 4);
    assert_moved(in, USB_OK, 4);
}

/* What only the desktop's side may say: said by a client, it breaks the protocol. */
static void
test_our_words(void)
{
    static const struct {
        uint32_t type, length;
    } packets[] = {{usb_redir_start_bulk_receiving, 10},
                   {usb_redir_set_configuration, 1},
                   {usb_redir_reset, 0},
                   {usb_redir_start_iso_stream, 3},
                   {usb_redir_cancel_data_packet, 0}};
    uint8_t nothing[8 + 10] = {0};

    for (unsigned i = 0; i < G_N_ELEMENTS(packets); i++) {
        g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
        client_connect(client);
        client_send_raw(client, &packets[i], sizeof packets[i]);
        client_send_raw(client, nothing, 8 + packets[i].length);
        assert_ended(client);
    }
}

/* A client's own rules are its own matter: ours decide as before, and text that is no rules harms nobody. */
static void
test_filters(void)
{
    static const char *const texts[] = {"-1,-1,-1,-1,1",
                                        "0x03,-1,-1,-1,0|-1,-1,-1,-1,1",
                                        "",
                                        ",,,,,,,,,,,|||||||||",
                                        "0xfffffffffffffffffff,-99999999999,70000,-2,7",
                                        "|-1,-1,-1,-1,1|1",
                                        "\xff\xfe\x01"};

    for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(Client) client = client_new(1, "0x03,-1,-1,-1,0|-1,-1,-1,-1,1");
        struct {
            uint32_t type, length;
            uint64_t id;
        } header = {usb_redir_filter_filter, (uint32_t)strlen(texts[i]) + 1, 0};
        client_send_raw(client, &header, sizeof header);
        client_send_raw(client, texts[i], header.length);
        client_offer(client, usb_redir_speed_low, 3);
        assert_told(client, "refused client0: the desktop's USB policy does not allow it");
    }
}

static void
test_filter_without_an_end(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    struct {
        uint32_t type, length;
        uint64_t id;
        char text[16];
    } packet = {usb_redir_filter_filter, 16, 0, {0}};

    memset(packet.text, '1', sizeof packet.text);
    client_connect(client);
    client_send_raw(client, &packet, sizeof packet);
    assert_ended(client);
}

/* CVE-2021-3682's kind again, of several endpoints and packets as large as they can be: bounded for the device as a whole. */
static void
test_kept_is_bounded(void)
{
    enum { BYTES = 60000 };
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = client_connect(client);
    struct usb_redir_interrupt_packet_header interrupt = {.endpoint = 0x83, .length = BYTES};
    struct usb_redir_iso_packet_header iso = {.endpoint = 0x85, .length = BYTES};
    g_autofree uint8_t *data = g_malloc0(BYTES);
    g_autoptr(Move) first = move_new(device, USB_INTERRUPT, 0x83, 8);
    g_autoptr(Move) start = move_new(device, USB_ISOCHRONOUS, 0x85, 192);
    size_t kept = 0;

    client_pump(client);
    for (unsigned i = 0; i < 200; i++) {
        usbredirparser_send_interrupt_packet(client->parser, 0, &interrupt, data, BYTES);
        usbredirparser_send_iso_packet(client->parser, 0, &iso, data, BYTES);
        client_pump(client);
    }
    for (bool got = true; got;) {
        g_autoptr(Move) packet = move_new(device, USB_ISOCHRONOUS, 0x85, BYTES);
        kept += packet->transfer.actual;
        got = packet->transfer.actual;
    }
    for (bool got = true; got;) {
        g_autoptr(Move) packet = move_new(device, USB_INTERRUPT, 0x83, BYTES);
        got = packet->done;
        kept += packet->transfer.actual;
        if (!got)
            device->ops->cancel(device, &packet->transfer);
    }
    g_assert_cmpuint(kept, >, REDIRECT_KEPT_BYTES_MAX / 2);
    g_assert_cmpuint(kept, <=, REDIRECT_KEPT_BYTES_MAX + BYTES);
}

/* It reads nothing, and takes its device back and brings it again: what waits for it has an end. */
static void
test_deaf(void)
{
    enum { BYTES = 16 << 20 };
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = client_connect(client);
    Move *moves[4];

    client->room = 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(moves); i++) {
        g_assert_nonnull(device);
        moves[i] = move_new(device, USB_BULK, 0x02, BYTES);
        if (i % 2) {
            usbredirparser_send_device_disconnect(client->parser);
            client_pump(client);
            device = client_connect(client);
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(moves); i++) {
        assert_moved(moves[i], USB_GONE, 0);
        move_free(moves[i]);
    }
    assert_ended(client);
}

/* It takes requests and never answers: what is kept of it has an end. */
static void
test_never_answers(void)
{
    g_autoptr(Client) client = client_new(4, USB_POLICY_ALL);
    UsbDevice *device = client_connect(client);

    Move *moves[REDIRECT_UNANSWERED_MAX + 1];

    for (unsigned i = 0; i < G_N_ELEMENTS(moves); i++) {
        moves[i] = move_new(device, USB_BULK, 0x81, 64);
        device->ops->cancel(device, &moves[i]->transfer);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(moves); i++) {
        while (!moves[i]->done)
            g_main_context_iteration(client->context, TRUE);
        move_free(moves[i]);
    }
    assert_ended(client);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/usb/redirect/comes-and-goes", test_comes_and_goes);
    g_test_add_func("/usb/redirect/refused", test_refused);
    g_test_add_func("/usb/redirect/refused-later", test_refused_later);
    g_test_add_func("/usb/redirect/no-port", test_no_port);
    g_test_add_func("/usb/redirect/control", test_control);
    g_test_add_func("/usb/redirect/settings", test_settings);
    g_test_add_func("/usb/redirect/bulk", test_bulk);
    g_test_add_func("/usb/redirect/slow-client", test_slow_client);
    g_test_add_func("/usb/redirect/out-is-bounded", test_out_is_bounded);
    g_test_add_func("/usb/redirect/old-client", test_old_client);
    g_test_add_func("/usb/redirect/streams", test_streams);
    g_test_add_func("/usb/redirect/cancel", test_cancel);
    g_test_add_func("/usb/redirect/interrupt-in", test_interrupt_in);
    g_test_add_func("/usb/redirect/interrupt-stall", test_interrupt_stall);
    g_test_add_func("/usb/redirect/interrupt-out", test_interrupt_out);
    g_test_add_func("/usb/redirect/iso-in", test_iso_in);
    g_test_add_func("/usb/redirect/iso-flood", test_iso_flood);
    g_test_add_func("/usb/redirect/iso-out", test_iso_out);
    g_test_add_func("/usb/redirect/reset", test_reset);
    g_test_add_func("/usb/redirect/gone-in-the-middle", test_gone_in_the_middle);
    g_test_add_func("/usb/redirect/gone-with-many", test_gone_with_many);
    g_test_add_func("/usb/redirect/garbage", test_garbage);
    g_test_add_func("/usb/redirect/second-device", test_second_device);
    g_test_add_func("/usb/redirect/device-out-of-nothing", test_device_out_of_nothing);
    g_test_add_func("/usb/redirect/too-many-interfaces", test_too_many_interfaces);
    g_test_add_func("/usb/redirect/answers-never-asked-for", test_answers_never_asked_for);
    g_test_add_func("/usb/redirect/buffered-bulk-never-asked-for", test_buffered_bulk_never_asked_for);
    g_test_add_func("/usb/redirect/our-words", test_our_words);
    g_test_add_func("/usb/redirect/filters", test_filters);
    g_test_add_func("/usb/redirect/filter-without-an-end", test_filter_without_an_end);
    g_test_add_func("/usb/redirect/kept-is-bounded", test_kept_is_bounded);
    g_test_add_func("/usb/redirect/deaf", test_deaf);
    g_test_add_func("/usb/redirect/never-answers", test_never_answers);
    return g_test_run();
}
