/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A step ahead of a disk's driver.
 *
 * A command of the bulk-only transport (USB Mass Storage Class, Bulk-Only Transport 1.0, 5.1) is three transfers, each of which
 * waits for the one before: the command, its data, its status. Over a network that is three times the way to the client and
 * back. What a driver asks for after a command that brings data is known beforehand, so it is asked for together with the
 * command, and what comes waits here for the driver. The device sees the transfers that it would have seen, on queues of
 * their own each; that those of data and status are there early is nothing to it, since it has nothing to say yet (USB 2.0,
 * 8.4.5: NAK).
 *
 * What was asked for and is not taken: a status that fails after data that failed is forgotten, since the driver asks again
 * once it has cleared the endpoint. A reset or a new command takes everything back.
 */
#include "usb/redirect/private.h"

#include <string.h>

#define COMMAND_BYTES 31
#define STATUS_BYTES 13
#define CLASS_STORAGE 8
#define PROTOCOL_BULK_ONLY 0x50
#define REQUEST_STORAGE_RESET 0xff

/* spice-gtk's emulated CD ends its client (an assertion) when a status is asked for that it has not got yet. */
#define CAREFUL_VENDOR 0x2b23
#define CAREFUL_PRODUCT 0xcdcd

struct RedirectAhead {
    uint64_t id;
    uint32_t asked; /* bytes */
    bool is_status; /* else data */
    bool came;
    UsbStatus failed; /* what the client said, USB_OK: nothing */
    uint8_t *data;    /* the parser's */
    uint32_t len, given;
};

static void
ahead_free(RedirectDevice *device, RedirectAhead *ahead)
{
    usbredirparser_free_packet_data(device->peer->parser, ahead->data);
    g_free(ahead);
}

static void
drop(RedirectDevice *device, RedirectAhead *ahead)
{
    g_queue_remove(&device->ahead, ahead);
    ahead_free(device, ahead);
}

/* --- asking ----------------------------------------------------------------------------------------------------- */

static void
ask(RedirectDevice *device, uint32_t len, bool is_status)
{
    RedirectAhead *ahead = g_new0(RedirectAhead, 1);
    struct usb_redir_bulk_packet_header header = {
        .endpoint = device->ahead_in, .length = (uint16_t)len, .length_high = (uint16_t)(len >> 16)};

    ahead->id = redirect_device_next_id(device);
    ahead->asked = len;
    ahead->is_status = is_status;
    g_queue_push_tail(&device->ahead, ahead);
    usbredirparser_send_bulk_packet(device->peer->parser, ahead->id, &header, NULL, 0);
}

/* How much data the command in @transfer brings; 0: none, or it is not one. */
static uint32_t
data_of(UsbTransfer *transfer)
{
    uint8_t wrapper[COMMAND_BYTES];
    uint32_t len;

    if (transfer->length != COMMAND_BYTES)
        return 0;
    usb_transfer_read(transfer, wrapper, sizeof wrapper);
    transfer->actual = 0;
    memcpy(&len, wrapper + 8, sizeof len);
    return !memcmp(wrapper, "USBC", 4) && wrapper[12] & USB_DIR_IN ? GUINT32_FROM_LE(len) : 0;
}

uint32_t
redirect_ahead_begin(RedirectDevice *device, UsbTransfer *transfer)
{
    if (!device->ahead_in || transfer->type != USB_BULK || transfer->endpoint != device->ahead_out)
        return 0;
    redirect_ahead_drop(device, true);
    uint32_t len = data_of(transfer);
    return len <= USB_TRANSFER_MAX && redirect_device_can_say(device, USB_BULK, len) ? len : 0;
}

void
redirect_ahead_ask(RedirectDevice *device, uint32_t len)
{
    if (!len)
        return;
    ask(device, len, false);
    if (!device->ahead_careful)
        ask(device, STATUS_BYTES, true);
}

/* --- giving ----------------------------------------------------------------------------------------------------- */

static void
give(RedirectDevice *device, RedirectAhead *ahead, UsbTransfer *transfer)
{
    uint32_t n = MIN(ahead->len - ahead->given, transfer->length);
    bool short_packet = n < transfer->length;

    if (n)
        usb_transfer_write(transfer, ahead->data + ahead->given, n);
    ahead->given += n;
    bool over = ahead->given == ahead->len && (short_packet || ahead->failed || ahead->len == ahead->asked);
    UsbStatus status = over ? ahead->failed : USB_OK;
    if (over)
        drop(device, ahead);
    usb_transfer_complete(transfer, status);
}

static void
serve(RedirectDevice *device)
{
    UsbTransfer *transfer;

    while ((transfer = g_queue_peek_head(&device->ahead_waiting))) {
        RedirectAhead *ahead = g_queue_peek_head(&device->ahead);
        if (ahead && !ahead->came)
            return;
        g_queue_pop_head(&device->ahead_waiting);
        if (ahead)
            give(device, ahead, transfer);
        else
            redirect_device_send(device, transfer);
    }
}

bool
redirect_ahead_take(RedirectDevice *device, UsbTransfer *transfer)
{
    if (transfer->type != USB_BULK || transfer->endpoint != device->ahead_in || transfer->stream ||
        (!device->ahead.length && !device->ahead_waiting.length))
        return false;
    g_queue_push_tail(&device->ahead_waiting, transfer);
    serve(device);
    return true;
}

bool
redirect_ahead_forget(RedirectDevice *device, UsbTransfer *transfer)
{
    return g_queue_remove(&device->ahead_waiting, transfer);
}

UsbTransfer *
redirect_ahead_steal(RedirectDevice *device)
{
    return g_queue_pop_head(&device->ahead_waiting);
}

/* --- answers ---------------------------------------------------------------------------------------------------- */

static RedirectAhead *
find(RedirectDevice *device, uint64_t id)
{
    for (GList *link = device->ahead.head; link; link = link->next) {
        RedirectAhead *ahead = link->data;
        if (ahead->id == id && !ahead->came)
            return ahead;
    }
    return NULL;
}

bool
redirect_ahead_answered(RedirectDevice *device, uint64_t id, uint8_t status, uint8_t *data, int len)
{
    RedirectAhead *ahead = find(device, id);

    if (!ahead)
        return false;
    ahead->came = true;
    ahead->data = data;
    ahead->len = MIN((uint32_t)MAX(len, 0), ahead->asked);
    ahead->failed = (uint32_t)MAX(len, 0) > ahead->asked ? USB_BABBLE : redirect_status(status);
    if (ahead->failed == USB_CANCELLED || (ahead->failed && ahead->is_status))
        drop(device, ahead);
    else if (!ahead->is_status && !ahead->failed && device->ahead_careful)
        ask(device, STATUS_BYTES, true);
    serve(device);
    return true;
}

/* --- taking back ------------------------------------------------------------------------------------------------ */

static void
take_back(RedirectDevice *device, const RedirectAhead *ahead)
{
    if (!ahead->came)
        usbredirparser_send_cancel_data_packet(device->peer->parser, ahead->id);
}

void
redirect_ahead_drop(RedirectDevice *device, bool tell)
{
    RedirectAhead *ahead;

    while ((ahead = g_queue_pop_head(&device->ahead))) {
        if (!ahead->came && tell) {
            take_back(device, ahead);
            redirect_device_give_up(device, ahead->id);
        }
        ahead_free(device, ahead);
    }
    if (tell)
        serve(device);
}

void
redirect_ahead_control(RedirectDevice *device, const UsbSetup *setup)
{
    switch (usb_setup_request(setup)) {
    case USB_REQUEST(USB_DIR_OUT | USB_TYPE_CLASS | USB_RECIP_INTERFACE, REQUEST_STORAGE_RESET):
    case USB_REQUEST(USB_DIR_OUT | USB_RECIP_DEVICE, USB_REQ_SET_CONFIGURATION):
    case USB_REQUEST(USB_DIR_OUT | USB_RECIP_INTERFACE, USB_REQ_SET_INTERFACE):
        redirect_ahead_drop(device, true);
        break;
    case USB_REQUEST(USB_DIR_OUT | USB_RECIP_ENDPOINT, USB_REQ_CLEAR_FEATURE):
        /* what came is the driver's; what the halted endpoint may still keep is not waited for */
        for (GList *link = device->ahead.head; link; link = link->next)
            take_back(device, link->data);
        break;
    default:
        break;
    }
}

/* The bulk-only interface's endpoints; several such interfaces in one device are a thing of the past. */
void
redirect_ahead_learn(RedirectDevice *device, const struct usb_redir_interface_info_header *interfaces,
                     const struct usb_redir_ep_info_header *endpoints)
{
    device->ahead_in = device->ahead_out = 0;
    device->ahead_careful = device->usb.vendor == CAREFUL_VENDOR && device->usb.product == CAREFUL_PRODUCT;
    for (unsigned i = 0; i < MIN(interfaces->interface_count, USB_INTERFACES_MAX); i++) {
        if (interfaces->interface_class[i] != CLASS_STORAGE || interfaces->interface_protocol[i] != PROTOCOL_BULK_ONLY)
            continue;
        for (unsigned n = 1; n < REDIRECT_ENDPOINTS; n++)
            if (endpoints->type[n] == usb_redir_type_bulk && endpoints->interface[n] == interfaces->interface[i])
                *(n & 16 ? &device->ahead_in : &device->ahead_out) = (uint8_t)((n & 16) << 3 | (n & 15));
        return;
    }
}
