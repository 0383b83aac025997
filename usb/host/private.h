/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What host.c (which devices there are), device.c (a device's transfers), stream.c (isochronous ones) and setup.c (what blocks)
 * share. Each part says whose it is: the main thread's, the USB thread's, or the worker's, which is the thread for what blocks.
 */
#pragma once

#include "usb/ahead.h"
#include "usb/host/host.h"
#include "usb/host/loop.h"
#include "usb/packets.h"
#include "vmm/board/loop_thread.h"

#define HOST_ENDPOINTS 32
#define HOST_BULK_DEPTH 16
/* Of all transfers under way: what Linux lets usbfs have, for all devices of the host. */
#define HOST_BYTES_MAX (16u << 20)
/* Of a disk's data, asked for at once: what Linux's own driver does, and most others'. */
#define HOST_SHARED_BYTES (256u << 10)

typedef struct HostDevice HostDevice;
typedef struct HostStream HostStream;

/* The endpoints of the configuration and of the alternate settings that are chosen. Constant. */
typedef struct {
    uint8_t interface[HOST_ENDPOINTS];
    int8_t type[HOST_ENDPOINTS];          /* UsbTransferType; -1: there is none */
    unsigned packet_size[HOST_ENDPOINTS]; /* isochronous: bytes a service interval */
    uint8_t disk_in, disk_out;            /* addresses of a disk's bulk endpoints; 0: it is none */
} HostLayout;

/* What the worker knows of a device: its handle, and what the guest set. */
typedef struct {
    libusb_device_handle *handle;
    int fd;
    uint8_t interfaces[USB_INTERFACES_MAX]; /* their numbers, claimed all of them */
    unsigned n_interfaces;
    uint8_t alt[USB_INTERFACES_MAX]; /* by place in .interfaces */
    uint8_t *shared; /* HOST_SHARED_BYTES that the kernel has mapped, so that nothing is copied; NULL: none */
} HostSetup;

/* A device given to the desktop, from its descriptor's arrival until that is closed. */
typedef struct {
    UsbHost *host;
    char *id, *name;
    int fd; /* until the worker has it */
    bool wished;
    UsbHostAnswer answer; /* main thread; NULL: nobody asked, or it was called */
    void *user;
    GError *error;      /* why it came to nothing */
    HostDevice *device; /* USB thread; NULL until it is open */
    bool leaving;       /* main thread: it was asked back */
    bool unwanted;      /* USB thread: it leaves as soon as it is there */
} HostLoan;

struct UsbHost {
    UsbBus *bus;
    const UsbPolicy *policy;
    const GPtrArray *wishes;
    int watcher;
    GSource *hearing;
    LoopThread *worker;
    UsbHostLoop *loop;
    GPtrArray *loans;   /* main thread: HostLoan * */
    GPtrArray *devices; /* USB thread: HostDevice * that are open */
};

struct HostDevice {
    UsbDevice usb;
    HostLoan *loan;
    HostSetup setup; /* the worker's; .handle is constant, for transfers */
    HostLayout *layout;
    HostStream *streams[HOST_ENDPOINTS];
    unsigned n_urbs; /* of libusb's transfers that are not back */
    unsigned n_jobs; /* with the worker, or posted */
    size_t bytes;    /* of transfers that are not back */
    GQueue held;     /* transfers that wait until less is under way */
    UsbAhead ahead;
    bool shared_used; /* .setup.shared */
    bool touched;     /* something was sent to it since its last reset */
    bool gone;        /* unplugged */
    bool leaving;     /* taken off the bus: closed when all is back */
    bool closing;     /* with the worker, and then no more */
};

static inline unsigned
host_endpoint_index(uint8_t address)
{
    return (address & USB_DIR_IN) >> 3 | (address & USB_ENDPOINT_NUMBER_MASK);
}

/* setup.c: on the worker. Each returns what libusb did, and those that change endpoints a new *layout. */
bool host_setup_open(HostSetup *setup, const HostLoan *loan, UsbIdentity *identity, UsbSpeed *speed,
                     HostLayout **layout, GError **error);
/* @gone: there is nothing to give back. Closes the descriptor too. */
void host_setup_close(HostSetup *setup, bool gone);
int host_setup_reset(HostSetup *setup, HostLayout **layout);
int host_setup_set_configuration(HostSetup *setup, uint8_t value, HostLayout **layout);
int host_setup_set_interface(HostSetup *setup, uint8_t interface, uint8_t alt, HostLayout **layout);

/* device.c: on the USB thread. Takes @layout. */
HostDevice *host_device_new(HostLoan *loan, const HostSetup *setup, const UsbIdentity *identity, UsbSpeed speed,
                            HostLayout *layout);
UsbStatus host_status(enum libusb_transfer_status status);
/* It is unplugged: leaves the bus soon. */
void host_device_lost(HostDevice *device);
/* Takes it off the bus, if it is on it; closed when all its transfers are back. Not from inside its callbacks. */
void host_device_leave(HostDevice *device, const char *reason);
/* One of libusb's transfers is back, or a job is done: what waited for that goes on. */
void host_device_settle(HostDevice *device);

/* Hands @transfer to libusb, now or when there is room. */
void host_device_send(HostDevice *device, UsbTransfer *transfer);

/* ahead.c: on the USB thread. */
void host_ahead_init(HostDevice *device);
/* The layout is another. */
void host_ahead_learn(HostDevice *device);

/* host.c: on the USB thread. Nothing of @device is under way any more. */
void host_close(HostDevice *device);
/* Runs @function on the worker. Any thread. */
void host_post(UsbHost *host, void (*function)(void *data), void *data);

/* stream.c: on the USB thread. */
void host_stream_submit(HostDevice *device, UsbTransfer *transfer);
/* @address: of an endpoint. */
void host_stream_stop(HostDevice *device, uint8_t address);
void host_stream_stop_all(HostDevice *device);
