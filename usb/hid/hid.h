/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Human interface devices (HID 1.11): a keyboard that speaks the boot protocol (Appendix B), and a tablet with absolute
 * positions, which is what a remote pointer is. Both are InputSinks for front ends, ready while a driver of the guest's has
 * configured them.
 *
 * A report goes out when something changed, never else: with nobody typing the guest's one transfer lies here and nothing
 * wakes up. SET_IDLE is remembered and answered, and no report repeated for it: guests repeat keys themselves.
 *
 * Owner: the USB thread; the sinks' functions: the main thread.
 */
#pragma once

#include "usb/bus.h"
#include "vmm/board/input.h"

/* USB_FULL speed each. */
UsbDevice *usb_keyboard_new(const char *id);
UsbDevice *usb_tablet_new(const char *id);

/* The device as a front end sees it. @bus: what it is, or will be, plugged into. */
InputSink usb_hid_sink(UsbDevice *device, UsbBus *bus);
