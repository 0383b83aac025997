/* SPDX-License-Identifier: Apache-2.0 */
/* Resources: ids, sizes, formats, backings, and the caps that keep one guest's memory bounded. */
#include "guest.h"

#define INVALID_ID VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID
#define INVALID_PARAMETER VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER
#define NO_MEMORY VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY

static void
test_ids(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);

    g_assert_cmphex(gpu_guest_create_2d(guest, 0, 8, 8), ==, INVALID_ID);
    g_assert_cmphex(gpu_guest_create_2d(guest, UINT32_MAX, 8, 8), ==, OK);
    g_assert_cmphex(gpu_guest_create_2d(guest, UINT32_MAX, 8, 8), ==, INVALID_ID);
    g_assert_cmphex(gpu_guest_unref(guest, 1), ==, INVALID_ID);
    g_assert_cmphex(gpu_guest_unref(guest, UINT32_MAX), ==, OK);
    g_assert_cmphex(gpu_guest_unref(guest, UINT32_MAX), ==, INVALID_ID);
    g_assert_cmphex(gpu_guest_create_2d(guest, UINT32_MAX, 8, 8), ==, OK);
}

static void
test_sizes_and_formats(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    static const uint32_t absurd[][2] = {
        {0, 8}, {8, 0}, {16385, 1}, {1, 16385}, {UINT32_MAX, UINT32_MAX}, {0x40000001, 4}, {0x10000, 0x10000},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(absurd); i++)
        g_assert_cmphex(gpu_guest_create_2d(guest, 1, absurd[i][0], absurd[i][1]), ==, INVALID_PARAMETER);
    g_assert_cmphex(gpu_guest_create_2d_of(guest, 1, 8, 8, 0), ==, INVALID_PARAMETER);
    g_assert_cmphex(gpu_guest_create_2d_of(guest, 1, 8, 8, 9999), ==, INVALID_PARAMETER);
    g_assert_cmphex(gpu_guest_create_2d(guest, 1, 16384, 1), ==, OK);
    g_assert_cmphex(gpu_guest_create_2d(guest, 2, 1, 16384), ==, OK);
    g_assert_cmphex(gpu_guest_create_2d(guest, 3, 16384, 16384), ==, NO_MEMORY); /* 1 GiB */
    g_assert_cmpuint(virtio_gpu_stats(&guest->gpu->device).host_bytes, ==, 2 * 16384 * 4);
}

static void
test_host_memory_is_capped(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 1 << 20);

    g_assert_cmphex(gpu_guest_create_2d(guest, 1, 512, 512), ==, OK); /* all of it */
    g_assert_cmphex(gpu_guest_create_2d(guest, 2, 1, 1), ==, NO_MEMORY);
    g_assert_cmphex(gpu_guest_unref(guest, 1), ==, OK);
    g_assert_cmphex(gpu_guest_create_2d(guest, 2, 512, 512), ==, OK);
    g_assert_cmphex(gpu_guest_unref(guest, 2), ==, OK);
    g_assert_cmpuint(virtio_gpu_stats(&guest->gpu->device).host_bytes, ==, 0);
}

static void
test_a_hundred_thousand_resources(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    unsigned made = 0;

    for (uint32_t id = 1; id <= 100000; id++) {
        uint32_t type = gpu_guest_create_2d(guest, id, 1, 1);
        g_assert_true(type == OK || type == NO_MEMORY);
        made += type == OK;
    }
    g_assert_cmpuint(made, ==, GPU_RESOURCES_MAX);
    g_assert_cmpuint(virtio_gpu_stats(&guest->gpu->device).resources, ==, GPU_RESOURCES_MAX);

    g_assert_cmphex(gpu_guest_unref(guest, 17), ==, OK);
    g_assert_cmphex(gpu_guest_create_2d(guest, 100001, 1, 1), ==, OK);
    for (uint32_t id = 2; id <= GPU_RESOURCES_MAX; id += 3) /* in the middle of the table */
        if (id != 17)
            g_assert_cmphex(gpu_guest_unref(guest, id), ==, OK);
    for (uint32_t id = 3; id <= GPU_RESOURCES_MAX; id += 3)
        g_assert_cmphex(gpu_guest_unref(guest, id), ==, OK);
    for (uint32_t id = 1; id <= GPU_RESOURCES_MAX; id += 3)
        g_assert_cmphex(gpu_guest_unref(guest, id), ==, OK);
    g_assert_cmphex(gpu_guest_unref(guest, 100001), ==, OK);
    g_assert_cmpuint(virtio_gpu_stats(&guest->gpu->device).resources, ==, 0);
}

static void
test_attach_and_detach(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    uint64_t pixels = gpu_guest_pixels(guest, 64, 0);

    g_assert_cmphex(gpu_guest_attach_one(guest, 1, pixels, 256), ==, INVALID_ID);
    g_assert_cmphex(gpu_guest_create_2d(guest, 1, 8, 8), ==, OK);
    g_assert_cmphex(gpu_guest_detach(guest, 1), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
    g_assert_cmphex(gpu_guest_attach_one(guest, 1, UINT64_MAX, 256), ==, INVALID_PARAMETER);
    g_assert_cmphex(gpu_guest_attach_one(guest, 1, pixels, 256), ==, OK);
    g_assert_cmphex(gpu_guest_attach_one(guest, 1, pixels, 256), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
    g_assert_cmphex(gpu_guest_detach(guest, 1), ==, OK);
    g_assert_cmphex(gpu_guest_attach(guest, 1, NULL, 0), ==, OK);
    g_assert_cmphex(gpu_guest_detach(guest, 1), ==, OK);
    g_assert_cmphex(gpu_guest_detach(guest, 2), ==, INVALID_ID);
}

/* Single bytes, no two of them neighbours: the worst a list can be. */
static void
test_runs_are_capped(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    g_autofree struct virtio_gpu_mem_entry *entries = g_new(struct virtio_gpu_mem_entry, BACKING_ENTRIES_MAX);
    const unsigned full = GPU_RUNS_MAX / BACKING_ENTRIES_MAX;

    for (uint32_t i = 0; i < BACKING_ENTRIES_MAX; i++)
        entries[i] = (struct virtio_gpu_mem_entry){.addr = 2 * i, .length = 1};
    for (uint32_t id = 1; id <= full + 1; id++)
        g_assert_cmphex(gpu_guest_create_2d(guest, id, 1, 1), ==, OK);
    for (uint32_t id = 1; id <= full; id++)
        g_assert_cmphex(gpu_guest_attach(guest, id, entries, BACKING_ENTRIES_MAX), ==, OK);
    g_assert_cmphex(gpu_guest_attach(guest, full + 1, entries, 1), ==, NO_MEMORY);
    g_assert_cmphex(gpu_guest_detach(guest, 1), ==, OK);
    g_assert_cmphex(gpu_guest_attach(guest, full + 1, entries, 1), ==, OK);
    g_assert_cmphex(gpu_guest_unref(guest, 2), ==, OK); /* counts as a detach */
    g_assert_cmphex(gpu_guest_attach(guest, 1, entries, BACKING_ENTRIES_MAX), ==, OK);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/resource/ids", test_ids);
    g_test_add_func("/resource/sizes", test_sizes_and_formats);
    g_test_add_func("/resource/host-memory", test_host_memory_is_capped);
    g_test_add_func("/resource/many", test_a_hundred_thousand_resources);
    g_test_add_func("/resource/attach", test_attach_and_detach);
    g_test_add_func("/resource/runs", test_runs_are_capped);
    return g_test_run();
}
