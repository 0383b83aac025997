/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All channels of a desktop. When the last is taken somebody is told: the client of the next device only learns that it has no
 * free channel, and its user not even that.
 */
#include "usb/redirect/redirect.h"

#include "usb/redirect/channel.h"

struct UsbRedirect {
    UsbBus *bus;
    unsigned n_channels;
    RedirectChannel **channels;
    bool all_taken, ending; /* USB thread */
};

/* On the USB thread. */
static void
on_moved(void *user)
{
    UsbRedirect *redirect = user;
    bool all_taken = true;

    if (redirect->ending)
        return;
    for (unsigned i = 0; i < redirect->n_channels && all_taken; i++)
        all_taken = redirect->channels[i] && redirect_channel_has_device(redirect->channels[i]);
    if (all_taken && !redirect->all_taken) {
        g_autofree char *reason = g_strdup_printf(
            "all %u redirection channels are in use; a further device needs one given back, or more of them "
            "in the configuration",
            redirect->n_channels);
        usb_bus_tell(redirect->bus, USB_REFUSED, NULL, reason);
    }
    redirect->all_taken = all_taken;
}

UsbRedirect *
usb_redirect_new(struct RedsState *server, UsbBus *bus, const UsbPolicy *policy, unsigned n_channels)
{
    UsbRedirect *redirect = g_new0(UsbRedirect, 1);

    g_assert(n_channels <= USB_REDIRECT_CHANNELS_MAX);
    redirect->bus = bus;
    redirect->n_channels = n_channels;
    redirect->channels = g_new0(RedirectChannel *, n_channels);
    for (unsigned i = 0; i < n_channels; i++) {
        g_autofree char *id = g_strdup_printf("client%u", i);
        redirect->channels[i] = redirect_channel_new(server, bus, policy, id, on_moved, redirect);
    }
    return redirect;
}

void
usb_redirect_free(UsbRedirect *redirect)
{
    if (!redirect)
        return;
    usb_bus_enter(redirect->bus);
    redirect->ending = true; /* from here on nobody looks at other channels */
    usb_bus_leave(redirect->bus);
    for (unsigned i = 0; i < redirect->n_channels; i++)
        redirect_channel_free(g_steal_pointer(&redirect->channels[i]));
    g_free(redirect->channels);
    g_free(redirect);
}
