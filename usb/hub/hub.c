/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hub: what its ports know, the requests of its class (USB 2.0, 11.24), and the one endpoint that tells of changes.
 *
 * Devices behind it speak to the controller themselves, by their route; the hub only says who is there, and resets them. Its
 * status change endpoint keeps the guest's transfer until a port has news. A change is told of once, and again only when
 * another comes: a real hub tells at each interval until the driver has cleared it, which here would be at once, for ever.
 */
#include "usb/bus.h"
#include "usb/emulated.h"
#include "usb/hub/hub.h"

#include <linux/usb/ch11.h>

#define HUB_DESCRIPTOR 0x29 /* 11.23.2.1 */
#define CHANGES_ENDPOINT 1
#define CHANGES_SIZE_MAX ((USB_HUB_PORTS_MAX + 1 + 7) / 8)
#define INTERVAL 12      /* 2^11 microframes, 256 ms: the longest that 11.12.1 allows */
#define POWER_GOOD_2MS 1 /* from power on to power good */
#define DESCRIPTOR_AT_MOST (USB_DT_HUB_NONVAR_SIZE + 2 * CHANGES_SIZE_MAX)

#define PORT_CHANGES \
    (USB_PORT_STAT_C_CONNECTION | USB_PORT_STAT_C_ENABLE | USB_PORT_STAT_C_SUSPEND | USB_PORT_STAT_C_RESET)

typedef struct {
    UsbDevice *child;
    uint16_t status; /* USB_PORT_STAT_…, but for what the child says: connection and speed */
    uint16_t change; /* USB_PORT_STAT_C_… */
    bool told;       /* of all that is in .change */
} HubPort;

typedef struct {
    UsbEmulated emulated; /* first */
    unsigned n_ports;
    HubPort ports[USB_HUB_PORTS_MAX]; /* [0] is port 1 */
    UsbTransfer *waiting;             /* the guest's, until there is a change */
} Hub;

static const uint8_t device_descriptor[] = {
    18,
    USB_DT_DEVICE,
    USB_WORD(0x0200),
    USB_CLASS_HUB,
    0,
    USB_HUB_PR_HS_SINGLE_TT,
    64,
    USB_WORD(USB_VENDOR_CARREL),
    USB_WORD(USB_PRODUCT_HUB),
    USB_WORD(0x0100),
    1,
    2,
    3,
    1,
};

/* As it would be in a port that is only full speed; nobody plugs it into one. */
static const uint8_t qualifier_descriptor[] = {
    10, USB_DT_DEVICE_QUALIFIER, USB_WORD(0x0200), USB_CLASS_HUB, 0, 0 /* full speed */, 64, 1, 0};

static const uint8_t configuration_descriptor[] = {
    9,
    USB_DT_CONFIG,
    USB_WORD(9 + 9 + 7),
    1,
    1,
    0,
    0xe0 /* self powered, wakes */,
    0,
    9,
    USB_DT_INTERFACE,
    0,
    0,
    1,
    USB_CLASS_HUB,
    0,
    0,
    0,
    7,
    USB_DT_ENDPOINT,
    USB_DIR_IN | CHANGES_ENDPOINT,
    USB_ENDPOINT_XFER_INT,
    USB_WORD(CHANGES_SIZE_MAX),
    INTERVAL,
};

static const UsbDescription description = {
    .device = device_descriptor,
    .configuration = configuration_descriptor,
    .configuration_size = sizeof(configuration_descriptor),
    .qualifier = qualifier_descriptor,
    .vendor = "Carrel",
    .product = "Carrel hub",
};

/* --- what is told ------------------------------------------------------------------------------------------------- */

static uint16_t
status_of(const HubPort *port)
{
    uint16_t status = port->status;

    if (!port->child || !(status & USB_PORT_STAT_POWER))
        return status;
    status |= USB_PORT_STAT_CONNECTION;
    if (port->child->speed == USB_LOW)
        status |= USB_PORT_STAT_LOW_SPEED;
    if (port->child->speed == USB_HIGH)
        status |= USB_PORT_STAT_HIGH_SPEED;
    return status;
}

/* A bit for each port with changes that were not told of yet (11.12.4); bit 0 is the hub's own, which has none. */
static unsigned
news(const Hub *hub)
{
    unsigned bits = 0;

    for (unsigned i = 0; i < hub->n_ports; i++)
        if (hub->ports[i].change && !hub->ports[i].told)
            bits |= 2u << i;
    return bits;
}

static void
tell(Hub *hub)
{
    unsigned bits = news(hub);
    const uint8_t bytes[CHANGES_SIZE_MAX] = {bits & 0xff, bits >> 8};

    if (!bits)
        return;
    if (!hub->waiting) { /* perhaps because it sleeps */
        if (hub->emulated.wakeup)
            usb_device_wake(&hub->emulated.device);
        return;
    }
    UsbTransfer *transfer = g_steal_pointer(&hub->waiting);
    for (unsigned i = 0; i < hub->n_ports; i++)
        hub->ports[i].told = hub->ports[i].change;
    usb_transfer_write(transfer, bytes, (hub->n_ports + 1 + 7) / 8);
    usb_transfer_complete(transfer, USB_OK);
}

static void
note(Hub *hub, HubPort *port, uint16_t change)
{
    port->change |= change;
    port->told = false;
    tell(hub);
}

/* --- the guest's requests ------------------------------------------------------------------------------------------- */

static void
write_descriptor(const Hub *hub, UsbTransfer *transfer)
{
    unsigned bytes = (hub->n_ports + 1 + 7) / 8; /* of each bit map */
    uint8_t descriptor[DESCRIPTOR_AT_MOST] = {
        USB_DT_HUB_NONVAR_SIZE + 2 * bytes,
        HUB_DESCRIPTOR,
        hub->n_ports,
        USB_WORD(HUB_CHAR_INDV_PORT_LPSM | HUB_CHAR_NO_OCPM),
        POWER_GOOD_2MS,
    };

    /* every device can be taken out: no bits; then ones for what USB 1.0 wanted to know (11.23.2.1) */
    for (unsigned i = 0; i < bytes; i++)
        descriptor[USB_DT_HUB_NONVAR_SIZE + bytes + i] = 0xff;
    usb_transfer_write(transfer, descriptor, descriptor[0]);
}

/* Without power (11.5.1.2): nobody is seen there. */
static void
power_off(HubPort *port)
{
    port->status = port->change = 0;
    port->told = false;
}

static void
power_on(Hub *hub, HubPort *port)
{
    if (port->status & USB_PORT_STAT_POWER)
        return;
    port->status = USB_PORT_STAT_POWER;
    if (port->child)
        note(hub, port, USB_PORT_STAT_C_CONNECTION);
}

static void
begin_reset(Hub *hub, HubPort *port)
{
    if (!(status_of(port) & USB_PORT_STAT_CONNECTION) || port->status & USB_PORT_STAT_RESET)
        return;
    port->status &= ~(USB_PORT_STAT_ENABLE | USB_PORT_STAT_SUSPEND);
    port->status |= USB_PORT_STAT_RESET;
    usb_bus_reset(hub->emulated.device.bus, port->child);
}

static bool
set_port_feature(Hub *hub, HubPort *port, unsigned feature)
{
    switch (feature) {
    case USB_PORT_FEAT_POWER:
        power_on(hub, port);
        return true;
    case USB_PORT_FEAT_RESET:
        begin_reset(hub, port);
        return true;
    case USB_PORT_FEAT_SUSPEND:
        if (port->status & USB_PORT_STAT_ENABLE)
            port->status |= USB_PORT_STAT_SUSPEND;
        return true;
    default:
        return false;
    }
}

static void
resume_port(Hub *hub, HubPort *port)
{
    if (!(port->status & USB_PORT_STAT_SUSPEND))
        return;
    port->status &= ~USB_PORT_STAT_SUSPEND;
    note(hub, port, USB_PORT_STAT_C_SUSPEND);
}

static bool
clear_port_feature(Hub *hub, HubPort *port, unsigned feature)
{
    switch (feature) {
    case USB_PORT_FEAT_POWER:
        power_off(port);
        return true;
    case USB_PORT_FEAT_ENABLE:
        port->status &= ~(USB_PORT_STAT_ENABLE | USB_PORT_STAT_SUSPEND);
        return true;
    case USB_PORT_FEAT_SUSPEND:
        resume_port(hub, port);
        return true;
    case USB_PORT_FEAT_C_CONNECTION:
    case USB_PORT_FEAT_C_ENABLE:
    case USB_PORT_FEAT_C_SUSPEND:
    case USB_PORT_FEAT_C_OVER_CURRENT:
    case USB_PORT_FEAT_C_RESET:
        port->change &= ~(1u << (feature - USB_PORT_FEAT_C_CONNECTION));
        return true;
    default:
        return false;
    }
}

/* The port that a request is for, or NULL. */
static HubPort *
port_at(Hub *hub, unsigned number)
{
    return number >= 1 && number <= hub->n_ports ? &hub->ports[number - 1] : NULL;
}

static bool
get_port_status(const HubPort *port, UsbTransfer *transfer)
{
    const uint8_t status[] = {USB_WORD(status_of(port)), USB_WORD(port->change)};

    usb_transfer_write(transfer, status, sizeof(status));
    return true;
}

static bool
control(UsbEmulated *emulated, UsbTransfer *transfer)
{
    Hub *hub = (Hub *)emulated;
    const UsbSetup *setup = &transfer->setup;
    HubPort *port = port_at(hub, setup->index & 0xff);

    switch (usb_setup_request(setup)) {
    case USB_REQUEST(USB_DIR_IN | USB_RT_HUB, USB_REQ_GET_DESCRIPTOR):
        if (setup->value >> 8 == HUB_DESCRIPTOR)
            write_descriptor(hub, transfer);
        return setup->value >> 8 == HUB_DESCRIPTOR;
    case USB_REQUEST(USB_DIR_IN | USB_RT_HUB, USB_REQ_GET_STATUS):
        usb_transfer_write(transfer, (const uint8_t[4]){0}, 4); /* power is good, and no current too high */
        return true;
    case USB_REQUEST(USB_RT_HUB, USB_REQ_SET_FEATURE):
    case USB_REQUEST(USB_RT_HUB, USB_REQ_CLEAR_FEATURE):
        return setup->value == C_HUB_LOCAL_POWER || setup->value == C_HUB_OVER_CURRENT;
    case USB_REQUEST(USB_DIR_IN | USB_RT_PORT, USB_REQ_GET_STATUS):
        return emulated->configuration && port && get_port_status(port, transfer);
    case USB_REQUEST(USB_RT_PORT, USB_REQ_SET_FEATURE):
        return emulated->configuration && port && set_port_feature(hub, port, setup->value);
    case USB_REQUEST(USB_RT_PORT, USB_REQ_CLEAR_FEATURE):
        return emulated->configuration && port && clear_port_feature(hub, port, setup->value);
    case USB_REQUEST(USB_RT_PORT, HUB_CLEAR_TT_BUFFER):
    case USB_REQUEST(USB_RT_PORT, HUB_RESET_TT):
    case USB_REQUEST(USB_RT_PORT, HUB_STOP_TT):
        return true; /* the translator keeps nothing */
    default:
        return false;
    }
}

/* --- for the emulated core ------------------------------------------------------------------------------------------- */

static void
data(UsbEmulated *emulated, UsbTransfer *transfer)
{
    Hub *hub = (Hub *)emulated;

    if (transfer->endpoint != (USB_DIR_IN | CHANGES_ENDPOINT) || hub->waiting) {
        usb_transfer_complete(transfer, USB_FAULT);
        return;
    }
    hub->waiting = transfer;
    tell(hub);
}

static void
cancel(UsbEmulated *emulated, UsbTransfer *transfer)
{
    Hub *hub = (Hub *)emulated;

    if (hub->waiting != transfer)
        return;
    hub->waiting = NULL;
    usb_transfer_complete(transfer, USB_CANCELLED);
}

/* Ports have no power until the driver gives it (11.5.1.1). */
static void
configured(UsbEmulated *emulated)
{
    Hub *hub = (Hub *)emulated;

    for (unsigned i = 0; i < hub->n_ports; i++)
        power_off(&hub->ports[i]);
}

/* --- for the bus ------------------------------------------------------------------------------------------------------ */

static unsigned
n_ports(UsbDevice *device)
{
    return ((Hub *)device)->n_ports;
}

static UsbDevice *
child(UsbDevice *device, unsigned number)
{
    const HubPort *port = port_at((Hub *)device, number);
    return port ? port->child : NULL;
}

static bool
enabled(UsbDevice *device, unsigned number)
{
    const HubPort *port = port_at((Hub *)device, number);
    return port && port->status & USB_PORT_STAT_ENABLE;
}

static void
plug(UsbDevice *device, unsigned number, UsbDevice *child)
{
    Hub *hub = (Hub *)device;
    HubPort *port = port_at(hub, number);

    port->child = child;
    if (!(port->status & USB_PORT_STAT_POWER))
        return;
    port->status = USB_PORT_STAT_POWER;
    note(hub, port, USB_PORT_STAT_C_CONNECTION);
}

static void
reset_done(UsbDevice *device, unsigned number)
{
    Hub *hub = (Hub *)device;
    HubPort *port = port_at(hub, number);

    if (!(port->status & USB_PORT_STAT_RESET))
        return; /* it lost its power meanwhile */
    port->status &= ~USB_PORT_STAT_RESET;
    port->status |= USB_PORT_STAT_ENABLE;
    note(hub, port, USB_PORT_STAT_C_RESET);
}

static void
wake(UsbDevice *device, unsigned number)
{
    Hub *hub = (Hub *)device;
    resume_port(hub, port_at(hub, number));
}

/* --- saved state -------------------------------------------------------------------------------------------------------- */

/* What is plugged in is the configuration's of now; the bus tells of a device that is another one than then. */
static bool
after_load(void *object, GError **error)
{
    Hub *hub = object;

    for (unsigned i = 0; i < hub->n_ports; i++) {
        HubPort *port = &hub->ports[i];
        port->change &= PORT_CHANGES;
        port->status &= USB_PORT_STAT_POWER | USB_PORT_STAT_ENABLE | USB_PORT_STAT_SUSPEND | USB_PORT_STAT_RESET;
        if (!(port->status & USB_PORT_STAT_POWER))
            power_off(port);
        else if (port->status != USB_PORT_STAT_POWER && !port->child)
            plug(&hub->emulated.device, i + 1, NULL);
        else if (port->status & USB_PORT_STAT_RESET)
            reset_done(&hub->emulated.device, i + 1);
    }
    return true;
}

static const StateField port_fields[] = {
    STATE_UINT(HubPort, status, 1),
    STATE_UINT(HubPort, change, 1),
    STATE_BOOL(HubPort, told, 1),
    STATE_END,
};
static const StateTable port_state = {.name = "usb-hub-port", .version = 1, .oldest = 1, .fields = port_fields};

static const StateField fields[] = {
    STATE_STRUCT(Hub, emulated, 1, &usb_emulated_state),
    STATE_ARRAY(Hub, ports, 1, &port_state),
    STATE_END,
};
static const StateTable state = {
    .name = "usb-hub", .version = 1, .oldest = 1, .fields = fields, .after_load = after_load};

static void
finish(UsbDevice *device)
{
    usb_emulated_finish((UsbEmulated *)device);
}

static const UsbHubOps hub_ops = {
    .n_ports = n_ports,
    .child = child,
    .enabled = enabled,
    .plug = plug,
    .reset_done = reset_done,
    .wake = wake,
};

static const UsbDeviceOps device_ops = {
    .kind = "hub",
    .submit = usb_emulated_submit,
    .cancel = usb_emulated_cancel,
    .reset = usb_emulated_reset,
    .hub = &hub_ops,
    .state = &state,
    .finish = finish,
};

static const UsbEmulatedOps emulated_ops = {
    .description = &description,
    .control = control,
    .data = data,
    .cancel = cancel,
    .configured = configured,
};

UsbDevice *
usb_hub_new(const char *id, unsigned n_ports)
{
    Hub *hub = g_new0(Hub, 1);

    g_assert(n_ports >= 1 && n_ports <= USB_HUB_PORTS_MAX);
    usb_emulated_init(&hub->emulated, &device_ops, &emulated_ops, USB_HIGH, id, NULL);
    hub->n_ports = n_ports;
    return &hub->emulated.device;
}

bool
usb_hub_is_hub(const UsbDevice *device)
{
    return device->ops == &device_ops;
}
