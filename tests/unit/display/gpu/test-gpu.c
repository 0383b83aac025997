/* SPDX-License-Identifier: Apache-2.0 */
/* The device as a whole: passes over a full queue, interrupts, statistics, reset, life and death beside a viewer. */
#include "guest.h"

typedef struct virtio_gpu_rect Rect;

/* A frame as Linux sends it: transfer and flush in one kick, one interrupt for both. */
static void
test_one_interrupt_a_pass(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    VirtioDriver *driver = guest->driver;
    uint64_t pixels = gpu_guest_pixels(guest, 64, 0);
    g_assert_cmphex(gpu_guest_create_2d(guest, 1, 8, 8), ==, OK);
    g_assert_cmphex(gpu_guest_attach_one(guest, 1, pixels, 256), ==, OK);
    g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 1, (Rect){0, 0, 8, 8}), ==, OK);

    uint64_t page = virtio_driver_alloc(driver, 4096), answers = page + 2048;
    const struct virtio_gpu_transfer_to_host_2d transfer = {
        .hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, .r = {0, 0, 8, 8}, .resource_id = 1};
    const struct virtio_gpu_resource_flush flush = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH, .r = {0, 0, 8, 8}, .resource_id = 1};
    memcpy(virtio_driver_at(driver, page, sizeof transfer), &transfer, sizeof transfer);
    memcpy(virtio_driver_at(driver, page + 1024, sizeof flush), &flush, sizeof flush);
    unsigned interrupts = virtio_driver_interrupts(driver, 0);
    virtio_driver_add(driver, 0, (VirtioBuffer[]){{page, sizeof transfer, false}, {answers, 24, true}}, 2);
    virtio_driver_add(driver, 0, (VirtioBuffer[]){{page + 1024, sizeof flush, false}, {answers + 64, 24, true}}, 2);
    virtio_driver_kick(driver, 0);

    VirtioUsed used;
    g_assert_true(virtio_driver_used(driver, 0, &used));
    g_assert_true(virtio_driver_used(driver, 0, &used));
    g_assert_cmpuint(virtio_driver_interrupts(driver, 0), ==, interrupts + 1);
    g_assert_cmpuint(guest->notes.of[0].n_damage, ==, 1);
    g_assert_cmpuint(gpu_guest_shown(guest, 0, 7, 7), ==, 63);
}

static void
test_a_full_queue_is_emptied(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    VirtioDriver *driver = guest->driver;
    uint64_t page = virtio_driver_alloc(driver, 4096);
    unsigned n = 0;

    ((struct virtio_gpu_ctrl_hdr *)virtio_driver_at(driver, page, 24))->type = 1;
    while (driver->queues[0].n_free >= 2) {
        virtio_driver_add(driver, 0, (VirtioBuffer[]){{page, 24, false}, {page + 64, 24, true}}, 2);
        n++;
    }
    g_assert_cmpuint(n, ==, 128);
    virtio_driver_kick(driver, 0); /* once, for more than one pass can do */
    VirtioUsed used;
    while (virtio_driver_used(driver, 0, &used))
        n--;
    g_assert_cmpuint(n, ==, 0);
}

static void
test_statistics(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    const struct virtio_gpu_update_cursor move = {.hdr.type = VIRTIO_GPU_CMD_MOVE_CURSOR};

    g_assert_cmphex(gpu_guest_create_2d(guest, 1, 16, 16), ==, OK);
    g_assert_cmphex(gpu_guest_create_2d(guest, 1, 16, 16), !=, OK);
    gpu_guest_call(guest, 1, &move, sizeof move, NULL, 0);
    VirtioGpuStats stats = virtio_gpu_stats(&guest->gpu->device);
    g_assert_cmpuint(stats.control_commands, ==, 2);
    g_assert_cmpuint(stats.cursor_commands, ==, 1);
    g_assert_cmpuint(stats.failed_commands, ==, 1);
    g_assert_cmpuint(stats.resources, ==, 1);
    g_assert_cmpuint(stats.host_bytes, ==, 1024);
}

static void
test_reset_forgets(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    uint64_t pixels = gpu_guest_pixels(guest, 64 * 64, 0);
    const struct virtio_gpu_update_cursor update = {.hdr.type = VIRTIO_GPU_CMD_UPDATE_CURSOR, .resource_id = 2};

    g_assert_cmphex(gpu_guest_create_2d(guest, 1, 8, 8), ==, OK);
    g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 1, (Rect){0, 0, 8, 8}), ==, OK);
    g_assert_cmphex(gpu_guest_create_blob_one(guest, 2, pixels, 64 * 64 * 4), ==, OK);
    gpu_guest_call(guest, 1, &update, sizeof update, NULL, 0);
    g_assert_true(guest->notes.of[0].cursor_shown);

    virtio_driver_reset(guest->driver);
    g_assert_null(guest->notes.of[0].surface);
    g_assert_false(guest->notes.of[0].cursor_shown);
    VirtioGpuStats stats = virtio_gpu_stats(&guest->gpu->device);
    g_assert_cmpuint(stats.resources, ==, 0);
    g_assert_cmpuint(stats.host_bytes, ==, 0);
    g_assert_cmpuint(guest->gpu->n_runs, ==, 0);

    virtio_driver_start(guest->driver, &guest->gpu->device, GPU_FEATURES);
    g_assert_cmphex(gpu_guest_create_2d(guest, 1, 8, 8), ==, OK);
}

/* The device goes while a viewer holds its pixels and may still ask for monitors. */
static void
test_death_beside_a_viewer(void)
{
    const MonitorRequest wanted = {.enabled = true, .width = 800, .height = 600};
    uint32_t scratch;
    GpuGuest *guest = gpu_guest_new(1, 0);
    g_assert_cmphex(gpu_guest_create_2d(guest, 1, 8, 8), ==, OK);
    g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 1, (Rect){0, 0, 8, 8}), ==, OK);
    g_autoptr(Surface) viewed = screen_get_surface(guest->screen, 0);

    g_clear_pointer(&guest->driver, virtio_driver_free);
    g_assert_null(guest->notes.of[0].surface);
    screen_request_monitors(guest->screen, &wanted, 1);
    g_assert_cmphex(*surface_row(viewed, 7, 7, 1, &scratch), ==, 0);
    gpu_guest_free(guest);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/gpu/one-interrupt", test_one_interrupt_a_pass);
    g_test_add_func("/gpu/full-queue", test_a_full_queue_is_emptied);
    g_test_add_func("/gpu/statistics", test_statistics);
    g_test_add_func("/gpu/reset", test_reset_forgets);
    g_test_add_func("/gpu/death", test_death_beside_a_viewer);
    return g_test_run();
}
