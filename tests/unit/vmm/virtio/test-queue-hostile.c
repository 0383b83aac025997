/* SPDX-License-Identifier: Apache-2.0 */
/* Every ring a hostile driver can make breaks its device, and only that; the tests name the class of fault they stand for. */
#include "driver.h"

#include <linux/virtio_ring.h>
#include <string.h>

#define QUEUE_SIZE 8
#define AVAIL_BIT (1 << VRING_PACKED_DESC_F_AVAIL)

static const VirtioClass sink_class = {.name = "virtio-sink", .id = 63, .n_queues = 1, .queue_size = QUEUE_SIZE};

typedef struct {
    VirtioDriver *driver;
    VirtQueue *queue;
    bool packed;
    struct vring_desc *split_table;
    struct vring_packed_desc *packed_ring;
    uint64_t buffer; /* 4096 bytes */
    VirtChain chain;
} Fixture;

static void
fixture_set_up(Fixture *fixture, gconstpointer flags)
{
    VirtioDriver *driver = virtio_driver_new(GPOINTER_TO_UINT(flags));
    VirtioDevice *device = g_new0(VirtioDevice, 1);
    virtio_device_init(device, &sink_class, "sink0", driver->memory, 0, 0, NULL);
    virtio_driver_start(driver, device, 0);
    void *ring = virtio_driver_at(driver, driver->queues[0].setup.descriptors, 16 * QUEUE_SIZE);
    *fixture = (Fixture){
        .driver = driver,
        .queue = device->queues[0],
        .packed = driver->flags & VIRTIO_DRIVER_PACKED,
        .split_table = ring,
        .packed_ring = ring,
        .buffer = virtio_driver_alloc(driver, 4096),
    };
}

static void
fixture_tear_down(Fixture *fixture, gconstpointer flags)
{
    virt_chain_clear(&fixture->chain);
    virtio_driver_free(fixture->driver);
}

/* Writes a descriptor into place @at of the ring itself, whatever its layout. Not yet available. */
static void
put(Fixture *fixture, unsigned at, uint64_t address, uint32_t len, uint16_t flags, uint16_t next)
{
    if (fixture->packed)
        fixture->packed_ring[at] =
            (struct vring_packed_desc){.addr = address, .len = len, .flags = flags | (at ? AVAIL_BIT : 0), .id = next};
    else
        fixture->split_table[at] = (struct vring_desc){.addr = address, .len = len, .flags = flags, .next = next};
}

/* Makes the chain that starts at place 0 available. */
static void
go(Fixture *fixture)
{
    VirtioDriverQueue *queue = &fixture->driver->queues[0];
    if (fixture->packed) {
        __atomic_or_fetch(&fixture->packed_ring[0].flags, AVAIL_BIT, __ATOMIC_RELEASE);
    } else {
        struct vring_avail *avail = virtio_driver_at(fixture->driver, queue->setup.driver, 6 + 2 * QUEUE_SIZE);
        avail->ring[avail->idx % QUEUE_SIZE] = 0;
        __atomic_add_fetch(&avail->idx, 1, __ATOMIC_RELEASE);
    }
}

static void
expect_broken(Fixture *fixture)
{
    g_assert_false(virtqueue_pop(fixture->queue, &fixture->chain));
    g_assert_true(virtio_driver_needs_reset(fixture->driver));
    g_assert_cmpuint(fixture->driver->config_interrupts, ==, 1);
    /* and stays so, told once */
    g_assert_false(virtqueue_pop(fixture->queue, &fixture->chain));
    g_assert_false(virtqueue_has_work(fixture->queue));
    g_assert_false(virtqueue_ready(fixture->queue));
    g_assert_cmpuint(fixture->driver->config_interrupts, ==, 1);

    /* until a reset, after which the device works */
    VirtioUsed used;
    virtio_driver_reset(fixture->driver);
    virtio_driver_start(fixture->driver, fixture->driver->device, 0);
    virtio_driver_add(fixture->driver, 0, (VirtioBuffer[]){{fixture->buffer, 4, true}}, 1);
    g_assert_true(virtqueue_pop(fixture->queue, &fixture->chain));
    virtqueue_push(fixture->queue, &fixture->chain, 4);
    g_assert_true(virtio_driver_used(fixture->driver, 0, &used));
    g_assert_cmpuint(used.len, ==, 4);
}

static void
expect_popped(Fixture *fixture, size_t n_out, size_t n_in)
{
    g_assert_true(virtqueue_pop(fixture->queue, &fixture->chain));
    g_assert_cmpuint(fixture->chain.n_out, ==, n_out);
    g_assert_cmpuint(fixture->chain.n_in, ==, n_in);
    virtqueue_push(fixture->queue, &fixture->chain, 0);
    g_assert_false(virtio_driver_needs_reset(fixture->driver));
}

/* A descriptor chain that loops. */
static void
test_loop(Fixture *fixture, gconstpointer flags)
{
    for (unsigned i = 0; i < QUEUE_SIZE; i++)
        put(fixture, i, fixture->buffer, 16, VRING_DESC_F_NEXT, (i + 1) % QUEUE_SIZE);
    go(fixture);
    expect_broken(fixture);
}

/* Of zero length, so that no total ever ends it (as in CVE-2016-6490). */
static void
test_loop_on_itself(Fixture *fixture, gconstpointer flags)
{
    put(fixture, 0, fixture->buffer, 0, VRING_DESC_F_NEXT, 0);
    go(fixture);
    expect_broken(fixture);
}

static void
test_next_out_of_range(Fixture *fixture, gconstpointer flags)
{
    put(fixture, 0, fixture->buffer, 16, VRING_DESC_F_NEXT, QUEUE_SIZE);
    go(fixture);
    expect_broken(fixture);
}

static void
test_head_out_of_range(Fixture *fixture, gconstpointer flags)
{
    struct vring_avail *avail =
        virtio_driver_at(fixture->driver, fixture->driver->queues[0].setup.driver, 6 + 2 * QUEUE_SIZE);
    avail->ring[0] = 0xffff;
    avail->idx = 1;
    expect_broken(fixture);
}

/* The driver's index runs ahead by more than the ring holds. */
static void
test_index_too_far(Fixture *fixture, gconstpointer flags)
{
    struct vring_avail *avail =
        virtio_driver_at(fixture->driver, fixture->driver->queues[0].setup.driver, 6 + 2 * QUEUE_SIZE);
    avail->idx = QUEUE_SIZE + 1;
    expect_broken(fixture);
}

/* The same, found by a device that looks whether there is work before it takes any, as those on the I/O thread do. */
static void
test_index_too_far_for_work(Fixture *fixture, gconstpointer flags)
{
    struct vring_avail *avail = virtio_driver_at(fixture->driver, fixture->driver->queues[0].setup.driver, 6);
    avail->idx = QUEUE_SIZE + 1;
    g_assert_true(virtqueue_has_work(fixture->queue));
    expect_broken(fixture);
}

static void
test_index_backwards(Fixture *fixture, gconstpointer flags)
{
    struct vring_avail *avail =
        virtio_driver_at(fixture->driver, fixture->driver->queues[0].setup.driver, 6 + 2 * QUEUE_SIZE);
    avail->idx = 0xffff;
    expect_broken(fixture);
}

/* The same head again and again, never waiting for an answer: requests in flight stay bounded (as in CVE-2016-5403). */
static void
test_endless_requests(Fixture *fixture, gconstpointer flags)
{
    VirtChain chains[QUEUE_SIZE] = {0};
    struct vring_avail *avail =
        virtio_driver_at(fixture->driver, fixture->driver->queues[0].setup.driver, 6 + 2 * QUEUE_SIZE);

    for (unsigned i = 0; i < QUEUE_SIZE; i++) {
        if (fixture->packed) {
            put(fixture, i, fixture->buffer, 16, AVAIL_BIT, 0);
        } else {
            put(fixture, 0, fixture->buffer, 16, 0, 0);
            avail->idx++;
        }
        g_assert_true(virtqueue_pop(fixture->queue, &chains[i]));
    }
    if (fixture->packed)
        put(fixture, 0, fixture->buffer, 16, 1 << VRING_PACKED_DESC_F_USED, 0); /* as if it had been given back */
    else
        avail->idx++;
    g_assert_false(virtqueue_pop(fixture->queue, &fixture->chain));
    g_assert_true(virtio_driver_needs_reset(fixture->driver));
    for (unsigned i = 0; i < QUEUE_SIZE; i++) {
        virtqueue_push(fixture->queue, &chains[i], 0); /* into nothing */
        virt_chain_clear(&chains[i]);
    }
    expect_broken(fixture);
}

/* Buffers outside RAM, over its end, and wrapping around. */
static void
test_address(Fixture *fixture, gconstpointer flags)
{
    uint64_t ram = guest_memory_size(fixture->driver->memory);
    const struct {
        uint64_t address;
        uint32_t len;
    } bad[] = {
        {ram, 1},        {ram - 1, 2},    {UINT64_MAX, 1},  {UINT64_MAX - 3, 8},
        {0, UINT32_MAX}, {0xfee00000, 4}, {1ull << 63, 16},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        for (unsigned write = 0; write <= 1; write++) {
            fixture_tear_down(fixture, flags);
            fixture_set_up(fixture, flags);
            put(fixture, 0, bad[i].address, bad[i].len, write ? VRING_DESC_F_WRITE : 0, 0);
            go(fixture);
            expect_broken(fixture);
        }
    }
}

static void
test_last_byte_of_ram(Fixture *fixture, gconstpointer flags)
{
    put(fixture, 0, guest_memory_size(fixture->driver->memory) - 1, 1, 0, 0);
    go(fixture);
    expect_popped(fixture, 1, 0);
}

static void
test_readable_after_writable(Fixture *fixture, gconstpointer flags)
{
    put(fixture, 0, fixture->buffer, 16, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1);
    put(fixture, 1, fixture->buffer, 16, 0, 0);
    go(fixture);
    expect_broken(fixture);
}

/* --- indirect tables -------------------------------------------------------------------------------------------- */

/* Fills a table of @n descriptors of 1 byte each; the split ones are linked. Its length may be more than RAM has. */
static uint64_t
make_table(Fixture *fixture, unsigned n, uint16_t flags)
{
    uint64_t address = virtio_driver_alloc(fixture->driver, 16 * n);
    struct vring_desc *split = virtio_driver_at(fixture->driver, address, 16 * n);
    struct vring_packed_desc *packed = (void *)split;

    for (unsigned i = 0; i < n; i++) {
        if (fixture->packed)
            packed[i] = (struct vring_packed_desc){.addr = fixture->buffer, .len = 1, .flags = flags};
        else
            split[i] = (struct vring_desc){
                .addr = fixture->buffer, .len = 1, .flags = flags | (i + 1 < n ? VRING_DESC_F_NEXT : 0), .next = i + 1};
    }
    return address;
}

static void
go_indirect(Fixture *fixture, uint64_t table, uint32_t len, uint16_t more_flags)
{
    put(fixture, 0, table, len, VRING_DESC_F_INDIRECT | more_flags, 1);
    go(fixture);
}

/* Longer than the ring is fine in a table: drivers rely on it; the most is VIRT_CHAIN_MAX. */
static void
test_indirect_longest(Fixture *fixture, gconstpointer flags)
{
    uint64_t table = make_table(fixture, VIRT_CHAIN_MAX, 0);
    go_indirect(fixture, table, 16 * VIRT_CHAIN_MAX, 0);
    expect_popped(fixture, VIRT_CHAIN_MAX, 0);
}

static void
test_indirect_too_long(Fixture *fixture, gconstpointer flags)
{
    uint64_t table = make_table(fixture, VIRT_CHAIN_MAX + 1, 0);
    go_indirect(fixture, table, 16 * (VIRT_CHAIN_MAX + 1), 0);
    expect_broken(fixture);
}

static void
test_indirect_bad_table(Fixture *fixture, gconstpointer flags)
{
    uint64_t ram = guest_memory_size(fixture->driver->memory);
    const struct {
        uint64_t address;
        uint32_t len;
    } bad[] = {
        {0x1000, 0},          {0x1000, 15}, {0x1000, 17},  {0x1000, UINT32_MAX},
        {0x1000, 0xfffffff0}, {ram, 16},    {ram - 8, 16}, {UINT64_MAX - 7, 16},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        fixture_tear_down(fixture, flags);
        fixture_set_up(fixture, flags);
        go_indirect(fixture, bad[i].address, bad[i].len, 0);
        expect_broken(fixture);
    }
}

static void
test_indirect_nested(Fixture *fixture, gconstpointer flags)
{
    uint64_t table = make_table(fixture, 2, VRING_DESC_F_INDIRECT);
    go_indirect(fixture, table, 32, 0);
    expect_broken(fixture);
}

/* virtio 1.2, 2.7.5.3.1: an indirect descriptor ends its chain. */
static void
test_indirect_with_next(Fixture *fixture, gconstpointer flags)
{
    uint64_t table = make_table(fixture, 2, 0);
    put(fixture, 1, fixture->buffer, 1, 0, 0);
    go_indirect(fixture, table, 32, VRING_DESC_F_NEXT);
    expect_broken(fixture);
}

/* Direct descriptors and then a table: split devices must take it (2.7.5.3.2), packed ones need not (2.8.5.1). */
static void
test_indirect_after_direct(Fixture *fixture, gconstpointer flags)
{
    uint64_t table = make_table(fixture, 3, VRING_DESC_F_WRITE);
    put(fixture, 0, fixture->buffer, 1, VRING_DESC_F_NEXT, 1);
    put(fixture, 1, table, 48, VRING_DESC_F_INDIRECT, 0);
    go(fixture);
    if (fixture->packed)
        expect_broken(fixture);
    else
        expect_popped(fixture, 1, 3);
}

static void
test_indirect_loop(Fixture *fixture, gconstpointer flags)
{
    uint64_t table = make_table(fixture, 4, 0);
    struct vring_desc *split = virtio_driver_at(fixture->driver, table, 64);
    split[3].flags |= VRING_DESC_F_NEXT;
    split[3].next = 1;
    go_indirect(fixture, table, 64, 0);
    expect_broken(fixture);
}

static void
test_indirect_not_negotiated(Fixture *fixture, gconstpointer flags)
{
    uint64_t table = make_table(fixture, 1, 0);
    go_indirect(fixture, table, 16, 0);
    expect_broken(fixture);
}

/* Buffers may overlap, but their lengths must not add up to 4 GiB (virtio 1.2, 2.7.4.2). */
static void
test_four_gigabytes(Fixture *fixture, gconstpointer flags)
{
    const uint32_t len = 8u << 20;
    for (unsigned n = 511; n <= 512; n++) {
        fixture_tear_down(fixture, flags);
        fixture_set_up(fixture, flags);
        uint64_t address = make_table(fixture, n, 0);
        struct vring_desc *table = virtio_driver_at(fixture->driver, address, 16 * n);
        for (unsigned i = 0; i < n; i++) {
            table[i].addr = 0;
            table[i].len = len;
        }
        go_indirect(fixture, address, 16 * n, 0);
        if (n * (uint64_t)len < 1ull << 32)
            expect_popped(fixture, n, 0);
        else
            expect_broken(fixture);
    }
}

int
main(int argc, char **argv)
{
    enum { DIRECT = 1, INDIRECT = 2, SPLIT = 4 };
    static const struct {
        const char *name;
        void (*test)(Fixture *fixture, gconstpointer flags);
        int with; /* indirect descriptors negotiated, or not; SPLIT: what packed rings have not (links, heads, an index) */
    } tests[] = {
        {"loop", test_loop, DIRECT | INDIRECT},
        {"loop-on-itself", test_loop_on_itself, DIRECT | SPLIT},
        {"next-out-of-range", test_next_out_of_range, DIRECT | SPLIT},
        {"head-out-of-range", test_head_out_of_range, DIRECT | SPLIT},
        {"index-too-far", test_index_too_far, DIRECT | SPLIT},
        {"index-too-far-for-work", test_index_too_far_for_work, DIRECT | SPLIT},
        {"index-backwards", test_index_backwards, DIRECT | SPLIT},
        {"endless-requests", test_endless_requests, DIRECT},
        {"address", test_address, DIRECT},
        {"last-byte-of-ram", test_last_byte_of_ram, DIRECT},
        {"readable-after-writable", test_readable_after_writable, DIRECT},
        {"indirect-longest", test_indirect_longest, INDIRECT},
        {"indirect-too-long", test_indirect_too_long, INDIRECT},
        {"indirect-bad-table", test_indirect_bad_table, INDIRECT},
        {"indirect-nested", test_indirect_nested, INDIRECT},
        {"indirect-with-next", test_indirect_with_next, INDIRECT},
        {"indirect-after-direct", test_indirect_after_direct, INDIRECT},
        {"indirect-loop", test_indirect_loop, INDIRECT | SPLIT},
        {"indirect-not-negotiated", test_indirect_not_negotiated, DIRECT},
        {"four-gigabytes", test_four_gigabytes, INDIRECT},
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned flags = 0; flags <= VIRTIO_DRIVER_ALL; flags++)
        for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
            if (!(tests[i].with & (flags & VIRTIO_DRIVER_INDIRECT ? INDIRECT : DIRECT)))
                continue;
            if (tests[i].with & SPLIT && flags & VIRTIO_DRIVER_PACKED)
                continue;
            g_autofree char *path = g_strdup_printf(
                "/virtio/queue-hostile/%s/%s%s%s", tests[i].name, flags & VIRTIO_DRIVER_PACKED ? "packed" : "split",
                flags & VIRTIO_DRIVER_INDIRECT ? "-indirect" : "", flags & VIRTIO_DRIVER_EVENT_INDEX ? "-event" : "");
            g_test_add(path, Fixture, GUINT_TO_POINTER(flags), fixture_set_up, tests[i].test, fixture_tear_down);
        }
    return g_test_run();
}
