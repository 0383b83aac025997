/* SPDX-License-Identifier: Apache-2.0 */
#include "xhci.h"

#include "clock.h"
#include "cpu.h"
#include "start.h"
#include "text.h"

#define CLASS_XHCI 0x0c0330
#define TIMEOUT SECONDS(5)

Xhci xhci;

static uint64_t *contexts; /* DCBAA */
static XhciTrb *events;
static unsigned event_at;
static uint32_t event_cycle;

static uint64_t
physical(const void *at)
{
    return (uint64_t)at;
}

/* --- rings ---------------------------------------------------------------------------------------------------------- */

XhciRing
xhci_ring_new(void)
{
    XhciRing ring = {.blocks = pages_allocate(1), .cycle = 1};
    memset(ring.blocks, 0, PAGE_SIZE);
    return ring;
}

XhciTrb *
xhci_ring_add(XhciRing *ring, uint64_t parameter, uint32_t status, uint32_t control)
{
    XhciTrb *trb = &ring->blocks[ring->at];

    trb->parameter = parameter;
    trb->status = status;
    barrier_write();
    trb->control = control | ring->cycle;
    if (++ring->at == XHCI_BLOCKS - 1) {
        ring->blocks[ring->at] =
            (XhciTrb){physical(ring->blocks), 0, XHCI_TYPE(XHCI_LINK) | 2 | (control & XHCI_CHAIN) | ring->cycle};
        ring->at = 0;
        ring->cycle ^= 1;
    }
    return trb;
}

uint64_t
xhci_ring_place(const XhciRing *ring)
{
    return physical(&ring->blocks[ring->at]) | ring->cycle;
}

void
xhci_doorbell(unsigned slot, unsigned target)
{
    barrier_full();
    mmio_write32(xhci.doorbells + 4 * slot, target);
}

/* --- events --------------------------------------------------------------------------------------------------------- */

bool
xhci_poll(XhciTrb *found)
{
    volatile XhciTrb *next = &events[event_at];

    if ((next->control & 1) != event_cycle)
        return false;
    *found = *(XhciTrb *)next;
    if (++event_at == XHCI_BLOCKS) {
        event_at = 0;
        event_cycle ^= 1;
    }
    return true;
}

void
xhci_events_taken(void)
{
    mmio_write64(xhci.runtime + 0x20 + 0x18, physical(&events[event_at]) | 8);
}

bool
xhci_event(unsigned type, XhciTrb *found)
{
    uint64_t deadline = clock_ns() + TIMEOUT;

    while (clock_ns() < deadline) {
        if (!xhci_poll(found)) {
            cpu_pause();
            continue;
        }
        xhci_events_taken();
        if ((found->control >> 10 & 0x3f) == type)
            return true;
    }
    return false;
}

unsigned
xhci_command(uint64_t parameter, uint32_t status, uint32_t control, XhciTrb *done)
{
    XhciTrb event;
    XhciTrb *sent = xhci_ring_add(&xhci.commands, parameter, status, control);

    xhci_doorbell(0, 0);
    while (xhci_event(XHCI_COMMAND_EVENT, &event))
        if (event.parameter == physical(sent)) {
            if (done)
                *done = event;
            return event.status >> 24;
        }
    return 0;
}

/* --- the controller ------------------------------------------------------------------------------------------------- */

bool
xhci_wait_clear(uint64_t address, uint32_t bits)
{
    uint64_t deadline = clock_ns() + TIMEOUT;

    while (mmio_read32(address) & bits)
        if (clock_ns() > deadline)
            return false;
    return true;
}

bool
xhci_start(bool interrupts)
{
    static uint64_t *erst;

    mmio_write32(xhci.operational, 0);
    mmio_write32(xhci.operational, 2);
    if (!xhci_wait_clear(xhci.operational, 2) || !xhci_wait_clear(xhci.operational + 4, 1 << 11))
        return false;
    if (!erst) {
        erst = pages_allocate(1);
        contexts = pages_allocate(1);
        events = pages_allocate(1);
    }
    memset(contexts, 0, PAGE_SIZE);
    memset(events, 0, PAGE_SIZE);
    event_at = 0;
    event_cycle = 1;
    xhci.commands = xhci_ring_new();
    erst[0] = physical(events);
    erst[1] = XHCI_BLOCKS;
    mmio_write32(xhci.operational + 0x38, mmio_read32(xhci.base + 4) & 0xff);
    mmio_write64(xhci.operational + 0x30, physical(contexts));
    mmio_write64(xhci.operational + 0x18, physical(xhci.commands.blocks) | 1);
    mmio_write32(xhci.runtime + 0x20 + 8, 1);
    mmio_write64(xhci.runtime + 0x20 + 0x18, physical(events));
    mmio_write64(xhci.runtime + 0x20 + 0x10, physical(erst));
    mmio_write32(xhci.runtime + 0x20 + 4, 0);
    mmio_write32(xhci.runtime + 0x20, interrupts ? 2 : 0);
    mmio_write32(xhci.operational, interrupts ? 1 | 4 : 1);
    return xhci_wait_clear(xhci.operational + 4, 1);
}

bool
xhci_find(void)
{
    static PciDevice devices[32];
    unsigned n = pci_enumerate(devices, 32), i = 0;

    while (i < n && pci_read(&devices[i], PCI_REVISION, 4) >> 8 != CLASS_XHCI)
        i++;
    if (i == n)
        return false;
    xhci.pci = devices[i];
    pci_enable(&xhci.pci); /* which may place it */
    xhci.base = pci_bar(&xhci.pci, 0).address;
    xhci.operational = xhci.base + mmio_read8(xhci.base);
    xhci.doorbells = xhci.base + (mmio_read32(xhci.base + 0x14) & ~3u);
    xhci.runtime = xhci.base + (mmio_read32(xhci.base + 0x18) & ~31u);
    xhci.n_ports = mmio_read32(xhci.base + 4) >> 24;
    return true;
}

/* --- devices -------------------------------------------------------------------------------------------------------- */

static uint64_t
port_register(unsigned port)
{
    return xhci.operational + 0x400 + 0x10 * (port - 1);
}

bool
xhci_connected(unsigned port)
{
    return mmio_read32(port_register(port)) & 1;
}

static bool
reset_port(XhciDevice *device)
{
    uint64_t at = port_register(device->port);

    if (!xhci_connected(device->port))
        return false;
    mmio_write32(at, 1 << 9 | 1 << 4);
    if (!xhci_wait_clear(at, 1 << 4))
        return false;
    mmio_write32(at, 1 << 9 | 0xfe << 16);
    device->speed = mmio_read32(at) >> 10 & 0xf;
    return mmio_read32(at) & 2;
}

/* An input context for one endpoint, which gets a ring; @index 1: for addressing. */
static uint32_t *
input_context(XhciDevice *device, unsigned index, unsigned type, unsigned packet, unsigned interval)
{
    uint32_t *input = pages_allocate(1);

    memset(input, 0, PAGE_SIZE);
    device->rings[index] = xhci_ring_new();
    input[1] = index == 1 ? 3 : 1u | 1u << index;
    input[8] = device->speed << 20 | index << 27;
    input[9] = device->port << 16;
    uint32_t *endpoint = input + 8 * (1 + index);
    bool isochronous = type == XHCI_ISOCH_IN || type == XHCI_ISOCH_OUT;
    endpoint[0] = interval << 16;
    endpoint[1] = (isochronous ? 0 : 3 << 1) | type << 3 | packet << 16;
    endpoint[2] = physical(device->rings[index].blocks) | 1;
    endpoint[4] = packet << 16 | packet;
    return input;
}

bool
xhci_address(XhciDevice *device, unsigned port)
{
    XhciTrb done;

    device->port = port;
    if (!reset_port(device) || xhci_command(0, 0, XHCI_TYPE(XHCI_ENABLE_SLOT), &done) != XHCI_SUCCESS)
        return false;
    device->slot = done.control >> 24;
    contexts[device->slot] = physical(pages_allocate(1));
    memset((void *)contexts[device->slot], 0, PAGE_SIZE);
    unsigned packet = device->speed == 3 || device->speed == 1 ? 64 : 8;
    return xhci_command(physical(input_context(device, 1, XHCI_CONTROL_EP, packet, 0)), 0,
                        XHCI_TYPE(XHCI_ADDRESS) | device->slot << 24, 0) == XHCI_SUCCESS;
}

unsigned
xhci_add_endpoint(XhciDevice *device, unsigned index, unsigned type, unsigned packet, unsigned interval)
{
    return xhci_command(physical(input_context(device, index, type, packet, interval)), 0,
                        XHCI_TYPE(XHCI_CONFIGURE) | device->slot << 24, 0);
}

unsigned
xhci_transfer_done(unsigned *left)
{
    XhciTrb done;

    if (!xhci_event(XHCI_TRANSFER_EVENT, &done))
        return 0;
    if (left)
        *left = done.status & 0xffffff;
    return done.status >> 24;
}

unsigned
xhci_control(XhciDevice *device, uint8_t type, uint8_t request, uint16_t value, uint16_t index, void *data,
             uint16_t length)
{
    XhciRing *ring = &device->rings[1];
    bool in = type & 0x80;

    xhci_ring_add(ring, type | request << 8 | (uint32_t)value << 16 | (uint64_t)index << 32 | (uint64_t)length << 48, 8,
                  XHCI_TYPE(XHCI_SETUP) | 1 << 6 | (length ? in ? 3 << 16 : 2 << 16 : 0));
    if (length)
        xhci_ring_add(ring, physical(data), length, XHCI_TYPE(XHCI_DATA) | (in ? 1 << 16 : 0));
    xhci_ring_add(ring, 0, 0, XHCI_TYPE(XHCI_STATUS) | XHCI_IOC | (in && length ? 0 : 1 << 16));
    xhci_doorbell(device->slot, 1);
    return xhci_transfer_done(0);
}

unsigned
xhci_move(XhciDevice *device, unsigned index, void *data, uint32_t length, unsigned *left)
{
    xhci_ring_add(&device->rings[index], physical(data), length, XHCI_TYPE(XHCI_NORMAL) | XHCI_IOC | XHCI_ISP);
    xhci_doorbell(device->slot, index);
    return xhci_transfer_done(left);
}
