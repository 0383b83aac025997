/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-balloon (virtio 1.2, 5.5): pages given to the host and taken back, and pages reported free. The harness looks
 * at the VMM's size. Command line: reporting=1 where free page reporting is to be there, statistics=1 where the harness reads
 * what the guest tells of its memory.
 */
#include "clock.h"
#include "cpu.h"
#include "interrupt.h"
#include "start.h"
#include "tap.h"
#include "text.h"
#include "user.h"
#include "virtqueue.h"

#define BALLOON_F_STATISTICS (1ull << 1)
#define BALLOON_F_DEFLATE_ON_OOM (1ull << 2)
#define BALLOON_F_REPORTING (1ull << 5)
#define CONFIG_WANTED 0
#define CONFIG_ACTUAL 4

#define MIB 256 /* pages */
#define PAGES (32 * MIB)
#define LIST 256 /* page numbers in one request */

static VirtioDevice balloon;
static VirtQueue inflate, deflate, statistics, reporting;
static uint8_t *memory; /* PAGES pages */
static uint32_t numbers[PAGES];
static uint8_t vector;

/* One write to each page, in user mode: a page that was never touched is not the VMM's memory. */
static uint64_t
touch(void *argument)
{
    uint8_t value = (uint64_t)argument;

    for (unsigned i = 0; i < PAGES; i++)
        memory[i * PAGE_SIZE] = value;
    return 0;
}

/* How many pages still have the value. */
static uint64_t
count(void *argument)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < PAGES; i++)
        n += memory[i * PAGE_SIZE] == (uint8_t)(uint64_t)argument;
    return n;
}

static bool
begin(void)
{
    if (!virtio_negotiate(&balloon, BALLOON_F_REPORTING | BALLOON_F_STATISTICS) ||
        !virtqueue_init(&inflate, &balloon, 0, 0, VIRTIO_NO_VECTOR) ||
        !virtqueue_init(&deflate, &balloon, 1, 0, VIRTIO_NO_VECTOR))
        return false;
    /* Queues that were not negotiated leave no gap, as Linux numbers them: there may be one for statistics. */
    unsigned index = 2;
    if (balloon.features & BALLOON_F_STATISTICS && !virtqueue_init(&statistics, &balloon, index++, 0, VIRTIO_NO_VECTOR))
        return false;
    if (balloon.features & BALLOON_F_REPORTING && !virtqueue_init(&reporting, &balloon, index, 0, VIRTIO_NO_VECTOR))
        return false;
    pci_msix_set(&balloon.pci, 0, vector, false);
    pci_msix_enable(&balloon.pci, true, false);
    mmio_write16(balloon.common + VIRTIO_COMMON_CONFIG_VECTOR, 0);
    virtio_driver_ok(&balloon);
    return true;
}

/* Gives or takes back all pages, in lists as long as Linux makes them. */
static bool
move(VirtQueue *queue)
{
    for (unsigned i = 0; i < PAGES; i += LIST) {
        VirtBuffer list = {numbers + i, LIST * sizeof(numbers[0])};
        if (virtqueue_do(queue, &list, 1, 0) < 0)
            return false;
    }
    return true;
}

static void
test_balloon(void)
{
    uint64_t seen = interrupt_count(vector);

    user_run(touch, (void *)0x5a);
    ask_harness("size before");
    ask_harness("balloon %u", 64 - PAGES / MIB);
    ok(interrupt_wait(vector, seen, SECONDS(10)), "balloon: the configuration interrupt comes");
    ok_equal(virtio_config32(&balloon, CONFIG_WANTED), PAGES, "balloon: as many pages are wanted");
    ok(move(&inflate), "balloon: pages are given");
    mmio_write32(balloon.config + CONFIG_ACTUAL, PAGES);
    ok_equal(virtio_config32(&balloon, CONFIG_ACTUAL), PAGES, "balloon: and counted");
    ask_harness("size inflated");

    seen = interrupt_count(vector);
    ask_harness("balloon 64");
    ok(interrupt_wait(vector, seen, SECONDS(10)), "balloon: an interrupt for the way back");
    ok_equal(virtio_config32(&balloon, CONFIG_WANTED), 0, "balloon: no page is wanted");
    ok(move(&deflate), "balloon: pages are taken back");
    mmio_write32(balloon.config + CONFIG_ACTUAL, 0);
    user_run(touch, (void *)0x77);
    ok_equal(user_run(count, (void *)0x77), PAGES, "balloon: and can be used");
    ask_harness("size deflated");
}

/* The guest posts figures; the host gives the buffer back when it wants newer ones (5.5.6.3). */
static void
test_statistics(void)
{
    static struct {
        uint16_t tag;
        uint64_t value;
    } __attribute__((packed)) figures[] = {{4, 0}, {5, 64 << 20}, {77, 1}}; /* free, total, and one nobody knows */
    VirtBuffer buffer = {figures, sizeof(figures)};

    if (!start_option_number("statistics", 0)) {
        skip("not asked for", "statistics: are read");
        return;
    }
    for (unsigned round = 1; round <= 3; round++) {
        figures[0].value = round << 20;
        virtqueue_add(&statistics, &buffer, 1, 0);
        virtqueue_kick(&statistics);
        ask_harness("statistics %u", round);
        ok(virtqueue_wait(&statistics, NULL, SECONDS(10)) >= 0, "statistics: new ones are asked for");
    }
}

static void
test_reporting(void)
{
    if (!start_option_number("reporting", 0)) {
        skip("not asked for", "reporting: free pages");
        return;
    }
    if (!ok(balloon.features & BALLOON_F_REPORTING, "reporting: is offered"))
        return;
    VirtBuffer pieces[] = {{memory, 16 * MIB * PAGE_SIZE}, {memory + 16 * MIB * PAGE_SIZE, 16 * MIB * PAGE_SIZE}};
    ok(virtqueue_do(&reporting, pieces, 0, 2) >= 0, "reporting: 32 MiB in two pieces");
    ask_harness("size reported");
    user_run(touch, (void *)0x33);
    ok_equal(user_run(count, (void *)0x33), PAGES, "reporting: pages can be used again at once");

    /* Pieces that are not pages, or not memory. */
    static const struct {
        uint64_t address;
        uint32_t length;
    } odd[] = {{1, 1}, {0x1001, 0x1fff}, {0xa0000000, 0x200000}, {0xfffffffffffff000, 0x2000}, {0xe0000, 0x1000}};
    for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        VirtBuffer piece = {(void *)odd[i].address, odd[i].length};
        virtqueue_do(&reporting, &piece, 0, 1);
        if (virtio_needs_reset(&balloon))
            begin();
    }
    ok(begin(), "reporting: what is not pages, and not memory");
}

static void
test_malformed(void)
{
    static uint32_t odd[] = {0xffffffff, 0xfffffffe, 0x80000000, 0xfee00, 0xfec00, 0xa0000, 0x20000000, 0};
    static const uint32_t lengths[] = {0, 1, 2, 3, 5, sizeof(odd)};

    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        VirtBuffer buffer = {odd, lengths[i]};
        virtqueue_do(&inflate, &buffer, 1, 0);
        virtqueue_do(&deflate, &buffer, 1, 0);
        if (virtio_needs_reset(&balloon))
            begin();
    }
    VirtBuffer writable = {odd, sizeof(odd)};
    virtqueue_do(&inflate, &writable, 0, 1);
    begin();
    mmio_write32(balloon.config + CONFIG_ACTUAL, 0xffffffff);
    mmio_write32(balloon.config + CONFIG_WANTED, 0x1234);
    mmio_write8(balloon.config + CONFIG_ACTUAL + 3, 0xff);
    ok(virtio_config32(&balloon, CONFIG_WANTED) != 0x1234,
       "malformed: what the host wants is not the guest's to write");

    /* All pages in one list, far longer than a driver's. */
    VirtBuffer all = {numbers, sizeof(numbers)};
    virtqueue_do(&inflate, &all, 1, 0);
    /* One page given, again and again. */
    for (unsigned i = 0; i < 100; i++) {
        numbers[0] = (uint64_t)memory / PAGE_SIZE;
        VirtBuffer one = {numbers, 4};
        virtqueue_do(&inflate, &one, 1, 0);
    }
    ok(begin(), "malformed: pages that are not, and one given a hundred times");
    user_run(touch, (void *)0x21);
    ok_equal(user_run(count, (void *)0x21), PAGES, "malformed: memory works on");
}

void
guest_main(void)
{
    memory = pages_allocate(PAGES);
    for (uint32_t i = 0; i < PAGES; i++)
        numbers[i] = (uint64_t)memory / PAGE_SIZE + i;
    vector = interrupt_allocate(NULL, NULL);
    if (!ok(virtio_find(VIRTIO_BALLOON, 0, &balloon) && begin(), "balloon starts"))
        return;
    test_balloon();
    test_statistics();
    test_reporting();
    test_malformed();
    tap_done();
}
