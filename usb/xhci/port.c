/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Root ports (xHCI 1.2, 4.15, 4.19, 5.4.8): what is plugged in, resets, link states.
 *
 * Registers of USB 2 ports come first, then those of USB 3 ports; a port of the bus is one of each. A USB 2 port is enabled
 * by a reset of the guest's, a USB 3 port trains its link by itself. Ports are always powered.
 */
#include "usb/xhci/private.h"

static bool
is_usb3(const Xhci *xhci, unsigned port)
{
    return port >= xhci->n_usb2;
}

/* The index of the register of @device, which is in a root port. */
static unsigned
port_of(const Xhci *xhci, const UsbDevice *device)
{
    return device->port - 1 + (device->speed == USB_SUPER ? xhci->n_usb2 : 0);
}

/* Who belongs to the register at index @port, or NULL. */
static UsbDevice *
device_at(const Xhci *xhci, unsigned port)
{
    bool usb3 = is_usb3(xhci, port);
    UsbDevice *device = usb_bus_at(xhci->bus, port - (usb3 ? xhci->n_usb2 : 0) + 1);
    return device && (device->speed == USB_SUPER) == usb3 ? device : NULL;
}

static void
set_link(XhciPort *port, XhciLinkState link)
{
    port->portsc = (port->portsc & ~PORTSC_PLS) | (uint32_t)link << PORTSC_PLS_SHIFT;
}

static XhciLinkState
link_of(const XhciPort *port)
{
    return (port->portsc & PORTSC_PLS) >> PORTSC_PLS_SHIFT;
}

/* Notes changes; the guest is told of the first, and of the next once it cleared them all (4.19.2). */
static void
change(XhciPort *port, uint32_t bits)
{
    bool first = !(port->portsc & PORTSC_CHANGES);

    port->portsc |= bits;
    if (first && bits)
        port->owed = true;
}

/* As it is right after power came on, or @device was plugged in. */
static void
set_connected(Xhci *xhci, unsigned index, const UsbDevice *device)
{
    XhciPort *port = &xhci->ports[index];
    uint32_t kept = port->portsc & (PORTSC_CHANGES | PORTSC_WAKES);

    port->portsc = kept | PORTSC_PP;
    if (!device) {
        set_link(port, PLS_RX_DETECT);
        return;
    }
    port->portsc |= PORTSC_CCS | (uint32_t)device->speed << PORTSC_SPEED_SHIFT;
    if (is_usb3(xhci, index)) {
        port->portsc |= PORTSC_PED;
        set_link(port, PLS_U0);
    } else {
        set_link(port, PLS_POLLING);
    }
}

void
xhci_port_reset_registers(Xhci *xhci, unsigned port)
{
    const UsbDevice *device = device_at(xhci, port);

    xhci->ports[port] = (XhciPort){0};
    set_connected(xhci, port, device);
    if (device)
        change(&xhci->ports[port], PORTSC_CSC);
}

/* --- the guest's side; the lock held ----------------------------------------------------------------------------- */

uint32_t
xhci_port_read(const Xhci *xhci, unsigned port, unsigned offset)
{
    switch (offset) {
    case 0:
        return xhci->ports[port].portsc;
    case 4:
        return xhci->ports[port].pmsc;
    default:
        return 0;
    }
}

/* The guest writes a link state (5.4.8, PLS): suspend, resume, and USB 3's wake from U3. */
static void
write_link(Xhci *xhci, unsigned index, XhciLinkState link)
{
    XhciPort *port = &xhci->ports[index];
    XhciLinkState now = link_of(port);

    if (link == PLS_RX_DETECT && is_usb3(xhci, index) && now == PLS_DISABLED) {
        set_connected(xhci, index, device_at(xhci, index));
        return;
    }
    if (!(port->portsc & PORTSC_PED))
        return;
    if (link == PLS_U0 && (now == PLS_U3 || now == PLS_RESUME)) {
        set_link(port, PLS_U0);
        change(port, PORTSC_PLC);
    } else if ((link == PLS_U3 && now == PLS_U0) || (link == PLS_RESUME && now == PLS_U3 && !is_usb3(xhci, index))) {
        set_link(port, link);
    }
}

static void
begin_reset(Xhci *xhci, unsigned index, bool warm)
{
    XhciPort *port = &xhci->ports[index];

    if (!(port->portsc & PORTSC_CCS) || port->portsc & PORTSC_PR)
        return;
    port->portsc = (port->portsc & ~PORTSC_PED) | PORTSC_PR;
    port->reset = true;
    port->warm = warm;
    xhci->wanted |= XHCI_WORK_PORTS;
}

void
xhci_port_write(Xhci *xhci, unsigned index, unsigned offset, uint32_t value)
{
    XhciPort *port = &xhci->ports[index];

    if (offset == 4)
        port->pmsc = value;
    if (offset)
        return;
    port->portsc &= ~(value & PORTSC_CHANGES);
    port->portsc = (port->portsc & ~PORTSC_WAKES) | (value & PORTSC_WAKES);
    if (value & PORTSC_PED && port->portsc & PORTSC_PED) {
        port->portsc &= ~PORTSC_PED;
        set_link(port, PLS_DISABLED);
    }
    if (value & PORTSC_LWS)
        write_link(xhci, index, (value & PORTSC_PLS) >> PORTSC_PLS_SHIFT);
    bool warm = is_usb3(xhci, index) && value & PORTSC_WPR;
    if (warm || value & PORTSC_PR)
        begin_reset(xhci, index, warm);
    if (port->owed)
        xhci->wanted |= XHCI_WORK_PORTS;
    xhci_wake(xhci);
}

/* --- the USB thread's -------------------------------------------------------------------------------------------- */

void
xhci_ports_tell(Xhci *xhci)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&xhci->lock);

    if (xhci->resting || !(xhci->usbcmd & USBCMD_RS))
        return; /* later */
    for (unsigned i = 0; i < xhci->n_usb2 + xhci->n_usb3; i++) {
        XhciPort *port = &xhci->ports[i];
        bool owed = port->owed && port->portsc & PORTSC_CHANGES;
        port->owed = false;
        if (!owed)
            continue;
        xhci->usbsts |= USBSTS_PCD;
        xhci_event_locked(xhci, 0, (uint64_t)(i + 1) << 24, (uint32_t)CC_SUCCESS << 24,
                          TRB_PORT_STATUS_CHANGE_EVENT << TRB_TYPE_SHIFT);
    }
}

/* Whether the device of the port at @index is to be reset; takes the note. */
static bool
take_reset(Xhci *xhci, unsigned index)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&xhci->lock);
    bool reset = xhci->ports[index].reset;
    xhci->ports[index].reset = false;
    return reset;
}

void
xhci_port_reset(void *user, UsbDevice *device)
{
    Xhci *xhci = user;

    if (!g_ptr_array_find(xhci->resets, device, NULL))
        g_ptr_array_add(xhci->resets, device);
    xhci_ports_work(xhci);
}

void
xhci_ports_work(Xhci *xhci)
{
    for (unsigned i = 0; i < xhci->n_usb2 + xhci->n_usb3; i++) {
        UsbDevice *device = take_reset(xhci, i) ? device_at(xhci, i) : NULL;
        if (device && !g_ptr_array_find(xhci->resets, device, NULL))
            g_ptr_array_add(xhci->resets, device);
    }
    for (guint i = xhci->resets->len; i-- > 0;) {
        UsbDevice *device = xhci->resets->pdata[i];
        if (device->resetting || !xhci_slots_drain_device(xhci, device))
            continue; /* when it is done, or they are back */
        g_ptr_array_remove_index(xhci->resets, i);
        device->resetting = true;
        device->ops->reset(device);
    }
    xhci_ports_tell(xhci);
}

void
xhci_port_reset_done(void *user, UsbDevice *device)
{
    Xhci *xhci = user;

    if (device->parent) {
        device->parent->ops->hub->reset_done(device->parent, device->port);
        return;
    }
    g_mutex_lock(&xhci->lock);
    XhciPort *port = &xhci->ports[port_of(xhci, device)];
    if (port->portsc & PORTSC_PR) {
        port->portsc = (port->portsc & ~PORTSC_PR) | PORTSC_PED;
        set_link(port, PLS_U0);
        change(port, PORTSC_PRC | (port->warm ? PORTSC_WRC : 0));
    }
    g_mutex_unlock(&xhci->lock);
    xhci_ports_tell(xhci);
    xhci_want(xhci, XHCI_WORK_PORTS); /* not now: this may be inside a device's .reset, which has others behind it */
}

void
xhci_port_plugged(void *user, UsbDevice *device)
{
    Xhci *xhci = user;

    g_mutex_lock(&xhci->lock);
    unsigned index = port_of(xhci, device);
    change(&xhci->ports[index], PORTSC_CSC);
    set_connected(xhci, index, device);
    g_mutex_unlock(&xhci->lock);
    xhci_ports_tell(xhci);
}

void
xhci_port_unplugged(Xhci *xhci, UsbDevice *device)
{
    g_ptr_array_remove(xhci->resets, device);
    if (device->parent)
        return; /* the hub tells */
    g_mutex_lock(&xhci->lock);
    unsigned index = port_of(xhci, device);
    change(&xhci->ports[index], PORTSC_CSC);
    set_connected(xhci, index, NULL);
    xhci->ports[index].reset = false;
    g_mutex_unlock(&xhci->lock);
    xhci_ports_tell(xhci);
}

/* A device in a suspended port signals resume (4.15.2.2). */
void
xhci_port_wake(void *user, UsbDevice *device)
{
    Xhci *xhci = user;
    UsbDevice *root = usb_device_root(device);

    g_mutex_lock(&xhci->lock);
    XhciPort *port = &xhci->ports[port_of(xhci, root)];
    if (link_of(port) == PLS_U3 && port->portsc & PORTSC_PED) {
        set_link(port, PLS_RESUME);
        change(port, PORTSC_PLC);
    }
    g_mutex_unlock(&xhci->lock);
    xhci_ports_tell(xhci);
}

/* Who hears the controller at @port of @device; NULL where that is no port, or off, or no hub. */
static UsbDevice *
child_at(UsbDevice *device, unsigned port)
{
    const UsbHubOps *hub = device->ops->hub;
    return hub && port >= 1 && port <= hub->n_ports(device) && hub->enabled(device, port) ? hub->child(device, port)
                                                                                          : NULL;
}

UsbDevice *
xhci_port_device(Xhci *xhci, unsigned number, uint32_t route)
{
    if (number < 1 || number > xhci->n_usb2 + xhci->n_usb3)
        return NULL;
    g_mutex_lock(&xhci->lock);
    bool enabled = xhci->ports[number - 1].portsc & PORTSC_PED;
    g_mutex_unlock(&xhci->lock);
    UsbDevice *device = enabled ? device_at(xhci, number - 1) : NULL;
    for (; device && route; route >>= 4)
        device = child_at(device, route & 0xf);
    return device;
}

void
xhci_ports_restore(Xhci *xhci, bool (*restored)(void *user, const UsbDevice *device), void *user)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&xhci->lock);

    for (unsigned i = 0; i < xhci->n_usb2 + xhci->n_usb3; i++) {
        XhciPort *port = &xhci->ports[i];
        const UsbDevice *device = device_at(xhci, i);
        bool same = device && restored(user, device);
        if (same && port->portsc & PORTSC_CCS) {
            port->reset = port->portsc & PORTSC_PR; /* it was under way */
        } else if (device || port->portsc & PORTSC_CCS) {
            change(port, PORTSC_CSC);
            set_connected(xhci, i, device);
        }
    }
}
