/* SPDX-License-Identifier: Apache-2.0 */
/* Entropy: it comes, as much as fits, and never outside the buffer. */
#include "driver.h"
#include "vmm/virtio/rng.h"

#include <string.h>

#define FLOOD 60000

static bool
is_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i])
            return false;
    return true;
}

static VirtioDriver *
start(gconstpointer flags)
{
    VirtioDriver *driver = virtio_driver_new(GPOINTER_TO_UINT(flags));
    virtio_driver_start(driver, virtio_rng_new("rng0", driver->memory), 0);
    return driver;
}

static void
test_fill(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = start(flags);
    uint8_t first[64], second[64];

    g_assert_cmpuint(virtio_driver_call(driver, 0, NULL, 0, first, 64), ==, 64);
    g_assert_cmpuint(virtio_driver_call(driver, 0, NULL, 0, second, 64), ==, 64);
    g_assert_cmpint(memcmp(first, second, 64), !=, 0); /* 2^-512 */
    g_assert_cmpuint(virtio_driver_call(driver, 0, "x", 1, NULL, 0), ==, 0);
}

static void
test_scattered(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = start(flags);
    uint64_t address = virtio_driver_alloc(driver, 4096);
    uint8_t *bytes = virtio_driver_at(driver, address, 4096);
    VirtioUsed used;

    virtio_driver_add(driver, 0, (VirtioBuffer[]){{address + 100, 100, true}, {address + 300, 100, true}}, 2);
    virtio_driver_kick(driver, 0);
    g_assert_true(virtio_driver_used(driver, 0, &used));
    g_assert_cmpuint(used.len, ==, 200);
    g_assert_true(is_zero(bytes, 100) && is_zero(bytes + 200, 100) && is_zero(bytes + 400, 4096 - 400));
    g_assert_false(is_zero(bytes + 100, 100) || is_zero(bytes + 300, 100));
}

/* Megabytes at once are served in several turns of the loop, each request to some part of what it asks. */
static void
test_greedy(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = start(flags);
    uint64_t address = virtio_driver_alloc(driver, 1 << 20);
    VirtioUsed used;

    for (unsigned i = 0; i < 8; i++)
        virtio_driver_add(driver, 0, (VirtioBuffer[]){{address, 1 << 20, true}}, 1);
    virtio_driver_kick(driver, 0);
    for (unsigned i = 0; i < 8; i++) {
        g_assert_true(virtio_driver_used(driver, 0, &used));
        g_assert_cmpuint(used.len, >, 0);
        g_assert_cmpuint(used.len, <, 1 << 20);
    }
}

/* Requests without room cost a turn too, however fast they come back. */
static void
test_no_room(void)
{
    g_autoptr(VirtioDriver) driver = start(0);
    uint64_t address = virtio_driver_alloc(driver, 4096);
    g_autoptr(VirtioFlood) flood = virtio_driver_flood(driver, 0, (VirtioBuffer){address, 1, false}, FLOOD);
    unsigned served;

    do { /* until the driver was fast enough to fill a turn */
        uint16_t before = virtio_driver_flooded(flood);
        virtio_device_schedule(driver->device, driver->device->queues[0]);
        g_main_context_iteration(NULL, FALSE);
        served = virtio_driver_flooded(flood) - before;
        g_assert_cmpuint(served, <=, 64);
    } while (served < 64 && virtio_driver_flooded(flood) < FLOOD);
    g_assert_true(served < 64 || g_main_context_pending(NULL)); /* it goes on without another kick */
    g_assert_false(virtio_driver_needs_reset(driver));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/virtio/rng/fill/split", GUINT_TO_POINTER(0), test_fill);
    g_test_add_data_func("/virtio/rng/fill/packed", GUINT_TO_POINTER(VIRTIO_DRIVER_ALL), test_fill);
    g_test_add_data_func("/virtio/rng/scattered", GUINT_TO_POINTER(0), test_scattered);
    g_test_add_data_func("/virtio/rng/greedy", GUINT_TO_POINTER(VIRTIO_DRIVER_ALL), test_greedy);
    g_test_add_func("/virtio/rng/no-room", test_no_room);
    return g_test_run();
}
