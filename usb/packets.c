/* SPDX-License-Identifier: Apache-2.0 */
/* A queue, oldest first; its data are somebody else's to free. */
#include "usb/packets.h"

void
usb_packets_drop(UsbPackets *packets)
{
    UsbPacket *packet = g_queue_pop_head(&packets->list);

    packets->free_data(packets->owner, packet);
    g_free(packet);
}

void
usb_packets_push(UsbPackets *packets, const UsbPacket *packet, unsigned most)
{
    g_queue_push_tail(&packets->list, g_memdup2(packet, sizeof(*packet)));
    while (packets->list.length > most)
        usb_packets_drop(packets);
}

bool
usb_packets_answer(UsbPackets *packets, UsbTransfer *transfer)
{
    const UsbPacket *packet = g_queue_peek_head(&packets->list);

    if (!packet)
        return false;
    UsbStatus status = packet->len > transfer->length ? USB_BABBLE : packet->status;
    usb_transfer_write(transfer, packet->data, MIN(packet->len, transfer->length));
    usb_packets_drop(packets);
    usb_transfer_complete(transfer, status);
    return true;
}

void
usb_packets_answer_isochronous(UsbPackets *packets, UsbTransfer *transfer)
{
    UsbStatus failed = usb_packets_take_failure(packets);

    packets->filling = packets->filling && packets->list.length < packets->target;
    if (!packets->filling && usb_packets_answer(packets, transfer))
        return;
    packets->filling = true; /* ran dry, or not full yet */
    usb_transfer_complete(transfer, failed);
}

UsbStatus
usb_packets_take_failure(UsbPackets *packets)
{
    UsbStatus failed = packets->failed;

    packets->failed = USB_OK;
    return failed;
}

void
usb_packets_clear(UsbPackets *packets)
{
    packets->failed = USB_OK;
    while (packets->list.length)
        usb_packets_drop(packets);
}
