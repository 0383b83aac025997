/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of the host's devices a desktop is to have: its wishes, and what goes with what.
 *
 * A *wish* names a device by vendor and product, by serial number, by the port it is plugged into, or by several of these,
 * which must then all fit. One device comes true for one wish. A device that came to nothing (it is in use, policy refuses it)
 * is not offered again until it is unplugged and plugged in, or somebody asks.
 *
 * Decisions only, no files: any thread, one at a time.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define USB_WISH_NAME_MAX 64 /* bytes, with the zero at the end */

typedef struct {
    char *name; /* the id that the device has in the desktop */
    bool has_id;
    uint16_t vendor, product;
    char *serial; /* NULL: any */
    char *port;   /* "1-2.3", as Linux names the place (sysfs): bus, then a port of each hub; NULL: any */
} UsbWish;

/* A device of the host as it is plugged in now. */
typedef struct {
    uint16_t vendor, product;
    uint8_t class;    /* bDeviceClass */
    unsigned bus;     /* busnum, … */
    unsigned address; /* … devnum: another one each time it is plugged in */
    char *port;       /* as a wish's */
    char *serial;     /* "": it has none */
    char *name;       /* its maker's and its own words */
    char *speed;      /* Mbit/s, in the kernel's words: "480" */
    char *node;       /* /dev/bus/usb/001/004 */
} UsbHostSeen;

/*
 * @id: "VVVV:PPPP" in hexadecimal. Each of the three may be NULL, not all. The error is a sentence without the key, which
 * *@wrong names ("id").
 */
UsbWish *usb_wish_new(const char *name, const char *id, const char *serial, const char *port, const char **wrong,
                      GError **error);
void usb_wish_free(UsbWish *wish);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsbWish, usb_wish_free)

/* A hub never fits: what is behind it would still be the host's. */
bool usb_wish_fits(const UsbWish *wish, const UsbHostSeen *seen);
/* For people: "0529:0001 at port 1-2". Free it. */
char *usb_wish_words(const UsbWish *wish);

void usb_host_seen_free(UsbHostSeen *seen);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsbHostSeen, usb_host_seen_free)

typedef struct UsbWishes UsbWishes;

/* @wishes: UsbWish *, which outlive the result. */
UsbWishes *usb_wishes_new(const GPtrArray *wishes);
void usb_wishes_free(UsbWishes *wishes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsbWishes, usb_wishes_free)

/*
 * Of @seen (UsbHostSeen *), the first device that a wish waits for: it counts as given to it from here on. NULL: none; call it
 * until then, after every change.
 */
const UsbHostSeen *usb_wishes_next(UsbWishes *wishes, const GPtrArray *seen, const UsbWish **wish);
/* The desktop has let go of what it was given. @name may be anything, here and below. */
void usb_wishes_done(UsbWishes *wishes, const char *name);
/* It wants none, until it asks. */
void usb_wishes_drop(UsbWishes *wishes, const char *name);
/* It asks: a device that came to nothing may be tried again. */
void usb_wishes_ask(UsbWishes *wishes, const char *name);
