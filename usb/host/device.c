/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device that the guest sees for one of the host's: its control, bulk and interrupt transfers become libusb's, with the guest's
 * own memory as their buffer where it lies in one piece, and several at a time on bulk endpoints. Requests that the kernel
 * must know of (SET_CONFIGURATION, SET_INTERFACE, CLEAR_FEATURE(ENDPOINT_HALT)) and resets are jobs for the worker.
 */
#include "usb/host/private.h"

#include <string.h>

/* A transfer of the guest's that libusb has. */
typedef struct {
    HostDevice *device;
    UsbTransfer *transfer;
    struct libusb_transfer *urb;
    uint8_t *copy; /* its data, and a setup packet before; NULL: guest memory itself */
} HostRequest;

typedef enum { JOB_RESET, JOB_SET_CONFIGURATION, JOB_SET_INTERFACE, JOB_CLEAR_HALT } JobKind;

typedef struct {
    HostDevice *device;
    JobKind kind;
    UsbTransfer *transfer; /* NULL: a reset */
    UsbSetup setup;
    HostLayout *layout; /* new; NULL: as before */
    int status;         /* libusb's */
} HostJob;

static HostDevice *
host_of(UsbDevice *usb)
{
    return (HostDevice *)usb;
}

UsbStatus
host_status(enum libusb_transfer_status status)
{
    switch (status) {
    case LIBUSB_TRANSFER_COMPLETED:
        return USB_OK;
    case LIBUSB_TRANSFER_CANCELLED:
        return USB_CANCELLED;
    case LIBUSB_TRANSFER_STALL:
        return USB_STALL;
    case LIBUSB_TRANSFER_OVERFLOW:
        return USB_BABBLE;
    case LIBUSB_TRANSFER_NO_DEVICE:
        return USB_GONE;
    default:
        return USB_FAULT;
    }
}

/* --- transfers --------------------------------------------------------------------------------------------------- */

static void
request_free(HostRequest *request)
{
    request->device->bytes -= request->transfer->length;
    request->device->n_urbs--;
    libusb_free_transfer(request->urb);
    g_free(request->copy);
    g_free(request);
}

/* libusb has called back, on the USB thread. */
static void
on_back(struct libusb_transfer *urb)
{
    HostRequest *request = urb->user_data;
    HostDevice *device = request->device;
    UsbTransfer *transfer = request->transfer;
    UsbStatus status = host_status(urb->status);
    uint32_t moved = MIN((uint32_t)MAX(urb->actual_length, 0), transfer->length);

    if (request->copy && usb_transfer_is_in(transfer))
        usb_transfer_write(transfer, request->copy + (transfer->type == USB_CONTROL ? LIBUSB_CONTROL_SETUP_SIZE : 0),
                           moved);
    transfer->actual = moved;
    request_free(request);
    usb_transfer_complete(transfer, status);
    if (status == USB_GONE)
        host_device_lost(device);
    host_device_settle(device);
}

/* Where libusb takes the data from, or puts it. NULL with a length: there is no memory. */
static uint8_t *
data_of(HostRequest *request)
{
    UsbTransfer *transfer = request->transfer;
    unsigned before = transfer->type == USB_CONTROL ? LIBUSB_CONTROL_SETUP_SIZE : 0;

    if (!before && transfer->n_iov <= 1)
        return transfer->n_iov ? transfer->iov[0].iov_base : NULL;
    request->copy = g_try_malloc(before + transfer->length);
    if (request->copy && !usb_transfer_is_in(transfer)) {
        usb_transfer_read(transfer, request->copy + before, transfer->length);
        transfer->actual = 0;
    }
    return request->copy;
}

static void
fill(HostRequest *request, uint8_t *data)
{
    const UsbTransfer *transfer = request->transfer;
    const UsbSetup *setup = &transfer->setup;
    libusb_device_handle *handle = request->device->setup.handle;
    int len = (int)transfer->length;

    if (transfer->type == USB_CONTROL) {
        libusb_fill_control_setup(data, setup->request_type, setup->request, setup->value, setup->index,
                                  (uint16_t)transfer->length);
        libusb_fill_control_transfer(request->urb, handle, data, on_back, request, 0);
    } else if (transfer->type == USB_INTERRUPT) {
        libusb_fill_interrupt_transfer(request->urb, handle, transfer->endpoint, data, len, on_back, request, 0);
    } else if (transfer->stream) {
        libusb_fill_bulk_stream_transfer(request->urb, handle, transfer->endpoint, transfer->stream, data, len, on_back,
                                         request, 0);
    } else {
        libusb_fill_bulk_transfer(request->urb, handle, transfer->endpoint, data, len, on_back, request, 0);
    }
}

/* Returns libusb's status; unless it is LIBUSB_SUCCESS the transfer is the caller's as it was. */
static int
send(HostDevice *device, UsbTransfer *transfer)
{
    HostRequest *request = g_new0(HostRequest, 1);
    int status = LIBUSB_ERROR_NO_MEM;

    *request = (HostRequest){.device = device, .transfer = transfer, .urb = libusb_alloc_transfer(0)};
    device->n_urbs++;
    device->bytes += transfer->length;
    device->touched = true;
    uint8_t *data = data_of(request);
    if (request->urb && (data || !transfer->length)) {
        fill(request, data);
        transfer->work = request;
        status = libusb_submit_transfer(request->urb);
    }
    if (status == LIBUSB_SUCCESS)
        return status;
    transfer->work = NULL;
    request_free(request);
    return status;
}

static void
hold(HostDevice *device, UsbTransfer *transfer)
{
    transfer->work = NULL;
    g_queue_push_tail(&device->held, transfer);
}

/* false: it waits for memory that others have. */
static bool
try_to_send(HostDevice *device, UsbTransfer *transfer)
{
    if (device->n_urbs && device->bytes + transfer->length > HOST_BYTES_MAX)
        return false;
    uint32_t ahead = usb_ahead_begin(&device->ahead, transfer);
    int status = send(device, transfer);
    if (status == LIBUSB_ERROR_NO_MEM && device->n_urbs)
        return false;
    if (status == LIBUSB_SUCCESS) {
        usb_ahead_ask(&device->ahead, ahead);
        return true;
    }
    usb_transfer_complete(transfer, status == LIBUSB_ERROR_NO_DEVICE ? USB_GONE : USB_FAULT);
    if (status == LIBUSB_ERROR_NO_DEVICE)
        host_device_lost(device);
    return true;
}

static void
send_held(HostDevice *device)
{
    UsbTransfer *transfer;

    while ((transfer = g_queue_pop_head(&device->held)))
        if (!try_to_send(device, transfer)) {
            g_queue_push_head(&device->held, transfer);
            return;
        }
}

void
host_device_send(HostDevice *device, UsbTransfer *transfer)
{
    if (!g_queue_is_empty(&device->held) || !try_to_send(device, transfer))
        hold(device, transfer);
}

/* --- jobs for the worker ----------------------------------------------------------------------------------------- */

static void
finish_reset(HostDevice *device, int status)
{
    /* It came back as another device, or not at all; the watcher sees the new one. */
    if (status == LIBUSB_ERROR_NOT_FOUND || status == LIBUSB_ERROR_NO_DEVICE)
        host_device_lost(device);
    device->touched = false;
    usb_device_reset_done(&device->usb);
}

/* On the USB thread. */
static void
job_done(void *data)
{
    g_autofree HostJob *job = data;
    HostDevice *device = job->device;

    if (job->layout) {
        g_free(device->layout);
        device->layout = job->layout;
        host_ahead_learn(device);
    }
    device->n_jobs--;
    if (!job->transfer)
        finish_reset(device, job->status);
    else if (job->status == LIBUSB_ERROR_NO_DEVICE)
        usb_transfer_complete(job->transfer, USB_GONE);
    else
        usb_transfer_complete(job->transfer, job->status == LIBUSB_SUCCESS ? USB_OK : USB_STALL);
    host_device_settle(device);
}

/* On the worker. */
static void
do_job(void *data)
{
    HostJob *job = data;
    HostSetup *setup = &job->device->setup;

    switch (job->kind) {
    case JOB_RESET:
        job->status = host_setup_reset(setup, &job->layout);
        break;
    case JOB_SET_CONFIGURATION:
        job->status = host_setup_set_configuration(setup, (uint8_t)job->setup.value, &job->layout);
        break;
    case JOB_SET_INTERFACE:
        job->status =
            host_setup_set_interface(setup, (uint8_t)job->setup.index, (uint8_t)job->setup.value, &job->layout);
        break;
    case JOB_CLEAR_HALT:
        job->status = libusb_clear_halt(setup->handle, (uint8_t)job->setup.index);
        break;
    }
    usb_bus_post(job->device->loan->host->bus, job_done, job);
}

static void
post_job(HostDevice *device, JobKind kind, UsbTransfer *transfer)
{
    HostJob *job = g_new0(HostJob, 1);

    *job = (HostJob){.device = device, .kind = kind, .transfer = transfer};
    if (transfer)
        job->setup = transfer->setup;
    device->n_jobs++;
    device->touched |= transfer != NULL;
    host_post(device->loan->host, do_job, job);
}

/* The streams of an interface whose endpoints change. -1: of all. */
static void
stop_streams(HostDevice *device, int interface)
{
    for (unsigned i = 0; i < HOST_ENDPOINTS; i++)
        if (interface < 0 || device->layout->interface[i] == interface)
            host_stream_stop(device, (uint8_t)(i & USB_ENDPOINT_NUMBER_MASK) | (i & 0x10 ? USB_DIR_IN : 0));
}

/* The requests that the kernel carries out itself. */
static bool
post_setting(HostDevice *device, UsbTransfer *transfer)
{
    const UsbSetup *setup = &transfer->setup;

    switch (usb_setup_request(setup)) {
    case USB_REQUEST(USB_DIR_OUT | USB_RECIP_DEVICE, USB_REQ_SET_CONFIGURATION):
        stop_streams(device, -1);
        post_job(device, JOB_SET_CONFIGURATION, transfer);
        return true;
    case USB_REQUEST(USB_DIR_OUT | USB_RECIP_INTERFACE, USB_REQ_SET_INTERFACE):
        stop_streams(device, setup->index & 0xff);
        post_job(device, JOB_SET_INTERFACE, transfer);
        return true;
    case USB_REQUEST(USB_DIR_OUT | USB_RECIP_ENDPOINT, USB_REQ_CLEAR_FEATURE):
        if (setup->value != USB_ENDPOINT_HALT)
            return false;
        post_job(device, JOB_CLEAR_HALT, transfer);
        return true;
    default:
        return false;
    }
}

/* --- the device -------------------------------------------------------------------------------------------------- */

static void
submit(UsbDevice *usb, UsbTransfer *transfer)
{
    HostDevice *device = host_of(usb);

    transfer->work = NULL;
    if (transfer->type == USB_CONTROL)
        usb_ahead_control(&device->ahead, &transfer->setup);
    if (transfer->type == USB_ISOCHRONOUS)
        host_stream_submit(device, transfer);
    else if (usb_ahead_take(&device->ahead, transfer))
        return;
    else if (transfer->type == USB_CONTROL && post_setting(device, transfer))
        transfer->work = device; /* with the worker: cannot be had back before it is done */
    else
        host_device_send(device, transfer);
}

static void
cancel(UsbDevice *usb, UsbTransfer *transfer)
{
    HostDevice *device = host_of(usb);
    HostRequest *request = transfer->work;

    if (transfer->work == device)
        return;
    if (request) {
        libusb_cancel_transfer(request->urb);
        return;
    }
    if (!usb_ahead_take_back(&device->ahead, transfer))
        g_assert(g_queue_remove(&device->held, transfer));
    usb_transfer_complete(transfer, USB_CANCELLED);
}

static void
reset(UsbDevice *usb)
{
    HostDevice *device = host_of(usb);

    host_stream_stop_all(device);
    usb_ahead_drop(&device->ahead, true);
    if (device->touched)
        post_job(device, JOB_RESET, NULL);
    else
        usb_device_reset_done(usb); /* it is as fresh as a reset would make it */
}

static void
stop(UsbDevice *usb, uint8_t endpoint)
{
    host_stream_stop(host_of(usb), endpoint);
}

/* USB 3.2, 8.12.1.4; libusb does not count stream 0, which is nobody's. */
static bool
set_streams(UsbDevice *usb, uint8_t endpoint, unsigned n)
{
    HostDevice *device = host_of(usb);

    if (n)
        return libusb_alloc_streams(device->setup.handle, n - 1, &endpoint, 1) >= (int)n - 1;
    libusb_free_streams(device->setup.handle, &endpoint, 1);
    return true;
}

static unsigned
depth(UsbDevice *usb, uint8_t endpoint)
{
    return host_of(usb)->layout->type[host_endpoint_index(endpoint)] == USB_BULK ? HOST_BULK_DEPTH : 1;
}

static void
finish(UsbDevice *usb)
{
    HostDevice *device = host_of(usb);

    g_assert(!device->n_urbs && !device->n_jobs && g_queue_is_empty(&device->held));
    g_free(device->layout);
}

/* No saved state: a restored guest sees it unplugged, and it is given to it anew. */
static const UsbDeviceOps device_ops = {
    .kind = "host",
    .at_once = true,
    .submit = submit,
    .cancel = cancel,
    .reset = reset,
    .stop = stop,
    .set_streams = set_streams,
    .depth = depth,
    .finish = finish,
};

HostDevice *
host_device_new(HostLoan *loan, const HostSetup *setup, const UsbIdentity *identity, UsbSpeed speed, HostLayout *layout)
{
    HostDevice *device = g_new0(HostDevice, 1);

    usb_device_init(&device->usb, &device_ops, speed, loan->id, loan->name);
    device->usb.vendor = identity->vendor;
    device->usb.product = identity->product;
    device->loan = loan;
    device->setup = *setup;
    device->layout = layout;
    device->touched = true; /* by the host's drivers */
    g_queue_init(&device->held);
    host_ahead_init(device);
    return device;
}

/* --- leaving ----------------------------------------------------------------------------------------------------- */

static void
leave_lost(void *data)
{
    HostDevice *device = data;

    device->n_jobs--;
    host_device_leave(device, "it was unplugged from the host");
}

void
host_device_lost(HostDevice *device)
{
    if (device->gone)
        return;
    device->gone = true;
    device->n_jobs++; /* it is not freed before the post arrives */
    usb_bus_post(device->loan->host->bus, leave_lost, device);
}

void
host_device_leave(HostDevice *device, const char *reason)
{
    if (device->usb.bus)
        usb_bus_detach(device->loan->host->bus, &device->usb, reason);
    host_stream_stop_all(device);
    usb_ahead_drop(&device->ahead, true);
    device->leaving = true;
    host_device_settle(device);
}

void
host_device_settle(HostDevice *device)
{
    if (!device->leaving) {
        send_held(device);
    } else if (!device->n_urbs && !device->n_jobs && !device->closing) {
        device->closing = true;
        host_close(device);
    }
}
