/* SPDX-License-Identifier: Apache-2.0 */
/* The balloon: targets, pages that really go back to the host, reports of free ones, statistics, hostile lists. */
#include "driver.h"
#include "vmm/virtio/balloon.h"

#include <linux/virtio_balloon.h>
#include <string.h>

#define STATISTICS (1ull << VIRTIO_BALLOON_F_STATS_VQ)
#define REPORTING (1ull << VIRTIO_BALLOON_F_REPORTING)

static VirtioDriver *
start(uint64_t features, VirtioDriverFlags flags)
{
    VirtioDriver *driver = virtio_driver_new(flags);
    virtio_driver_start(driver, virtio_balloon_new("balloon0", driver->memory), features);
    return driver;
}

static uint32_t
config(VirtioDriver *driver, uint32_t offset)
{
    uint32_t value;
    virtio_device_config_read(driver->device, offset, &value, 4);
    return value;
}

static void
test_target(void)
{
    g_autoptr(VirtioDriver) driver = start(0, 0);
    uint64_t ram = guest_memory_size(driver->memory);
    uint32_t given = 1024;

    g_assert_cmpuint(virtio_balloon_target(driver->device), ==, ram);
    virtio_balloon_set_target(driver->device, ram - (4 << 20));
    g_assert_cmpuint(driver->config_interrupts, ==, 1);
    g_assert_cmpuint(config(driver, 0), ==, 1024);
    g_assert_cmpuint(virtio_balloon_actual(driver->device), ==, ram);
    virtio_device_config_write(driver->device, 4, &given, 4);
    g_assert_cmpuint(virtio_balloon_actual(driver->device), ==, ram - (4 << 20));
    virtio_device_config_write(driver->device, 0, &given, 4); /* the target is not the guest's to write */
    virtio_balloon_set_target(driver->device, UINT64_MAX);
    g_assert_cmpuint(config(driver, 0), ==, 0);
    virtio_device_config_write(driver->device, 0, &given, 4);
    g_assert_cmpuint(config(driver, 0), ==, 0);
    virtio_balloon_set_target(driver->device, 0);
    g_assert_cmpuint(config(driver, 0), ==, ram >> 12);

    given = UINT32_MAX;
    virtio_device_config_write(driver->device, 4, &given, 4);
    g_assert_cmpuint(virtio_balloon_actual(driver->device), ==, 0);
    virtio_driver_reset(driver);
    g_assert_cmpuint(virtio_balloon_actual(driver->device), ==, ram);
    g_assert_cmpuint(virtio_balloon_target(driver->device), ==, 0); /* the host's wish outlives the driver */
}

#define PAGES 8

/* Pages filled with 0xee; which of them read zero now, as a bit each. */
static uint64_t
fill_pages(VirtioDriver *driver)
{
    uint64_t address = virtio_driver_alloc(driver, PAGES << 12);
    memset(virtio_driver_at(driver, address, PAGES << 12), 0xee, PAGES << 12);
    return address;
}

static unsigned
zeroed(VirtioDriver *driver, uint64_t address)
{
    const uint8_t *bytes = virtio_driver_at(driver, address, PAGES << 12);
    unsigned bits = 0;
    for (unsigned i = 0; i < PAGES; i++)
        bits |= (bytes[i << 12] == 0 && bytes[(i << 12) + 4095] == 0) << i;
    return bits;
}

static void
give(VirtioDriver *driver, unsigned queue, const uint32_t *pages, size_t n)
{
    virtio_driver_call(driver, queue, pages, n * sizeof(*pages), NULL, 0);
}

static void
test_inflate(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = start(0, GPOINTER_TO_UINT(flags));
    uint64_t address = fill_pages(driver);
    uint32_t first = address >> 12;

    give(driver, 0, (uint32_t[]){first + 1, first + 2, first + 5}, 3);
    g_assert_cmphex(zeroed(driver, address), ==, 1 << 1 | 1 << 2 | 1 << 5);
    give(driver, 1, (uint32_t[]){first + 6}, 1); /* deflating takes nothing */
    g_assert_cmphex(zeroed(driver, address), ==, 1 << 1 | 1 << 2 | 1 << 5);
    memset(virtio_driver_at(driver, address, 4096), 0, 4096);
    give(driver, 0, (uint32_t[]){first + 7, first + 6, first + 3, first + 4}, 4); /* downwards, then upwards */
    g_assert_cmphex(zeroed(driver, address), ==, 0xff);
}

static void
test_long_list(void)
{
    g_autoptr(VirtioDriver) driver = start(0, 0);
    uint64_t address = fill_pages(driver);
    uint32_t pages[1000];

    for (size_t i = 0; i < G_N_ELEMENTS(pages); i++)
        pages[i] = (address >> 12) + (i < 995 ? 0 : i - 993); /* the same page often, then 2 to 6 */
    give(driver, 0, pages, G_N_ELEMENTS(pages));
    g_assert_cmphex(zeroed(driver, address), ==, 1 | 0x7c);
}

/* A list may be gigabytes, the same few pages over and over: the loop does not stay with it for minutes. */
static void
test_endless_list(void)
{
    g_autoptr(VirtioDriver) driver = start(0, 0);
    uint64_t address = fill_pages(driver);
    g_autofree uint32_t *pages = g_new(uint32_t, 8192);

    for (size_t i = 0; i < 8192; i++)
        pages[i] = (address >> 12) + (i < 4000 ? 0 : i < 8000 ? 2 : 4);
    give(driver, 0, pages, 8192);
    g_assert_cmphex(zeroed(driver, address), ==, 1 << 0 | 1 << 2);
    g_assert_cmphex(virtio_device_status(driver->device) & VIRTIO_CONFIG_S_NEEDS_RESET, ==, 0);
}

/* Pages that are no neighbours cost a call each: only so many in one turn, and the rest in others. */
static void
test_scattered_lists(void)
{
    g_autoptr(VirtioDriver) driver = start(0, 0);
    uint64_t pages = fill_pages(driver), list = virtio_driver_alloc(driver, 256 * 4);
    uint32_t *numbers = virtio_driver_at(driver, list, 256 * 4);
    VirtioUsed used;
    unsigned n = 0;

    for (unsigned i = 0; i < 256; i++)
        numbers[i] = (pages >> 12) + i % 4 * 2;
    virtio_driver_run(driver);
    for (unsigned i = 0; i < 16; i++)
        virtio_driver_add(driver, 0, (VirtioBuffer[]){{list, 256 * 4, false}}, 1);
    virtio_device_schedule(driver->device, driver->device->queues[0]);
    g_main_context_iteration(driver->device->context, FALSE);
    while (virtio_driver_used(driver, 0, &used))
        n++;
    g_assert_cmpuint(n, >=, 1);
    g_assert_cmpuint(n, <=, 4);
    virtio_driver_run(driver);
    while (virtio_driver_used(driver, 0, &used))
        n++;
    g_assert_cmpuint(n, ==, 16);
}

static void
test_hostile_lists(void)
{
    g_autoptr(VirtioDriver) driver = start(0, 0);
    uint64_t address = fill_pages(driver);
    uint32_t first = address >> 12;

    give(driver, 0, (uint32_t[]){UINT32_MAX, 0xfffffffe, 0, 0x80000000, 0xfee00, first + 1, UINT32_MAX}, 7);
    g_assert_cmphex(zeroed(driver, address), ==, 2);
    virtio_driver_call(driver, 0, &first, 3, NULL, 0); /* less than a number */
    g_assert_cmphex(zeroed(driver, address), ==, 2);
    uint8_t in[16];
    virtio_driver_call(driver, 0, NULL, 0, in, 16); /* the wrong way round */
    g_assert_false(virtio_driver_needs_reset(driver));
}

/* Reported buffers are discarded, at each of the numbers the queue may have. */
static void
check_reporting(uint64_t features, unsigned queue)
{
    g_autoptr(VirtioDriver) driver = start(features, VIRTIO_DRIVER_ALL);
    uint64_t address = fill_pages(driver);
    VirtioUsed used;

    virtio_driver_add(driver, queue,
                      (VirtioBuffer[]){{address, 2 << 12, true}, {address + (3 << 12) + 1, (2 << 12) - 2, true}}, 2);
    virtio_driver_kick(driver, queue);
    g_assert_true(virtio_driver_used(driver, queue, &used));
    g_assert_cmphex(zeroed(driver, address), ==, 3); /* no page lies wholly inside the second */
}

static void
test_reporting(void)
{
    check_reporting(REPORTING, 2);
    check_reporting(REPORTING, 4);
    check_reporting(REPORTING | STATISTICS, 3);
    check_reporting(REPORTING | STATISTICS, 4);
}

static void
test_no_reporting(void)
{
    g_autoptr(VirtioDriver) driver = start(0, 0);
    uint64_t address = fill_pages(driver);
    VirtioUsed used;

    virtio_driver_add(driver, 2, (VirtioBuffer[]){{address, 4096, true}}, 1);
    virtio_driver_kick(driver, 2);
    g_assert_false(virtio_driver_used(driver, 2, &used));
    g_assert_cmphex(zeroed(driver, address), ==, 0);
}

typedef struct {
    uint16_t tag;
    uint64_t value;
} __attribute__((packed)) Entry;

static uint64_t
post_statistics(VirtioDriver *driver, uint64_t free_bytes)
{
    uint64_t address = virtio_driver_alloc(driver, 4096);
    const Entry entries[] = {{VIRTIO_BALLOON_S_MEMFREE, free_bytes},
                             {VIRTIO_BALLOON_S_MEMTOT, 16 << 20},
                             {VIRTIO_BALLOON_S_AVAIL, 7},
                             {0x7777, 1}};
    memcpy(virtio_driver_at(driver, address, sizeof(entries)), entries, sizeof(entries));
    virtio_driver_add(driver, 2, (VirtioBuffer[]){{address, sizeof(entries) + 3, false}}, 1);
    if (virtio_driver_wants_kick(driver, 2, 1))
        virtio_driver_kick(driver, 2);
    return address;
}

static void
test_statistics(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = start(STATISTICS, GPOINTER_TO_UINT(flags));
    VirtioBalloonStatistics statistics;
    VirtioUsed used;

    g_assert_false(virtio_balloon_ask_statistics(driver->device)); /* the guest has posted nothing yet */
    for (unsigned round = 1; round < 5; round++) {
        post_statistics(driver, round << 20);
        g_assert_false(virtio_driver_used(driver, 2, &used)); /* kept */
        virtio_balloon_get_statistics(driver->device, &statistics);
        g_assert_cmpuint(statistics.free, ==, round << 20);
        g_assert_cmpuint(statistics.total, ==, 16 << 20);
        g_assert_cmpuint(statistics.available, ==, 7);
        g_assert_cmpuint(statistics.swapped_in, ==, 0);
        g_assert_true(virtio_balloon_ask_statistics(driver->device));
        g_assert_true(virtio_driver_used(driver, 2, &used));
        g_assert_false(virtio_balloon_ask_statistics(driver->device)); /* once is enough */
    }

    /* Two at once: the second waits, and is taken when the first is given back. */
    post_statistics(driver, 111);
    post_statistics(driver, 222);
    virtio_balloon_get_statistics(driver->device, &statistics);
    g_assert_cmpuint(statistics.free, ==, 111);
    g_assert_true(virtio_balloon_ask_statistics(driver->device));
    virtio_driver_run(driver);
    virtio_balloon_get_statistics(driver->device, &statistics);
    g_assert_cmpuint(statistics.free, ==, 222);

    /* A pause in between loses nothing. */
    virtio_device_quiesce(driver->device);
    g_assert_false(virtio_balloon_ask_statistics(driver->device));
    virtio_device_resume(driver->device);
    virtio_driver_run(driver);
    g_assert_true(virtio_balloon_ask_statistics(driver->device));
    virtio_driver_reset(driver);
    virtio_balloon_get_statistics(driver->device, &statistics);
    g_assert_cmpuint(statistics.free, ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio/balloon/target", test_target);
    g_test_add_data_func("/virtio/balloon/inflate/split", GUINT_TO_POINTER(0), test_inflate);
    g_test_add_data_func("/virtio/balloon/inflate/packed", GUINT_TO_POINTER(VIRTIO_DRIVER_ALL), test_inflate);
    g_test_add_func("/virtio/balloon/long-list", test_long_list);
    g_test_add_func("/virtio/balloon/endless-list", test_endless_list);
    g_test_add_func("/virtio/balloon/scattered-lists", test_scattered_lists);
    g_test_add_func("/virtio/balloon/hostile-lists", test_hostile_lists);
    g_test_add_func("/virtio/balloon/reporting", test_reporting);
    g_test_add_func("/virtio/balloon/no-reporting", test_no_reporting);
    g_test_add_data_func("/virtio/balloon/statistics/split", GUINT_TO_POINTER(VIRTIO_DRIVER_EVENT_INDEX),
                         test_statistics);
    g_test_add_data_func("/virtio/balloon/statistics/packed", GUINT_TO_POINTER(VIRTIO_DRIVER_ALL), test_statistics);
    return g_test_run();
}
