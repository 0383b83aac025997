/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/spice/usb-guest.h"

#include "usb/redirect/redirect.h"
#include "vmm/board/loop_thread.h"

#include <stdio.h>

static struct {
    LoopThread *thread;
    UsbBus *bus;
    UsbPolicy *policy;
    UsbRedirect *redirect;
} app;

/* --- transfers, from a thread that may wait --------------------------------------------------------------------- */

typedef struct {
    UsbTransfer transfer;
    struct iovec iov;
    const char *id;
    GMutex lock;
    GCond changed;
    bool done;
} Wait;

static void
on_done(UsbTransfer *transfer)
{
    Wait *wait = (Wait *)transfer;

    g_mutex_lock(&wait->lock);
    wait->done = true;
    g_cond_signal(&wait->changed);
    g_mutex_unlock(&wait->lock);
}

static void
submit(void *data)
{
    Wait *wait = data;
    UsbDevice *device = usb_bus_find(app.bus, wait->id);

    if (device) {
        wait->transfer.device = device;
        device->ops->submit(device, &wait->transfer);
        return;
    }
    wait->transfer.status = USB_GONE;
    on_done(&wait->transfer);
}

int
usb_guest_move(const char *id, UsbTransfer transfer, void *bytes, uint32_t len)
{
    Wait wait = {.transfer = transfer, .iov = {bytes, len}, .id = id};

    wait.transfer.iov = &wait.iov;
    wait.transfer.n_iov = len ? 1 : 0;
    wait.transfer.length = len;
    wait.transfer.done = on_done;
    g_mutex_init(&wait.lock);
    g_cond_init(&wait.changed);
    usb_bus_post(app.bus, submit, &wait);
    g_mutex_lock(&wait.lock);
    while (!wait.done)
        g_cond_wait(&wait.changed, &wait.lock);
    g_mutex_unlock(&wait.lock);
    g_mutex_clear(&wait.lock);
    g_cond_clear(&wait.changed);
    return wait.transfer.status == USB_OK ? (int)wait.transfer.actual : -1;
}

int
usb_guest_control(const char *id, uint8_t type, uint8_t request, uint16_t value, void *bytes, uint16_t len)
{
    UsbTransfer transfer = {.type = USB_CONTROL, .setup = {type, request, value, 0, len}};

    return usb_guest_move(id, transfer, bytes, len);
}

/* --- the bus ---------------------------------------------------------------------------------------------------- */

static void
on_change(void *user, UsbChange change, const UsbDevice *device, const char *reason)
{
    static const char *const names[] = {
        [USB_ATTACHED] = "attached", [USB_DETACHED] = "detached", [USB_REFUSED] = "refused"};

    printf("usb %s %s: %s\n", names[change], device ? device->id : "-", reason);
    fflush(stdout);
}

static void
no_device(void *controller, UsbDevice *device)
{
}

static void
nothing(void *controller)
{
}

static const UsbControllerOps no_controller = {no_device, no_device, no_device, no_device, no_device, nothing};

void
usb_guest_start(SpiceDisplay *display, unsigned n_channels, const char *rules)
{
    g_autoptr(GError) error = NULL;

    app.thread = loop_thread_new("usb", NULL, NULL);
    app.bus = usb_bus_new(loop_thread_context(app.thread), 8);
    usb_bus_set_lock(app.bus, loop_thread_lock(app.thread));
    usb_bus_set_controller(app.bus, &no_controller, NULL);
    usb_bus_listen(app.bus, on_change, NULL);
    app.policy = usb_policy_new(rules ? rules : USB_POLICY_ALL, &error);
    if (!app.policy)
        g_error("%s", error->message);
    app.redirect = usb_redirect_new(spice_display_server(display), app.bus, app.policy, n_channels);
}

void
usb_guest_stop(void)
{
    if (!app.thread)
        return;
    usb_redirect_free(app.redirect);
    loop_thread_free(app.thread);
    usb_bus_free(app.bus);
    usb_policy_free(app.policy);
}

UsbBus *
usb_guest_bus(void)
{
    return app.bus;
}
