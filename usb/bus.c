/* SPDX-License-Identifier: Apache-2.0 */
/* What is plugged in where. */
#include "usb/bus_private.h"

#define USB3_PORTS_MAX 15 /* Linux, include/linux/usb.h and drivers/usb/core: a SuperSpeed hub has no more */

G_DEFINE_QUARK(usb - error - quark, usb_error)

struct UsbBus {
    GMainContext *context; /* owned reference */
    GMutex *lock;          /* the USB thread's */
    unsigned n_ports;
    UsbDevice *ports[USB_PORTS_MAX + 1]; /* by number, from 1 */
    GPtrArray *devices;                  /* every one, hubs before what is behind them */
    const UsbControllerOps *ops;
    void *controller;
    UsbBusListener listener;
    void *user;
    unsigned held;
};

UsbBus *
usb_bus_new(GMainContext *context, unsigned n_ports)
{
    UsbBus *bus = g_new0(UsbBus, 1);

    g_assert(n_ports >= 1 && n_ports <= USB_PORTS_MAX);
    bus->context = g_main_context_ref(context);
    bus->n_ports = n_ports;
    bus->devices = g_ptr_array_new();
    return bus;
}

void
usb_bus_free(UsbBus *bus)
{
    if (!bus)
        return;
    bus->listener = NULL;
    while (bus->devices->len) {
        UsbDevice *last = bus->devices->pdata[bus->devices->len - 1];
        usb_bus_detach(bus, last, NULL);
        usb_device_free(last);
    }
    g_ptr_array_unref(bus->devices);
    g_main_context_unref(bus->context);
    g_free(bus);
}

GMainContext *
usb_bus_context(const UsbBus *bus)
{
    return bus->context;
}

unsigned
usb_bus_n_ports(const UsbBus *bus)
{
    return bus->n_ports;
}

void
usb_bus_set_controller(UsbBus *bus, const UsbControllerOps *ops, void *controller)
{
    g_assert(!ops || (ops->plugged && ops->unplugging && ops->reset && ops->reset_done && ops->wake && ops->released));
    bus->ops = ops;
    bus->controller = controller;
}

void
usb_bus_listen(UsbBus *bus, UsbBusListener listener, void *user)
{
    bus->listener = listener;
    bus->user = user;
}

void
usb_bus_tell(UsbBus *bus, UsbChange change, const UsbDevice *device, const char *reason)
{
    if (bus->listener)
        bus->listener(bus->user, change, device, reason ? reason : "");
}

/* --- the USB thread --------------------------------------------------------------------------------------------- */

typedef struct {
    void (*function)(void *data);
    void *data;
    GMutex *lock; /* of the caller who waits; NULL: nobody does */
    GCond *done;
    bool is_done;
} Call;

static gboolean
run_call(void *user)
{
    Call *call = user;

    call->function(call->data);
    if (!call->lock) {
        g_free(call);
        return G_SOURCE_REMOVE;
    }
    g_mutex_lock(call->lock);
    call->is_done = true;
    g_cond_signal(call->done);
    g_mutex_unlock(call->lock);
    return G_SOURCE_REMOVE;
}

static void
post_call(UsbBus *bus, Call *call)
{
    g_autoptr(GSource) source = g_idle_source_new();

    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, run_call, call, NULL);
    g_source_attach(source, bus->context);
}

void
usb_bus_set_lock(UsbBus *bus, GMutex *lock)
{
    bus->lock = lock;
}

void
usb_bus_enter(UsbBus *bus)
{
    g_mutex_lock(bus->lock);
}

bool
usb_bus_try_enter(UsbBus *bus)
{
    return bus->lock && g_mutex_trylock(bus->lock);
}

void
usb_bus_leave(UsbBus *bus)
{
    g_mutex_unlock(bus->lock);
}

void
usb_bus_call(UsbBus *bus, void (*function)(void *data), void *data)
{
    /* Nobody runs it, before the thread starts and after it ended: then whoever calls is the owner. */
    if (g_main_context_acquire(bus->context)) {
        function(data);
        g_main_context_release(bus->context);
        return;
    }
    GMutex lock;
    GCond done;
    g_mutex_init(&lock);
    g_cond_init(&done);
    Call call = {.function = function, .data = data, .lock = &lock, .done = &done};
    post_call(bus, &call);
    g_mutex_lock(&lock);
    while (!call.is_done)
        g_cond_wait(&done, &lock);
    g_mutex_unlock(&lock);
    g_cond_clear(&done);
    g_mutex_clear(&lock);
}

void
usb_bus_post(UsbBus *bus, void (*function)(void *data), void *data)
{
    Call *call = g_new0(Call, 1);

    *call = (Call){.function = function, .data = data};
    post_call(bus, call);
}

/* --- plugging --------------------------------------------------------------------------------------------------- */

static bool
port_takes(const UsbBus *bus, UsbSpeed speed, unsigned port)
{
    return port >= 1 && port <= bus->n_ports && !bus->ports[port] && (speed != USB_SUPER || port <= USB3_PORTS_MAX);
}

/* The first free root port, or hub port; 0: none. */
static unsigned
free_port(const UsbBus *bus, const UsbDevice *device, UsbDevice *hub)
{
    unsigned n = hub ? hub->ops->hub->n_ports(hub) : bus->n_ports;

    for (unsigned port = 1; port <= n; port++)
        if (hub ? !hub->ops->hub->child(hub, port) : port_takes(bus, device->speed, port))
            return port;
    return 0;
}

static bool
hub_takes(const UsbDevice *device, UsbDevice *hub, unsigned port)
{
    /* Behind a hub of its own speed's kind: a SuperSpeed device needs a SuperSpeed hub, the others a slower one. */
    return port >= 1 && port <= hub->ops->hub->n_ports(hub) && !hub->ops->hub->child(hub, port) &&
           (device->speed == USB_SUPER) == (hub->speed == USB_SUPER);
}

static unsigned
depth_below(const UsbDevice *hub)
{
    unsigned depth = 0;
    for (; hub; hub = hub->parent)
        depth++;
    return depth;
}

/* The port to be taken; 0 with an error where there is none. */
static unsigned
choose_port(const UsbBus *bus, const UsbDevice *device, UsbDevice *hub, unsigned port, GError **error)
{
    if (depth_below(hub) > USB_HUB_DEPTH_MAX) {
        g_set_error(error, USB_ERROR, USB_ERROR_PORT, "%s: too many hubs in a row: use one nearer to the root",
                    hub->id);
        return 0;
    }
    if (port == USB_PORT_ANY)
        port = free_port(bus, device, hub);
    if (port == USB_PORT_ANY) {
        g_set_error(error, USB_ERROR, USB_ERROR_FULL,
                    "no USB port is free for “%s”: detach something, or raise [usb] ports", device->name);
        return 0;
    }
    if (hub ? hub_takes(device, hub, port) : port_takes(bus, device->speed, port))
        return port;
    g_set_error(error, USB_ERROR, USB_ERROR_PORT,
                "USB port %u does not take “%s”: it is taken, not there, or not made for %s speed", port, device->name,
                usb_speed_name(device->speed));
    return 0;
}

bool
usb_bus_attach(UsbBus *bus, UsbDevice *device, UsbDevice *hub, unsigned port, const char *reason, GError **error)
{
    g_assert(!device->bus && (!hub || (hub->bus == bus && hub->ops->hub)));
    if (usb_bus_find(bus, device->id)) {
        g_set_error(error, USB_ERROR, USB_ERROR_DEVICE, "there is a USB device “%s” already", device->id);
        return false;
    }
    port = choose_port(bus, device, hub, port, error);
    if (!port)
        return false;
    device->bus = bus;
    device->parent = hub;
    device->port = port;
    g_ptr_array_add(bus->devices, device);
    if (hub) {
        hub->ops->hub->plug(hub, port, device);
    } else {
        bus->ports[port] = device;
        if (bus->ops)
            bus->ops->plugged(bus->controller, device);
    }
    usb_bus_tell(bus, USB_ATTACHED, device, reason);
    return true;
}

static void
detach_children(UsbBus *bus, UsbDevice *hub, const char *reason)
{
    for (unsigned port = 1; port <= hub->ops->hub->n_ports(hub); port++) {
        UsbDevice *child = hub->ops->hub->child(hub, port);
        if (!child)
            continue;
        usb_bus_detach(bus, child, reason);
        usb_device_free(child);
    }
}

void
usb_bus_detach(UsbBus *bus, UsbDevice *device, const char *reason)
{
    g_assert(device->bus == bus);
    if (device->ops->hub)
        detach_children(bus, device, reason);
    if (bus->ops)
        bus->ops->unplugging(bus->controller, device);
    if (device->parent)
        device->parent->ops->hub->plug(device->parent, device->port, NULL);
    else
        bus->ports[device->port] = NULL;
    usb_bus_tell(bus, USB_DETACHED, device, reason);
    g_ptr_array_remove(bus->devices, device);
    device->bus = NULL;
    device->parent = NULL;
    device->port = 0;
    device->resetting = false;
}

UsbDevice *
usb_bus_find(const UsbBus *bus, const char *id)
{
    for (guint i = 0; i < bus->devices->len; i++) {
        UsbDevice *device = bus->devices->pdata[i];
        if (g_str_equal(device->id, id))
            return device;
    }
    return NULL;
}

UsbDevice *
usb_bus_at(const UsbBus *bus, unsigned port)
{
    return port <= bus->n_ports ? bus->ports[port] : NULL;
}

void
usb_bus_foreach(UsbBus *bus, void (*each)(void *user, UsbDevice *device), void *user)
{
    for (guint i = 0; i < bus->devices->len; i++)
        each(user, bus->devices->pdata[i]);
}

/* --- between devices and the controller ------------------------------------------------------------------------- */

void
usb_bus_reset_done(UsbBus *bus, UsbDevice *device)
{
    if (bus && bus->ops)
        bus->ops->reset_done(bus->controller, device);
}

void
usb_bus_reset(UsbBus *bus, UsbDevice *device)
{
    if (bus->ops)
        bus->ops->reset(bus->controller, device);
}

void
usb_bus_wake(UsbBus *bus, UsbDevice *device)
{
    for (const UsbDevice *below = device; below->parent; below = below->parent)
        below->parent->ops->hub->wake(below->parent, below->port);
    if (bus->ops)
        bus->ops->wake(bus->controller, device);
}

void
usb_bus_hold(UsbBus *bus)
{
    bus->held++;
}

void
usb_bus_release(UsbBus *bus)
{
    g_assert(bus->held);
    if (--bus->held == 0 && bus->ops)
        bus->ops->released(bus->controller);
}

bool
usb_bus_held(const UsbBus *bus)
{
    return bus->held;
}
