/* SPDX-License-Identifier: Apache-2.0 */
/* Between bus.c and device.c. Owner: the USB thread. */
#pragma once

#include "usb/bus.h"

/* @bus may be NULL: a device that was taken out while it was being reset. */
void usb_bus_reset_done(UsbBus *bus, UsbDevice *device);
void usb_bus_wake(UsbBus *bus, UsbDevice *device);
