/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command ring (xHCI 1.2, 4.6): one command after the other, each ending in a completion event.
 *
 * A handler gives its completion code, or CC_NONE where it has to wait for transfers to come back; then it is called again,
 * from its beginning, once some have. What a handler reads from the guest it copies first; it changes nothing before it has
 * checked everything.
 */
#include "usb/xhci/private.h"

#include <string.h>

/* The largest input context there is: control, slot, and 31 endpoints (6.2.5). */
typedef struct {
    uint32_t drop, add;
    XhciSlotContext slot;
    XhciEndpointContext endpoints[XHCI_ENDPOINTS];
} Input;

static bool
read_input(Xhci *xhci, uint64_t address, Input *input)
{
    uint32_t words[(2 + XHCI_ENDPOINTS - 1) * CONTEXT_WORDS];

    if (!guest_memory_read(xhci->memory, address & ~0xfull, words, sizeof(words)))
        return false;
    input->drop = words[0];
    input->add = words[1];
    xhci_slot_context_read(&input->slot, words + CONTEXT_WORDS);
    for (unsigned i = 1; i < XHCI_ENDPOINTS; i++)
        xhci_endpoint_context_read(&input->endpoints[i], words + (1 + i) * CONTEXT_WORDS);
    return true;
}

/* --- slots (4.6.3 to 4.6.5, 4.6.11) ------------------------------------------------------------------------------- */

static XhciCode
enable_slot(Xhci *xhci, unsigned *id)
{
    unsigned enabled = MIN(xhci->config, XHCI_SLOTS);

    for (unsigned i = 0; i < enabled; i++)
        if (!xhci->slots[i].enabled) {
            xhci->slots[i].enabled = true;
            *id = i + 1;
            return CC_SUCCESS;
        }
    return CC_NO_SLOTS;
}

static XhciCode
disable_slot(XhciSlot *slot)
{
    if (!xhci_slot_drain(slot, UINT32_MAX))
        return CC_NONE;
    xhci_slot_free(slot);
    return CC_SUCCESS;
}

static bool
has_slot(Xhci *xhci, const UsbDevice *device, const XhciSlot *but)
{
    for (unsigned i = 0; i < XHCI_SLOTS; i++)
        if (xhci->slots[i].enabled && xhci->slots[i].device == device && &xhci->slots[i] != but)
            return true;
    return false;
}

static uint64_t
output_context(Xhci *xhci, unsigned id)
{
    uint64_t output;
    g_mutex_lock(&xhci->lock);
    uint64_t array = xhci->dcbaap;
    g_mutex_unlock(&xhci->lock);
    /* all 32 contexts must be there, so that no later write of one fails */
    if (!guest_memory_read(xhci->memory, array + id * 8, &output, sizeof(output)))
        return 0;
    output &= ~0x3full;
    return guest_memory_at(xhci->memory, output, XHCI_ENDPOINTS * CONTEXT_SIZE) ? output : 0;
}

/*
 * A slower device behind a high-speed hub is spoken to through that hub's transaction translator (4.3.3, 6.2.2): with
 * another one named, nobody would answer.
 */
static bool
names_translator(Xhci *xhci, const UsbDevice *device, const XhciSlotContext *context)
{
    if (device->speed != USB_LOW && device->speed != USB_FULL)
        return true;
    while (device->parent && device->parent->speed != USB_HIGH)
        device = device->parent;
    if (!device->parent)
        return true;
    const XhciSlot *hub = xhci_slot(xhci, context->tt_slot);
    return hub && hub->device == device->parent && context->tt_port == device->port;
}

static XhciCode
address_device(XhciSlot *slot, const XhciTrb *trb)
{
    Xhci *xhci = slot->xhci;
    bool leave = trb->control & TRB_BSR;
    Input input;

    if (slot->context.state > (leave ? SLOT_ENABLED : SLOT_DEFAULT))
        return CC_CONTEXT_STATE;
    uint64_t output = output_context(xhci, slot->id);
    if (!read_input(xhci, trb->parameter, &input) || !output || (input.add & 3) != 3 ||
        input.endpoints[1].type != EP_TYPE_CONTROL || !xhci_endpoint_context_valid(&input.endpoints[1], 1, 0))
        return CC_PARAMETER;
    UsbDevice *device = xhci_port_device(xhci, input.slot.root_port, input.slot.route);
    if (!device || device->resetting || !names_translator(xhci, device, &input.slot))
        return CC_TRANSACTION_ERROR;
    if (has_slot(xhci, device, slot))
        return CC_TRB_ERROR;
    if (!xhci_slot_drain(slot, UINT32_MAX))
        return CC_NONE;
    xhci_slot_drop_endpoint(slot, 1);
    slot->device = device;
    slot->output = output;
    slot->context = input.slot;
    slot->context.speed = device->speed;
    slot->context.entries = 1;
    slot->context.state = leave ? SLOT_DEFAULT : SLOT_ADDRESSED;
    slot->context.address = leave ? 0 : slot->id;
    xhci_endpoint_set_state(xhci_slot_add_endpoint(slot, 1, &input.endpoints[1]), EP_RUNNING);
    xhci_slot_tell(slot);
    return CC_SUCCESS;
}

static void
drop_endpoints(XhciSlot *slot, uint32_t mask)
{
    for (unsigned i = 2; i < XHCI_ENDPOINTS; i++)
        if (mask >> i & 1)
            xhci_slot_drop_endpoint(slot, i);
}

static XhciCode
reset_device(XhciSlot *slot)
{
    if (slot->context.state < SLOT_ADDRESSED)
        return CC_CONTEXT_STATE;
    if (!xhci_slot_drain(slot, UINT32_MAX))
        return CC_NONE;
    drop_endpoints(slot, UINT32_MAX);
    slot->context.state = SLOT_DEFAULT;
    slot->context.address = 0;
    slot->context.entries = 1;
    xhci_slot_tell(slot);
    return CC_SUCCESS;
}

/* --- configuration (4.6.6, 4.6.7) ----------------------------------------------------------------------------------- */

/* Context entries and state follow the endpoints that there are. */
static void
tell_configuration(XhciSlot *slot)
{
    unsigned last = 1;

    for (unsigned i = 2; i < XHCI_ENDPOINTS; i++)
        if (slot->endpoints[i])
            last = i;
    slot->context.entries = last;
    slot->context.state = last > 1 ? SLOT_CONFIGURED : SLOT_ADDRESSED;
    xhci_slot_tell(slot);
}

static XhciCode
deconfigure(XhciSlot *slot)
{
    if (!xhci_slot_drain(slot, ~2u))
        return CC_NONE;
    drop_endpoints(slot, UINT32_MAX);
    tell_configuration(slot);
    return CC_SUCCESS;
}

static XhciCode
check_configuration(const XhciSlot *slot, const Input *input)
{
    if (input->drop & 3 || (input->add & 3) != 1)
        return CC_PARAMETER;
    for (unsigned i = 2; i < XHCI_ENDPOINTS; i++) {
        bool stays = slot->endpoints[i] && !(input->drop >> i & 1);
        if (!(input->add >> i & 1))
            continue;
        if (stays || !xhci_endpoint_context_valid(&input->endpoints[i], i, slot->context.speed))
            return CC_PARAMETER;
    }
    return CC_SUCCESS;
}

static void
add_endpoint(XhciSlot *slot, unsigned index, const XhciEndpointContext *context)
{
    XhciEndpoint *endpoint = xhci_slot_add_endpoint(slot, index, context);
    UsbDevice *device = slot->device;
    unsigned streams = xhci_endpoint_n_streams(endpoint);

    xhci_endpoint_set_state(endpoint, EP_RUNNING);
    if (streams && !(device && device->ops->set_streams &&
                     device->ops->set_streams(device, xhci_endpoint_address(endpoint), streams)))
        xhci_endpoint_set_state(endpoint, EP_ERROR);
}

static XhciCode
configure_endpoint(XhciSlot *slot, const XhciTrb *trb)
{
    Input input;

    if (slot->context.state < SLOT_ADDRESSED)
        return CC_CONTEXT_STATE;
    if (trb->control & TRB_DC)
        return deconfigure(slot);
    if (!read_input(slot->xhci, trb->parameter, &input))
        return CC_PARAMETER;
    XhciCode code = check_configuration(slot, &input);
    if (code != CC_SUCCESS)
        return code;
    if (!xhci_slot_drain(slot, input.drop))
        return CC_NONE;
    drop_endpoints(slot, input.drop);
    for (unsigned i = 2; i < XHCI_ENDPOINTS; i++)
        if (input.add >> i & 1)
            add_endpoint(slot, i, &input.endpoints[i]);
    slot->context.hub = input.slot.hub;
    slot->context.n_ports = input.slot.n_ports;
    slot->context.mtt = input.slot.mtt;
    slot->context.tt_think = input.slot.tt_think;
    tell_configuration(slot);
    return CC_SUCCESS;
}

static XhciCode
evaluate_context(XhciSlot *slot, const XhciTrb *trb)
{
    Input input;

    if (slot->context.state == SLOT_ENABLED)
        return CC_CONTEXT_STATE;
    if (!read_input(slot->xhci, trb->parameter, &input) || input.drop || input.add & ~3u)
        return CC_PARAMETER;
    /* of the first endpoint only the packet's size counts; firmware leaves all else 0 */
    if (input.add & 2 && (!input.endpoints[1].packet_size || input.endpoints[1].packet_size > XHCI_PACKET_MAX))
        return CC_PARAMETER;
    if (input.add & 1) {
        slot->context.interrupter = input.slot.interrupter;
        slot->context.exit_latency = input.slot.exit_latency;
    }
    if (input.add & 2) {
        XhciEndpoint *endpoint = slot->endpoints[1];
        endpoint->context.packet_size = input.endpoints[1].packet_size;
        xhci_endpoint_set_state(endpoint, endpoint->context.state);
    }
    xhci_slot_tell(slot);
    return CC_SUCCESS;
}

/* --- endpoints (4.6.8 to 4.6.10) ------------------------------------------------------------------------------------ */

static XhciCode
reset_endpoint(XhciEndpoint *endpoint, const XhciTrb *trb)
{
    if (endpoint->context.state != EP_HALTED)
        return CC_CONTEXT_STATE;
    xhci_endpoint_set_state(endpoint, EP_STOPPED);
    return CC_SUCCESS;
}

static XhciCode
stop_endpoint(XhciEndpoint *endpoint, const XhciTrb *trb)
{
    UsbDevice *device = endpoint->slot->device;

    if (endpoint->context.state != EP_RUNNING)
        return CC_CONTEXT_STATE;
    endpoint->tell_stopped = true;
    bool quiet = xhci_endpoint_drain(endpoint);
    endpoint->tell_stopped = !quiet;
    if (!quiet)
        return CC_NONE;
    if (endpoint->context.state != EP_RUNNING)
        return CC_CONTEXT_STATE; /* it failed meanwhile, and was told so */
    xhci_isoch_end(endpoint);
    xhci_endpoint_set_state(endpoint, EP_STOPPED);
    if (device && device->ops->stop)
        device->ops->stop(device, xhci_endpoint_address(endpoint));
    return CC_SUCCESS;
}

static XhciCode
set_dequeue(XhciEndpoint *endpoint, const XhciTrb *trb)
{
    unsigned id = trb->status >> 16, n = xhci_endpoint_n_streams(endpoint);

    if (endpoint->context.state != EP_STOPPED && endpoint->context.state != EP_ERROR)
        return CC_CONTEXT_STATE;
    if (n ? id == 0 || id >= n : id != 0)
        return n ? CC_INVALID_STREAM_ID : CC_TRB_ERROR;
    if (n && (trb->parameter >> 1 & 7) != 1)
        return CC_INVALID_STREAM_TYPE;
    /* behind a ring that could not be read there may be transfers of before that it went bad */
    if (!xhci_endpoint_drain(endpoint))
        return CC_NONE;
    if (endpoint->context.state == EP_HALTED)
        return CC_CONTEXT_STATE;
    endpoint->streams[id] = (XhciStream){.ring = xhci_ring_at(trb->parameter), .valid = true};
    xhci_endpoint_set_state(endpoint, EP_STOPPED);
    return CC_SUCCESS;
}

/* --- which command it is ------------------------------------------------------------------------------------------ */

/* Every port alike, in percent (4.6.15): nothing here ever lacks bandwidth. */
static XhciCode
port_bandwidth(Xhci *xhci, const XhciTrb *trb)
{
    uint8_t free[1 + XHCI_PORTS_MAX];

    memset(free, 80, sizeof(free));
    free[0] = 0;
    return guest_memory_write(xhci->memory, trb->parameter & ~0xfull, free, 1 + xhci->n_usb2 + xhci->n_usb3)
               ? CC_SUCCESS
               : CC_PARAMETER;
}

static XhciCode
slot_command(XhciSlot *slot, const XhciTrb *trb)
{
    switch (xhci_trb_type(trb)) {
    case TRB_DISABLE_SLOT:
        return disable_slot(slot);
    case TRB_ADDRESS_DEVICE:
        return address_device(slot, trb);
    case TRB_CONFIGURE_ENDPOINT:
        return configure_endpoint(slot, trb);
    case TRB_EVALUATE_CONTEXT:
        return evaluate_context(slot, trb);
    default:
        return reset_device(slot);
    }
}

static XhciCode
endpoint_command(XhciSlot *slot, const XhciTrb *trb)
{
    unsigned index = TRB_ENDPOINT(trb->control);
    XhciEndpoint *endpoint = index ? slot->endpoints[index] : NULL;

    if (!index)
        return CC_TRB_ERROR;
    if (!endpoint)
        return CC_ENDPOINT_NOT_ENABLED;
    switch (xhci_trb_type(trb)) {
    case TRB_RESET_ENDPOINT:
        return reset_endpoint(endpoint, trb);
    case TRB_STOP_ENDPOINT:
        return stop_endpoint(endpoint, trb);
    default:
        return set_dequeue(endpoint, trb);
    }
}

static XhciCode
carry_out(Xhci *xhci, const XhciTrb *trb, unsigned *id)
{
    XhciSlot *slot = xhci_slot(xhci, *id);

    switch (xhci_trb_type(trb)) {
    case TRB_NO_OP_COMMAND:
        *id = 0;
        return CC_SUCCESS;
    case TRB_ENABLE_SLOT:
        *id = 0;
        return enable_slot(xhci, id);
    case TRB_DISABLE_SLOT:
    case TRB_ADDRESS_DEVICE:
    case TRB_CONFIGURE_ENDPOINT:
    case TRB_EVALUATE_CONTEXT:
    case TRB_RESET_DEVICE:
        return slot ? slot_command(slot, trb) : CC_SLOT_NOT_ENABLED;
    case TRB_RESET_ENDPOINT:
    case TRB_STOP_ENDPOINT:
    case TRB_SET_TR_DEQUEUE:
        return slot ? endpoint_command(slot, trb) : CC_SLOT_NOT_ENABLED;
    case TRB_GET_PORT_BANDWIDTH:
        return port_bandwidth(xhci, trb);
    default:
        return CC_TRB_ERROR;
    }
}

/* Carries out the command at hand. false: it waits. */
static bool
step(Xhci *xhci)
{
    unsigned id = TRB_SLOT(xhci->command.control);
    XhciCode code = carry_out(xhci, &xhci->command, &id);

    if (code == CC_NONE)
        return false;
    xhci->command_begun = false;
    xhci_event(xhci, 0, xhci->command.address, (uint32_t)code << 24,
               TRB_COMMAND_COMPLETION_EVENT << TRB_TYPE_SHIFT | id << 24);
    return true;
}

/* --- the ring ---------------------------------------------------------------------------------------------------- */

/*
 * Takes the place in the ring from the register, where the guest may have put it while the ring stood still, and sees
 * whether it is to stop. false: it does not run.
 */
static bool
ring_runs(Xhci *xhci)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&xhci->lock);

    if (!(xhci->crcr & CRCR_CRR))
        return false;
    if (xhci->crcr_written)
        xhci->command_ring = (XhciRing){xhci->crcr & ~0x3full, xhci->crcr & CRCR_RCS};
    xhci->crcr_written = false;
    if (!(xhci->crcr & (CRCR_CS | CRCR_CA)))
        return true;
    xhci->crcr &= ~(uint64_t)(CRCR_CRR | CRCR_CS | CRCR_CA);
    xhci_event_locked(xhci, 0, xhci->command_ring.address, (uint32_t)CC_COMMAND_RING_STOPPED << 24,
                      TRB_COMMAND_COMPLETION_EVENT << TRB_TYPE_SHIFT);
    return false;
}

void
xhci_commands_run(Xhci *xhci)
{
    unsigned left = XHCI_COMMANDS_A_TURN;

    if (xhci->command_begun && !step(xhci))
        return;
    while (left && xhci_may_run(xhci) && ring_runs(xhci)) {
        XhciRingResult result = xhci_ring_next(xhci->memory, &xhci->command_ring, &xhci->command);
        if (result == XHCI_RING_EMPTY)
            return;
        if (result == XHCI_RING_BROKEN) {
            xhci_break(xhci, "the command ring leads out of memory");
            return;
        }
        xhci->command_begun = true;
        if (!step(xhci))
            return;
        left--;
    }
    if (!left)
        xhci_want(xhci, XHCI_WORK_COMMANDS);
}
