/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A step ahead of a disk's driver, for devices from outside.
 *
 * A command of the bulk-only transport (USB Mass Storage Class, Bulk-Only Transport 1.0, 5.1) is three transfers, each of which
 * waits for the one before: the command, its data, its status. Over a network that is three times the way to the client and
 * back; in a host, three times a sleep and a wake-up. What a driver asks for after a command that brings data is known
 * beforehand, so the data are *read* together with the command, and what comes waits here for the driver. The device sees the
 * transfers that it would have seen, on queues of their own each; that one is there early is nothing to it, since it has
 * nothing to say yet (USB 2.0, 8.4.5: NAK). A device that is emulated may think otherwise of a status that is asked for while data
 * are under way: where .careful is set, that is asked for when they have come, which still is before the driver does.
 *
 * What was read and is not taken: a status that fails after data that failed is forgotten, since the driver asks again once it has
 * cleared the endpoint. A reset or a new command takes everything back.
 *
 * Owner: the USB thread.
 */
#pragma once

#include "usb/device.h"

typedef struct UsbAhead UsbAhead;

/* A transfer that the device was asked for before the guest did. */
typedef struct {
    uint32_t asked; /* bytes */
    bool is_status; /* else data */
    bool came;
    UsbStatus failed; /* when it came; USB_OK: nothing */
    uint8_t *data;    /* the device's own, .len bytes of it */
    uint32_t len, given;
    uint64_t id;   /* the device's own words for it: … */
    void *request; /* … one of these */
} UsbAheadRead;

/* What a kind of devices does. None may be NULL. */
typedef struct {
    /* Sends it; the answer is told with usb_ahead_came(), later. Returns false if it cannot be sent. */
    bool (*ask)(UsbAhead *ahead, UsbAheadRead *read);
    /* One that has not come is to come soon, as it is. */
    void (*hurry)(UsbAhead *ahead, UsbAheadRead *read);
    /* It is freed: .data is let go, and where it has not come, its answer is nobody's. */
    void (*forget)(UsbAhead *ahead, UsbAheadRead *read);
    /* A transfer of the guest's for which nothing was asked: the way of all others. */
    void (*send)(UsbAhead *ahead, UsbTransfer *transfer);
} UsbAheadOps;

/* Part of a device. */
struct UsbAhead {
    const UsbAheadOps *ops;
    bool careful;
    uint8_t in, out; /* addresses of the disk's bulk endpoints; 0: it is none */
    GQueue reads;    /* in the order the guest will ask */
    GQueue waiting;  /* the guest's transfers that are for these */
};

void usb_ahead_init(UsbAhead *ahead, const UsbAheadOps *ops);
/* Whether an interface is of the kind that this is about. */
bool usb_ahead_is_disk(uint8_t class, uint8_t protocol);
/* The endpoints may be others from now on: there is no disk until .in and .out are set again. */
void usb_ahead_unlearn(UsbAhead *ahead);

/* Around sending any OUT transfer: what was read is over, and what is bound to be asked for follows it. */
uint32_t usb_ahead_begin(UsbAhead *ahead, UsbTransfer *transfer);
void usb_ahead_ask(UsbAhead *ahead, uint32_t begun);
/* Before any control transfer is sent: it may mean that nothing comes any more. */
void usb_ahead_control(UsbAhead *ahead, const UsbSetup *setup);
/* Returns true if @transfer was for something asked for already: it is complete, or waits here. */
bool usb_ahead_take(UsbAhead *ahead, UsbTransfer *transfer);
/* One that waits here is the caller's again. Returns false if @transfer does not. */
bool usb_ahead_take_back(UsbAhead *ahead, UsbTransfer *transfer);
/* One that waits here, or NULL. */
UsbTransfer *usb_ahead_steal(UsbAhead *ahead);

/* What .ask asked for: @data has @len bytes, of which no more count than were asked for. @read may be gone after it. */
void usb_ahead_came(UsbAhead *ahead, UsbAheadRead *read, UsbStatus status, uint8_t *data, uint32_t len);
/* Nothing that was asked for is wanted. What waited for it is sent; without @send it stays. */
void usb_ahead_drop(UsbAhead *ahead, bool send);
