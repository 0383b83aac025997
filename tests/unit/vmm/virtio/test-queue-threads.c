/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Driver and device on two threads, each asleep whenever the other need not wake it: a kick or an interrupt lost by a missing
 * barrier, or suppressed once too often, leaves both asleep for ever, and the test fails.
 */
#include "driver.h"

#include <linux/virtio_ring.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define QUEUE_SIZE 16
#define REQUESTS 60000
#define ASLEEP_MS 20000 /* nobody sleeps so long while there is work: a wake-up was lost */

static const VirtioClass class = {.name = "virtio-pair", .id = 63, .n_queues = 1, .queue_size = QUEUE_SIZE};

typedef struct {
    VirtioDriver *driver;
    VirtQueue *queue;
    int interrupt;   /* eventfd */
    uint64_t buffer; /* 16 bytes */
    bool close;      /* each looks again just when the other may act */
    unsigned kicks, interrupts;
} Pair;

static void
notify_queue(void *transport, VirtQueue *queue)
{
    Pair *pair = transport;
    pair->interrupts++;
    g_assert_cmpint(eventfd_write(pair->interrupt, 1), ==, 0);
}

static void
notify_config(void *transport)
{
    g_assert_not_reached();
}

static void
sleep_on(int fd, const char *who)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    eventfd_t count;

    if (poll(&poll_fd, 1, ASLEEP_MS) != 1)
        g_error("the %s sleeps with work to do", who);
    g_assert_cmpint(eventfd_read(fd, &count), ==, 0);
}

/* Passes a moment of up to a microsecond or two, another one each time. */
static void
dither(unsigned round)
{
    for (volatile unsigned turns = round * 2654435761u >> 22; turns; turns--) {
    }
}

static void *
device_thread(void *user)
{
    Pair *pair = user;
    VirtChain chains[3] = {0};

    for (unsigned done = 0; done < REQUESTS;) {
        unsigned n = 0;
        while (n < 1 + done % 3 && virtqueue_pop(pair->queue, &chains[n])) /* several at once, every now and then */
            n++;
        for (unsigned i = 0; i < n; i++)
            virtqueue_push(pair->queue, &chains[i], 0);
        virtqueue_notify(pair->queue);
        done += n;
        if (pair->close)
            dither(done);
        if (!n)
            sleep_on(virtqueue_kick_fd(pair->queue), "device");
    }
    for (unsigned i = 0; i < 3; i++)
        virt_chain_clear(&chains[i]);
    return NULL;
}

/* Adds up to @n requests, as far as there is room, and kicks if the device wants it. How many were added. */
static unsigned
add_some(Pair *pair, uint64_t buffer, unsigned n)
{
    VirtioDriverQueue *queue = &pair->driver->queues[0];
    unsigned added = 0;
    uint16_t slots = 0;

    for (; added < n && queue->n_free >= 2; added++) {
        unsigned parts = 1 + added % 2;
        virtio_driver_add(pair->driver, 0, (VirtioBuffer[]){{buffer, 8, false}, {buffer + 8, 8, true}}, parts);
        slots += pair->driver->flags & VIRTIO_DRIVER_PACKED ? parts : 1;
    }
    if (added && virtio_driver_wants_kick(pair->driver, 0, slots)) {
        pair->kicks++;
        g_assert_cmpint(eventfd_write(virtqueue_kick_fd(pair->queue), 1), ==, 0);
    }
    return added;
}

static unsigned
collect(Pair *pair)
{
    VirtioUsed used;
    unsigned n = 0;

    while (virtio_driver_used(pair->driver, 0, &used))
        n++;
    return n;
}

/* Asks for an interrupt at the next request given back, and sleeps unless one came meanwhile. */
static unsigned
wait_used(Pair *pair)
{
    if (pair->driver->flags & VIRTIO_DRIVER_EVENT_INDEX)
        virtio_driver_set_used_event(pair->driver, 0, 1);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    unsigned n = collect(pair);
    if (!n)
        sleep_on(pair->interrupt, "driver");
    return n;
}

static void
pair_init(Pair *pair, VirtioDriverFlags flags, bool closely)
{
    static const VirtioTransportOps ops = {.notify_queue = notify_queue, .notify_config = notify_config};
    VirtioDevice *device = g_new0(VirtioDevice, 1);

    *pair = (Pair){.driver = virtio_driver_new(flags), .interrupt = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    virtio_device_init(device, &class, "pair0", pair->driver->memory, 0, 0, NULL);
    virtio_driver_start(pair->driver, device, 0);
    virtio_device_attach(device, &ops, pair);
    pair->close = closely;
    pair->queue = device->queues[0];
    pair->buffer = virtio_driver_alloc(pair->driver, 16);
}

static void
pair_finish(Pair *pair, GThread *thread)
{
    g_thread_join(thread);
    g_assert_false(virtio_driver_needs_reset(pair->driver));
    g_assert_cmpuint(pair->driver->queues[0].n_free, ==, QUEUE_SIZE);
    g_test_message("%u requests, %u kicks, %u interrupts", REQUESTS, pair->kicks, pair->interrupts);
    virtio_driver_free(pair->driver);
    close(pair->interrupt);
}

/* As many at once as there is room for; both sleep when there is nothing to do. */
static void
test_busy(gconstpointer flags)
{
    Pair pair;
    pair_init(&pair, GPOINTER_TO_UINT(flags), false);
    GThread *thread = g_thread_new("device", device_thread, &pair);

    for (unsigned added = 0, back = 0; back < REQUESTS;) {
        added += add_some(&pair, pair.buffer, MIN(1 + added % 7, REQUESTS - added));
        unsigned n = collect(&pair);
        back += n ? n : wait_used(&pair);
    }
    pair_finish(&pair, thread);
}

/* Spins until a request is back. The clock is asked seldom, since that takes longer than what is to be met. */
static void
spin_for_used(Pair *pair)
{
    int64_t end = g_get_monotonic_time() + ASLEEP_MS * 1000;

    for (unsigned turns = 1; !collect(pair); turns++)
        if (turns % 100000 == 0 && g_get_monotonic_time() > end)
            g_error("the device sleeps with work to do");
}

/*
 * A request at a time, each added just when the device finds the ring empty and is about to sleep. The driver spins, so every
 * kick that is missing shows.
 */
static void
test_close(gconstpointer flags)
{
    Pair pair;
    pair_init(&pair, GPOINTER_TO_UINT(flags), true);
    GThread *thread = g_thread_new("device", device_thread, &pair);

    for (unsigned back = 0; back < REQUESTS;) {
        add_some(&pair, pair.buffer, 1);
        spin_for_used(&pair);
        back++;
    }
    pair_finish(&pair, thread);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        VirtioDriverFlags flags;
    } ways[] = {
        {"split", 0},
        {"split-event", VIRTIO_DRIVER_EVENT_INDEX},
        {"packed", VIRTIO_DRIVER_PACKED},
        {"packed-event", VIRTIO_DRIVER_PACKED | VIRTIO_DRIVER_EVENT_INDEX},
    };

    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
        g_autofree char *busy = g_strdup_printf("/virtio/queue-threads/busy/%s", ways[i].name);
        g_test_add_data_func(busy, GUINT_TO_POINTER(ways[i].flags), test_busy);
        if (!(ways[i].flags & VIRTIO_DRIVER_EVENT_INDEX))
            continue; /* kicks always: nothing is close */
        g_autofree char *by_one = g_strdup_printf("/virtio/queue-threads/close/%s", ways[i].name);
        g_test_add_data_func(by_one, GUINT_TO_POINTER(ways[i].flags), test_close);
    }
    return g_test_run();
}
