/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Human interface devices (HID 1.11): a keyboard that speaks the boot protocol (Appendix B), and a tablet with absolute
 * positions, which is what a remote pointer is. Both are InputSinks for front ends, ready while a driver of the guest's has
 * configured them.
 *
 * A report goes out when something changed, never else: with nobody typing the guest's one transfer lies here and nothing
 * wakes up. Keys that come faster than a keyboard tells them wait (vmm/board/type_ahead.h). SET_IDLE is remembered and answered, and no report repeated for it: guests repeat keys themselves.
 *
 * Owner: the USB thread; the sinks' functions: the main thread.
 */
#pragma once

#include "usb/bus.h"
#include "vmm/board/clock.h"
#include "vmm/board/input.h"

/* USB_FULL speed each. @clock, whose timers fire on the USB thread, outlives the keyboard. */
UsbDevice *usb_keyboard_new(const char *id, Clock *clock);
UsbDevice *usb_tablet_new(const char *id);

/* The device as a front end sees it. @bus: what it is, or will be, plugged into. */
InputSink usb_hid_sink(UsbDevice *device, UsbBus *bus);
