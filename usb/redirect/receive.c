/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints whose data come unasked: the client is told once to receive, and sends what its device sends until it is told to
 * stop. Interrupt IN packets wait here for the guest's transfers, or they for them. Isochronous ones pass through a buffer
 * that is filled before the first is handed on, so that a network's unevenness is not the guest's: a transfer takes the next
 * packet, at once, or an empty one.
 */
#include "usb/redirect/private.h"

#include <string.h>

/* Clients are asked for about a hundred URBs a second: fewer are late, more are work. Their libusb allows no more of each. */
#define URBS_PER_SECOND 100
#define PACKETS_PER_URB_MAX 32
#define URBS_MAX 16
/* Isochronous OUT data that may wait for the client; a stream that is late is worth nothing. */
#define ISO_OUT_WAITING_MAX (1u << 20)

static RedirectEndpoint *
endpoint_of(RedirectDevice *device, uint8_t address)
{
    return &device->endpoints[redirect_index(address)];
}

/* --- packets ---------------------------------------------------------------------------------------------------- */

static void
free_data(void *owner, const UsbPacket *packet)
{
    RedirectDevice *device = owner;

    device->kept_bytes -= packet->len;
    usbredirparser_free_packet_data(device->peer->parser, packet->data);
}

void
redirect_receive_init(RedirectDevice *device)
{
    for (unsigned i = 0; i < REDIRECT_ENDPOINTS; i++)
        device->endpoints[i].packets = (UsbPackets){.free_data = free_data, .owner = device};
}

static void
keep_packet(RedirectDevice *device, RedirectEndpoint *endpoint, uint8_t status, uint8_t *data, int len, unsigned max)
{
    const UsbPacket packet = {redirect_status(status), (uint32_t)MAX(len, 0), data};

    device->kept_bytes += packet.len;
    usb_packets_push(&endpoint->packets, &packet, max);
    while (device->kept_bytes > REDIRECT_KEPT_BYTES_MAX && endpoint->packets.list.length > 1)
        usb_packets_drop(&endpoint->packets);
}

/* --- interrupt IN ----------------------------------------------------------------------------------------------- */

static void
wait_for_packet(RedirectEndpoint *endpoint, UsbTransfer *transfer)
{
    transfer->next = NULL;
    if (endpoint->waiting)
        endpoint->last_waiting->next = transfer;
    else
        endpoint->waiting = transfer;
    endpoint->last_waiting = transfer;
}

static UsbTransfer *
take_waiting(RedirectEndpoint *endpoint)
{
    UsbTransfer *transfer = endpoint->waiting;

    if (transfer)
        endpoint->waiting = transfer->next;
    return transfer;
}

bool
redirect_receive_forget(RedirectDevice *device, UsbTransfer *transfer)
{
    RedirectEndpoint *endpoint = endpoint_of(device, transfer->endpoint);
    UsbTransfer *before = NULL;

    for (UsbTransfer *other = endpoint->waiting; other; before = other, other = other->next) {
        if (other != transfer)
            continue;
        if (before)
            before->next = other->next;
        else
            endpoint->waiting = other->next;
        if (endpoint->last_waiting == other)
            endpoint->last_waiting = before;
        return true;
    }
    return false;
}

void
redirect_receive_interrupt(RedirectDevice *device, UsbTransfer *transfer)
{
    RedirectEndpoint *endpoint = endpoint_of(device, transfer->endpoint);
    UsbStatus failed = usb_packets_take_failure(&endpoint->packets);

    if (failed != USB_OK) {
        usb_transfer_complete(transfer, failed);
        return;
    }
    if (usb_packets_answer(&endpoint->packets, transfer))
        return;
    wait_for_packet(endpoint, transfer);
    if (endpoint->started)
        return;
    endpoint->started = true;
    usbredirparser_send_start_interrupt_receiving(
        device->peer->parser, 0, &(struct usb_redir_start_interrupt_receiving_header){.endpoint = transfer->endpoint});
    redirect_peer_flush(device->peer);
}

static void
on_interrupt(void *user, uint64_t id, struct usb_redir_interrupt_packet_header *header, uint8_t *data, int len)
{
    RedirectPeer *peer = user;
    RedirectDevice *device = peer->device;
    RedirectEndpoint *endpoint = device ? endpoint_of(device, header->endpoint) : NULL;
    UsbTransfer *transfer;

    if (device && !(header->endpoint & USB_DIR_IN)) {
        redirect_interrupt_answered(peer, id, header);
    } else if (device && endpoint->started && endpoint->type == usb_redir_type_interrupt) {
        keep_packet(device, endpoint, header->status, data, len, REDIRECT_INTERRUPT_PACKETS_MAX);
        if ((transfer = take_waiting(endpoint)))
            usb_packets_answer(&endpoint->packets, transfer);
        return;
    } else if (device && endpoint->type != usb_redir_type_interrupt) {
        redirect_peer_complain(peer, "interrupt data of an endpoint that has none, thrown away");
    }
    usbredirparser_free_packet_data(peer->parser, data);
}

static void
on_interrupt_status(void *user, uint64_t id, struct usb_redir_interrupt_receiving_status_header *header)
{
    RedirectDevice *device = ((RedirectPeer *)user)->device;
    UsbTransfer *transfer;

    if (!device || header->status == usb_redir_success)
        return;
    RedirectEndpoint *endpoint = endpoint_of(device, header->endpoint);
    if (!endpoint->started)
        return;
    endpoint->started = false; /* the next transfer tries again: a stall may have been cleared by then */
    if ((transfer = take_waiting(endpoint)))
        usb_transfer_complete(transfer, redirect_status(header->status));
    else
        endpoint->packets.failed = redirect_status(header->status);
}

/* --- isochronous ------------------------------------------------------------------------------------------------ */

static void
start_stream(RedirectDevice *device, RedirectEndpoint *endpoint, const UsbTransfer *transfer)
{
    unsigned per_second = 1000000 / CLAMP(transfer->period_us, 125, 1000000);
    unsigned per_urb = CLAMP(per_second / URBS_PER_SECOND, 1, PACKETS_PER_URB_MAX);
    unsigned target = CLAMP(per_second * REDIRECT_ISO_BUFFER_MS / 1000, 1, REDIRECT_ISO_PACKETS_MAX / 2);

    endpoint->packets.target = target;
    endpoint->started = endpoint->packets.filling = true;
    usbredirparser_send_start_iso_stream(device->peer->parser, 0,
                                         &(struct usb_redir_start_iso_stream_header){
                                             .endpoint = transfer->endpoint,
                                             .pkts_per_urb = (uint8_t)per_urb,
                                             .no_urbs = (uint8_t)CLAMP((target + per_urb - 1) / per_urb, 2, URBS_MAX)});
    redirect_peer_flush(device->peer);
}

void
redirect_receive_iso(RedirectDevice *device, UsbTransfer *transfer)
{
    RedirectEndpoint *endpoint = endpoint_of(device, transfer->endpoint);

    if (!endpoint->started)
        start_stream(device, endpoint, transfer);
    usb_packets_answer_isochronous(&endpoint->packets, transfer);
}

void
redirect_send_iso(RedirectDevice *device, UsbTransfer *transfer)
{
    RedirectEndpoint *endpoint = endpoint_of(device, transfer->endpoint);
    struct usbredirparser *parser = device->peer->parser;
    UsbStatus failed = usb_packets_take_failure(&endpoint->packets);
    struct usb_redir_iso_packet_header header = {.endpoint = transfer->endpoint, .length = (uint16_t)transfer->length};
    g_autofree uint8_t *data = NULL;

    if (!endpoint->started)
        start_stream(device, endpoint, transfer);
    if (failed == USB_OK && transfer->length <= UINT16_MAX &&
        usbredirparser_get_bufferered_output_size(parser) < ISO_OUT_WAITING_MAX) {
        data = g_malloc(MAX(transfer->length, 1));
        usb_transfer_read(transfer, data, transfer->length);
        usbredirparser_send_iso_packet(parser, transfer->interval, &header, data, (int)transfer->length);
        redirect_peer_flush(device->peer);
    }
    transfer->actual = transfer->length; /* a packet that was dropped is sent, as on a wire */
    usb_transfer_complete(transfer, failed);
}

static void
on_iso(void *user, uint64_t id, struct usb_redir_iso_packet_header *header, uint8_t *data, int len)
{
    RedirectPeer *peer = user;
    RedirectDevice *device = peer->device;
    RedirectEndpoint *endpoint = device ? endpoint_of(device, header->endpoint) : NULL;
    bool in = header->endpoint & USB_DIR_IN;

    if (in && endpoint && endpoint->started && endpoint->type == usb_redir_type_iso) {
        keep_packet(device, endpoint, header->status, data, len,
                    endpoint->packets.target * REDIRECT_ISO_KEPT_MS / REDIRECT_ISO_BUFFER_MS);
        return;
    }
    if (endpoint && endpoint->type != usb_redir_type_iso)
        redirect_peer_complain(peer, "isochronous data of an endpoint that has none, thrown away");
    usbredirparser_free_packet_data(peer->parser, data);
}

static void
on_iso_status(void *user, uint64_t id, struct usb_redir_iso_stream_status_header *header)
{
    RedirectDevice *device = ((RedirectPeer *)user)->device;

    if (!device || header->status == usb_redir_success)
        return;
    RedirectEndpoint *endpoint = endpoint_of(device, header->endpoint);
    if (!endpoint->started || endpoint->type != usb_redir_type_iso)
        return;
    endpoint->started = false;
    usb_packets_clear(&endpoint->packets);
    endpoint->packets.failed = redirect_status(header->status);
}

/* --- stopping --------------------------------------------------------------------------------------------------- */

static void
forget(RedirectEndpoint *endpoint)
{
    endpoint->started = false;
    usb_packets_clear(&endpoint->packets);
}

void
redirect_receive_stop(RedirectDevice *device, uint8_t address)
{
    RedirectEndpoint *endpoint = endpoint_of(device, address);
    struct usbredirparser *parser = device->peer->parser;

    if (endpoint->started && endpoint->type == usb_redir_type_iso)
        usbredirparser_send_stop_iso_stream(parser, 0, &(struct usb_redir_stop_iso_stream_header){.endpoint = address});
    else if (endpoint->started)
        usbredirparser_send_stop_interrupt_receiving(
            parser, 0, &(struct usb_redir_stop_interrupt_receiving_header){.endpoint = address});
    forget(endpoint);
}

void
redirect_receive_reset(RedirectDevice *device, int interface)
{
    for (unsigned i = 0; i < REDIRECT_ENDPOINTS; i++)
        if (interface < 0 || device->endpoints[i].interface == interface)
            forget(&device->endpoints[i]);
}

void
redirect_receive_set_callbacks(struct usbredirparser *parser)
{
    parser->interrupt_packet_func = on_interrupt;
    parser->interrupt_receiving_status_func = on_interrupt_status;
    parser->iso_packet_func = on_iso;
    parser->iso_stream_status_func = on_iso_status;
}
