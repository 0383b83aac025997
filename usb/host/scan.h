/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is plugged into the host, as udev tells it. Outside the sandbox only. Any thread.
 */
#pragma once

#include "usb/host/wish.h"

struct udev;

/* Every USB device, hubs too, as UsbHostSeen *. */
GPtrArray *usb_host_scan(struct udev *udev);
/* A line for each that can be given to a desktop, for people: port, id, speed, name. Of char *. */
GPtrArray *usb_host_lines(void);
/* The node of @seen, open for reading and writing; -1 with an error that names it. */
int usb_host_open(const UsbHostSeen *seen, GError **error);
/*
 * The device that somebody names over control: "id=VVVV:PPPP", "serial=…", "port=…", several of them with commas between, or the
 * path of its node. Open; *@name (free it) is its name for people. -1 with an error: none fits, or several do.
 */
int usb_host_find(const char *which, char **name, GError **error);
