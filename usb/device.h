/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A USB device, and what passes between it and the controller that it is plugged into.
 *
 * The controller (xhci/) turns the guest's rings into *transfers* and submits them; the device carries each out, at once or
 * some time later, and completes it. A transfer is what the guest's driver asked for as a whole (USB 2.0, 5.3.2 calls it an
 * I/O request), not a packet on a wire: packets, retries and NAK do not exist here. A device that has nothing to say keeps
 * an IN transfer until it has, and nobody polls.
 *
 * Data lies in guest memory: a transfer's iovecs point there, so a device reads into and writes out of the guest without a
 * copy between. The bytes may change under its hands: what decides anything is copied first (usb_transfer_read()).
 *
 * A kind of device is a UsbDeviceOps and a struct that begins with a UsbDevice. Those made of descriptors that never change
 * (keyboard, hub, storage) use emulated.h, which answers the standard requests for them; one that stands for a real device
 * answers them by asking it.
 *
 * Owner: the USB thread (bus.h), for every function and callback here, unless a comment says otherwise.
 */
#pragma once

#include "vmm/kvm/memory.h"
#include "vmm/state/state.h"

#include <glib.h>
#include <linux/usb/ch9.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

typedef struct UsbBus UsbBus;
typedef struct UsbDevice UsbDevice;
typedef struct UsbDeviceOps UsbDeviceOps;
typedef struct UsbHubOps UsbHubOps;
typedef struct UsbTransfer UsbTransfer;

#define USB_TRANSFER_MAX (16u << 20) /* bytes; a larger one never reaches a device */
#define USB_STREAMS_MAX 16           /* stream ids 1 to this less one, of an endpoint; xHCI 1.2, 4.12.2 */
#define USB_HUB_PORTS_MAX 15         /* what a route string can say, USB 3.2, 8.9 */
#define USB_HUB_DEPTH_MAX 5          /* hubs in a row below a root port, USB 2.0, 4.1.1 */

/* In the order of xHCI's port speed ids (xHCI 1.2, 7.2.2.1.1). */
typedef enum {
    USB_FULL = 1, /* 12 Mbit/s */
    USB_LOW = 2,  /* 1.5 Mbit/s */
    USB_HIGH = 3, /* 480 Mbit/s */
    USB_SUPER = 4 /* 5 Gbit/s and more */
} UsbSpeed;

/* The numbers of USB 2.0, 9.6.6, bmAttributes. */
typedef enum { USB_CONTROL = 0, USB_ISOCHRONOUS = 1, USB_BULK = 2, USB_INTERRUPT = 3 } UsbTransferType;

typedef enum {
    USB_OK,        /* as much as there is: .actual may be less than .length, a short packet */
    USB_STALL,     /* the endpoint is halted until the driver clears it, or the request is refused (USB 2.0, 8.4.5) */
    USB_BABBLE,    /* the device had more than .length for it */
    USB_FAULT,     /* no answer, or one that makes no sense: to the guest, a transaction error */
    USB_CANCELLED, /* as asked, after .actual bytes; the controller goes on behind them if the guest does */
    USB_GONE,      /* the device is unplugged */
} UsbStatus;

/* A setup packet (USB 2.0, 9.3), its fields in the host's byte order. */
typedef struct {
    uint8_t request_type; /* USB_DIR_IN, USB_TYPE_…, USB_RECIP_… */
    uint8_t request;
    uint16_t value, index, length;
} UsbSetup;

/*
 * From submit until usb_transfer_complete() a transfer is the device's: it may link it into a queue of its own with .next
 * and keep a pointer in .work. Everything else but the answer is constant. It is the controller's memory.
 */
struct UsbTransfer {
    UsbDevice *device;
    UsbTransferType type;
    uint8_t endpoint;   /* number, with USB_DIR_IN for one that brings data to the guest; 0 for control */
    uint16_t stream;    /* of a bulk endpoint with streams, from 1; else 0 */
    UsbSetup setup;     /* USB_CONTROL only; .length is then setup.length or less */
    struct iovec *iov;  /* in guest memory … */
    unsigned n_iov;     /* … 0 where length is 0: one empty packet */
    uint32_t length;    /* bytes in all, at most USB_TRANSFER_MAX */
    uint64_t interval;  /* USB_ISOCHRONOUS: which of the endpoint's service intervals this is, counting on its own … */
    uint32_t period_us; /* … and how long each lasts, in microseconds */

    /* The answer. usb_transfer_read() and usb_transfer_write() count .actual; else the device sets it. */
    UsbStatus status;
    uint32_t actual; /* bytes moved, at most length */

    /* The device's, while it has the transfer. */
    UsbTransfer *next;
    void *work;

    /* The controller's. It looks at no .device of a transfer that comes back. */
    void (*done)(UsbTransfer *transfer);
    GuestMemory *memory; /* NULL where the data is not in guest memory (unit tests) */
};

/* Control requests by direction, type, recipient and number, for switch statements. */
#define USB_REQUEST(type, request) ((unsigned)(type) << 8 | (unsigned)(request))
static inline unsigned
usb_setup_request(const UsbSetup *setup)
{
    return USB_REQUEST(setup->request_type, setup->request);
}

static inline bool
usb_transfer_is_in(const UsbTransfer *transfer)
{
    return (transfer->type == USB_CONTROL ? transfer->setup.request_type : transfer->endpoint) & USB_DIR_IN;
}

/* Copies out of, or into, the transfer's data from .actual on, and counts it. Returns how much: @len, or what is left. */
uint32_t usb_transfer_read(UsbTransfer *transfer, void *to, uint32_t len);
uint32_t usb_transfer_write(UsbTransfer *transfer, const void *from, uint32_t len);
/*
 * The data from byte @offset on, at most @len of it, as iovecs: at most @max of them in @iov. Returns how many; *@taken is
 * the bytes they hold. For readv() and its kin, without a copy.
 */
unsigned usb_transfer_slice(const UsbTransfer *transfer, uint32_t offset, uint32_t len, struct iovec *iov, unsigned max,
                            uint32_t *taken);

/*
 * The device is done with @transfer: it touches neither it nor its data any more. Of a transfer that brings data, the first
 * .actual bytes are the guest's. From submit itself, or later; never from inside another thread.
 */
void usb_transfer_complete(UsbTransfer *transfer, UsbStatus status);

struct UsbDevice {
    const UsbDeviceOps *ops;
    char *id;   /* unique, from the configuration or made up by who attaches it: "tablet0"; names its saved state */
    char *name; /* for people: "Carrel tablet" */
    uint16_t vendor; /* idVendor, idProduct: for lists and filters; 0 where not known */
    uint16_t product;
    UsbSpeed speed;
    UsbDevice *parent; /* the hub it is plugged into; NULL: a root port, or nowhere */
    unsigned port;     /* of the hub, or of the root: from 1; 0: not attached */
    UsbBus *bus;       /* NULL while not attached */
    bool resetting;    /* between .reset and usb_device_reset_done() */
};

/* Every callback on the USB thread. Those that may be NULL say so. */
struct UsbDeviceOps {
    const char *kind; /* "tablet", "cdrom", "redirected", "host": what a list for people calls it */
    /*
     * .submit does not wait, and makes no system calls but those of memory, waking, and giving the kernel a transfer: the vCPU that
     * rings may carry it out itself, acting as the USB thread while that sleeps (usb_bus_try_enter()).
     */
    bool at_once;

    /* Carry @transfer out; see its fields. Isochronous ones are complete when it returns: there is no later for them. */
    void (*submit)(UsbDevice *device, UsbTransfer *transfer);
    /*
     * Give @transfer back soon, inside this call or as soon as whoever has it lets go of its data. A peer that may keep
     * silent is not waited for long: its answer is dropped when it comes. What was moved counts in .actual.
     */
    void (*cancel)(UsbDevice *device, UsbTransfer *transfer);
    /*
     * The port is reset: address and configuration are 0 afterwards (USB 2.0, 9.1.1.3). The controller has no transfer
     * with the device and makes none until usb_device_reset_done(), which may be called from inside.
     */
    void (*reset)(UsbDevice *device);
    /*
     * The controller makes no more transfers on @endpoint (an address, as in a transfer) until the guest configures or
     * starts it again: what streams of its own accord ends. NULL: nothing does.
     */
    void (*stop)(UsbDevice *device, uint8_t endpoint);
    /*
     * @n stream ids (a power of two, 0: none) are in use on a bulk @endpoint from now on (USB 3.2, 8.12.1.4). false: it has
     * none. NULL: the device has none at all.
     */
    bool (*set_streams)(UsbDevice *device, uint8_t endpoint, unsigned n);
    /* How many transfers the device likes to have on @endpoint at a time, 1 to USB_IN_FLIGHT_MAX. NULL: 1. */
    unsigned (*depth)(UsbDevice *device, uint8_t endpoint);
    const UsbHubOps *hub; /* what a hub can do besides; NULL: it is none */

    /* Its saved state, of the device at rest (object: the UsbDevice). NULL: a restored guest sees it unplugged. */
    const StateTable *state;
    /* Frees what the kind added; then usb_device_finish() is called and the memory freed with g_free(). NULL: nothing. */
    void (*finish)(UsbDevice *device);
};

/* A hub's ports, from 1. All mandatory. */
struct UsbHubOps {
    unsigned (*n_ports)(UsbDevice *hub);
    UsbDevice *(*child)(UsbDevice *hub,
                        unsigned port);             /* NULL: nothing is plugged in there, or there is no such port */
    bool (*enabled)(UsbDevice *hub, unsigned port); /* whether who is there hears the controller */
    /* @child is plugged in or, NULL, taken out: tell the guest, and answer so from now on. */
    void (*plug)(UsbDevice *hub, unsigned port, UsbDevice *child);
    /* The device at @port, which the hub reset by usb_bus_reset(), is ready. */
    void (*reset_done)(UsbDevice *hub, unsigned port);
    /* The device at @port asks for attention. */
    void (*wake)(UsbDevice *hub, unsigned port);
};

#define USB_IN_FLIGHT_MAX 64

/* @device is zeroed memory that begins with a UsbDevice. @id and @name are copied. Any thread: nobody else knows it yet. */
void usb_device_init(UsbDevice *device, const UsbDeviceOps *ops, UsbSpeed speed, const char *id, const char *name);
/* Not attached. NULL is fine. */
void usb_device_free(UsbDevice *device);

void usb_device_reset_done(UsbDevice *device);
/* The device asks a suspended guest, or port, for attention (USB 2.0, 7.1.7.7). Nothing where it is awake. */
void usb_device_wake(UsbDevice *device);

/* Where it is, for people and as Linux writes it: "3", "3.1"; NULL while not attached. Free it. */
char *usb_device_path(const UsbDevice *device);
/* The one in the root port below which @device is: itself, or the first hub of the row. */
UsbDevice *usb_device_root(UsbDevice *device);
const char *usb_speed_name(UsbSpeed speed); /* "full" */
