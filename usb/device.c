/* SPDX-License-Identifier: Apache-2.0 */
/* What all devices have in common, and moving a transfer's data. */
#include "usb/bus_private.h"

#include <string.h>

/* --- transfers -------------------------------------------------------------------------------------------------- */

/* Finds byte @offset: the iovec it lies in, and where in it. */
static unsigned
seek(const UsbTransfer *transfer, uint32_t offset, size_t *inside)
{
    unsigned i = 0;

    while (i < transfer->n_iov && offset >= transfer->iov[i].iov_len)
        offset -= transfer->iov[i++].iov_len;
    *inside = offset;
    return i;
}

unsigned
usb_transfer_slice(const UsbTransfer *transfer, uint32_t offset, uint32_t len, struct iovec *iov, unsigned max,
                   uint32_t *taken)
{
    size_t inside;
    unsigned n = 0;

    *taken = 0;
    if (offset >= transfer->length)
        return 0;
    len = MIN(len, transfer->length - offset);
    for (unsigned i = seek(transfer, offset, &inside); i < transfer->n_iov && n < max && *taken < len; i++) {
        size_t part = MIN(transfer->iov[i].iov_len - inside, len - *taken);
        if (part)
            iov[n++] = (struct iovec){(uint8_t *)transfer->iov[i].iov_base + inside, part};
        *taken += part;
        inside = 0;
    }
    return n;
}

static uint32_t
copy(UsbTransfer *transfer, void *bytes, uint32_t len, bool out)
{
    uint32_t done = 0;
    size_t inside;

    len = MIN(len, transfer->length - transfer->actual);
    for (unsigned i = seek(transfer, transfer->actual, &inside); i < transfer->n_iov && done < len; i++) {
        uint8_t *at = (uint8_t *)transfer->iov[i].iov_base + inside;
        size_t part = MIN(transfer->iov[i].iov_len - inside, len - done);
        if (out)
            memcpy((uint8_t *)bytes + done, at, part);
        else
            memcpy(at, (uint8_t *)bytes + done, part);
        done += part;
        inside = 0;
    }
    transfer->actual += done;
    return done;
}

uint32_t
usb_transfer_read(UsbTransfer *transfer, void *to, uint32_t len)
{
    return copy(transfer, to, len, true);
}

uint32_t
usb_transfer_write(UsbTransfer *transfer, const void *from, uint32_t len)
{
    return copy(transfer, (void *)from, len, false);
}

/* Tells guest memory which of its pages were written. */
static void
note_written(const UsbTransfer *transfer)
{
    uint32_t left = transfer->actual;

    for (unsigned i = 0; i < transfer->n_iov && left; i++) {
        size_t part = MIN(transfer->iov[i].iov_len, left);
        guest_memory_dirty(transfer->memory, transfer->iov[i].iov_base, part);
        left -= part;
    }
}

void
usb_transfer_complete(UsbTransfer *transfer, UsbStatus status)
{
    g_assert(transfer->actual <= transfer->length);
    transfer->status = status;
    if (transfer->memory && usb_transfer_is_in(transfer))
        note_written(transfer);
    transfer->done(transfer);
}

/* --- devices ---------------------------------------------------------------------------------------------------- */

void
usb_device_init(UsbDevice *device, const UsbDeviceOps *ops, UsbSpeed speed, const char *id, const char *name)
{
    g_assert(ops->kind && ops->submit && ops->cancel && ops->reset);
    device->ops = ops;
    device->speed = speed;
    device->id = g_strdup(id);
    device->name = g_strdup(name);
}

void
usb_device_free(UsbDevice *device)
{
    if (!device)
        return;
    g_assert(!device->bus);
    if (device->ops->finish)
        device->ops->finish(device);
    g_free(device->id);
    g_free(device->name);
    g_free(device);
}

void
usb_device_reset_done(UsbDevice *device)
{
    if (!device->resetting)
        return;
    device->resetting = false;
    usb_bus_reset_done(device->bus, device);
}

void
usb_device_wake(UsbDevice *device)
{
    if (device->bus)
        usb_bus_wake(device->bus, device);
}

char *
usb_device_path(const UsbDevice *device)
{
    if (!device->bus)
        return NULL;
    if (!device->parent)
        return g_strdup_printf("%u", device->port);
    g_autofree char *above = usb_device_path(device->parent);
    return g_strdup_printf("%s.%u", above, device->port);
}

UsbDevice *
usb_device_root(UsbDevice *device)
{
    while (device->parent)
        device = device->parent;
    return device;
}

const char *
usb_speed_name(UsbSpeed speed)
{
    static const char *const names[] = {
        [USB_FULL] = "full", [USB_LOW] = "low", [USB_HIGH] = "high", [USB_SUPER] = "super"};
    return names[speed];
}
