/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The USB controller (xHCI 1.2) from inside: its registers and rings by a driver of this file's own, the devices that are
 * plugged in (keyboard, tablet, CD-ROM drive) by their descriptors, a block of the disc compared; then what no driver does.
 *
 * test=devices, or test=hostile: classes of published faults of other controllers are named where they are tried.
 */
#include "clock.h"
#include "cpu.h"
#include "interrupt.h"
#include "pci.h"
#include "start.h"
#include "tap.h"
#include "text.h"

#define CLASS_XHCI 0x0c0330
#define BLOCKS 256 /* of a ring; the last is the link */
#define TIMEOUT SECONDS(5)

enum { NORMAL = 1, SETUP, DATA, STATUS, ISOCH, LINK, EVENT_DATA, NO_OP };
enum { ENABLE_SLOT = 9, DISABLE_SLOT, ADDRESS, CONFIGURE, EVALUATE, RESET_EP, STOP_EP, SET_DEQUEUE, RESET_DEVICE };
enum { NO_OP_COMMAND = 23, TRANSFER_EVENT = 32, COMMAND_EVENT, PORT_EVENT };
#define TYPE(t) ((uint32_t)(t) << 10)
#define SUCCESS 1
#define TRB_ERROR 5
#define STALL 6
#define SLOT_NOT_ENABLED 11
#define SHORT_PACKET 13
#define CONTEXT_STATE 19
#define STOPPED 26

typedef struct Trb {
    uint64_t parameter;
    uint32_t status, control;
} Trb;

typedef struct Ring {
    Trb *blocks;
    unsigned at;
    uint32_t cycle;
} Ring;

static PciDevice pci;
static uint64_t base, operational, runtime, doorbells;
static unsigned n_ports;
static uint64_t *contexts; /* DCBAA */
static Trb *events;
static unsigned event_at;
static uint32_t event_cycle;
static Ring commands;
static uint8_t vector;

/* What is known of the device at hand. */
static unsigned slot, port_speed;
static Ring rings[32];
static uint8_t *buffer; /* 64 KiB */

static uint64_t
physical(const void *at)
{
    return (uint64_t)at;
}

static Ring
ring_new(void)
{
    Ring ring = {.blocks = pages_allocate(1), .cycle = 1};
    memset(ring.blocks, 0, PAGE_SIZE);
    return ring;
}

static Trb *
ring_add(Ring *ring, uint64_t parameter, uint32_t status, uint32_t control)
{
    Trb *trb = &ring->blocks[ring->at];

    trb->parameter = parameter;
    trb->status = status;
    barrier_write();
    trb->control = control | ring->cycle;
    if (++ring->at == BLOCKS - 1) {
        ring->blocks[ring->at] = (Trb){physical(ring->blocks), 0, TYPE(LINK) | 2 | ring->cycle};
        ring->at = 0;
        ring->cycle ^= 1;
    }
    return trb;
}

static uint64_t
ring_place(const Ring *ring)
{
    return physical(&ring->blocks[ring->at]) | ring->cycle;
}

static void
doorbell(unsigned which, unsigned target)
{
    barrier_full();
    mmio_write32(doorbells + 4 * which, target);
}

/* --- events ------------------------------------------------------------------------------------------------------ */

/* The next of @type; others are dropped. false: none came in time. */
static bool
event(unsigned type, Trb *found)
{
    uint64_t deadline = clock_ns() + TIMEOUT;

    while (clock_ns() < deadline) {
        volatile Trb *next = &events[event_at];
        if ((next->control & 1) != event_cycle) {
            cpu_pause();
            continue;
        }
        *found = *(Trb *)next;
        if (++event_at == BLOCKS) {
            event_at = 0;
            event_cycle ^= 1;
        }
        mmio_write64(runtime + 0x20 + 0x18, physical(&events[event_at]) | 8);
        if ((found->control >> 10 & 0x3f) == type)
            return true;
    }
    return false;
}

/* Carries out a command; its completion code, 0 where there was no answer. */
static unsigned
command(uint64_t parameter, uint32_t status, uint32_t control)
{
    Trb done;
    Trb *sent = ring_add(&commands, parameter, status, control);

    doorbell(0, 0);
    while (event(COMMAND_EVENT, &done))
        if (done.parameter == physical(sent)) {
            if (control >> 10 == ENABLE_SLOT)
                slot = done.control >> 24;
            return done.status >> 24;
        }
    return 0;
}

/* --- the controller -------------------------------------------------------------------------------------------------- */

static bool
wait_clear(uint64_t address, uint32_t bits)
{
    uint64_t deadline = clock_ns() + TIMEOUT;

    while (mmio_read32(address) & bits)
        if (clock_ns() > deadline)
            return false;
    return true;
}

/* Resets it and sets everything up anew. */
static bool
start_controller(void)
{
    static uint64_t *erst;

    mmio_write32(operational, 0);
    mmio_write32(operational, 2);
    if (!wait_clear(operational, 2) || !wait_clear(operational + 4, 1 << 11))
        return false;
    if (!erst) {
        erst = pages_allocate(1);
        contexts = pages_allocate(1);
        events = pages_allocate(1);
        buffer = pages_allocate(16);
    }
    memset(contexts, 0, PAGE_SIZE);
    memset(events, 0, PAGE_SIZE);
    event_at = 0;
    event_cycle = 1;
    commands = ring_new();
    erst[0] = physical(events);
    erst[1] = BLOCKS;
    mmio_write32(operational + 0x38, mmio_read32(base + 4) & 0xff);
    mmio_write64(operational + 0x30, physical(contexts));
    mmio_write64(operational + 0x18, physical(commands.blocks) | 1);
    mmio_write32(runtime + 0x20 + 8, 1);
    mmio_write64(runtime + 0x20 + 0x18, physical(events));
    mmio_write64(runtime + 0x20 + 0x10, physical(erst));
    mmio_write32(runtime + 0x20 + 4, 0);
    mmio_write32(runtime + 0x20, 2);
    mmio_write32(operational, 1 | 4);
    return wait_clear(operational + 4, 1);
}

static bool
find_controller(void)
{
    static PciDevice devices[32];
    unsigned n = pci_enumerate(devices, 32);

    for (unsigned i = 0; i < n; i++)
        if (pci_read(&devices[i], PCI_REVISION, 4) >> 8 == CLASS_XHCI) {
            pci = devices[i];
            return true;
        }
    return false;
}

static void
map_controller(void)
{
    base = pci_bar(&pci, 0).address;
    pci_enable(&pci);
    operational = base + mmio_read8(base);
    doorbells = base + (mmio_read32(base + 0x14) & ~3u);
    runtime = base + (mmio_read32(base + 0x18) & ~31u);
    n_ports = mmio_read32(base + 4) >> 24;
    vector = interrupt_allocate(0, 0);
    pci_msix_set(&pci, 0, vector, false);
    pci_msix_enable(&pci, true, false);
}

/* --- devices ------------------------------------------------------------------------------------------------------- */

/* Resets the port; false: nobody is there. */
static bool
reset_port(unsigned port)
{
    uint64_t at = operational + 0x400 + 0x10 * (port - 1);

    if (!(mmio_read32(at) & 1))
        return false;
    mmio_write32(at, 1 << 9 | 1 << 4);
    if (!wait_clear(at, 1 << 4))
        return false;
    mmio_write32(at, 1 << 9 | 0xfe << 16);
    port_speed = mmio_read32(at) >> 10 & 0xf;
    return mmio_read32(at) & 2;
}

/* An input context for one endpoint, which gets a ring; @index 1: for addressing. */
static uint32_t *
input_context(unsigned port, unsigned index, unsigned type, unsigned packet)
{
    uint32_t *input = pages_allocate(1);

    memset(input, 0, PAGE_SIZE);
    rings[index] = ring_new();
    input[1] = index == 1 ? 3 : 1u | 1u << index;
    input[8] = port_speed << 20 | index << 27;
    input[9] = port << 16;
    uint32_t *endpoint = input + 8 * (1 + index);
    endpoint[0] = 6 << 16;
    endpoint[1] = 3 << 1 | type << 3 | packet << 16;
    endpoint[2] = physical(rings[index].blocks) | 1;
    return input;
}

static bool
address_device(unsigned port)
{
    if (!reset_port(port) || command(0, 0, TYPE(ENABLE_SLOT)) != SUCCESS)
        return false;
    contexts[slot] = physical(pages_allocate(1));
    memset((void *)contexts[slot], 0, PAGE_SIZE);
    return command(physical(input_context(port, 1, 4, port_speed == 3 || port_speed == 1 ? 64 : 8)), 0,
                   TYPE(ADDRESS) | slot << 24) == SUCCESS;
}

static unsigned
add_endpoint(unsigned port, unsigned index, unsigned type, unsigned packet)
{
    return command(physical(input_context(port, index, type, packet)), 0, TYPE(CONFIGURE) | slot << 24);
}

/* A transfer's completion code; *@left: bytes not moved. */
static unsigned
transfer_done(unsigned *left)
{
    Trb done;

    if (!event(TRANSFER_EVENT, &done))
        return 0;
    if (left)
        *left = done.status & 0xffffff;
    return done.status >> 24;
}

static unsigned
control(uint8_t type, uint8_t request, uint16_t value, uint16_t index, uint16_t length)
{
    bool in = type & 0x80;

    ring_add(&rings[1], type | request << 8 | (uint32_t)value << 16 | (uint64_t)index << 32 | (uint64_t)length << 48, 8,
             TYPE(SETUP) | 1 << 6 | (length ? in ? 3 << 16 : 2 << 16 : 0));
    if (length)
        ring_add(&rings[1], physical(buffer), length, TYPE(DATA) | (in ? 1 << 16 : 0));
    ring_add(&rings[1], 0, 0, TYPE(STATUS) | 1 << 5 | (in && length ? 0 : 1 << 16));
    doorbell(slot, 1);
    return transfer_done(0);
}

static unsigned
move(unsigned index, void *data, uint32_t length, unsigned *left)
{
    ring_add(&rings[index], physical(data), length, TYPE(NORMAL) | 1 << 5 | 1 << 2);
    doorbell(slot, index);
    return transfer_done(left);
}

/* --- the CD-ROM drive ------------------------------------------------------------------------------------------------ */

static unsigned bulk_in, bulk_out;

static void
storage_command(const uint8_t *block, unsigned len, uint32_t expected, const char *what)
{
    static uint8_t *cbw, *csw;
    static uint32_t tag = 7;

    if (!cbw) {
        cbw = pages_allocate(1);
        csw = pages_allocate(1);
    }
    memset(cbw, 0, 31);
    memcpy(cbw, "USBC", 4);
    tag++;
    memcpy(cbw + 4, &tag, 4);
    memcpy(cbw + 8, &expected, 4);
    cbw[12] = 0x80;
    cbw[14] = len;
    memcpy(cbw + 15, block, len);
    ok_equal(move(bulk_out, cbw, 31, 0), SUCCESS, "storage: %s is taken", what);
    if (expected)
        move(bulk_in, buffer, expected, 0);
    move(bulk_in, csw, 13, 0);
    ok(!memcmp(csw, "USBS", 4) && !memcmp(csw + 4, &tag, 4), "storage: %s has a status of its own", what);
}

static void
test_storage(unsigned port)
{
    static const uint8_t inquiry[] = {0x12, 0, 0, 0, 36, 0}, ready[] = {0, 0, 0, 0, 0, 0},
                         read[] = {0x28, 0, 0, 0, 0, 16, 0, 0, 2, 0};

    ok_equal(add_endpoint(port, bulk_in, 6, 512), SUCCESS, "storage: the endpoint in");
    ok_equal(add_endpoint(port, bulk_out, 2, 512), SUCCESS, "storage: the endpoint out");
    ok_equal(control(0, 9, buffer[5], 0, 0), SUCCESS, "storage: configured");
    storage_command(inquiry, 6, 36, "an inquiry");
    ok_equal(buffer[0] & 0x1f, 5, "storage: it is a CD-ROM drive");
    storage_command(ready, 6, 0, "a look whether it is ready");
    storage_command(ready, 6, 0, "another, when the news are told");
    storage_command(read, 10, 4096, "a read");
    ok(!memcmp(buffer, "\1CD001\1", 7), "storage: the volume descriptor is in block 16");
    bool same = true;
    for (unsigned i = 2048; i < 4096; i++)
        same &= buffer[i] == (uint8_t)(17 + i % 251);
    ok(same, "storage: and block 17 is the file's");
}

/* --- tests ------------------------------------------------------------------------------------------------------------- */

/* Looks at one device's descriptors; tests the drive and notes the rest. */
static void
test_device(unsigned port)
{
    ok(address_device(port), "port %u: addressed", port);
    ok_equal(control(0x80, 6, 0x100, 0, 18), SUCCESS, "port %u: the device descriptor", port);
    note("device %x:%x at port %u, speed %u", buffer[8] | buffer[9] << 8, buffer[10] | buffer[11] << 8, port,
         port_speed);
    ok_equal(control(0x80, 6, 0x200, 0, 255), SUCCESS, "port %u: the configuration", port);
    unsigned total = buffer[2] | buffer[3] << 8, class = 0;
    bulk_in = bulk_out = 0;
    for (unsigned at = 0; at < total && buffer[at]; at += buffer[at]) {
        if (buffer[at + 1] == 4)
            class = buffer[at + 5];
        if (buffer[at + 1] == 5 && buffer[at + 2] & 0x80)
            bulk_in = (buffer[at + 2] & 0xf) * 2 + 1;
        else if (buffer[at + 1] == 5)
            bulk_out = (buffer[at + 2] & 0xf) * 2;
    }
    note("class %u", class);
    if (class == 8)
        test_storage(port);
}

static void
test_devices(void)
{
    unsigned found = 0;
    uint64_t before = interrupt_count(vector);

    ok_equal(command(0, 0, TYPE(NO_OP_COMMAND)), SUCCESS, "a command that does nothing");
    interrupts_on();
    clock_delay(MILLISECONDS(1));
    interrupts_off();
    ok(interrupt_count(vector) > before, "its completion interrupts");
    for (unsigned port = 1; port <= n_ports; port++)
        if (mmio_read32(operational + 0x400 + 0x10 * (port - 1)) & 1) {
            test_device(port);
            found++;
        }
    note("devices %u", found);
}

static bool
still_works(void)
{
    return command(0, 0, TYPE(NO_OP_COMMAND)) == SUCCESS;
}

/* The first device that is plugged in, addressed, with a bulk endpoint on a ring that is the test's to ruin. */
static unsigned
first_device(void)
{
    for (unsigned port = 1; port <= n_ports; port++)
        if (address_device(port))
            return port;
    return 0;
}

static unsigned
hostile_ring(unsigned index, uint64_t parameter, uint32_t status, uint32_t control_word)
{
    ring_add(&rings[index], parameter, status, control_word);
    doorbell(slot, index);
    return transfer_done(0);
}

/*
 * CVE-2014-5263, CVE-2016-4037, CVE-2017-5973, CVE-2017-9330 and their kind: loops that never end. CVE-2020-14364: lengths
 * that are not what they seem. CVE-2021-3750: a controller that is told to write over its own registers.
 */
static void
test_hostile(void)
{
    unsigned port = first_device();

    ok(port, "a device to do it with");
    for (unsigned i = 0; i < 256; i++)
        doorbell(i, 0xffffffff);
    ok(still_works(), "doorbells of slots and endpoints that there are not");
    ok_equal(command(0, 0, TYPE(STOP_EP) | 63u << 24 | 3 << 16), SLOT_NOT_ENABLED, "a command for a slot not enabled");
    ok(command(~0xfull, 0, TYPE(CONFIGURE) | slot << 24) > SUCCESS, "an input context outside memory");

    ok_equal(add_endpoint(port, 3, 7, 8), SUCCESS, "an endpoint");
    rings[3].blocks[0] = (Trb){physical(rings[3].blocks), 0, TYPE(LINK) | 1};
    doorbell(slot, 3);
    ok(transfer_done(0) != SUCCESS, "a link to itself ends the endpoint");
    ok(still_works(), "and nothing else");
    rings[3] = ring_new();
    command(ring_place(&rings[3]), 0, TYPE(SET_DEQUEUE) | slot << 24 | 3 << 16);
    ok(hostile_ring(3, 1ull << 52, 8, TYPE(NORMAL) | 1 << 5) != SUCCESS, "data outside memory");
    command(0, 0, TYPE(RESET_EP) | slot << 24 | 3 << 16);
    rings[3] = ring_new();
    command(ring_place(&rings[3]), 0, TYPE(SET_DEQUEUE) | slot << 24 | 3 << 16);
    ok(hostile_ring(3, base, 8, TYPE(NORMAL) | 1 << 5) != SUCCESS, "data in the controller's own registers");
    ok(still_works(), "it works all the same");

    if (start_on_qemu())
        skip("QEMU stalls what is longer than 4096", "a request of more than there is");
    else
        ok(control(0x80, 6, 0x100, 0, 0xffff) == SUCCESS, "a request of more than there is");
    ring_add(&rings[1], 0x0012000001000680ull, 8, TYPE(SETUP) | 1 << 6);
    ring_add(&rings[1], physical(buffer), 8, TYPE(NORMAL));
    doorbell(slot, 1);
    ok(transfer_done(0) != SUCCESS, "stages in no order");
    ok_equal(command(0, 0, TYPE(CONFIGURE) | slot << 24 | 1 << 9), SUCCESS, "all endpoints taken away");
    ok_equal(command(0, 0, TYPE(DISABLE_SLOT) | slot << 24), SUCCESS, "the slot taken away");

    mmio_write64(runtime + 0x20 + 0x10, 1ull << 52);
    ring_add(&commands, 0, 0, TYPE(NO_OP_COMMAND));
    doorbell(0, 0);
    clock_delay(MILLISECONDS(2));
    ok(start_controller() && still_works(), "an event ring outside memory, and a reset");
    mmio_write32(operational, 0);
    wait_clear(operational, 1);
    mmio_write64(operational + 0x18, (1ull << 52) | 1);
    mmio_write32(operational, 1);
    doorbell(0, 0);
    clock_delay(MILLISECONDS(2));
    ok(start_controller() && still_works(), "a command ring outside memory, and a reset");
    for (unsigned i = 0; i < BLOCKS - 1; i++)
        commands.blocks[i] = (Trb){0, 0, TYPE(NO_OP_COMMAND) | 1};
    commands.blocks[BLOCKS - 1] = (Trb){physical(commands.blocks), 0, TYPE(LINK) | 1};
    doorbell(0, 0);
    clock_delay(MILLISECONDS(20));
    ok(start_controller() && still_works(), "commands without end, and a reset");
}

void
guest_main(void)
{
    if (!ok(find_controller(), "a controller of class %x", CLASS_XHCI)) {
        tap_done();
        return;
    }
    map_controller();
    ok(start_controller(), "it resets and runs");
    if (!strcmp(start_option("test", "devices"), "hostile"))
        test_hostile();
    else
        test_devices();
    tap_done();
}
