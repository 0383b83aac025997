/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What spice-server asks of a main loop: timers and watches, as sources of a GMainContext, and word of its channels.
 *
 * The interface has no place for a pointer of ours, so there is one per process. Owner: the main thread.
 */
#pragma once

#include <glib.h>
#include <spice.h>

typedef void (*SpiceChannelEvent)(void *user, int event, SpiceChannelEventInfo *info);

/*
 * Sources go to @context, whose thread is spice-server's main thread; @channel_event is called there. Stopped once the
 * server is destroyed, which removes all its sources.
 */
SpiceCoreInterface *spice_core_start(GMainContext *context, SpiceChannelEvent channel_event, void *user);
void spice_core_stop(void);
