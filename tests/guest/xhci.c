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
#include "xhci.h"

#define TYPE(type) XHCI_TYPE(type)

static XhciDevice device; /* the one at hand */
static uint8_t vector;
static uint8_t *buffer; /* 64 KiB */

static uint64_t
physical(const void *at)
{
    return (uint64_t)at;
}

static unsigned
command(uint64_t parameter, uint32_t status, uint32_t control_word)
{
    return xhci_command(parameter, status, control_word, 0);
}

static unsigned
control(uint8_t type, uint8_t request, uint16_t value, uint16_t index, uint16_t length)
{
    return xhci_control(&device, type, request, value, index, buffer, length);
}

static unsigned
move(unsigned index, void *data, uint32_t length)
{
    return xhci_move(&device, index, data, length, 0);
}

static unsigned
add_endpoint(unsigned index, unsigned type, unsigned packet)
{
    return xhci_add_endpoint(&device, index, type, packet, 6);
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
    ok_equal(move(bulk_out, cbw, 31), XHCI_SUCCESS, "storage: %s is taken", what);
    if (expected)
        move(bulk_in, buffer, expected);
    move(bulk_in, csw, 13);
    ok(!memcmp(csw, "USBS", 4) && !memcmp(csw + 4, &tag, 4), "storage: %s has a status of its own", what);
}

static void
test_storage(void)
{
    static const uint8_t inquiry[] = {0x12, 0, 0, 0, 36, 0}, ready[] = {0, 0, 0, 0, 0, 0},
                         read[] = {0x28, 0, 0, 0, 0, 16, 0, 0, 2, 0};

    ok_equal(add_endpoint(bulk_in, 6, 512), XHCI_SUCCESS, "storage: the endpoint in");
    ok_equal(add_endpoint(bulk_out, 2, 512), XHCI_SUCCESS, "storage: the endpoint out");
    ok_equal(control(0, 9, buffer[5], 0, 0), XHCI_SUCCESS, "storage: configured");
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

/* Looks at one device's descriptors; returns its class. */
static unsigned
look_at(unsigned port)
{
    ok(xhci_address(&device, port), "port %u: addressed", port);
    ok_equal(control(0x80, 6, 0x100, 0, 18), XHCI_SUCCESS, "port %u: the device descriptor", port);
    note("device %x:%x at port %u, speed %u", buffer[8] | buffer[9] << 8, buffer[10] | buffer[11] << 8, port,
         device.speed);
    ok_equal(control(0x80, 6, 0x200, 0, 255), XHCI_SUCCESS, "port %u: the configuration", port);
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
    return class;
}

static void
test_devices(void)
{
    unsigned found = 0;
    uint64_t before = interrupt_count(vector);

    ok_equal(command(0, 0, TYPE(XHCI_NO_OP_COMMAND)), XHCI_SUCCESS, "a command that does nothing");
    interrupts_on();
    clock_delay(MILLISECONDS(1));
    interrupts_off();
    ok(interrupt_count(vector) > before, "its completion interrupts");
    for (unsigned port = 1; port <= xhci.n_ports; port++)
        if (xhci_connected(port)) {
            if (look_at(port) == 8)
                test_storage();
            found++;
        }
    note("devices %u", found);
}

/* --- a client's disk --------------------------------------------------------------------------------------------------- */

static unsigned
n_connected(void)
{
    unsigned n = 0;

    for (unsigned port = 1; port <= xhci.n_ports; port++)
        n += xhci_connected(port);
    return n;
}

static bool
wait_for_connected(unsigned n)
{
    uint64_t deadline = clock_ns() + SECONDS(10);

    while (n_connected() != n && clock_ns() < deadline)
        clock_delay(MILLISECONDS(10));
    return n_connected() == n;
}

/* Two of its blocks, which hold a pattern. */
static void
test_redirected_disk(void)
{
    static const uint8_t read[] = {0x28, 0, 0, 0, 0, 1, 0, 0, 2, 0};
    bool same = true;

    ok_equal(add_endpoint(bulk_in, 6, 512), XHCI_SUCCESS, "the endpoint in");
    ok_equal(add_endpoint(bulk_out, 2, 512), XHCI_SUCCESS, "the endpoint out");
    ok_equal(control(0, 9, 1, 0, 0), XHCI_SUCCESS, "configured");
    storage_command(read, 10, 1024, "a read");
    for (unsigned i = 0; i < 1024; i++)
        same &= buffer[i] == (uint8_t)((512 + i) % 251);
    ok(same, "its blocks");
}

static void
find_redirected_disk(void)
{
    for (unsigned port = xhci.n_ports; port >= 1; port--)
        if (xhci_connected(port) && look_at(port) == 8) {
            test_redirected_disk();
            return;
        }
    ok(false, "a disk among the devices");
}

/* A saved desktop's client is not that of the restored one: its device is gone, until somebody offers it anew. */
static void
test_redirect(void)
{
    unsigned always = n_connected();

    ask_harness("plug");
    ok(wait_for_connected(always + 1), "a client's device is plugged in");
    find_redirected_disk();
    unsigned slot = device.slot;
    ask_harness("save");
    ok(wait_for_connected(always), "after a restore it is unplugged");
    ok_equal(command(0, 0, TYPE(XHCI_DISABLE_SLOT) | slot << 24), XHCI_SUCCESS, "its slot is given back");
    ask_harness("plug");
    ok(wait_for_connected(always + 1), "offered anew, it is plugged in");
    find_redirected_disk();
    ask_harness("unplug");
    ok(wait_for_connected(always), "taken back by its client, it is unplugged");
}

static bool
still_works(void)
{
    return command(0, 0, TYPE(XHCI_NO_OP_COMMAND)) == XHCI_SUCCESS;
}

/* The first device that is plugged in, addressed, with a bulk endpoint on a ring that is the test's to ruin. */
static unsigned
first_device(void)
{
    for (unsigned port = 1; port <= xhci.n_ports; port++)
        if (xhci_address(&device, port))
            return port;
    return 0;
}

static unsigned
hostile_ring(unsigned index, uint64_t parameter, uint32_t status, uint32_t control_word)
{
    xhci_ring_add(&device.rings[index], parameter, status, control_word);
    xhci_doorbell(device.slot, index);
    return xhci_transfer_done(0);
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
        xhci_doorbell(i, 0xffffffff);
    ok(still_works(), "doorbells of slots and endpoints that there are not");
    ok_equal(command(0, 0, TYPE(XHCI_STOP_EP) | 63u << 24 | 3 << 16), XHCI_SLOT_NOT_ENABLED,
             "a command for a slot not enabled");
    ok(command(~0xfull, 0, TYPE(XHCI_CONFIGURE) | device.slot << 24) > XHCI_SUCCESS, "an input context outside memory");

    ok_equal(add_endpoint(3, 7, 8), XHCI_SUCCESS, "an endpoint");
    device.rings[3].blocks[0] = (XhciTrb){physical(device.rings[3].blocks), 0, TYPE(XHCI_LINK) | 1};
    xhci_doorbell(device.slot, 3);
    ok(xhci_transfer_done(0) != XHCI_SUCCESS, "a link to itself ends the endpoint");
    ok(still_works(), "and nothing else");
    device.rings[3] = xhci_ring_new();
    command(xhci_ring_place(&device.rings[3]), 0, TYPE(XHCI_SET_DEQUEUE) | device.slot << 24 | 3 << 16);
    ok(hostile_ring(3, 1ull << 52, 8, TYPE(XHCI_NORMAL) | 1 << 5) != XHCI_SUCCESS, "data outside memory");
    command(0, 0, TYPE(XHCI_RESET_EP) | device.slot << 24 | 3 << 16);
    device.rings[3] = xhci_ring_new();
    command(xhci_ring_place(&device.rings[3]), 0, TYPE(XHCI_SET_DEQUEUE) | device.slot << 24 | 3 << 16);
    ok(hostile_ring(3, xhci.base, 8, TYPE(XHCI_NORMAL) | 1 << 5) != XHCI_SUCCESS,
       "data in the controller's own registers");
    ok(still_works(), "it works all the same");

    if (start_on_qemu())
        skip("QEMU stalls what is longer than 4096", "a request of more than there is");
    else
        ok(control(0x80, 6, 0x100, 0, 0xffff) == XHCI_SUCCESS, "a request of more than there is");
    xhci_ring_add(&device.rings[1], 0x0012000001000680ull, 8, TYPE(XHCI_SETUP) | 1 << 6);
    xhci_ring_add(&device.rings[1], physical(buffer), 8, TYPE(XHCI_NORMAL));
    xhci_doorbell(device.slot, 1);
    ok(xhci_transfer_done(0) != XHCI_SUCCESS, "stages in no order");
    ok_equal(command(0, 0, TYPE(XHCI_CONFIGURE) | device.slot << 24 | 1 << 9), XHCI_SUCCESS,
             "all endpoints taken away");
    ok_equal(command(0, 0, TYPE(XHCI_DISABLE_SLOT) | device.slot << 24), XHCI_SUCCESS, "the slot taken away");

    mmio_write64(xhci.runtime + 0x20 + 0x10, 1ull << 52);
    xhci_ring_add(&xhci.commands, 0, 0, TYPE(XHCI_NO_OP_COMMAND));
    xhci_doorbell(0, 0);
    clock_delay(MILLISECONDS(2));
    ok(xhci_start(true) && still_works(), "an event ring outside memory, and a reset");
    mmio_write32(xhci.operational, 0);
    xhci_wait_clear(xhci.operational, 1);
    mmio_write64(xhci.operational + 0x18, (1ull << 52) | 1);
    mmio_write32(xhci.operational, 1);
    xhci_doorbell(0, 0);
    clock_delay(MILLISECONDS(2));
    ok(xhci_start(true) && still_works(), "a command ring outside memory, and a reset");
    for (unsigned i = 0; i < XHCI_BLOCKS - 1; i++)
        xhci.commands.blocks[i] = (XhciTrb){0, 0, TYPE(XHCI_NO_OP_COMMAND) | 1};
    xhci.commands.blocks[XHCI_BLOCKS - 1] = (XhciTrb){physical(xhci.commands.blocks), 0, TYPE(XHCI_LINK) | 1};
    xhci_doorbell(0, 0);
    clock_delay(MILLISECONDS(20));
    ok(xhci_start(true) && still_works(), "commands without end, and a reset");
}

void
guest_main(void)
{
    if (!ok(xhci_find(), "a controller")) {
        tap_done();
        return;
    }
    buffer = pages_allocate(16);
    vector = interrupt_allocate(0, 0);
    pci_msix_set(&xhci.pci, 0, vector, false);
    pci_msix_enable(&xhci.pci, true, false);
    ok(xhci_start(true), "it resets and runs");
    if (!strcmp(start_option("test", "devices"), "hostile"))
        test_hostile();
    else if (!strcmp(start_option("test", ""), "redirect"))
        test_redirect();
    else
        test_devices();
    tap_done();
}
