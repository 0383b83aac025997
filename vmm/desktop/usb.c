/* SPDX-License-Identifier: Apache-2.0 */
/* Putting USB together. */
#include "vmm/desktop/usb.h"
#include "usb/hid/hid.h"
#include "usb/policy.h"
#include "usb/redirect/redirect.h"
#include "vmm/board/loop_thread.h"

struct DesktopUsb {
    LoopThread *thread;
    Clock *clock; /* on the USB thread's context */
    UsbBus *bus;
    Xhci *xhci; /* the machine's */
    InputSink keyboard, tablet;
    UsbPolicy *policy;
    UsbRedirect *redirect; /* NULL: no SPICE, or not wanted */
};

typedef struct {
    UsbBus *bus;
    UsbDevice *device;
    GError **error;
    bool done;
} Plug;

static void
plug_on_thread(void *data)
{
    Plug *plug = data;
    plug->done = usb_bus_attach(plug->bus, plug->device, NULL, USB_PORT_ANY, "it belongs to the desktop", plug->error);
}

/* The bus owns @device from here on; on failure it is freed. */
static bool
plug_in(DesktopUsb *usb, UsbDevice *device, GError **error)
{
    Plug plug = {.bus = usb->bus, .device = device, .error = error};

    usb_bus_call(usb->bus, plug_on_thread, &plug);
    if (!plug.done)
        usb_device_free(device);
    return plug.done;
}

static bool
plug_in_input(DesktopUsb *usb, bool wanted, UsbDevice *(*make)(const char *id), const char *id, InputSink *sink,
              GError **error)
{
    if (!wanted)
        return true;
    UsbDevice *device = make(id);
    *sink = usb_hid_sink(device, usb->bus);
    return plug_in(usb, device, error);
}

DesktopUsb *
desktop_usb_new(const DesktopConfig *config, PciBus *pci, GuestMemory *memory, Machine *machine,
                void (*prepare)(void *user), GError **error)
{
    DesktopUsb *usb = g_new0(DesktopUsb, 1);

    usb->thread = loop_thread_new("usb", prepare, NULL);
    usb->clock = clock_new(loop_thread_context(usb->thread));
    usb->bus = usb_bus_new(loop_thread_context(usb->thread), config->usb_ports);
    const XhciOptions options = {.bus = usb->bus, .memory = memory, .clock = usb->clock};
    usb->xhci = xhci_new(pci, PCI_SLOT_ANY, &options, error);
    if (!usb->xhci) {
        desktop_usb_stop(usb);
        desktop_usb_free(usb);
        return NULL;
    }
    machine_add(machine, "usb", &xhci_device_ops, usb->xhci);
    return usb;
}

bool
desktop_usb_plug_in(DesktopUsb *usb, const DesktopConfig *config, GError **error)
{
    if (plug_in_input(usb, config->usb_keyboard, usb_keyboard_new, "usb-keyboard", &usb->keyboard, error) &&
        plug_in_input(usb, config->usb_tablet, usb_tablet_new, "usb-tablet", &usb->tablet, error))
        return true;
    g_prefix_error(error, "%s: [usb]: ", config->path);
    return false;
}

static UsbPolicy *
read_policy(const DesktopConfig *config, GError **error)
{
    UsbPolicy *policy = usb_policy_new(config->usb_policy, error);

    if (!policy)
        g_prefix_error(error, "%s: [usb] policy: ", config->path);
    return policy;
}

bool
desktop_usb_check(const DesktopConfig *config, GError **error)
{
    g_autoptr(UsbPolicy) policy = config->usb ? read_policy(config, error) : NULL;

    return policy || !config->usb;
}

bool
desktop_usb_redirect(DesktopUsb *usb, struct RedsState *server, const DesktopConfig *config, GError **error)
{
    usb->policy = read_policy(config, error);
    if (!usb->policy)
        return false;
    usb->redirect = usb_redirect_new(server, usb->bus, usb->policy, config->usb_redirect);
    return true;
}

void
desktop_usb_end_redirection(DesktopUsb *usb)
{
    if (usb)
        g_clear_pointer(&usb->redirect, usb_redirect_free);
}

void
desktop_usb_stop(DesktopUsb *usb)
{
    if (usb)
        g_clear_pointer(&usb->thread, loop_thread_free);
}

void
desktop_usb_free(DesktopUsb *usb)
{
    if (!usb)
        return;
    usb_bus_free(usb->bus);
    usb_policy_free(usb->policy);
    clock_free(usb->clock);
    g_free(usb);
}

UsbBus *
desktop_usb_bus(const DesktopUsb *usb)
{
    return usb->bus;
}

InputSink
desktop_usb_keyboard(const DesktopUsb *usb)
{
    return usb ? usb->keyboard : (InputSink){0};
}

InputSink
desktop_usb_tablet(const DesktopUsb *usb)
{
    return usb ? usb->tablet : (InputSink){0};
}

void
desktop_usb_stats(const DesktopUsb *usb, XhciStats *stats)
{
    xhci_stats(usb->xhci, stats);
}
