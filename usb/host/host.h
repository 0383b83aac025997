/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices of the host, given to a desktop: those its configuration names, which the watcher (watch.h) hands over whenever they are
 * plugged in, and those that somebody with the right to open them hands over at run time.
 *
 * Each is an open node of usbfs. libusb carries out its transfers (device.c); what blocks, setting it up and resetting it,
 * runs on a thread of its own. It leaves when it is unplugged, or when it is taken back: then it is reset and given back to the
 * host's drivers.
 *
 * Owner: the main thread.
 */
#pragma once

#include "usb/bus.h"
#include "usb/host/wish.h"
#include "usb/policy.h"

typedef struct UsbHost UsbHost;

typedef struct {
    UsbBus *bus;
    const UsbPolicy *policy;     /* it, and the wishes, are used until usb_host_free() */
    const GPtrArray *wishes;     /* UsbWish *; NULL: none */
    int watcher;                 /* usb_host_watch(); taken over. -1: there is none, and no wishes */
    void (*prepare)(void *user); /* runs first on the thread for what blocks */
} UsbHostOptions;

/* The watcher is listened to when the main loop runs. */
UsbHost *usb_host_new(const UsbHostOptions *options, GError **error);
/* Gives everything back, and waits for that; runs the main loop meanwhile. Before the bus is freed. NULL is fine. */
void usb_host_free(UsbHost *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsbHost, usb_host_free)

/* Once, when it is known whether the device is there. */
typedef void (*UsbHostAnswer)(void *user, const GError *error);
/*
 * Takes @fd, a node of usbfs open for reading and writing, as the device @id; @name is for people. @answer is called later or
 * at once.
 */
void usb_host_attach(UsbHost *host, const char *id, const char *name, int fd, UsbHostAnswer answer, void *user);
/* Whether @id is a device of the host's, or one that the configuration names. */
bool usb_host_knows(const UsbHost *host, const char *id);
/* Gives it back, in its own time. One that the configuration names stays away until usb_host_ask(). */
void usb_host_detach(UsbHost *host, const char *id);
/* One that the configuration names, wanted again after it was detached or refused. */
bool usb_host_ask(UsbHost *host, const char *id, GError **error);
/* Calls @each for every wish without a device. @words: what it waits for. */
void usb_host_foreach_missing(UsbHost *host, void (*each)(void *user, const char *id, const char *words), void *user);
