/* SPDX-License-Identifier: Apache-2.0 */
/* One redirection channel: spice-server's char device on the main thread, a peer on the USB thread, two pipes between. */
#pragma once

#include "usb/redirect/redirect.h"

typedef struct RedirectChannel RedirectChannel;

/* Called on the USB thread whenever something was read from the client. */
typedef void (*RedirectChannelMoved)(void *user);

/* Main thread, all of it, unless it says otherwise. */
RedirectChannel *redirect_channel_new(struct RedsState *server, UsbBus *bus, const UsbPolicy *policy, const char *id,
                                      RedirectChannelMoved moved, void *user);
void redirect_channel_free(RedirectChannel *channel);

/* USB thread. */
bool redirect_channel_has_device(const RedirectChannel *channel);
