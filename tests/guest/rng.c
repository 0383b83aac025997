/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-rng over every ring layout, with interrupts by MSI-X and by the INTx line. The simplest device carries the
 * tests of the transport itself: what holds here holds for every other device's queues.
 */
#include "apic.h"
#include "clock.h"
#include "cpu.h"
#include "interrupt.h"
#include "start.h"
#include "tap.h"
#include "text.h"
#include "virtqueue.h"

static VirtioDevice rng;
static VirtQueue queue;
static uint8_t bytes[4][256];

static bool
all_zero(const uint8_t *data, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (data[i])
            return false;
    }
    return true;
}

static bool
begin(uint64_t features, uint16_t size)
{
    if (!virtio_negotiate(&rng, features) || !virtqueue_init(&queue, &rng, 0, size, VIRTIO_NO_VECTOR))
        return false;
    virtio_driver_ok(&rng);
    return true;
}

/* One chain of three buffers: the device fills from the front and says how much. */
static void
test_mode(const VirtMode *mode)
{
    if ((virtio_offered(&rng) & mode->features) != mode->features) {
        skip("not offered", "entropy: %s", mode->name);
        return;
    }
    if (!ok(begin(mode->features, 8), "entropy: %s: device starts", mode->name))
        return;
    memset(bytes, 0, sizeof(bytes));
    VirtBuffer chain[] = {{bytes[0], 64}, {bytes[1], 1}, {bytes[2], 64}};
    int64_t length = virtqueue_do(&queue, chain, 0, 3);
    ok(length > 0 && length <= 129, "entropy: %s: a chain is filled and its length told", mode->name);
    ok(!all_zero(bytes[0], length > 64 ? 64 : length), "entropy: %s: bytes are random", mode->name);

    /* Three times around a ring of 8, with two in flight: indexes and wrap counters. */
    unsigned done = 0;
    for (unsigned i = 0; i < 12; i++) {
        VirtBuffer one = {bytes[0], 16}, two = {bytes[1], 16};
        uint32_t filled;
        virtqueue_add(&queue, &one, 0, 1);
        virtqueue_add(&queue, &two, 0, 1);
        virtqueue_kick(&queue);
        for (unsigned j = 0; j < 2; j++)
            done += virtqueue_wait(&queue, &filled, SECONDS(2)) >= 0 && filled == 16;
    }
    ok_equal(done, 24, "entropy: %s: three times around the ring", mode->name);
    ok(!virtio_needs_reset(&rng), "entropy: %s: no reset needed", mode->name);
}

static void
test_msix(void)
{
    unsigned entries = pci_msix_entries(&rng.pci);
    if (!ok(entries >= 2, "msix: a vector for the queue and one for the configuration"))
        return;
    uint8_t vector = interrupt_allocate(NULL, NULL);
    uint64_t pending = pci_msix_pending(&rng.pci);
    VirtBuffer buffer = {bytes[0], 16};

    virtio_negotiate(&rng, 0);
    pci_msix_set(&rng.pci, 1, vector, false);
    pci_msix_enable(&rng.pci, true, false);
    ok(virtqueue_init(&queue, &rng, 0, 8, 1), "msix: the queue takes vector 1");
    virtio_driver_ok(&rng);

    uint64_t seen = interrupt_count(vector);
    virtqueue_do(&queue, &buffer, 0, 1);
    ok(interrupt_wait(vector, seen, SECONDS(2)), "msix: a used buffer interrupts");

    seen = interrupt_count(vector);
    pci_msix_set(&rng.pci, 1, vector, true);
    virtqueue_do(&queue, &buffer, 0, 1);
    ok(!interrupt_wait(vector, seen, MILLISECONDS(20)), "msix: a masked entry keeps quiet");
    ok(mmio_read32(pending) & 2, "msix: a masked entry's message is pending");
    pci_msix_set(&rng.pci, 1, vector, false);
    ok(interrupt_wait(vector, seen, SECONDS(2)), "msix: unmasking delivers what was pending");
    ok(!(mmio_read32(pending) & 2), "msix: and clears the pending bit");

    seen = interrupt_count(vector);
    pci_msix_enable(&rng.pci, true, true);
    virtqueue_do(&queue, &buffer, 0, 1);
    ok(!interrupt_wait(vector, seen, MILLISECONDS(20)), "msix: the function's mask keeps every entry quiet");
    pci_msix_enable(&rng.pci, true, false);
    ok(interrupt_wait(vector, seen, SECONDS(2)), "msix: and its removal delivers");

    seen = interrupt_count(vector);
    virtqueue_interrupts(&queue, false);
    virtqueue_do(&queue, &buffer, 0, 1);
    ok(!interrupt_wait(vector, seen, MILLISECONDS(20)), "msix: the driver's wish for no interrupts is kept");
    pci_msix_enable(&rng.pci, false, false);

    mmio_write16(rng.common + VIRTIO_COMMON_QUEUE_VECTOR, entries);
    ok_equal(mmio_read16(rng.common + VIRTIO_COMMON_QUEUE_VECTOR), VIRTIO_NO_VECTOR,
             "msix: a vector past the table is refused");
}

/* The line's I/O APIC input is not asked for: all the PCI ones are routed, and the one that fires is it. */
#define FIRST_PCI_PIN 16
#define PCI_PINS 8
static volatile unsigned fired_pin, fired, isr_seen;

static void
on_line(void *context)
{
    fired_pin = FIRST_PCI_PIN + (unsigned)(uint64_t)context;
    isr_seen |= mmio_read8(rng.isr); /* reading lowers the line */
    fired++;
}

static void
test_line(void)
{
    VirtBuffer buffer = {bytes[0], 16};

    for (unsigned i = 0; i < PCI_PINS; i++)
        io_apic_route(FIRST_PCI_PIN + i, interrupt_allocate(on_line, (void *)(uint64_t)i), true, false);
    ok(pci_read(&rng.pci, PCI_INTERRUPT_PIN, 1) >= 1, "line: the function has an interrupt pin");
    begin(0, 8);
    virtqueue_do(&queue, &buffer, 0, 1);

    uint64_t deadline = clock_ns() + SECONDS(2);
    interrupts_on();
    while (!fired && clock_ns() < deadline)
        cpu_pause();
    ok(fired > 0, "line: a used buffer raises it");
    note("input %u, %u times, status %x", fired_pin, fired, isr_seen);
    ok(isr_seen & 1, "line: the status register says it was a queue");
    unsigned before = fired;
    clock_delay(MILLISECONDS(5));
    interrupts_off();
    ok_equal(fired, before, "line: it is low once the status was read");

    pci_write(&rng.pci, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF);
    virtqueue_do(&queue, &buffer, 0, 1);
    interrupts_on();
    clock_delay(MILLISECONDS(5));
    interrupts_off();
    ok_equal(fired, before, "line: the command register's disable bit keeps it low");
    ok(pci_read(&rng.pci, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, "line: the status still shows the interrupt");
    interrupts_on();
    pci_write(&rng.pci, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    clock_delay(MILLISECONDS(5));
    interrupts_off();
    ok(fired > before, "line: enabling again raises what was held back");
    for (unsigned i = 0; i < PCI_PINS; i++)
        io_apic_mask(FIRST_PCI_PIN + i);
}

void
guest_main(void)
{
    if (!ok(virtio_find(VIRTIO_ENTROPY, 0, &rng), "entropy device is on the bus"))
        return;
    for (unsigned i = 0; i < VIRT_MODES; i++)
        test_mode(&virt_modes[i]);
    test_msix();
    test_line();
    ok(virtio_reset(&rng), "reset: the status reads 0 again");
    ok_equal(mmio_read16(rng.common + VIRTIO_COMMON_QUEUE_ENABLE), 0, "reset: the queue is off");
    tap_done();
}
