/* SPDX-License-Identifier: Apache-2.0 */
/* Asking, giving and taking back, in the order that the guest will have it. */
#include "usb/ahead.h"

#include <string.h>

#define COMMAND_BYTES 31
#define STATUS_BYTES 13
#define CLASS_STORAGE 8
#define PROTOCOL_BULK_ONLY 0x50
#define REQUEST_STORAGE_RESET 0xff

void
usb_ahead_init(UsbAhead *ahead, const UsbAheadOps *ops)
{
    g_assert(ops->ask && ops->hurry && ops->forget && ops->send);
    ahead->ops = ops;
    g_queue_init(&ahead->reads);
    g_queue_init(&ahead->waiting);
}

bool
usb_ahead_is_disk(uint8_t class, uint8_t protocol)
{
    return class == CLASS_STORAGE && protocol == PROTOCOL_BULK_ONLY;
}

void
usb_ahead_unlearn(UsbAhead *ahead)
{
    ahead->in = ahead->out = 0;
}

static void
drop(UsbAhead *ahead, UsbAheadRead *read)
{
    g_queue_remove(&ahead->reads, read);
    ahead->ops->forget(ahead, read);
    g_free(read);
}

/* --- asking ----------------------------------------------------------------------------------------------------- */

static bool
ask(UsbAhead *ahead, uint32_t len, bool is_status)
{
    UsbAheadRead *read = g_new0(UsbAheadRead, 1);

    read->asked = len;
    read->is_status = is_status;
    if (!ahead->ops->ask(ahead, read)) {
        g_free(read);
        return false;
    }
    g_queue_push_tail(&ahead->reads, read);
    return true;
}

/* How much data the command in @transfer brings; 0: none, or it is not one. */
static uint32_t
data_of(UsbTransfer *transfer)
{
    uint8_t wrapper[COMMAND_BYTES];
    uint32_t len;

    if (transfer->length != COMMAND_BYTES)
        return 0;
    usb_transfer_read(transfer, wrapper, sizeof(wrapper));
    transfer->actual = 0;
    memcpy(&len, wrapper + 8, sizeof(len));
    return !memcmp(wrapper, "USBC", 4) && wrapper[12] & USB_DIR_IN ? GUINT32_FROM_LE(len) : 0;
}

uint32_t
usb_ahead_begin(UsbAhead *ahead, UsbTransfer *transfer)
{
    if (!ahead->in || transfer->type != USB_BULK || transfer->endpoint != ahead->out)
        return 0;
    usb_ahead_drop(ahead, true);
    uint32_t len = data_of(transfer);
    return len <= USB_TRANSFER_MAX ? len : 0;
}

void
usb_ahead_ask(UsbAhead *ahead, uint32_t begun)
{
    if (begun && ask(ahead, begun, false) && !ahead->careful)
        ask(ahead, STATUS_BYTES, true);
}

/* --- giving ----------------------------------------------------------------------------------------------------- */

static void
give(UsbAhead *ahead, UsbAheadRead *read, UsbTransfer *transfer)
{
    uint32_t n = MIN(read->len - read->given, transfer->length);
    bool short_packet = n < transfer->length;

    if (n)
        usb_transfer_write(transfer, read->data + read->given, n);
    read->given += n;
    bool over = read->given == read->len && (short_packet || read->failed || read->len == read->asked);
    UsbStatus status = over ? read->failed : USB_OK;
    if (over)
        drop(ahead, read);
    usb_transfer_complete(transfer, status);
}

static void
serve(UsbAhead *ahead)
{
    UsbTransfer *transfer;

    while ((transfer = g_queue_peek_head(&ahead->waiting))) {
        UsbAheadRead *read = g_queue_peek_head(&ahead->reads);
        if (read && !read->came)
            return;
        g_queue_pop_head(&ahead->waiting);
        if (read)
            give(ahead, read, transfer);
        else
            ahead->ops->send(ahead, transfer);
    }
}

bool
usb_ahead_take(UsbAhead *ahead, UsbTransfer *transfer)
{
    if (transfer->type != USB_BULK || transfer->endpoint != ahead->in || transfer->stream ||
        (!ahead->reads.length && !ahead->waiting.length))
        return false;
    g_queue_push_tail(&ahead->waiting, transfer);
    serve(ahead);
    return true;
}

bool
usb_ahead_take_back(UsbAhead *ahead, UsbTransfer *transfer)
{
    return g_queue_remove(&ahead->waiting, transfer);
}

UsbTransfer *
usb_ahead_steal(UsbAhead *ahead)
{
    return g_queue_pop_head(&ahead->waiting);
}

void
usb_ahead_came(UsbAhead *ahead, UsbAheadRead *read, UsbStatus status, uint8_t *data, uint32_t len)
{
    read->came = true;
    read->data = data;
    read->len = MIN(len, read->asked);
    read->failed = len > read->asked ? USB_BABBLE : status;
    if (read->failed == USB_CANCELLED || (read->failed && read->is_status))
        drop(ahead, read);
    else if (!read->is_status && !read->failed && ahead->careful)
        ask(ahead, STATUS_BYTES, true);
    serve(ahead);
}

/* --- taking back ------------------------------------------------------------------------------------------------ */

void
usb_ahead_drop(UsbAhead *ahead, bool send)
{
    UsbAheadRead *read;

    while ((read = g_queue_peek_head(&ahead->reads)))
        drop(ahead, read);
    if (send)
        serve(ahead);
}

/* What came is the driver's; what an endpoint that was halted may still keep is not waited for. */
static void
hurry_all(UsbAhead *ahead)
{
    for (GList *link = ahead->reads.head; link; link = link->next) {
        UsbAheadRead *read = link->data;
        if (!read->came)
            ahead->ops->hurry(ahead, read);
    }
}

void
usb_ahead_control(UsbAhead *ahead, const UsbSetup *setup)
{
    switch (usb_setup_request(setup)) {
    case USB_REQUEST(USB_DIR_OUT | USB_TYPE_CLASS | USB_RECIP_INTERFACE, REQUEST_STORAGE_RESET):
    case USB_REQUEST(USB_DIR_OUT | USB_RECIP_DEVICE, USB_REQ_SET_CONFIGURATION):
    case USB_REQUEST(USB_DIR_OUT | USB_RECIP_INTERFACE, USB_REQ_SET_INTERFACE):
        usb_ahead_drop(ahead, true);
        break;
    case USB_REQUEST(USB_DIR_OUT | USB_RECIP_ENDPOINT, USB_REQ_CLEAR_FEATURE):
        hurry_all(ahead);
        break;
    default:
        break;
    }
}
