/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hub of USB 2.0 (chapter 11): high speed, 1 to USB_HUB_PORTS_MAX ports, one transaction translator for slower devices.
 *
 * Only of USB 2: one of USB 3 is two devices in one socket, and a port of the bus takes one. So a hub takes devices of every
 * speed but SuperSpeed's; those belong into a root port.
 *
 * Owner: the USB thread; making one: any thread.
 */
#pragma once

#include "usb/device.h"

UsbDevice *usb_hub_new(const char *id, unsigned n_ports);
bool usb_hub_is_hub(const UsbDevice *device);
