/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A step ahead of the driver of a host's disk (usb/ahead.h): what is asked for is transfers of libusb's, with buffers of their own.
 * Data come where the kernel has put them, if it gave memory for that.
 */
#include "usb/host/private.h"

/*
 * QEMU's stick, where the host is a virtual machine itself, takes a status that is queued behind its data for one of a command that
 * is still at work, and never answers it.
 */
#define CAREFUL_VENDOR 0x46f4
#define CAREFUL_PRODUCT 0x0001

/* Outlives its read, where that is forgotten before the transfer is back. */
typedef struct {
    HostDevice *device;
    UsbAheadRead *read; /* NULL: forgotten */
    struct libusb_transfer *urb;
    uint32_t bytes;
    bool back;
} Request;

static HostDevice *
device_of(UsbAhead *ahead)
{
    return (HostDevice *)((char *)ahead - offsetof(HostDevice, ahead));
}

static uint8_t *
buffer_new(HostDevice *device, uint32_t len, bool is_status)
{
    if (!device->setup.shared || device->shared_used || is_status || len > HOST_SHARED_BYTES)
        return device->bytes + len <= HOST_BYTES_MAX ? g_try_malloc(len) : NULL;
    device->shared_used = true;
    return device->setup.shared;
}

static void
buffer_free(HostDevice *device, uint8_t *buffer)
{
    if (buffer == device->setup.shared)
        device->shared_used = false;
    else
        g_free(buffer);
}

static void
request_free(Request *request)
{
    buffer_free(request->device, request->urb->buffer);
    libusb_free_transfer(request->urb);
    g_free(request);
}

static void
on_back(struct libusb_transfer *urb)
{
    Request *request = urb->user_data;
    HostDevice *device = request->device;
    UsbStatus status = host_status(urb->status);

    device->n_urbs--;
    device->bytes -= request->bytes;
    request->back = true;
    if (status == USB_GONE)
        host_device_lost(device);
    if (request->read)
        usb_ahead_came(&device->ahead, request->read, status, urb->buffer, (uint32_t)MAX(urb->actual_length, 0));
    else
        request_free(request);
    host_device_settle(device);
}

static bool
ask(UsbAhead *ahead, UsbAheadRead *read)
{
    HostDevice *device = device_of(ahead);
    uint8_t *data = buffer_new(device, read->asked, read->is_status);

    if (!data)
        return false;
    Request *request = g_new(Request, 1);
    *request = (Request){.device = device, .read = read, .urb = libusb_alloc_transfer(0), .bytes = read->asked};
    libusb_fill_bulk_transfer(request->urb, device->setup.handle, ahead->in, data, (int)read->asked, on_back, request,
                              0);
    if (libusb_submit_transfer(request->urb) != LIBUSB_SUCCESS) {
        request_free(request);
        return false;
    }
    device->n_urbs++;
    device->bytes += request->bytes;
    read->request = request;
    return true;
}

static void
hurry(UsbAhead *ahead, UsbAheadRead *read)
{
    libusb_cancel_transfer(((Request *)read->request)->urb);
}

static void
forget(UsbAhead *ahead, UsbAheadRead *read)
{
    Request *request = read->request;

    request->read = NULL;
    if (request->back)
        request_free(request);
    else
        libusb_cancel_transfer(request->urb);
}

static void
send(UsbAhead *ahead, UsbTransfer *transfer)
{
    host_device_send(device_of(ahead), transfer);
}

void
host_ahead_init(HostDevice *device)
{
    static const UsbAheadOps ops = {.ask = ask, .hurry = hurry, .forget = forget, .send = send};

    usb_ahead_init(&device->ahead, &ops);
    device->ahead.careful = device->usb.vendor == CAREFUL_VENDOR && device->usb.product == CAREFUL_PRODUCT;
    host_ahead_learn(device);
}

void
host_ahead_learn(HostDevice *device)
{
    device->ahead.in = device->layout->disk_in;
    device->ahead.out = device->layout->disk_out;
}
