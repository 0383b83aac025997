/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A desktop's disks standing still for a moment, so that they can be copied as they are: the guest's own agent writes out and freezes its
 * file systems; a guest without one is paused, and its disks are then as after a power cut; a desktop that does not run needs
 * nothing.
 *
 * Owner: the main thread.
 */
#pragma once

#include "appliance/desktops/desktop.h"

typedef struct Still Still;

/* @frozen: the file systems were. With an error there is no @still: it neither froze nor paused. */
typedef void (*StillReady)(void *user, Still *still, bool frozen, const GError *error);
/* @whole: the disks stood still all the time. */
typedef void (*StillOver)(void *user, bool whole);

/* @ready once, later or within. */
void still_begin(Desktop *desktop, StillReady ready, void *user);
/* Lets it go on, and is the end of @still. @over once, later or within. */
void still_end(Still *still, StillOver over, void *user);
