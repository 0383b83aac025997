/* SPDX-License-Identifier: Apache-2.0 */
/* A driver for tests. */
#include "host.h"

#include <string.h>

void
host_init(Host *host, unsigned n_ports)
{
    g_autoptr(GError) error = NULL;
    const GuestMemoryOptions options = {.size = HOST_MEMORY};

    memset(host, 0, sizeof(*host));
    pci_fixture_init(&host->pci);
    host->memory = guest_memory_new(&options, &error);
    g_assert_no_error(error);
    host->clock = clock_new_manual(0);
    clock_advance(host->clock, CLOCK_SECOND);
    host->bus = usb_bus_new(g_main_context_default(), n_ports);
    const XhciOptions xhci = {.bus = host->bus, .memory = host->memory, .clock = host->clock};
    host->xhci = xhci_new(host->pci.pci, 4, &xhci, &error);
    g_assert_no_error(error);
    pci_fixture_assign(&host->pci);
    host->free = HOST_FREE;
}

void
host_finish(Host *host)
{
    xhci_device_ops.quiesce(host->xhci);
    xhci_free(host->xhci);
    usb_bus_free(host->bus);
    clock_free(host->clock);
    guest_memory_free(host->memory);
    pci_fixture_finish(&host->pci);
}

void
host_pump(Host *host)
{
    while (g_main_context_iteration(NULL, FALSE))
        continue;
}

uint32_t
host_get(Host *host, unsigned offset)
{
    return xhci_bus_ops.read(host->xhci, offset, 4);
}

void
host_put(Host *host, unsigned offset, uint32_t value)
{
    xhci_bus_ops.write(host->xhci, offset, 4, value);
}

uint64_t
host_alloc(Host *host, unsigned bytes)
{
    uint64_t at = host->free;
    host->free += (bytes + 4095) & ~4095u;
    g_assert_cmpuint(host->free, <=, HOST_MEMORY);
    return at;
}

void *
host_at(Host *host, uint64_t address)
{
    return guest_memory_at(host->memory, address, 1);
}

static HostRing
ring_at(uint64_t base, unsigned size)
{
    return (HostRing){.base = base, .at = base, .size = size, .cycle = true};
}

HostRing
host_ring_new(Host *host, unsigned size)
{
    return ring_at(host_alloc(host, size * TRB_SIZE), size);
}

static void
write_trb(Host *host, uint64_t at, uint64_t parameter, uint32_t status, uint32_t control)
{
    memcpy(host_at(host, at), &parameter, 8);
    memcpy(host_at(host, at + 8), &status, 4);
    memcpy(host_at(host, at + 12), &control, 4);
}

uint64_t
host_ring_add(Host *host, HostRing *ring, uint64_t parameter, uint32_t status, uint32_t control)
{
    uint64_t at = ring->at;

    write_trb(host, at, parameter, status, (control & ~TRB_CYCLE) | ring->cycle);
    ring->at += TRB_SIZE;
    if (ring->at == ring->base + (ring->size - 1) * TRB_SIZE) {
        write_trb(host, ring->at, ring->base, 0,
                  HOST_TYPE(TRB_LINK) | TRB_TOGGLE | (control & TRB_CHAIN) | ring->cycle);
        ring->at = ring->base;
        ring->cycle = !ring->cycle;
    }
    return at;
}

void
host_doorbell(Host *host, unsigned slot, unsigned target)
{
    host_put(host, XHCI_DOORBELLS + 4 * slot, target);
    host_pump(host);
}

bool
host_event(Host *host, XhciTrb *event)
{
    const uint32_t *words = host_at(host, host->event);

    if ((words[3] & TRB_CYCLE) != host->event_cycle)
        return false;
    *event = (XhciTrb){.parameter = words[0] | (uint64_t)words[1] << 32, .status = words[2], .control = words[3]};
    host->event += TRB_SIZE;
    if (host->event == HOST_EVENTS + HOST_EVENTS_SIZE * TRB_SIZE) {
        host->event = HOST_EVENTS;
        host->event_cycle = !host->event_cycle;
    }
    host_put(host, HOST_IR(0) + IR_ERDP, (uint32_t)host->event | ERDP_EHB);
    host_put(host, HOST_IR(0) + IR_ERDP + 4, 0);
    host_pump(host);
    return true;
}

void
host_start(Host *host)
{
    uint64_t *erst = host_at(host, HOST_ERST);

    host->commands = ring_at(HOST_COMMANDS, HOST_COMMANDS_SIZE);
    memset(host_at(host, HOST_EVENTS), 0, HOST_EVENTS_SIZE * TRB_SIZE);
    memset(host_at(host, HOST_COMMANDS), 0, HOST_COMMANDS_SIZE * TRB_SIZE);
    memset(host_at(host, HOST_DCBAA), 0, 0x1000);
    host->event = HOST_EVENTS;
    host->event_cycle = true;
    erst[0] = HOST_EVENTS;
    erst[1] = HOST_EVENTS_SIZE;
    host_put(host, HOST_OP(OP_CONFIG), XHCI_SLOTS);
    host_put(host, HOST_OP(OP_DCBAAP), HOST_DCBAA);
    host_put(host, HOST_OP(OP_CRCR), HOST_COMMANDS | CRCR_RCS);
    host_put(host, HOST_IR(0) + IR_ERSTSZ, 1);
    host_put(host, HOST_IR(0) + IR_ERDP, HOST_EVENTS);
    host_put(host, HOST_IR(0) + IR_ERSTBA, HOST_ERST);
    host_put(host, HOST_IR(0) + IR_ERSTBA + 4, 0);
    host_put(host, HOST_IR(0) + IR_IMAN, IMAN_IE);
    host_put(host, HOST_OP(OP_USBCMD), USBCMD_RS | USBCMD_INTE);
    host_pump(host);
}

unsigned
host_command(Host *host, uint64_t parameter, uint32_t status, uint32_t control, unsigned *slot)
{
    XhciTrb event;
    uint64_t at = host_ring_add(host, &host->commands, parameter, status, control);

    host_doorbell(host, 0, 0);
    while (host_event(host, &event)) {
        if (xhci_trb_type(&event) != TRB_COMMAND_COMPLETION_EVENT)
            continue;
        g_assert_cmpuint(event.parameter, ==, at);
        if (slot)
            *slot = event_slot(&event);
        return event_code(&event);
    }
    return 0; /* not answered */
}

void
host_reset_port(Host *host, unsigned port)
{
    XhciTrb event;

    host_put(host, HOST_PORT(port), PORTSC_PP | PORTSC_PR);
    host_pump(host);
    g_assert_cmpuint(host_get(host, HOST_PORT(port)) & (PORTSC_PED | PORTSC_PR | PORTSC_PRC), ==,
                     PORTSC_PED | PORTSC_PRC);
    host_put(host, HOST_PORT(port), PORTSC_PP | PORTSC_CHANGES);
    while (host_event(host, &event))
        continue;
}

/* An input context: where its parts are. */
static uint32_t *
input_part(Host *host, uint64_t input, unsigned part)
{
    return host_at(host, input + part * CONTEXT_SIZE);
}

static void
put_endpoint(Host *host, uint64_t input, unsigned index, unsigned type, unsigned packet, unsigned interval)
{
    host->rings[index] = host_ring_new(host, 64);
    XhciEndpointContext context = {
        .type = type,
        .packet_size = packet,
        .interval = interval,
        .errors = 3,
        .dequeue = host->rings[index].base | 1,
    };
    xhci_endpoint_context_write(&context, input_part(host, input, 1 + index));
}

unsigned
host_address(Host *host, unsigned port, uint32_t route)
{
    unsigned code, slot = host_address_through(host, port, route, 0, 0, &code);

    g_assert_cmpuint(code, ==, CC_SUCCESS);
    return slot;
}

unsigned
host_address_through(Host *host, unsigned port, uint32_t route, unsigned tt_slot, unsigned tt_port, unsigned *code)
{
    unsigned slot = 0;
    uint64_t input = host_alloc(host, 0x1000), output = host_alloc(host, 0x1000);
    XhciSlotContext context = {.route = route, .root_port = port, .entries = 1, .tt_slot = tt_slot, .tt_port = tt_port};

    g_assert_cmpuint(host_command(host, 0, 0, HOST_TYPE(TRB_ENABLE_SLOT), &slot), ==, CC_SUCCESS);
    ((uint64_t *)host_at(host, HOST_DCBAA))[slot] = output;
    input_part(host, input, 0)[1] = 3;
    xhci_slot_context_write(&context, input_part(host, input, 1));
    put_endpoint(host, input, 1, EP_TYPE_CONTROL, 64, 0);
    *code = host_command(host, input, 0, HOST_TYPE(TRB_ADDRESS_DEVICE) | slot << 24, NULL);
    return slot;
}

unsigned
host_configure(Host *host, unsigned slot, unsigned index, unsigned type, unsigned packet, unsigned interval)
{
    uint64_t input = host_alloc(host, 0x1000);
    XhciSlotContext context = {.entries = index};

    input_part(host, input, 0)[1] = 1u << index | 1;
    xhci_slot_context_write(&context, input_part(host, input, 1));
    put_endpoint(host, input, index, type, packet, interval);
    return host_command(host, input, 0, HOST_TYPE(TRB_CONFIGURE_ENDPOINT) | slot << 24, NULL);
}

unsigned
host_control(Host *host, unsigned slot, uint8_t type, uint8_t request, uint16_t value, uint16_t index, void *data,
             uint16_t length, uint32_t *moved)
{
    static uint64_t buffer;
    XhciTrb event;
    uint64_t setup = type | request << 8 | (uint32_t)value << 16 | (uint64_t)index << 32 | (uint64_t)length << 48;
    bool in = type & USB_DIR_IN;
    uint64_t data_block = 0;
    unsigned code = 0;

    buffer = host_alloc(host, 0x10000);
    if (!in && length)
        memcpy(host_at(host, buffer), data, length);
    host_ring_add(host, &host->rings[1], setup, 8, HOST_TYPE(TRB_SETUP_STAGE) | TRB_IMMEDIATE);
    if (length)
        data_block = host_ring_add(host, &host->rings[1], buffer, length,
                                   HOST_TYPE(TRB_DATA_STAGE) | TRB_ISP | (in ? TRB_DIR_IN : 0));
    host_ring_add(host, &host->rings[1], 0, 0, HOST_TYPE(TRB_STATUS_STAGE) | TRB_IOC | (in ? 0 : TRB_DIR_IN));
    host_doorbell(host, slot, 1);
    if (moved)
        *moved = length;
    while (host_event(host, &event)) {
        if (xhci_trb_type(&event) != TRB_TRANSFER_EVENT)
            continue;
        code = event_code(&event);
        if (event.parameter == data_block && moved)
            *moved = length - (event.status & 0xffffff);
    }
    if (in && length)
        memcpy(data, host_at(host, buffer), length);
    host->free = buffer;
    return code;
}

uint64_t
host_normal(Host *host, unsigned slot, unsigned index, uint64_t data, uint32_t length)
{
    uint64_t at = host_ring_add(host, &host->rings[index], data, length, HOST_TYPE(TRB_NORMAL) | TRB_IOC | TRB_ISP);
    host_doorbell(host, slot, index);
    return at;
}
