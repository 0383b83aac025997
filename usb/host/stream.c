/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Isochronous endpoints of a host's device: a few of libusb's transfers take turns, each with packets of some milliseconds, so
 * that the device is never without one. What comes passes through a buffer (usb/packets.h) to the guest's transfers, one packet
 * each; what goes is gathered until a transfer is full.
 *
 * A stream that was stopped lives on until its last transfer is back.
 */
#include "usb/host/private.h"

#include <string.h>

#define URBS 4
#define URBS_PER_SECOND 100
#define PACKETS_PER_URB_MAX 32
/* Full transfers that wait before the first is sent, so that the next is there in time. */
#define URBS_AHEAD 2

struct HostStream {
    HostDevice *device;
    bool in;
    bool stopped;
    bool running; /* OUT: enough was gathered, and it goes */
    unsigned packet_size, per_urb;
    UsbPackets packets;                 /* IN */
    struct libusb_transfer *urbs[URBS]; /* all of them, … */
    GQueue idle;                        /* … those that nobody has, … */
    GQueue full;                        /* … and, OUT, those that wait to be sent */
    struct libusb_transfer *gathering;  /* OUT: being filled */
    unsigned n_gathered;                /* packets in it */
    unsigned n_out;                     /* that libusb has */
};

static void
free_data(void *owner, const UsbPacket *packet)
{
    g_free(packet->data);
}

static void
stream_free(HostStream *stream)
{
    for (unsigned i = 0; i < URBS; i++) {
        g_free(stream->urbs[i]->buffer);
        libusb_free_transfer(stream->urbs[i]);
    }
    g_queue_clear(&stream->idle);
    g_queue_clear(&stream->full);
    usb_packets_clear(&stream->packets);
    g_free(stream);
}

/* Returns whether libusb took it. */
static bool
send(HostStream *stream, struct libusb_transfer *urb)
{
    if (libusb_submit_transfer(urb) != LIBUSB_SUCCESS) {
        g_queue_push_tail(&stream->idle, urb);
        return false;
    }
    stream->n_out++;
    stream->device->n_urbs++;
    return true;
}

/* --- in ----------------------------------------------------------------------------------------------------------- */

static void
keep_packets(HostStream *stream, struct libusb_transfer *urb)
{
    for (int i = 0; i < urb->num_iso_packets; i++) {
        const struct libusb_iso_packet_descriptor *came = &urb->iso_packet_desc[i];
        UsbPacket packet = {.status = host_status(came->status), .len = came->actual_length};
        if (packet.len)
            packet.data = g_memdup2(libusb_get_iso_packet_buffer_simple(urb, (unsigned)i), packet.len);
        usb_packets_push(&stream->packets, &packet, stream->packets.target * 3);
    }
}

/* --- both --------------------------------------------------------------------------------------------------------- */

static void
send_full(HostStream *stream)
{
    struct libusb_transfer *urb;

    stream->running = stream->n_out || stream->full.length >= URBS_AHEAD;
    while (stream->running && (urb = g_queue_pop_head(&stream->full)))
        send(stream, urb);
}

static void
on_back(struct libusb_transfer *urb)
{
    HostStream *stream = urb->user_data;
    HostDevice *device = stream->device;

    stream->n_out--;
    device->n_urbs--;
    if (urb->status == LIBUSB_TRANSFER_NO_DEVICE)
        host_device_lost(device);
    if (stream->stopped || urb->status == LIBUSB_TRANSFER_NO_DEVICE || urb->status == LIBUSB_TRANSFER_CANCELLED) {
        g_queue_push_tail(&stream->idle, urb);
    } else if (stream->in) {
        keep_packets(stream, urb);
        if (!send(stream, urb))
            stream->packets.failed = USB_FAULT;
    } else {
        g_queue_push_tail(&stream->idle, urb);
    }
    if (stream->stopped && !stream->n_out)
        stream_free(stream);
    host_device_settle(device);
}

static HostStream *
stream_new(HostDevice *device, const UsbTransfer *transfer)
{
    HostStream *stream = g_new0(HostStream, 1);
    unsigned per_second = 1000000 / CLAMP(transfer->period_us, 125, 1000000);

    stream->device = device;
    stream->in = usb_transfer_is_in(transfer);
    stream->packet_size = MAX(device->layout->packet_size[host_endpoint_index(transfer->endpoint)], 1);
    stream->per_urb = CLAMP(per_second / URBS_PER_SECOND, 1, PACKETS_PER_URB_MAX);
    stream->packets = (UsbPackets){.free_data = free_data, .target = 2 * stream->per_urb, .filling = true};
    for (unsigned i = 0; i < URBS; i++) {
        unsigned size = stream->per_urb * stream->packet_size;
        struct libusb_transfer *urb = stream->urbs[i] = libusb_alloc_transfer((int)stream->per_urb);
        libusb_fill_iso_transfer(urb, device->setup.handle, transfer->endpoint, g_malloc0(size), (int)size,
                                 (int)stream->per_urb, on_back, stream, 0);
        libusb_set_iso_packet_lengths(urb, stream->packet_size);
        g_queue_push_tail(&stream->idle, urb);
    }
    return stream;
}

static HostStream *
start(HostDevice *device, const UsbTransfer *transfer)
{
    HostStream *stream = stream_new(device, transfer);
    struct libusb_transfer *urb;

    device->touched = true;
    for (unsigned i = 0; stream->in && i < URBS; i++) {
        urb = g_queue_pop_head(&stream->idle);
        if (!send(stream, urb))
            stream->packets.failed = USB_FAULT;
    }
    return stream;
}

/* --- out ---------------------------------------------------------------------------------------------------------- */

/* One packet more; where every transfer is under way, it is dropped, as on a wire that is not listened to. */
static void
gather(HostStream *stream, UsbTransfer *transfer)
{
    if (!stream->gathering) {
        stream->gathering = g_queue_pop_head(&stream->idle);
        stream->n_gathered = 0;
    }
    struct libusb_transfer *urb = stream->gathering;
    if (!urb)
        return;
    uint32_t len = MIN(transfer->length, stream->packet_size);
    uint32_t at = 0;
    for (unsigned i = 0; i < stream->n_gathered; i++)
        at += urb->iso_packet_desc[i].length;
    usb_transfer_read(transfer, urb->buffer + at, len);
    urb->iso_packet_desc[stream->n_gathered++].length = len;
    if (stream->n_gathered < stream->per_urb)
        return;
    urb->length = (int)(at + len);
    g_queue_push_tail(&stream->full, g_steal_pointer(&stream->gathering));
    send_full(stream);
}

/* --- for device.c ------------------------------------------------------------------------------------------------- */

void
host_stream_submit(HostDevice *device, UsbTransfer *transfer)
{
    unsigned index = host_endpoint_index(transfer->endpoint);

    if (device->layout->type[index] != USB_ISOCHRONOUS) {
        usb_transfer_complete(transfer, USB_FAULT);
        return;
    }
    HostStream *running = device->streams[index];
    if (running && running->in && !running->n_out)
        host_stream_stop(device, transfer->endpoint); /* it failed: begins anew */
    if (!device->streams[index])
        device->streams[index] = start(device, transfer);
    HostStream *stream = device->streams[index];
    if (stream->in) {
        usb_packets_answer_isochronous(&stream->packets, transfer);
        return;
    }
    gather(stream, transfer);
    transfer->actual = transfer->length; /* a packet that was dropped is sent, as on a wire */
    usb_transfer_complete(transfer, USB_OK);
}

void
host_stream_stop(HostDevice *device, uint8_t address)
{
    HostStream *stream = g_steal_pointer(&device->streams[host_endpoint_index(address)]);

    if (!stream)
        return;
    stream->stopped = true;
    if (!stream->n_out) {
        stream_free(stream);
        return;
    }
    for (unsigned i = 0; i < URBS; i++)
        libusb_cancel_transfer(stream->urbs[i]); /* refuses those that it does not have */
}

void
host_stream_stop_all(HostDevice *device)
{
    for (unsigned i = 0; i < HOST_ENDPOINTS; i++)
        host_stream_stop(device, (uint8_t)(i & USB_ENDPOINT_NUMBER_MASK) | (i & 0x10 ? USB_DIR_IN : 0));
}
