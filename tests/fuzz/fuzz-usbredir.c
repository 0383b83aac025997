/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A redirection channel whose client says anything whatever, and a guest that meanwhile uses the device as a driver could.
 *
 * The first byte chooses a capability that the client goes without, and whether it has offered a device already. Then come
 * records: an operation and its arguments. Packets are framed here, so that changes of a byte lead past the frame; bytes as
 * they are come too. What the peer says must be good usbredir: a parser of the client's kind reads it, and complains
 * otherwise. At the end every transfer is the guest's again.
 */
#include "client.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define MOVES 32
#define RAW_MAX 64
#define PACKET_MAX 512

enum {
    OP_PACKET,  /* type (1), id (1), length (2), bytes: framed as the client would */
    OP_LIE,     /* type (1), id (1), length (4): a frame, and nothing in it */
    OP_RAW,     /* length (1), bytes */
    OP_SUBMIT,  /* endpoint (1), length (2): of the type that the endpoint was offered with */
    OP_CONTROL, /* a setup packet (8) */
    OP_CANCEL,  /* which (1) */
    OP_STOP,    /* endpoint (1) */
    OP_RESET,
    OP_STREAMS, /* endpoint (1), number (1) */
    OP_ROOM,    /* bytes that the way to the client has (2) */
    OP_AGAIN,   /* how often (2), then what OP_PACKET takes: a flood */
    OP_OFFER,   /* speed (1), class (1): a device as any other */
    OP_COMMAND, /* length (4): a disk's, which brings so much */
    N_OPS,
};

typedef struct {
    Client *client;
    bool long_ids;
    Move *moves[MOVES];
} Channel;

/* --- the guest --------------------------------------------------------------------------------------------------- */

static UsbDevice *
device_of(Channel *channel)
{
    return usb_bus_find(channel->client->bus, "client0");
}

static void
sweep(Channel *channel)
{
    for (unsigned i = 0; i < MOVES; i++)
        if (channel->moves[i] && channel->moves[i]->done)
            g_clear_pointer(&channel->moves[i], move_free);
}

static Move **
free_place(Channel *channel)
{
    for (unsigned i = 0; i < MOVES; i++)
        if (!channel->moves[i])
            return &channel->moves[i];
    return NULL;
}

static void
submit(Channel *channel, uint8_t endpoint, uint32_t len)
{
    static const UsbTransferType types[] = {USB_BULK,      USB_BULK,        USB_BULK,       USB_INTERRUPT,
                                            USB_INTERRUPT, USB_ISOCHRONOUS, USB_ISOCHRONOUS};
    UsbDevice *device = device_of(channel);
    Move **place = free_place(channel);

    if (device && place)
        *place = move_new(device, types[(endpoint & 15) % G_N_ELEMENTS(types)], endpoint & 0x8f, len);
}

static void
control(Channel *channel, FuzzInput *input)
{
    UsbDevice *device = device_of(channel);
    Move **place = free_place(channel);
    uint8_t type = fuzz_take(input, 1), request = fuzz_take(input, 1);
    uint16_t value = fuzz_take(input, 2), index = fuzz_take(input, 2), len = fuzz_take(input, 2);

    if (device && place)
        *place = move_new_control(device, type, request, value, index, len);
}

static void
command(Channel *channel, uint32_t len)
{
    UsbDevice *device = device_of(channel);
    Move **place = free_place(channel);

    if (device && place)
        *place = move_new_command(device, len);
}

/* Asks for the transfers of one endpoint, or all; true: none of them is left. */
static bool
take_back(Channel *channel, int endpoint)
{
    UsbDevice *device = device_of(channel);
    bool none = true;

    for (unsigned i = 0; i < MOVES; i++) {
        Move *move = channel->moves[i];
        if (!move || move->done || (endpoint >= 0 && move->transfer.endpoint != endpoint))
            continue;
        device->ops->cancel(device, &move->transfer);
        none = none && move->done;
    }
    return none;
}

static void
reset(Channel *channel)
{
    UsbDevice *device = device_of(channel);

    if (!device || !take_back(channel, -1))
        return;
    device->resetting = true;
    device->ops->reset(device);
    g_assert(!device->resetting);
}

static void
stop(Channel *channel, uint8_t endpoint)
{
    UsbDevice *device = device_of(channel);

    if (device && take_back(channel, endpoint))
        device->ops->stop(device, endpoint);
}

static void
cancel(Channel *channel, unsigned which)
{
    UsbDevice *device = device_of(channel);
    Move *move = channel->moves[which % MOVES];

    if (device && move && !move->done)
        device->ops->cancel(device, &move->transfer);
}

static void
set_streams(Channel *channel, uint8_t endpoint, unsigned n)
{
    UsbDevice *device = device_of(channel);

    if (device)
        device->ops->set_streams(device, endpoint & 0x8f, n % 2 ? 8 : 0);
}

/* --- the client -------------------------------------------------------------------------------------------------- */

static void
put_header(Channel *channel, GByteArray *to, uint32_t type, uint32_t len, uint8_t id)
{
    uint64_t whole = id == UINT8_MAX ? channel->client->last_id : id;

    g_byte_array_append(to, (const uint8_t *)&type, 4);
    g_byte_array_append(to, (const uint8_t *)&len, 4);
    g_byte_array_append(to, (const uint8_t *)&whole, channel->long_ids ? 8 : 4);
}

/* The types go up in two ranges: 0 to 28 of settings, 100 to 105 of data. */
static uint32_t
packet_type(uint8_t byte)
{
    return byte < 128 ? byte % 32 : 100 + byte % 8;
}

static GByteArray *
make_packet(Channel *channel, FuzzInput *input)
{
    GByteArray *packet = g_byte_array_new();
    uint32_t type = packet_type(fuzz_take(input, 1));
    uint8_t id = fuzz_take(input, 1);
    size_t wanted = fuzz_take(input, 2) % (PACKET_MAX + 1), len = MIN(wanted, input->left);

    put_header(channel, packet, type, (uint32_t)len, id);
    g_byte_array_append(packet, input->at, (guint)len);
    input->at += len;
    input->left -= len;
    return packet;
}

static void
say_packet(Channel *channel, FuzzInput *input, unsigned times)
{
    g_autoptr(GByteArray) packet = make_packet(channel, input);

    for (unsigned i = 0; i < times; i++)
        client_send_raw(channel->client, packet->data, packet->len);
}

static void
lie(Channel *channel, FuzzInput *input)
{
    g_autoptr(GByteArray) packet = g_byte_array_new();
    uint32_t type = packet_type(fuzz_take(input, 1));
    uint8_t id = fuzz_take(input, 1);

    put_header(channel, packet, type, (uint32_t)fuzz_take(input, 4), id);
    client_send_raw(channel->client, packet->data, packet->len);
}

static void
say_raw(Channel *channel, FuzzInput *input)
{
    size_t wanted = fuzz_take(input, 1) % RAW_MAX, len = MIN(wanted, input->left);

    client_send_raw(channel->client, input->at, len);
    input->at += len;
    input->left -= len;
}

/* --- the two together -------------------------------------------------------------------------------------------- */

static void
run_record(Channel *channel, FuzzInput *input)
{
    unsigned a, b;

    switch (fuzz_take(input, 1) % N_OPS) {
    case OP_PACKET:
        say_packet(channel, input, 1);
        break;
    case OP_LIE:
        lie(channel, input);
        break;
    case OP_RAW:
        say_raw(channel, input);
        break;
    case OP_SUBMIT:
        a = fuzz_take(input, 1);
        submit(channel, (uint8_t)a, fuzz_take(input, 2));
        break;
    case OP_CONTROL:
        control(channel, input);
        break;
    case OP_CANCEL:
        cancel(channel, fuzz_take(input, 1));
        break;
    case OP_STOP:
        stop(channel, fuzz_take(input, 1) & 0x8f);
        break;
    case OP_RESET:
        reset(channel);
        break;
    case OP_STREAMS:
        a = fuzz_take(input, 1);
        set_streams(channel, (uint8_t)a, fuzz_take(input, 1));
        break;
    case OP_ROOM:
        channel->client->room = fuzz_take(input, 2) + 1;
        break;
    case OP_AGAIN:
        a = fuzz_take(input, 2);
        say_packet(channel, input, a % 256);
        break;
    case OP_OFFER:
        a = fuzz_take(input, 1) % 5;
        b = fuzz_take(input, 1);
        client_offer(channel->client, (uint8_t)a, (uint8_t)b);
        break;
    case OP_COMMAND:
        command(channel, (uint32_t)fuzz_take(input, 4));
        break;
    default:
        break;
    }
    g_free(client_heard(channel->client)); /* pumps */
    g_free(client_told(channel->client));
    sweep(channel);
}

static GLogWriterOutput
say_nothing(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer user)
{
    return level & (G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_INFO) ? G_LOG_WRITER_HANDLED
                                                            : g_log_writer_default(level, fields, n, user);
}

static void
begin(Channel *channel, uint8_t how)
{
    static const int without[] = {-1,
                                  -1,
                                  usb_redir_cap_64bits_ids,
                                  usb_redir_cap_filter,
                                  usb_redir_cap_32bits_bulk_length,
                                  usb_redir_cap_bulk_streams,
                                  usb_redir_cap_device_disconnect_ack};
    int missing = without[how % 8 % G_N_ELEMENTS(without)];

    *channel = (Channel){.client = client_new_without(2, "0x03,-1,-1,-1,0|-1,-1,-1,-1,1", missing),
                         .long_ids = missing != usb_redir_cap_64bits_ids};
    if (how & 8)
        client_offer(channel->client, usb_redir_speed_high, 8);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static bool quiet;
    FuzzInput input = {bytes, MIN(len, 4096)};
    Channel channel;

    if (!quiet)
        g_log_set_writer_func(say_nothing, NULL, NULL);
    quiet = true;
    begin(&channel, (uint8_t)fuzz_take(&input, 1));
    while (input.left)
        run_record(&channel, &input);
    redirect_peer_free(g_steal_pointer(&channel.client->peer), "its client went away");
    sweep(&channel);
    for (unsigned i = 0; i < MOVES; i++)
        g_assert(!channel.moves[i]);
    client_free(channel.client);
    return 0;
}
