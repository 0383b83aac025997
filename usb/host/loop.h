/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libusb on a main context of ours: it finds no devices by itself, starts no thread, and is served when the kernel has something
 * for it. Owner: any thread, but callbacks of transfers run on the context's.
 */
#pragma once

#include <glib.h>
#include <libusb.h>

typedef struct UsbHostLoop UsbHostLoop;

/* @on_removed is called on the context's thread when the device behind @fd (libusb_wrap_sys_device()) is unplugged. */
UsbHostLoop *usb_host_loop_new(GMainContext *context, void (*on_removed)(void *user, int fd), void *user,
                               GError **error);
/* Once no device is open. NULL is fine. */
void usb_host_loop_free(UsbHostLoop *loop);
libusb_context *usb_host_loop_context(const UsbHostLoop *loop);
