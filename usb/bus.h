/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bus: the USB thread, the ports of the controller, and what is plugged into them.
 *
 *     redirect/  host/  hid/  storage/          vmm/desktop (configuration, control)
 *            │ usb_bus_attach(), detach()              │ usb_bus_call(), usb_bus_post()
 *            ▼                                         ▼
 *         UsbBus ── transfers, resets ──▶ devices      (everything on the USB thread)
 *            ▲ UsbControllerOps
 *         xhci/
 *
 * A *port* is what a person would call one: a socket that takes a device of any speed, numbered from 1. The controller has a
 * USB 2 and a USB 3 side for each and sorts them out; ports beyond the fifteenth have no USB 3 side, since Linux would not
 * see it, and are the last to be taken.
 *
 * Owner: the USB thread, unless a comment says "any thread". It runs the bus's main context and sleeps until something is
 * ready: devices add their descriptors to it as GSources. There is no frame timer: only an isochronous endpoint that has
 * something to do makes it wake up by the clock.
 */
#pragma once

#include "usb/device.h"

#define USB_PORTS_MAX 31
#define USB_PORT_ANY 0

#define USB_ERROR (usb_error_quark())
GQuark usb_error_quark(void);
typedef enum {
    USB_ERROR_FULL,    /* no port is free */
    USB_ERROR_PORT,    /* there is no such port, it is taken, or it cannot have a device of this speed */
    USB_ERROR_DEVICE,  /* there is no such device, or the name is taken */
    USB_ERROR_REFUSED, /* policy, or the device is in use elsewhere */
    USB_ERROR_MEDIUM,  /* no image, one that is not, or it is locked in */
} UsbError;

/* What the bus asks of the controller. All mandatory, on the USB thread. */
typedef struct {
    /* @device is in root port @device->port from now on. */
    void (*plugged)(void *controller, UsbDevice *device);
    /* @device, anywhere, is about to be taken out: cancel its transfers; when this returns nothing points to it. */
    void (*unplugging)(void *controller, UsbDevice *device);
    /* A hub resets @device: has its transfers back, then calls its .reset. */
    void (*reset)(void *controller, UsbDevice *device);
    void (*reset_done)(void *controller, UsbDevice *device);
    void (*wake)(void *controller, UsbDevice *device);
    /* Nothing is held any more (usb_bus_hold()). */
    void (*released)(void *controller);
} UsbControllerOps;

/* What happened, for people; on the USB thread. @reason is a sentence's end: "its client went away". */
typedef enum { USB_ATTACHED, USB_DETACHED, USB_REFUSED, USB_INSERTED, USB_EJECTED } UsbChange;
typedef void (*UsbBusListener)(void *user, UsbChange change, const UsbDevice *device, const char *reason);

/* @context: the USB thread's. @n_ports 1 to USB_PORTS_MAX. */
UsbBus *usb_bus_new(GMainContext *context, unsigned n_ports);
/* Frees what is still attached. Once the USB thread has ended, or on it. NULL is fine. */
void usb_bus_free(UsbBus *bus);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsbBus, usb_bus_free)

/* Any thread, constant. */
GMainContext *usb_bus_context(const UsbBus *bus);
unsigned usb_bus_n_ports(const UsbBus *bus);

/* Before the first device is attached. */
void usb_bus_set_controller(UsbBus *bus, const UsbControllerOps *ops, void *controller);
void usb_bus_listen(UsbBus *bus, UsbBusListener listener, void *user);

/*
 * Between the two the caller acts as the USB thread, without waking it: any thread but itself, for a moment, and not
 * waiting for it. @lock is what everything on the thread happens under (loop_thread_lock()), told before anybody enters.
 */
void usb_bus_set_lock(UsbBus *bus, GMutex *lock);
void usb_bus_enter(UsbBus *bus);
/* false: not now, since the thread is at work. A vCPU does no more than that. */
bool usb_bus_try_enter(UsbBus *bus);
void usb_bus_leave(UsbBus *bus);

/* Runs @function on the USB thread: waits for it, or does not. In the order they were made. Any other thread. */
void usb_bus_call(UsbBus *bus, void (*function)(void *data), void *data);
/* Any thread. */
void usb_bus_post(UsbBus *bus, void (*function)(void *data), void *data);

/*
 * Plugs @device in at @port of @hub (NULL: of the root), or USB_PORT_ANY. It is the bus's from here on; on failure it stays
 * the caller's. @reason: why, for the listeners; may be NULL.
 */
bool usb_bus_attach(UsbBus *bus, UsbDevice *device, UsbDevice *hub, unsigned port, const char *reason, GError **error);
/*
 * Takes @device out and gives it back to the caller, who frees it. It is asked to cancel each of its transfers; one that it
 * cannot give back inside that call stays its own, to be completed before the device is freed. What is plugged into a hub
 * goes first, and is freed. Not from inside one of the device's own callbacks: post it.
 */
void usb_bus_detach(UsbBus *bus, UsbDevice *device, const char *reason);
/* For what did not come to be: no port free, refused by a rule. @device may be NULL. */
void usb_bus_tell(UsbBus *bus, UsbChange change, const UsbDevice *device, const char *reason);

UsbDevice *usb_bus_find(const UsbBus *bus, const char *id);
/* What is plugged into root port @port, or NULL. */
UsbDevice *usb_bus_at(const UsbBus *bus, unsigned port);
/* Calls @each for every device, hubs before what is behind them. */
void usb_bus_foreach(UsbBus *bus, void (*each)(void *user, UsbDevice *device), void *user);

/* For a hub: resets @device, which is behind it; hears of it by its .reset_done. */
void usb_bus_reset(UsbBus *bus, UsbDevice *device);

/*
 * Work of a device that goes on elsewhere (a disk read under way) and will touch it again: the machine comes to rest only
 * once nothing is outstanding.
 */
void usb_bus_hold(UsbBus *bus);
void usb_bus_release(UsbBus *bus);
bool usb_bus_held(const UsbBus *bus);
