/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watcher: a small process outside the sandbox, which sees devices come and go and hands those that the configuration
 * names over to the desktop, open. A desktop that was taken over by its guest can have these and no others.
 *
 *     udev ──▶ watcher ══ socket pair (message.h) ══ host.c ──▶ device.c ──▶ bus
 *             outside                  inside, main thread      USB thread
 *
 * It keeps a descriptor of what it gave, so that it can give a device back to the host's own drivers however the desktop
 * ends. It ends with the desktop: when the other end of the socket pair is closed.
 */
#pragma once

#include "usb/host/wish.h"

#include <sys/types.h>

/*
 * Forks it, while the process has one thread. @wishes: UsbWish *. Returns the desktop's end, or -1 with an error. The watcher
 * never returns from here; it keeps no descriptor of the caller's but the standard ones. *@process: its number.
 */
int usb_host_watch(const GPtrArray *wishes, pid_t *process, GError **error);
