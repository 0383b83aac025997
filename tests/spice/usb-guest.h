/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest for redirected devices: a bus without a controller, and little drivers on it. What happens is printed: "usb attached
 * ID: REASON" and its kin, and what the drivers say below.
 */
#pragma once

#include "display/spice/server.h"
#include "usb/bus.h"

/* Offers @n_channels to clients; @rules: the policy, NULL: all. Main thread. */
void usb_guest_start(SpiceDisplay *display, unsigned n_channels, const char *rules);
void usb_guest_stop(void);
UsbBus *usb_guest_bus(void);

/* Carries a transfer out and waits for it, on a thread that may. Returns the bytes moved, or -1. */
int usb_guest_move(const char *id, UsbTransfer transfer, void *bytes, uint32_t len);
int usb_guest_control(const char *id, uint8_t type, uint8_t request, uint16_t value, void *bytes, uint16_t len);

/* Begins to read the whole disk that is called @id, @repeat times: "usb read N SHA256", or "usb failed: WHY". */
void usb_guest_read_disk(const char *id, unsigned repeat);
/*
 * Streams for @seconds from a camera or headset of tests/usb-peer, and to the headset: "usb streamed N lost N empty N sent N":
 * packets that came, numbers missing between them, intervals without one once the first had come, and packets to it.
 */
void usb_guest_stream(const char *id, unsigned seconds);
