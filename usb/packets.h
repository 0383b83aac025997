/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets of a device from outside that came before the guest asked for them: the buffer behind an endpoint whose data comes
 * at the device's own pace.
 *
 * An isochronous transfer is answered at once, with the next packet or an empty one. So that the unevenness of a network, or
 * of transfers of many packets each, is not the guest's, nothing is handed on until there is a buffer's worth, and again after it
 * ran dry. Owner: the USB thread.
 */
#pragma once

#include "usb/device.h"

typedef struct {
    UsbStatus status;
    uint32_t len;
    uint8_t *data; /* NULL: none */
} UsbPacket;

typedef struct {
    void (*free_data)(void *owner, const UsbPacket *packet); /* of packets that were handed on or dropped */
    void *owner;
    unsigned target;  /* isochronous: packets that are a buffer's worth */
    bool filling;     /* isochronous: there is not a buffer's worth yet */
    UsbStatus failed; /* what the next transfer is told, once; USB_OK: nothing */
    GQueue list;      /* of UsbPacket */
} UsbPackets;

/* Keeps @packet, and of all the newest @most. */
void usb_packets_push(UsbPackets *packets, const UsbPacket *packet, unsigned most);
/* Forgets the oldest, which there is. */
void usb_packets_drop(UsbPackets *packets);
/* Completes @transfer with the oldest; false: there is none. */
bool usb_packets_answer(UsbPackets *packets, UsbTransfer *transfer);
/* Completes the isochronous @transfer with the next packet that is due, or an empty one. */
void usb_packets_answer_isochronous(UsbPackets *packets, UsbTransfer *transfer);
/* What failed, once. */
UsbStatus usb_packets_take_failure(UsbPackets *packets);
/* Forgets all that came, failures too. */
void usb_packets_clear(UsbPackets *packets);
