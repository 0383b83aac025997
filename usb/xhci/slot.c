/* SPDX-License-Identifier: Apache-2.0 */
/* Device slots (xHCI 1.2, 4.5): which device, which endpoints, and what the guest reads of them. */
#include "usb/xhci/private.h"

XhciSlot *
xhci_slot(Xhci *xhci, unsigned id)
{
    return id >= 1 && id <= XHCI_SLOTS && xhci->slots[id - 1].enabled ? &xhci->slots[id - 1] : NULL;
}

void
xhci_slot_tell(XhciSlot *slot)
{
    uint32_t words[CONTEXT_WORDS];

    if (!slot->output)
        return;
    xhci_slot_context_write(&slot->context, words);
    guest_memory_write(slot->xhci->memory, slot->output, words, sizeof(words));
}

XhciEndpoint *
xhci_slot_add_endpoint(XhciSlot *slot, unsigned index, const XhciEndpointContext *context)
{
    XhciEndpoint *endpoint = g_new0(XhciEndpoint, 1);

    g_assert(!slot->endpoints[index]);
    endpoint->slot = slot;
    endpoint->slot_id = slot->id;
    endpoint->index = index;
    endpoint->context = *context;
    endpoint->streams[0].valid = !context->max_streams;
    endpoint->streams[0].ring = xhci_ring_at(context->dequeue);
    slot->endpoints[index] = endpoint;
    return endpoint;
}

void
xhci_slot_drop_endpoint(XhciSlot *slot, unsigned index)
{
    XhciEndpoint *endpoint = slot->endpoints[index];

    if (!endpoint)
        return;
    g_assert(xhci_endpoint_quiet(endpoint));
    xhci_isoch_end(endpoint);
    xhci_endpoint_set_state(endpoint, EP_DISABLED);
    if (slot->device && slot->device->ops->stop)
        slot->device->ops->stop(slot->device, xhci_endpoint_address(endpoint));
    if (slot->device && endpoint->context.max_streams && slot->device->ops->set_streams)
        slot->device->ops->set_streams(slot->device, xhci_endpoint_address(endpoint), 0);
    slot->endpoints[index] = NULL;
    xhci_endpoint_free(endpoint);
}

bool
xhci_slot_drain(XhciSlot *slot, uint32_t mask)
{
    bool quiet = true;

    for (unsigned i = 1; i < XHCI_ENDPOINTS; i++)
        if (mask >> i & 1 && slot->endpoints[i])
            quiet &= xhci_endpoint_drain(slot->endpoints[i]);
    return quiet;
}

void
xhci_slot_free(XhciSlot *slot)
{
    for (unsigned i = 1; i < XHCI_ENDPOINTS; i++)
        xhci_slot_drop_endpoint(slot, i);
    slot->context = (XhciSlotContext){0};
    xhci_slot_tell(slot);
    slot->enabled = false;
    slot->device = NULL;
    slot->output = 0;
}

static bool
is_behind(const UsbDevice *device, const UsbDevice *hub)
{
    for (; device; device = device->parent)
        if (device == hub)
            return true;
    return false;
}

bool
xhci_slots_drain_device(Xhci *xhci, UsbDevice *device)
{
    bool quiet = true;

    for (unsigned i = 0; i < XHCI_SLOTS; i++)
        if (xhci->slots[i].device && is_behind(xhci->slots[i].device, device))
            quiet &= xhci_slot_drain(&xhci->slots[i], UINT32_MAX);
    return quiet;
}

void
xhci_slots_forget(Xhci *xhci, UsbDevice *device)
{
    for (unsigned i = 0; i < XHCI_SLOTS; i++) {
        XhciSlot *slot = &xhci->slots[i];
        if (slot->device != device)
            continue;
        slot->device = NULL; /* so that what comes back is lost, not put off */
        xhci_slot_drain(slot, UINT32_MAX);
    }
}
