/* SPDX-License-Identifier: Apache-2.0 */
/* Virtqueues in every shape a well-behaved driver gives them: split and packed, direct and indirect, event index or not. */
#include "driver.h"

#include <linux/virtio_ring.h>
#include <string.h>

#define QUEUE_SIZE 8

/* A device that echoes: what a chain's out buffers hold is written into its in buffers. */
static void
echo_serve(VirtioDevice *device, VirtQueue *queue)
{
    g_auto(VirtChain) chain = VIRT_CHAIN_INIT;
    uint8_t bytes[4096];

    while (virtqueue_pop(queue, &chain)) {
        size_t len = virt_chain_read(&chain, bytes, sizeof(bytes));
        virtqueue_push(queue, &chain, virt_chain_write(&chain, bytes, len));
    }
    virtqueue_notify(queue);
}

static const VirtioClass echo_class = {
    .name = "virtio-echo", .id = 63, .n_queues = 1, .queue_size = QUEUE_SIZE, .serve = echo_serve};

/* The same without serving: the test pops and pushes. */
static const VirtioClass manual_class = {.name = "virtio-manual", .id = 63, .n_queues = 1, .queue_size = QUEUE_SIZE};

static VirtioDriver *
start(gconstpointer flags, const VirtioClass *class)
{
    VirtioDriver *driver = virtio_driver_new(GPOINTER_TO_UINT(flags));
    VirtioDevice *device = g_new0(VirtioDevice, 1);
    virtio_device_init(device, class, "device0", driver->memory, 0, 0, NULL);
    virtio_driver_start(driver, device, 0);
    return driver;
}

static void
test_echo(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = start(flags, &echo_class);
    char answer[16];

    for (unsigned round = 0; round < 5 * QUEUE_SIZE; round++) { /* several times around the ring */
        g_autofree char *question = g_strdup_printf("round %3u", round);
        memset(answer, 0xff, sizeof(answer));
        g_assert_cmpuint(virtio_driver_call(driver, 0, question, 9, answer, sizeof(answer)), ==, 9);
        g_assert_cmpmem(answer, 9, question, 9);
        g_assert_cmpuint((uint8_t)answer[9], ==, 0); /* and no further */
    }
    g_assert_false(virtio_driver_needs_reset(driver));
}

static void
test_no_buffers_out_or_in(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = start(flags, &echo_class);
    char answer[4];

    g_assert_cmpuint(virtio_driver_call(driver, 0, "abc", 3, NULL, 0), ==, 0);
    g_assert_cmpuint(virtio_driver_call(driver, 0, NULL, 0, answer, 4), ==, 0);
}

/* Scattered buffers, zero-length ones among them, are walked as one run of bytes. */
static void
test_scattered(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = start(flags, &echo_class);
    uint64_t out = virtio_driver_alloc(driver, 8), in = virtio_driver_alloc(driver, 8);
    uint64_t far = virtio_driver_alloc(driver, 8);
    VirtioUsed used;

    memcpy(virtio_driver_at(driver, out, 6), "abcdef", 6);
    memcpy(virtio_driver_at(driver, far, 3), "ghi", 3);
    virtio_driver_add(driver, 0,
                      (VirtioBuffer[]){{out, 1, false},
                                       {0xdead0000dead, 0, false}, /* nowhere, but no bytes of it */
                                       {out + 1, 5, false},
                                       {far, 3, false},
                                       {in, 4, true},
                                       {far, 0, true},
                                       {in + 5, 2, true},
                                       {far + 4, 4, true}},
                      8);
    virtio_driver_kick(driver, 0);
    g_assert_true(virtio_driver_used(driver, 0, &used));
    g_assert_cmpuint(used.len, ==, 9);
    g_assert_cmpmem(virtio_driver_at(driver, in, 8), 8, "abcd\0ef\0", 8);
    g_assert_cmpmem(virtio_driver_at(driver, far, 8), 8, "ghi\0ghi\0", 8);
}

static uint16_t
add_one(VirtioDriver *driver, uint64_t address, uint32_t len)
{
    return virtio_driver_add(driver, 0, (VirtioBuffer[]){{address, len, false}, {address + len, 1, true}}, 2);
}

/* Requests given back in another order, interleaved with new ones, and one taken back by unpop. */
static void
test_out_of_order(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = start(flags, &manual_class);
    VirtQueue *queue = driver->device->queues[0];
    uint64_t buffer = virtio_driver_alloc(driver, 64);
    VirtioUsed used;

    for (unsigned round = 0; round < 3 * QUEUE_SIZE; round++) {
        g_auto(VirtChain) first = VIRT_CHAIN_INIT, second = VIRT_CHAIN_INIT;
        uint16_t first_id = add_one(driver, buffer, 1);
        uint16_t second_id = add_one(driver, buffer + 16, 2);
        uint16_t third_id = add_one(driver, buffer + 32, 3);

        g_assert_true(virtqueue_pop(queue, &first));
        g_assert_true(virtqueue_pop(queue, &second));
        g_assert_cmpuint(first.out_len, ==, 1);
        g_assert_cmpuint(second.out_len, ==, 2);
        virtqueue_unpop(queue, &second);
        g_assert_true(virtqueue_has_work(queue));
        g_assert_true(virtqueue_pop(queue, &second));
        g_assert_cmpuint(second.out_len, ==, 2);
        virtqueue_push(queue, &second, 1);
        g_assert_true(virtio_driver_used(driver, 0, &used));
        g_assert_cmpuint(used.id, ==, second_id);
        virtqueue_push(queue, &first, 0);
        g_assert_true(virtqueue_pop(queue, &first));
        g_assert_cmpuint(first.out_len, ==, 3);
        virtqueue_push(queue, &first, 1);
        g_assert_true(virtio_driver_used(driver, 0, &used));
        g_assert_cmpuint(used.id, ==, first_id);
        g_assert_cmpuint(used.len, ==, 0);
        g_assert_true(virtio_driver_used(driver, 0, &used));
        g_assert_cmpuint(used.id, ==, third_id);
        g_assert_false(virtio_driver_used(driver, 0, &used));
        g_assert_false(virtqueue_pop(queue, &first));
        g_assert_false(virtqueue_has_work(queue));
    }
    g_assert_false(virtio_driver_needs_reset(driver));
}

static uint16_t
add_single(VirtioDriver *driver, uint64_t address)
{
    return virtio_driver_add(driver, 0, (VirtioBuffer[]){{address, 1, false}}, 1);
}

/* A ring full to the last slot is popped whole, and the next one too. */
static void
test_full_ring(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = start(flags, &manual_class);
    VirtQueue *queue = driver->device->queues[0];
    uint64_t buffer = virtio_driver_alloc(driver, 64);
    VirtChain chains[QUEUE_SIZE] = {0};
    VirtioUsed used;

    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < QUEUE_SIZE; i++)
            add_single(driver, buffer + i);
        for (unsigned i = 0; i < QUEUE_SIZE; i++)
            g_assert_true(virtqueue_pop(queue, &chains[i]));
        for (unsigned i = QUEUE_SIZE; i--;)
            virtqueue_push(queue, &chains[i], 0);
        for (unsigned i = 0; i < QUEUE_SIZE; i++)
            g_assert_true(virtio_driver_used(driver, 0, &used));
        g_assert_false(virtio_driver_used(driver, 0, &used));
    }
    for (unsigned i = 0; i < QUEUE_SIZE; i++)
        virt_chain_clear(&chains[i]);
}

/* Kicks are asked for exactly when the device found the ring empty, or all the time without the event index. */
static void
test_kicks(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = start(flags, &manual_class);
    bool event_index = driver->flags & VIRTIO_DRIVER_EVENT_INDEX;
    VirtQueue *queue = driver->device->queues[0];
    uint64_t buffer = virtio_driver_alloc(driver, 64);
    g_auto(VirtChain) chain = VIRT_CHAIN_INIT;
    VirtioUsed used;

    for (unsigned round = 0; round < 2 * QUEUE_SIZE; round++) {
        g_assert_false(virtqueue_pop(queue, &chain)); /* empty: now it waits */
        add_single(driver, buffer);
        g_assert_true(virtio_driver_wants_kick(driver, 0, 1));
        add_single(driver, buffer);
        g_assert_cmpint(virtio_driver_wants_kick(driver, 0, 1), ==, !event_index);
        g_assert_true(virtqueue_pop(queue, &chain));
        virtqueue_push(queue, &chain, 0);
        add_single(driver, buffer);
        g_assert_cmpint(virtio_driver_wants_kick(driver, 0, 1), ==, !event_index); /* it is still at work */
        while (virtqueue_pop(queue, &chain))
            virtqueue_push(queue, &chain, 0);
        while (virtio_driver_used(driver, 0, &used)) {
        }
    }

    /* Polling: no kicks wanted, and what slipped in is told when they are wanted again. */
    g_assert_false(virtqueue_set_kicks(queue, false));
    add_single(driver, buffer);
    g_assert_false(virtio_driver_wants_kick(driver, 0, 1));
    g_assert_true(virtqueue_set_kicks(queue, true));
    g_assert_true(virtqueue_pop(queue, &chain));
    virtqueue_push(queue, &chain, 0);
    g_assert_false(virtqueue_set_kicks(queue, true));
    add_single(driver, buffer);
    g_assert_true(virtio_driver_wants_kick(driver, 0, 1));
}

static void
echo_n(VirtioDriver *driver, unsigned n)
{
    VirtQueue *queue = driver->device->queues[0];
    uint64_t buffer = virtio_driver_alloc(driver, 64);
    g_auto(VirtChain) chain = VIRT_CHAIN_INIT;
    VirtioUsed used;

    for (unsigned i = 0; i < n; i++)
        add_single(driver, buffer);
    while (virtqueue_pop(queue, &chain))
        virtqueue_push(queue, &chain, 0);
    virtqueue_notify(queue);
    for (unsigned i = 0; i < n; i++)
        g_assert_true(virtio_driver_used(driver, 0, &used));
}

/* Interrupts come exactly when the driver asked for them. */
static void
test_interrupts(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = start(flags, &manual_class);
    unsigned before;

    virtqueue_notify(driver->device->queues[0]); /* nothing was pushed */
    g_assert_cmpuint(virtio_driver_interrupts(driver, 0), ==, 0);
    if (!(driver->flags & VIRTIO_DRIVER_EVENT_INDEX)) {
        echo_n(driver, 3);
        g_assert_cmpuint(virtio_driver_interrupts(driver, 0), ==, 1);
        virtio_driver_set_interrupts(driver, 0, false);
        echo_n(driver, 3);
        g_assert_cmpuint(virtio_driver_interrupts(driver, 0), ==, 1);
        virtio_driver_set_interrupts(driver, 0, true);
        echo_n(driver, 1);
        g_assert_cmpuint(virtio_driver_interrupts(driver, 0), ==, 2);
        return;
    }
    for (unsigned round = 0; round < 3 * QUEUE_SIZE; round++) { /* at every place of the ring, and across its end */
        before = virtio_driver_interrupts(driver, 0);
        virtio_driver_set_used_event(driver, 0, 4);
        echo_n(driver, 1);
        echo_n(driver, 2);
        g_assert_cmpuint(virtio_driver_interrupts(driver, 0), ==, before);
        echo_n(driver, 1);
        g_assert_cmpuint(virtio_driver_interrupts(driver, 0), ==, before + 1);
        echo_n(driver, 1);
        g_assert_cmpuint(virtio_driver_interrupts(driver, 0), ==, before + 1); /* once */
    }
    before = virtio_driver_interrupts(driver, 0);
    virtio_driver_set_used_event(driver, 0, 1);
    echo_n(driver, QUEUE_SIZE); /* a whole ring at once */
    g_assert_cmpuint(virtio_driver_interrupts(driver, 0), ==, before + 1);
}

/* The chain's cursor gives any split of the bytes, and stops at the end. */
static void
test_cursor(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = start(flags, &manual_class);
    VirtQueue *queue = driver->device->queues[0];
    uint64_t out = virtio_driver_alloc(driver, 64), in = virtio_driver_alloc(driver, 64);
    char bytes[16] = "";

    for (size_t step = 1; step <= 11; step++) {
        g_auto(VirtChain) chain = VIRT_CHAIN_INIT;
        VirtioUsed used;
        char expected[] = "0123456789";

        memcpy(virtio_driver_at(driver, out, 10), expected, 10);
        memset(virtio_driver_at(driver, in, 64), 0, 64);
        virtio_driver_add(
            driver, 0,
            (VirtioBuffer[]){{out, 3, false}, {out + 3, 7, false}, {in, 1, true}, {in + 1, 4, true}, {in + 8, 5, true}},
            5);
        g_assert_true(virtqueue_pop(queue, &chain));
        for (size_t done = 0; done < 10; done += step) {
            size_t len = MIN(step, 10 - done);
            g_assert_cmpuint(virt_chain_readable(&chain), ==, 10 - done);
            g_assert_cmpuint(virt_chain_read(&chain, bytes, step), ==, len);
            g_assert_cmpmem(bytes, len, expected + done, len);
            g_assert_cmpuint(virt_chain_writable(&chain), ==, 10 - done);
            g_assert_cmpuint(virt_chain_write(&chain, expected + done, step > 10 ? 10 : step), ==, len);
        }
        g_assert_cmpuint(virt_chain_read(&chain, bytes, 1), ==, 0);
        g_assert_cmpuint(virt_chain_write(&chain, bytes, 1), ==, 0);
        g_assert_cmpmem(virtio_driver_at(driver, in, 13), 13,
                        "01234\0\0\0"
                        "56789",
                        13);
        virtqueue_push(queue, &chain, 10);
        g_assert_true(virtio_driver_used(driver, 0, &used));
    }
}

/* Several requests given back as one, across the ring's end too; and several taken that are put back. */
static void
test_together(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = start(flags, &manual_class);
    VirtQueue *queue = driver->device->queues[0];
    uint64_t kept = driver->next;

    for (unsigned round = 0; round < 40; round++) {
        VirtChain chains[3] = {0};
        uint16_t ids[3];
        const uint32_t written[3] = {16, round % 2, 5};
        VirtioUsed used;

        for (unsigned i = 0; i < 3; i++) /* two slots each unless indirect */
            ids[i] = virtio_driver_add(driver, 0,
                                       (VirtioBuffer[]){{virtio_driver_alloc(driver, 8), 8, false},
                                                        {virtio_driver_alloc(driver, 16), 16, true}},
                                       2);
        for (unsigned i = 0; i < 3; i++)
            g_assert_true(virtqueue_pop(queue, &chains[i]));
        for (unsigned i = 3; i-- > 0;)
            virtqueue_unpop(queue, &chains[i]);
        for (unsigned i = 0; i < 3; i++)
            g_assert_true(virtqueue_pop(queue, &chains[i]));
        g_assert_false(virtio_driver_used(driver, 0, &used));
        virtqueue_push_many(queue, chains, written, 3);
        for (unsigned i = 0; i < 3; i++) {
            g_assert_true(virtio_driver_used(driver, 0, &used));
            g_assert_cmpuint(used.id, ==, ids[i]);
            g_assert_cmpuint(used.len, ==, written[i]);
            virt_chain_clear(&chains[i]);
        }
        g_assert_false(virtio_driver_used(driver, 0, &used));
        driver->next = kept;
    }
    g_assert_false(virtio_driver_needs_reset(driver));
}

/* What a vhost back end is told, and tells when it is done. */
static void
test_rings_and_indices(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = start(flags, &manual_class);
    VirtQueue *queue = driver->device->queues[0];
    VirtQueueRings rings;

    echo_n(driver, QUEUE_SIZE - 1);
    virtqueue_get_rings(queue, &rings);
    g_assert_cmpuint(rings.descriptors, ==, driver->queues[0].setup.descriptors);
    g_assert_cmpuint(rings.driver, ==, driver->queues[0].setup.driver);
    g_assert_cmpuint(rings.device, ==, driver->queues[0].setup.device);
    g_assert_cmpuint(rings.size, ==, QUEUE_SIZE);
    g_assert_cmpint(rings.packed, ==, !!(driver->flags & VIRTIO_DRIVER_PACKED));
    uint16_t first_wrap = rings.packed ? 0x8000 : 0;
    g_assert_cmphex(rings.avail_index, ==, (QUEUE_SIZE - 1) | first_wrap);
    g_assert_cmphex(rings.used_index, ==, (QUEUE_SIZE - 1) | first_wrap);

    echo_n(driver, 2); /* around the end */
    virtqueue_get_rings(queue, &rings);
    g_assert_cmphex(rings.avail_index, ==, rings.packed ? 1 : QUEUE_SIZE + 1);
    virtqueue_set_indices(queue, rings.avail_index, rings.used_index);
    echo_n(driver, 2 * QUEUE_SIZE > 8 ? 8 : 1);
    g_assert_false(virtio_driver_needs_reset(driver));
}

/* A ring smaller than the device's largest; packed, also one that is no power of two (virtio 1.2, 2.8.10.1). */
static void
test_smaller_ring(gconstpointer flags)
{
    static const uint16_t sizes[] = {1, 2, 4, 3, 5, 7};

    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autoptr(VirtioDriver) driver = virtio_driver_new(GPOINTER_TO_UINT(flags));
        if (sizes[i] & (sizes[i] - 1) && !(driver->flags & VIRTIO_DRIVER_PACKED))
            continue;
        VirtioDevice *device = g_new0(VirtioDevice, 1);
        virtio_device_init(device, &manual_class, "device0", driver->memory, 0, 0, NULL);
        virtio_driver_attach(driver, device);
        virtio_driver_negotiate(driver, 0);
        virtio_driver_setup_queue(driver, 0, sizes[i]);
        virtio_driver_set_status(driver, VIRTIO_CONFIG_S_DRIVER_OK);
        for (unsigned round = 0; round < 20; round++)
            echo_n(driver, 1 + round % sizes[i]);
        g_assert_false(virtio_driver_needs_reset(driver));
    }
}

/* The indices are free-running 16-bit numbers: past 65535 all goes on. */
static void
test_index_wrap(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = start(flags, &manual_class);
    uint64_t kept = driver->next;

    for (unsigned i = 0; i < 66000; i += QUEUE_SIZE - 1) {
        echo_n(driver, QUEUE_SIZE - 1);
        driver->next = kept;
    }
    g_assert_false(virtio_driver_needs_reset(driver));
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        GTestDataFunc test;
    } tests[] = {
        {"echo", test_echo},
        {"no-buffers", test_no_buffers_out_or_in},
        {"scattered", test_scattered},
        {"out-of-order", test_out_of_order},
        {"full-ring", test_full_ring},
        {"kicks", test_kicks},
        {"interrupts", test_interrupts},
        {"cursor", test_cursor},
        {"together", test_together},
        {"rings", test_rings_and_indices},
        {"smaller-ring", test_smaller_ring},
        {"index-wrap", test_index_wrap},
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned flags = 0; flags <= VIRTIO_DRIVER_ALL; flags++)
        for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
            g_autofree char *path = g_strdup_printf(
                "/virtio/queue/%s/%s%s%s", tests[i].name, flags & VIRTIO_DRIVER_PACKED ? "packed" : "split",
                flags & VIRTIO_DRIVER_INDIRECT ? "-indirect" : "", flags & VIRTIO_DRIVER_EVENT_INDEX ? "-event" : "");
            g_test_add_data_func(path, GUINT_TO_POINTER(flags), tests[i].test);
        }
    return g_test_run();
}
