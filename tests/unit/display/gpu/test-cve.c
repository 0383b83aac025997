/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What guests have done to other virtio-gpu devices: one test for each class of published vulnerability. Leaks show in
 * the device's own counts here, and to LeakSanitizer in the sanitized build.
 */
#include "guest.h"

typedef struct virtio_gpu_rect Rect;

#define N 1000 /* often enough for a leak to be seen */

static VirtioGpuStats
stats(GpuGuest *guest)
{
    return virtio_gpu_stats(&guest->gpu->device);
}

/* CVE-2016-7994, CVE-2021-3544: a CREATE_2D that fails forgets what it had made. */
static void
test_leak_in_failed_create(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 4096);

    for (unsigned i = 0; i < N; i++) {
        g_assert_cmphex(gpu_guest_create_2d_of(guest, 1, 8, 8, 77), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
        g_assert_cmphex(gpu_guest_create_2d(guest, 1, 64, 64), ==, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
    }
    g_assert_cmpuint(stats(guest).resources, ==, 0);
    g_assert_cmpuint(stats(guest).host_bytes, ==, 0);
    g_assert_cmphex(gpu_guest_create_2d(guest, 1, 32, 32), ==, OK); /* the whole budget is still there */
}

/* CVE-2016-9912, CVE-2017-5857, CVE-2021-3544: a resource destroyed with its backing attached leaves the backing. */
static void
test_leak_in_unref_with_backing(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    uint64_t pixels = gpu_guest_pixels(guest, 64, 0);

    for (unsigned i = 0; i < N; i++) {
        g_assert_cmphex(gpu_guest_create_2d(guest, 1, 8, 8), ==, OK);
        g_assert_cmphex(gpu_guest_attach_one(guest, 1, pixels, 256), ==, OK);
        g_assert_cmphex(gpu_guest_unref(guest, 1), ==, OK);
        g_assert_cmphex(gpu_guest_create_blob_one(guest, 1, pixels, 256), ==, OK);
        g_assert_cmphex(gpu_guest_unref(guest, 1), ==, OK);
    }
    g_assert_cmpuint(guest->gpu->n_runs, ==, 0);
    g_assert_cmpuint(stats(guest).host_bytes, ==, 0);
}

/* CVE-2017-5552, CVE-2017-5578, CVE-2016-10214, CVE-2021-3544: attaching again and again replaces and forgets. */
static void
test_leak_in_repeated_attach(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    uint64_t pixels = gpu_guest_pixels(guest, 64, 0);

    g_assert_cmphex(gpu_guest_create_2d(guest, 1, 8, 8), ==, OK);
    g_assert_cmphex(gpu_guest_attach_one(guest, 1, pixels, 256), ==, OK);
    for (unsigned i = 0; i < N; i++) {
        g_assert_cmphex(gpu_guest_attach_one(guest, 1, pixels, 128), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
        g_assert_cmphex(gpu_guest_attach_one(guest, 2, pixels, 128), ==, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
    }
    g_assert_cmpuint(guest->gpu->n_runs, ==, 1);
    g_assert_cmphex(gpu_guest_transfer(guest, 1, (Rect){0, 0, 8, 8}, 0), ==, OK); /* the first one is in place */
}

/* CVE-2017-9060: every SET_SCANOUT leaves something behind. */
static void
test_leak_in_set_scanout(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);

    g_assert_cmphex(gpu_guest_create_2d(guest, 1, 32, 32), ==, OK);
    for (unsigned i = 0; i < N; i++) {
        g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 1, (Rect){0, 0, 16 + i % 16, 16}), ==, OK);
        g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 1, (Rect){0, 0, 99, 99}), ==,
                        VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    }
    g_assert_cmpuint(stats(guest).host_bytes, ==, 32 * 32 * 4);
    g_assert_cmphex(gpu_guest_unref(guest, 1), ==, OK);
    g_assert_cmpuint(stats(guest).host_bytes, ==, 0);
}

/* CVE-2016-9846: every new cursor picture leaves the last one behind. */
static void
test_leak_in_update_cursor(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    struct virtio_gpu_update_cursor update = {.hdr.type = VIRTIO_GPU_CMD_UPDATE_CURSOR, .resource_id = 1};
    uint64_t pixels = gpu_guest_pixels(guest, 64 * 64, 0);

    g_assert_cmphex(gpu_guest_create_blob_one(guest, 1, pixels, 64 * 64 * 4), ==, OK);
    for (unsigned i = 0; i < N; i++) {
        update.resource_id = i % 4; /* hidden, shown, and twice no such resource */
        gpu_guest_call(guest, 1, &update, sizeof update, NULL, 0);
    }
    g_assert_cmpuint(guest->notes.of[0].n_cursor, ==, 1 + N / 2);
}

/* CVE-2016-10029: SET_SCANOUT for a scanout beyond the last, within the array and without. */
static void
test_scanout_out_of_bounds(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    static const uint32_t beyond[] = {1, 3, 4, 15, 16, 0x7fffffff, 0x80000000, UINT32_MAX};
    uint64_t pixels = gpu_guest_pixels(guest, 64, 0);

    g_assert_cmphex(gpu_guest_create_2d(guest, 1, 8, 8), ==, OK);
    g_assert_cmphex(gpu_guest_create_blob_one(guest, 2, pixels, 256), ==, OK);
    for (size_t i = 0; i < G_N_ELEMENTS(beyond); i++) {
        g_assert_cmphex(gpu_guest_set_scanout(guest, beyond[i], 1, (Rect){0, 0, 8, 8}), ==,
                        VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID);
        g_assert_cmphex(gpu_guest_set_scanout_blob(guest, beyond[i], 2, 8, 8), ==,
                        VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID);
        g_assert_cmphex(gpu_guest_set_scanout(guest, beyond[i], 0, (Rect){0}), ==,
                        VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID);
    }
}

/*
 * CVE-2016-9845, CVE-2016-9908, CVE-2021-3545: responses carry bytes of the host's stack or heap. CVE-2016-10028,
 * CVE-2021-3546: a capability set of an absurd number or version is read or written out of bounds. There are no
 * capability sets here; what there is comes whole and otherwise zero.
 */
static void
test_capability_sets_and_stale_bytes(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(2, 0);
    static const uint32_t types[] = {VIRTIO_GPU_CMD_GET_CAPSET_INFO, VIRTIO_GPU_CMD_GET_CAPSET};
    uint8_t response[2048];

    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        for (uint32_t id = 0; id < 8; id++) {
            const struct virtio_gpu_get_capset get = {
                .hdr.type = types[i], .capset_id = id, .capset_version = UINT32_MAX};
            g_assert_cmpuint(gpu_guest_call(guest, 0, &get, sizeof get, response, sizeof response), ==,
                             sizeof(struct virtio_gpu_ctrl_hdr));
            g_assert_cmphex(((struct virtio_gpu_ctrl_hdr *)response)->type, ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
            for (size_t at = sizeof(struct virtio_gpu_ctrl_hdr); at < sizeof response; at++)
                g_assert_cmphex(response[at], ==, 0);
        }
    }

    const struct virtio_gpu_ctrl_hdr get_info = {.type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO};
    struct virtio_gpu_resp_display_info info;
    gpu_guest_call(guest, 0, &get_info, sizeof get_info, &info, sizeof info);
    for (size_t i = 2; i < VIRTIO_GPU_MAX_SCANOUTS; i++)
        g_assert_cmpmem(&info.pmodes[i], sizeof info.pmodes[i], &(struct virtio_gpu_display_one){0},
                        sizeof info.pmodes[i]);

    const struct virtio_gpu_cmd_get_edid get_edid = {.hdr.type = VIRTIO_GPU_CMD_GET_EDID};
    struct virtio_gpu_resp_edid edid;
    gpu_guest_call(guest, 0, &get_edid, sizeof get_edid, &edid, sizeof edid);
    for (size_t at = edid.size; at < sizeof edid.edid; at++)
        g_assert_cmphex(edid.edid[at], ==, 0);
    g_assert_cmphex(edid.padding, ==, 0);
}

/*
 * CVE-2024-3446: buffers that lie in a device's own registers make it enter itself. Only RAM is ever read or written:
 * a backing elsewhere is refused, a command elsewhere breaks the device, and either way nothing is entered.
 */
static void
test_buffers_in_registers(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    static const uint64_t registers[] = {0xe0000000, 0xfee00000, 0xfec00000, 0xb0000000};
    uint16_t before = guest->gpu->device.status;

    g_assert_cmphex(gpu_guest_create_2d(guest, 1, 8, 8), ==, OK);
    for (size_t i = 0; i < G_N_ELEMENTS(registers); i++)
        g_assert_cmphex(gpu_guest_attach_one(guest, 1, registers[i], 256), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    virtio_driver_add(guest->driver, 0, (VirtioBuffer[]){{registers[0], 24, false}, {registers[1], 24, true}}, 2);
    virtio_driver_kick(guest->driver, 0);
    g_assert_true(virtio_driver_needs_reset(guest->driver));
    g_assert_cmphex(guest->gpu->device.status, ==, before);

    virtio_driver_reset(guest->driver);
    virtio_driver_start(guest->driver, &guest->gpu->device, GPU_FEATURES);
    g_assert_cmphex(gpu_guest_create_2d(guest, 1, 8, 8), ==, OK); /* as good as new */
}

/*
 * CVE-2026-3886: width × bytes a pixel wraps in 32 bits, and a small block of memory is taken for a large picture. The
 * sizes whose products come out small, in one multiplication or in two.
 */
static void
test_wrapping_picture_sizes(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    static const uint32_t sides[] = {0x10000,    0x40000000, 0x40000001, 0x7fffffff, 0x80000000,
                                     0x80000001, 0xc0000001, 0xfffffffc, UINT32_MAX};
    uint64_t page = gpu_guest_pixels(guest, 1024, 0);

    g_assert_cmphex(gpu_guest_create_blob_one(guest, 2, page, 4096), ==, OK);
    for (size_t i = 0; i < G_N_ELEMENTS(sides); i++) {
        for (size_t j = 0; j < G_N_ELEMENTS(sides); j++) {
            g_assert_cmphex(gpu_guest_create_2d(guest, 1, sides[i], sides[j]), ==,
                            VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
            g_assert_cmphex(gpu_guest_set_scanout_blob(guest, 0, 2, sides[i], sides[j]), ==,
                            VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
        }
        g_assert_cmphex(gpu_guest_create_2d(guest, 1, sides[i], 1), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
        g_assert_cmphex(gpu_guest_create_2d(guest, 1, 1, sides[i]), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    }
    g_assert_cmpuint(stats(guest).host_bytes, ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cve/2016-7994/failed-create", test_leak_in_failed_create);
    g_test_add_func("/cve/2016-9912/unref-with-backing", test_leak_in_unref_with_backing);
    g_test_add_func("/cve/2017-5578/repeated-attach", test_leak_in_repeated_attach);
    g_test_add_func("/cve/2017-9060/set-scanout", test_leak_in_set_scanout);
    g_test_add_func("/cve/2016-9846/update-cursor", test_leak_in_update_cursor);
    g_test_add_func("/cve/2016-10029/scanout", test_scanout_out_of_bounds);
    g_test_add_func("/cve/2021-3545/stale-bytes", test_capability_sets_and_stale_bytes);
    g_test_add_func("/cve/2024-3446/registers", test_buffers_in_registers);
    g_test_add_func("/cve/2026-3886/wrapping-sizes", test_wrapping_picture_sizes);
    return g_test_run();
}
