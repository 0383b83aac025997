/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saved state: the controller's registers, rings and slots, and the devices that are plugged in.
 *
 * The machine is at rest, so nothing is in flight: each ring stands at the first transfer that is not done. All of it is the
 * USB thread's, which goes on meanwhile (a client may plug something in), so saving and loading are calls to it that put
 * everything into, or take it from, one buffer.
 *
 * A device that is found again by its id at its port is filled in; any other the guest sees unplugged.
 */
#include "usb/xhci/private.h"

#include <string.h>

#define SAVED_MAX (64u << 20)
#define DEVICE_STATE_MAX (16u << 20)

/* --- devices --------------------------------------------------------------------------------------------------------- */

typedef struct {
    char id[XHCI_DEVICE_ID_MAX], hub[XHCI_DEVICE_ID_MAX];
    uint8_t port;
    uint16_t version;
    GByteArray *bytes;
    UsbDevice *device; /* found again */
} SavedDevice;

static void *
saved_device_create(void)
{
    return g_new0(SavedDevice, 1);
}

static void
saved_device_free(void *object)
{
    SavedDevice *saved = object;

    g_clear_pointer(&saved->bytes, g_byte_array_unref);
    g_free(saved);
}

static const StateField saved_device_fields[] = {
    STATE_BYTES(SavedDevice, id, 1),
    STATE_BYTES(SavedDevice, hub, 1),
    STATE_UINT(SavedDevice, port, 1),
    STATE_UINT(SavedDevice, version, 1),
    STATE_BUFFER(SavedDevice, bytes, 1, DEVICE_STATE_MAX),
    STATE_END,
};
static const StateTable saved_device_state = {
    .name = "usb-device", .version = 1, .oldest = 1, .fields = saved_device_fields, .create = saved_device_create};

static void
save_device(void *user, UsbDevice *device)
{
    Xhci *xhci = user;
    const StateTable *table = device->ops->state;
    SavedDevice *saved = saved_device_create();

    if (!table) {
        g_free(saved);
        return;
    }
    g_strlcpy(saved->id, device->id, sizeof(saved->id));
    g_strlcpy(saved->hub, device->parent ? device->parent->id : "", sizeof(saved->hub));
    saved->port = device->port;
    saved->version = table->version;
    saved->bytes = g_byte_array_new();
    state_save(table, device, saved->bytes);
    g_ptr_array_add(xhci->saved_devices, saved);
}

/* Finds the device again, where it was, and fills it in. */
static bool
load_device(Xhci *xhci, SavedDevice *saved, GError **error)
{
    saved->id[sizeof(saved->id) - 1] = saved->hub[sizeof(saved->hub) - 1] = '\0';
    UsbDevice *device = usb_bus_find(xhci->bus, saved->id);

    if (!device || !device->ops->state || device->port != saved->port ||
        strcmp(device->parent ? device->parent->id : "", saved->hub))
        return true;
    saved->device = device;
    return state_load(device->ops->state, device, saved->version, saved->bytes ? saved->bytes->data : NULL,
                      saved->bytes ? saved->bytes->len : 0, error);
}

static bool
was_restored(void *user, const UsbDevice *device)
{
    const Xhci *xhci = user;

    for (guint i = 0; i < xhci->saved_devices->len; i++)
        if (((SavedDevice *)xhci->saved_devices->pdata[i])->device == device)
            return true;
    return false;
}

/* --- tables ----------------------------------------------------------------------------------------------------------- */

static const StateField port_fields[] = {
    STATE_UINT(XhciPort, portsc, 1), STATE_UINT(XhciPort, pmsc, 1), STATE_BOOL(XhciPort, owed, 1),
    STATE_BOOL(XhciPort, reset, 1),  STATE_BOOL(XhciPort, warm, 1), STATE_END,
};
static const StateTable port_state = {.name = "xhci-port", .version = 1, .oldest = 1, .fields = port_fields};

static const StateField segment_fields[] = {
    STATE_UINT(XhciSegment, address, 1),
    STATE_UINT(XhciSegment, size, 1),
    STATE_END,
};
static const StateTable segment_state = {.name = "xhci-segment", .version = 1, .oldest = 1, .fields = segment_fields};

static void
interrupter_before_save(void *object)
{
    XhciInterrupter *interrupter = object;

    g_clear_pointer(&interrupter->saved_waiting, g_byte_array_unref);
    interrupter->saved_waiting = g_byte_array_new();
    g_byte_array_append(interrupter->saved_waiting, (const uint8_t *)interrupter->waiting->data,
                        interrupter->waiting->len * sizeof(XhciEvent));
}

static void
interrupter_after_save(void *object)
{
    g_clear_pointer(&((XhciInterrupter *)object)->saved_waiting, g_byte_array_unref);
}

static bool
segments_make_sense(const XhciInterrupter *interrupter)
{
    if (interrupter->n_segments > XHCI_SEGMENTS)
        return false;
    for (uint32_t i = 0; i < interrupter->n_segments; i++) {
        const XhciSegment *segment = &interrupter->segments[i];
        if (!segment->size || segment->size > 4096 || segment->address % 64 ||
            !guest_memory_at(interrupter->xhci->memory, segment->address, segment->size * TRB_SIZE))
            return false;
    }
    return !interrupter->n_segments || (interrupter->segment < interrupter->n_segments &&
                                        interrupter->at < interrupter->segments[interrupter->segment].size);
}

static bool
interrupter_after_load(void *object, GError **error)
{
    XhciInterrupter *interrupter = object;
    const GByteArray *bytes = interrupter->saved_waiting;
    guint n = bytes ? bytes->len / sizeof(XhciEvent) : 0;

    interrupter->last = 0;
    g_array_set_size(interrupter->waiting, 0);
    if (n)
        g_array_append_vals(interrupter->waiting, bytes->data, n);
    interrupter_after_save(interrupter);
    if (segments_make_sense(interrupter) && (interrupter->full || !n))
        return true;
    g_set_error(error, STATE_ERROR, STATE_ERROR_MALFORMED, "the USB controller's event ring %u makes no sense",
                interrupter->index);
    return false;
}

static const StateField interrupter_fields[] = {
    STATE_UINT(XhciInterrupter, iman, 1),
    STATE_UINT(XhciInterrupter, imod, 1),
    STATE_UINT(XhciInterrupter, erstsz, 1),
    STATE_UINT(XhciInterrupter, erstba, 1),
    STATE_UINT(XhciInterrupter, erdp, 1),
    STATE_BOOL(XhciInterrupter, reload, 1),
    STATE_UINT(XhciInterrupter, n_segments, 1),
    STATE_ARRAY(XhciInterrupter, segments, 1, &segment_state),
    STATE_UINT(XhciInterrupter, segment, 1),
    STATE_UINT(XhciInterrupter, at, 1),
    STATE_BOOL(XhciInterrupter, cycle, 1),
    STATE_BOOL(XhciInterrupter, full, 1),
    STATE_BUFFER(XhciInterrupter, saved_waiting, 1, XHCI_EVENTS_WAITING_MAX * sizeof(XhciEvent)),
    STATE_END,
};
static const StateTable interrupter_state = {
    .name = "xhci-interrupter",
    .version = 1,
    .oldest = 1,
    .fields = interrupter_fields,
    .before_save = interrupter_before_save,
    .after_save = interrupter_after_save,
    .after_load = interrupter_after_load,
};

static const StateField ring_fields[] = {
    STATE_UINT(XhciRing, address, 1),
    STATE_BOOL(XhciRing, cycle, 1),
    STATE_END,
};
static const StateTable ring_state = {.name = "xhci-ring", .version = 1, .oldest = 1, .fields = ring_fields};

static const StateField stream_fields[] = {
    STATE_STRUCT(XhciStream, ring, 1, &ring_state),
    STATE_UINT(XhciStream, skip, 1),
    STATE_BOOL(XhciStream, valid, 1),
    STATE_END,
};
static const StateTable stream_state = {.name = "xhci-stream", .version = 1, .oldest = 1, .fields = stream_fields};

static const StateField endpoint_context_fields[] = {
    STATE_UINT(XhciEndpointContext, state, 1),       STATE_UINT(XhciEndpointContext, mult, 1),
    STATE_UINT(XhciEndpointContext, max_streams, 1), STATE_BOOL(XhciEndpointContext, linear, 1),
    STATE_UINT(XhciEndpointContext, interval, 1),    STATE_UINT(XhciEndpointContext, errors, 1),
    STATE_UINT(XhciEndpointContext, type, 1),        STATE_BOOL(XhciEndpointContext, initiate_disable, 1),
    STATE_UINT(XhciEndpointContext, max_burst, 1),   STATE_UINT(XhciEndpointContext, packet_size, 1),
    STATE_UINT(XhciEndpointContext, dequeue, 1),     STATE_UINT(XhciEndpointContext, average, 1),
    STATE_UINT(XhciEndpointContext, payload, 1),     STATE_END,
};
static const StateTable endpoint_context_state = {
    .name = "xhci-endpoint-context", .version = 1, .oldest = 1, .fields = endpoint_context_fields};

static void *
endpoint_create(void)
{
    return g_new0(XhciEndpoint, 1);
}

static const StateField endpoint_fields[] = {
    STATE_UINT(XhciEndpoint, slot_id, 1),
    STATE_UINT(XhciEndpoint, index, 1),
    STATE_STRUCT(XhciEndpoint, context, 1, &endpoint_context_state),
    STATE_ARRAY(XhciEndpoint, streams, 1, &stream_state),
    STATE_END,
};
static const StateTable endpoint_state = {
    .name = "xhci-endpoint", .version = 1, .oldest = 1, .fields = endpoint_fields, .create = endpoint_create};

static const StateField slot_context_fields[] = {
    STATE_UINT(XhciSlotContext, route, 1),
    STATE_UINT(XhciSlotContext, speed, 1),
    STATE_BOOL(XhciSlotContext, mtt, 1),
    STATE_BOOL(XhciSlotContext, hub, 1),
    STATE_UINT(XhciSlotContext, entries, 1),
    STATE_UINT(XhciSlotContext, exit_latency, 1),
    STATE_UINT(XhciSlotContext, root_port, 1),
    STATE_UINT(XhciSlotContext, n_ports, 1),
    STATE_UINT(XhciSlotContext, tt_slot, 1),
    STATE_UINT(XhciSlotContext, tt_port, 1),
    STATE_UINT(XhciSlotContext, tt_think, 1),
    STATE_UINT(XhciSlotContext, interrupter, 1),
    STATE_UINT(XhciSlotContext, address, 1),
    STATE_UINT(XhciSlotContext, state, 1),
    STATE_END,
};
static const StateTable slot_context_state = {
    .name = "xhci-slot-context", .version = 1, .oldest = 1, .fields = slot_context_fields};

static void
slot_before_save(void *object)
{
    XhciSlot *slot = object;

    memset(slot->saved_device, 0, sizeof(slot->saved_device));
    if (slot->device)
        g_strlcpy(slot->saved_device, slot->device->id, sizeof(slot->saved_device));
}

static const StateField slot_fields[] = {
    STATE_BOOL(XhciSlot, enabled, 1),
    STATE_STRUCT(XhciSlot, context, 1, &slot_context_state),
    STATE_UINT(XhciSlot, output, 1),
    STATE_BYTES(XhciSlot, saved_device, 1),
    STATE_END,
};
static const StateTable slot_state = {
    .name = "xhci-slot", .version = 1, .oldest = 1, .fields = slot_fields, .before_save = slot_before_save};

static const StateField inner_fields[] = {
    STATE_UINT(Xhci, usbcmd, 1),
    STATE_UINT(Xhci, usbsts, 1),
    STATE_UINT(Xhci, dnctrl, 1),
    STATE_UINT(Xhci, config, 1),
    STATE_UINT(Xhci, crcr, 1),
    STATE_BOOL(Xhci, crcr_written, 1),
    STATE_UINT(Xhci, dcbaap, 1),
    STATE_BOOL(Xhci, kept, 2),
    STATE_ARRAY(Xhci, ports, 1, &port_state),
    STATE_ARRAY(Xhci, interrupters, 1, &interrupter_state),
    STATE_UINT(Xhci, wanted, 1),
    STATE_BYTES(Xhci, rung, 1),
    STATE_STRUCT(Xhci, command_ring, 1, &ring_state),
    STATE_ARRAY(Xhci, slots, 1, &slot_state),
    STATE_LIST(Xhci, saved_endpoints, 1, &endpoint_state, XHCI_SLOTS *XHCI_ENDPOINTS),
    STATE_LIST(Xhci, saved_devices, 1, &saved_device_state, 256),
    STATE_END,
};
static const StateTable inner_state = {.name = "xhci-controller", .version = 2, .oldest = 1, .fields = inner_fields};

/* --- on the USB thread ------------------------------------------------------------------------------------------------- */

static void
drop_saved(Xhci *xhci)
{
    for (guint i = 0; i < xhci->saved_devices->len; i++)
        saved_device_free(xhci->saved_devices->pdata[i]);
    g_ptr_array_set_size(xhci->saved_devices, 0);
    g_ptr_array_set_size(xhci->saved_endpoints, 0);
}

static void
save_all(void *data)
{
    Xhci *xhci = data;

    drop_saved(xhci);
    for (unsigned i = 0; i < XHCI_SLOTS; i++)
        for (unsigned j = 1; j < XHCI_ENDPOINTS; j++)
            if (xhci->slots[i].endpoints[j])
                g_ptr_array_add(xhci->saved_endpoints, xhci->slots[i].endpoints[j]);
    usb_bus_foreach(xhci->bus, save_device, xhci);
    xhci->saved = g_byte_array_new();
    xhci->saved_version = inner_state.version;
    state_save(&inner_state, xhci, xhci->saved);
    drop_saved(xhci);
}

static bool
malformed(const char *what, GError **error)
{
    g_set_error(error, STATE_ERROR, STATE_ERROR_MALFORMED, "the saved USB controller has %s", what);
    return false;
}

/* Whether the saved endpoint could have been made by a guest. Its ring may have moved to anywhere since. */
static bool
endpoint_makes_sense(Xhci *xhci, const XhciEndpoint *endpoint)
{
    XhciSlot *slot = xhci_slot(xhci, endpoint->slot_id);
    XhciEndpointContext context = endpoint->context;

    context.dequeue = TRB_SIZE;
    return slot && slot->output && endpoint->index >= 1 && endpoint->index < XHCI_ENDPOINTS &&
           !slot->endpoints[endpoint->index] && context.state <= EP_ERROR &&
           xhci_endpoint_context_valid(&context, endpoint->index, slot->context.speed);
}

/* No two slots have the same device, so that a device has only so many transfers as it says. */
static bool
is_taken(Xhci *xhci, const UsbDevice *device, unsigned before)
{
    for (unsigned i = 0; i < before; i++)
        if (xhci->slots[i].device == device)
            return true;
    return false;
}

static void
align_rings(XhciEndpoint *endpoint)
{
    for (unsigned id = 0; id < USB_STREAMS_MAX; id++)
        endpoint->streams[id].ring.address &= ~(uint64_t)(TRB_SIZE - 1);
}

static bool
load_slots(Xhci *xhci, GError **error)
{
    for (unsigned i = 0; i < XHCI_SLOTS; i++) {
        XhciSlot *slot = &xhci->slots[i];
        if (slot->output && !guest_memory_at(xhci->memory, slot->output, XHCI_ENDPOINTS * CONTEXT_SIZE))
            return malformed("a slot outside memory", error);
        slot->saved_device[sizeof(slot->saved_device) - 1] = '\0';
        UsbDevice *device = slot->saved_device[0] ? usb_bus_find(xhci->bus, slot->saved_device) : NULL;
        slot->device = device && slot->enabled && was_restored(xhci, device) ? device : NULL;
        if (slot->device && is_taken(xhci, device, i))
            return malformed("two slots for one device", error);
    }
    xhci->command_ring.address &= ~(uint64_t)(TRB_SIZE - 1);
    while (xhci->saved_endpoints->len) {
        XhciEndpoint *endpoint = xhci->saved_endpoints->pdata[xhci->saved_endpoints->len - 1];
        if (!endpoint_makes_sense(xhci, endpoint))
            return malformed("an endpoint that makes no sense", error);
        align_rings(endpoint);
        endpoint->slot = &xhci->slots[endpoint->slot_id - 1];
        endpoint->slot->endpoints[endpoint->index] = endpoint;
        g_ptr_array_set_size(xhci->saved_endpoints, xhci->saved_endpoints->len - 1);
    }
    for (unsigned i = 0; i < XHCI_SLOTS; i++)
        if (xhci->slots[i].context.state != SLOT_ENABLED && !xhci->slots[i].endpoints[1])
            return malformed("a slot without its first endpoint", error);
    return true;
}

/* Streams of a device that is a new one to its host are asked for again. */
static void
set_streams(Xhci *xhci)
{
    for (unsigned i = 0; i < XHCI_SLOTS; i++) {
        UsbDevice *device = xhci->slots[i].device;
        for (unsigned j = 2; device && device->ops->set_streams && j < XHCI_ENDPOINTS; j++) {
            XhciEndpoint *endpoint = xhci->slots[i].endpoints[j];
            if (endpoint && endpoint->context.max_streams)
                device->ops->set_streams(device, xhci_endpoint_address(endpoint), xhci_endpoint_n_streams(endpoint));
        }
    }
}

/* Who is behind a hub, and another one than then: plugged in anew. The root's ports see to theirs. */
static void
replug(void *user, UsbDevice *device)
{
    if (device->parent && !was_restored(user, device))
        device->parent->ops->hub->plug(device->parent, device->port, device);
}

typedef struct {
    Xhci *xhci;
    GError **error;
    bool done;
} Load;

static bool
load_inner(Xhci *xhci, GError **error)
{
    const GByteArray *bytes = xhci->saved;

    if (!state_load(&inner_state, xhci, xhci->saved_version, bytes ? bytes->data : NULL, bytes ? bytes->len : 0, error))
        return false;
    for (guint i = 0; i < xhci->saved_devices->len; i++)
        if (!load_device(xhci, xhci->saved_devices->pdata[i], error))
            return false;
    if (!load_slots(xhci, error))
        return false;
    xhci->n_full = 0;
    for (unsigned i = 0; i < XHCI_INTERRUPTERS; i++)
        xhci->n_full += xhci->interrupters[i].full;
    xhci_ports_restore(xhci, was_restored, xhci);
    usb_bus_foreach(xhci->bus, replug, xhci);
    set_streams(xhci);
    return true;
}

static void
load_all(void *data)
{
    Load *load = data;
    Xhci *xhci = load->xhci;

    /* as after a reset: no slot has an endpoint, nothing is in flight */
    for (unsigned i = 0; i < XHCI_SLOTS; i++) {
        xhci->slots[i].output = 0;
        for (unsigned j = 1; j < XHCI_ENDPOINTS; j++)
            g_clear_pointer(&xhci->slots[i].endpoints[j], xhci_endpoint_free);
    }
    load->done = load_inner(xhci, load->error);
    for (guint i = 0; i < xhci->saved_endpoints->len; i++)
        xhci_endpoint_free(xhci->saved_endpoints->pdata[i]);
    drop_saved(xhci);
    g_mutex_lock(&xhci->lock);
    if (!load->done) { /* what is half filled must not be worked on */
        for (unsigned i = 0; i < XHCI_SLOTS; i++)
            xhci->slots[i].context.state = SLOT_ENABLED;
        xhci_registers_reset(xhci);
    }
    g_mutex_unlock(&xhci->lock);
}

/* --- for the stream ----------------------------------------------------------------------------------------------------- */

static void
after_save(void *object)
{
    g_clear_pointer(&((Xhci *)object)->saved, g_byte_array_unref);
}

static void
before_save(void *object)
{
    Xhci *xhci = object;

    after_save(xhci); /* a load that failed may have left something */
    usb_bus_call(xhci->bus, save_all, xhci);
}

static bool
after_load(void *object, GError **error)
{
    Xhci *xhci = object;
    Load load = {.xhci = xhci, .error = error};

    usb_bus_call(xhci->bus, load_all, &load);
    after_save(xhci);
    return load.done;
}

static const StateField fields[] = {
    STATE_STRUCT(Xhci, pci, 1, &pci_device_state),
    STATE_UINT(Xhci, saved_version, 1),
    STATE_BUFFER(Xhci, saved, 1, SAVED_MAX),
    STATE_END,
};

const StateTable xhci_state = {
    .name = "xhci",
    .version = 1,
    .oldest = 1,
    .fields = fields,
    .before_save = before_save,
    .after_save = after_save,
    .after_load = after_load,
};
