/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A desktop's USB: the thread, the bus, the controller, and the devices that the configuration names.
 *
 * Owner: the main thread, which makes calls to the USB thread for what is that one's.
 */
#pragma once

#include "usb/bus.h"
#include "usb/host/host.h"
#include "usb/xhci/xhci.h"
#include "vmm/board/input.h"
#include "vmm/board/machine.h"
#include "vmm/block/io_thread.h"
#include "vmm/desktop/resources.h"

typedef struct DesktopUsb DesktopUsb;
struct RedsState; /* spice-server's SpiceServer */

/* Puts a controller into the machine's table. @prepare runs on the USB thread first. NULL with an error. */
DesktopUsb *desktop_usb_new(const DesktopConfig *config, PciBus *pci, GuestMemory *memory, Machine *machine,
                            void (*prepare)(void *user), GError **error);
/* Plugs in what the configuration names. */
bool desktop_usb_plug_in(DesktopUsb *usb, const DesktopConfig *config, Resources *resources, IoThread *io_thread,
                         GError **error);
/* Whether the rules in the configuration are some. */
bool desktop_usb_check(const DesktopConfig *config, GError **error);
/*
 * In the first process, before the sandbox: starts the process that hands over the host's devices which the configuration
 * names. *@watcher: -1 where it names none.
 */
bool desktop_usb_watch(const DesktopConfig *config, int *watcher, GError **error);
/*
 * Lets devices of the host's be plugged in. @watcher: taken over. Until desktop_usb_end_host(), which gives them back, and runs
 * the main loop meanwhile. @prepare runs first on the thread for what blocks.
 */
bool desktop_usb_host(DesktopUsb *usb, const DesktopConfig *config, int watcher, void (*prepare)(void *user),
                      GError **error);
void desktop_usb_end_host(DesktopUsb *usb);
/* Lets the clients of @server plug in devices of theirs. Until desktop_usb_end_redirection(), before the server is freed. */
void desktop_usb_redirect(DesktopUsb *usb, struct RedsState *server, const DesktopConfig *config);
void desktop_usb_end_redirection(DesktopUsb *usb);
/* Ends the thread: before the machine is freed, once it has stopped. NULL is fine. */
void desktop_usb_stop(DesktopUsb *usb);
/* After the machine is freed. NULL is fine. */
void desktop_usb_free(DesktopUsb *usb);

UsbBus *desktop_usb_bus(const DesktopUsb *usb);
/* Without ops where there is none; @usb may be NULL. */
InputSink desktop_usb_keyboard(const DesktopUsb *usb);
InputSink desktop_usb_tablet(const DesktopUsb *usb);
/* Where firmware finds a drive, as the boot order names it; NULL: no such device. Free it. */
char *desktop_usb_boot_path(const DesktopUsb *usb, const char *id);

/* What a supervisor may ask; @usb may be NULL. Adds "(ssssss)": port, id, kind, speed, name, medium. */
void desktop_usb_list(DesktopUsb *usb, GVariantBuilder *devices);
/* @fd: the callee's. @name: of the image, for people. */
bool desktop_usb_insert(DesktopUsb *usb, const char *drive, int fd, const char *name, GError **error);
bool desktop_usb_eject(DesktopUsb *usb, const char *drive, bool force, GError **error);
/* @fd: the callee's. @answer is called later or at once. */
void desktop_usb_attach(DesktopUsb *usb, const char *device, int fd, const char *name, UsbHostAnswer answer,
                        void *user);
bool desktop_usb_reattach(DesktopUsb *usb, const char *device, GError **error);
bool desktop_usb_detach(DesktopUsb *usb, const char *device, GError **error);

/* Told on the main thread of every change. Once. */
typedef void (*DesktopUsbListener)(void *user, const char *change, const char *id, const char *name,
                                   const char *reason);
void desktop_usb_listen(DesktopUsb *usb, DesktopUsbListener listener, void *user);

void desktop_usb_stats(const DesktopUsb *usb, XhciStats *stats);
