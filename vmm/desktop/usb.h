/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A desktop's USB: the thread, the bus, the controller, and the devices that the configuration names.
 *
 * Owner: the main thread, which makes calls to the USB thread for what is that one's.
 */
#pragma once

#include "usb/bus.h"
#include "usb/xhci/xhci.h"
#include "vmm/board/input.h"
#include "vmm/board/machine.h"
#include "vmm/config/config.h"

typedef struct DesktopUsb DesktopUsb;
struct RedsState; /* spice-server's SpiceServer */

/* Puts a controller into the machine's table. @prepare runs on the USB thread first. NULL with an error. */
DesktopUsb *desktop_usb_new(const DesktopConfig *config, PciBus *pci, GuestMemory *memory, Machine *machine,
                            void (*prepare)(void *user), GError **error);
/* Plugs in what the configuration names. */
bool desktop_usb_plug_in(DesktopUsb *usb, const DesktopConfig *config, GError **error);
/* Whether the rules in the configuration are some. */
bool desktop_usb_check(const DesktopConfig *config, GError **error);
/* Lets the clients of @server plug in devices of theirs. Until desktop_usb_end_redirection(), before the server is freed. */
bool desktop_usb_redirect(DesktopUsb *usb, struct RedsState *server, const DesktopConfig *config, GError **error);
void desktop_usb_end_redirection(DesktopUsb *usb);
/* Ends the thread: before the machine is freed, once it has stopped. NULL is fine. */
void desktop_usb_stop(DesktopUsb *usb);
/* After the machine is freed. NULL is fine. */
void desktop_usb_free(DesktopUsb *usb);

UsbBus *desktop_usb_bus(const DesktopUsb *usb);
/* Without ops where there is none; @usb may be NULL. */
InputSink desktop_usb_keyboard(const DesktopUsb *usb);
InputSink desktop_usb_tablet(const DesktopUsb *usb);
void desktop_usb_stats(const DesktopUsb *usb, XhciStats *stats);
