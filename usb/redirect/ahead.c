/* SPDX-License-Identifier: Apache-2.0 */
/* A step ahead of the driver of a client's disk (usb/ahead.h): what is asked for is bulk requests, and the client's answers. */
#include "usb/redirect/private.h"

/* spice-gtk's emulated CD ends its client (an assertion) when a status is asked for that it has not got yet. */
#define CAREFUL_VENDOR 0x2b23
#define CAREFUL_PRODUCT 0xcdcd

static RedirectDevice *
device_of(UsbAhead *ahead)
{
    return (RedirectDevice *)((char *)ahead - offsetof(RedirectDevice, ahead));
}

static bool
ask(UsbAhead *ahead, UsbAheadRead *read)
{
    RedirectDevice *device = device_of(ahead);
    struct usb_redir_bulk_packet_header header = {
        .endpoint = ahead->in, .length = (uint16_t)read->asked, .length_high = (uint16_t)(read->asked >> 16)};

    if (!redirect_device_can_say(device, USB_BULK, read->asked))
        return false;
    read->id = redirect_device_next_id(device);
    usbredirparser_send_bulk_packet(device->peer->parser, read->id, &header, NULL, 0);
    return true;
}

static void
hurry(UsbAhead *ahead, UsbAheadRead *read)
{
    usbredirparser_send_cancel_data_packet(device_of(ahead)->peer->parser, read->id);
}

/* A device that is gone is not told anything. */
static void
forget(UsbAhead *ahead, UsbAheadRead *read)
{
    RedirectDevice *device = device_of(ahead);

    usbredirparser_free_packet_data(device->peer->parser, read->data);
    if (read->came || device->leaving)
        return;
    hurry(ahead, read);
    redirect_device_give_up(device, read->id);
}

static void
send(UsbAhead *ahead, UsbTransfer *transfer)
{
    redirect_device_send(device_of(ahead), transfer);
}

void
redirect_ahead_init(RedirectDevice *device)
{
    static const UsbAheadOps ops = {.ask = ask, .hurry = hurry, .forget = forget, .send = send};

    usb_ahead_init(&device->ahead, &ops);
    device->ahead.careful = device->usb.vendor == CAREFUL_VENDOR && device->usb.product == CAREFUL_PRODUCT;
}

/* Several interfaces of disks in one device are a thing of the past. */
void
redirect_ahead_learn(RedirectDevice *device, const struct usb_redir_interface_info_header *interfaces,
                     const struct usb_redir_ep_info_header *endpoints)
{
    usb_ahead_unlearn(&device->ahead);
    for (unsigned i = 0; i < MIN(interfaces->interface_count, USB_INTERFACES_MAX); i++) {
        if (!usb_ahead_is_disk(interfaces->interface_class[i], interfaces->interface_protocol[i]))
            continue;
        for (unsigned n = 1; n < REDIRECT_ENDPOINTS; n++)
            if (endpoints->type[n] == usb_redir_type_bulk && endpoints->interface[n] == interfaces->interface[i])
                *(n & 16 ? &device->ahead.in : &device->ahead.out) = (uint8_t)((n & 16) << 3 | (n & 15));
        return;
    }
}

/* --- answers ---------------------------------------------------------------------------------------------------- */

static UsbAheadRead *
find(RedirectDevice *device, uint64_t id)
{
    for (GList *link = device->ahead.reads.head; link; link = link->next) {
        UsbAheadRead *read = link->data;
        if (read->id == id && !read->came)
            return read;
    }
    return NULL;
}

bool
redirect_ahead_answered(RedirectDevice *device, uint64_t id, uint8_t status, uint8_t *data, int len)
{
    UsbAheadRead *read = find(device, id);

    if (!read)
        return false;
    usb_ahead_came(&device->ahead, read, redirect_status(status), data, (uint32_t)MAX(len, 0));
    return true;
}
