/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest for redirected disks: a bus without a controller, and the little driver that reads a disk on it (USB Mass Storage
 * Class, Bulk-Only Transport 1.0). What happens is printed: "usb attached ID NAME: REASON" and its kin, and by a reading
 * "usb read N SHA256" or "usb failed WHY".
 */
#pragma once

#include "display/spice/server.h"

/* Offers @n_channels to clients; @rules: the policy, NULL: all. Main thread. */
void usb_disk_start(SpiceDisplay *display, unsigned n_channels, const char *rules);
void usb_disk_stop(void);
/* Begins to read the whole disk that is called @id, @repeat times. */
void usb_disk_read(const char *id, unsigned repeat);
