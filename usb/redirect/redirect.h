/* SPDX-License-Identifier: Apache-2.0 */
/*
 * USB redirection over SPICE: so many channels, each good for one device of a client's, which the client's user or its own
 * rules choose. Policy decides here what is taken; ports of the bus are where they appear.
 *
 *     spice-server ── bytes ── channel.c ── peer.c ── device.c, ahead.c, receive.c ── bus
 *                    main thread                  USB thread, or who acts as it
 *
 * Owner: the main thread.
 */
#pragma once

#include "usb/bus.h"
#include "usb/policy.h"

#define USB_REDIRECT_CHANNELS_DEFAULT 8
#define USB_REDIRECT_CHANNELS_MAX 31

struct RedsState; /* spice-server's SpiceServer */
typedef struct UsbRedirect UsbRedirect;

/*
 * Offers @n_channels to clients. Devices are called "client0" and on. @policy is used until usb_redirect_free(), which
 * unplugs what clients have plugged in, and comes before the server and the bus are freed.
 */
UsbRedirect *usb_redirect_new(struct RedsState *server, UsbBus *bus, const UsbPolicy *policy, unsigned n_channels);
void usb_redirect_free(UsbRedirect *redirect);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsbRedirect, usb_redirect_free)
