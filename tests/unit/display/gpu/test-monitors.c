/* SPDX-License-Identifier: Apache-2.0 */
/* Monitors: what a viewer asks for reaches DISPLAY_INFO, EDID and the driver's ear, made sane and never twice. */
#include "guest.h"

static struct virtio_gpu_resp_display_info
display_info(GpuGuest *guest)
{
    const struct virtio_gpu_ctrl_hdr get = {.type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO};
    struct virtio_gpu_resp_display_info info;
    g_assert_cmpuint(gpu_guest_call(guest, 0, &get, sizeof get, &info, sizeof info), ==, sizeof info);
    g_assert_cmphex(info.hdr.type, ==, VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
    return info;
}

static struct virtio_gpu_resp_edid
edid(GpuGuest *guest, uint32_t scanout)
{
    const struct virtio_gpu_cmd_get_edid get = {.hdr.type = VIRTIO_GPU_CMD_GET_EDID, .scanout = scanout};
    struct virtio_gpu_resp_edid response;
    gpu_guest_call(guest, 0, &get, sizeof get, &response, sizeof response);
    return response;
}

static uint32_t
events_read(GpuGuest *guest)
{
    struct virtio_gpu_config config;
    virtio_device_config_read(&guest->gpu->device, 0, &config, sizeof config);
    return config.events_read;
}

static void
test_at_first(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(2, 0);
    struct virtio_gpu_resp_display_info info = display_info(guest);

    g_assert_cmpuint(info.pmodes[0].enabled, ==, 1);
    g_assert_cmpuint(info.pmodes[0].r.width, ==, 1024);
    g_assert_cmpuint(info.pmodes[0].r.height, ==, 768);
    g_assert_cmpuint(info.pmodes[1].enabled, ==, 0);
    g_assert_cmpuint(events_read(guest), ==, 0);
    g_assert_cmphex(edid(guest, 0).hdr.type, ==, VIRTIO_GPU_RESP_OK_EDID);
    g_assert_cmphex(edid(guest, 1).hdr.type, ==, VIRTIO_GPU_RESP_OK_EDID); /* Linux asks for all of them */
    g_assert_cmphex(edid(guest, 2).hdr.type, ==, VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID);
    g_assert_cmphex(edid(guest, UINT32_MAX).hdr.type, ==, VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID);
}

static void
test_asked_for(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(3, 0);
    const MonitorRequest wanted[] = {
        {.enabled = true, .width = 1366, .height = 768, .width_mm = 310, .height_mm = 174},
        {.enabled = true, .width = 2560, .height = 1440, .x = 1366, .y = 10},
    };

    screen_request_monitors(guest->screen, wanted, 2);
    g_assert_cmpuint(guest->driver->config_interrupts, ==, 1);
    g_assert_cmpuint(guest->gpu->device.config_generation, ==, 1);
    g_assert_cmphex(events_read(guest), ==, VIRTIO_GPU_EVENT_DISPLAY);

    struct virtio_gpu_resp_display_info info = display_info(guest);
    g_assert_cmpuint(info.pmodes[0].r.width, ==, 1366); /* as asked for: not rounded */
    g_assert_cmpuint(info.pmodes[1].enabled, ==, 1);
    g_assert_cmpuint(info.pmodes[1].r.x, ==, 1366);
    g_assert_cmpuint(info.pmodes[1].r.y, ==, 10);
    g_assert_cmpuint(info.pmodes[1].r.height, ==, 1440);
    g_assert_cmpuint(info.pmodes[2].enabled, ==, 0);
    struct virtio_gpu_resp_edid first = edid(guest, 0);
    g_assert_cmpuint(first.size, ==, 128);
    g_assert_cmpuint(first.edid[54 + 2] | (first.edid[54 + 4] >> 4) << 8, ==, 1366);
    g_assert_cmpuint(first.edid[54 + 12] | (first.edid[54 + 14] >> 4) << 8, ==, 310);

    screen_request_monitors(guest->screen, wanted, 2); /* nothing new */
    g_assert_cmpuint(guest->driver->config_interrupts, ==, 1);
    screen_request_monitors(guest->screen, wanted, 1); /* the second is gone, and keeps its size */
    g_assert_cmpuint(guest->driver->config_interrupts, ==, 2);
    info = display_info(guest);
    g_assert_cmpuint(info.pmodes[1].enabled, ==, 0);
    g_assert_cmpuint(info.pmodes[1].r.width, ==, 2560);
    screen_request_monitors(guest->screen, wanted, 1);
    g_assert_cmpuint(guest->driver->config_interrupts, ==, 2);
}

static void
test_events_are_cleared_by_the_driver(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    const MonitorRequest wanted = {.enabled = true, .width = 800, .height = 600};
    const uint32_t display = VIRTIO_GPU_EVENT_DISPLAY, other = 2, all = UINT32_MAX;
    VirtioDevice *device = &guest->gpu->device;

    screen_request_monitors(guest->screen, &wanted, 1);
    virtio_device_config_write(device, 4, &other, 4);
    virtio_device_config_write(device, 0, &all, 4); /* events_read itself cannot be written … */
    virtio_device_config_write(device, 8, &all, 4); /* … nor the number of scanouts */
    virtio_device_config_write(device, 12, &all, 4);
    virtio_device_config_write(device, 14, &all, 4); /* over the end */
    g_assert_cmphex(events_read(guest), ==, display);
    struct virtio_gpu_config config;
    virtio_device_config_read(device, 0, &config, sizeof config);
    g_assert_cmpuint(config.num_scanouts, ==, 1);
    g_assert_cmpuint(config.num_capsets, ==, 0);
    g_assert_cmpuint(config.events_clear, ==, 0);

    virtio_device_config_write(device, 4, &display, 4);
    g_assert_cmphex(events_read(guest), ==, 0);
}

static void
test_absurd_requests(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    const MonitorRequest off[2] = {{.width = 800, .height = 600}};

    screen_request_monitors(guest->screen, off, 2); /* all off */
    screen_request_monitors(guest->screen, NULL, 0);
    g_assert_cmpuint(guest->driver->config_interrupts, ==, 0);
    g_assert_cmpuint(display_info(guest).pmodes[0].enabled, ==, 1);

    const MonitorRequest huge = {.enabled = true,
                                 .width = UINT32_MAX,
                                 .height = UINT32_MAX,
                                 .x = INT32_MIN,
                                 .y = INT32_MAX,
                                 .width_mm = UINT32_MAX,
                                 .height_mm = 1};
    screen_request_monitors(guest->screen, &huge, 1);
    struct virtio_gpu_resp_display_info info = display_info(guest);
    g_assert_cmpuint(info.pmodes[0].r.width, ==, 8192);
    g_assert_cmpuint(info.pmodes[0].r.height, ==, 8192);
    g_assert_cmpuint(info.pmodes[0].r.x, ==, 0);
    g_assert_cmpuint(info.pmodes[0].r.y, ==, INT16_MAX);
    g_assert_cmpuint(edid(guest, 0).size, ==, 256);

    const MonitorRequest tiny = {.enabled = true, .width = 0, .height = 1};
    screen_request_monitors(guest->screen, &tiny, 1);
    info = display_info(guest);
    g_assert_cmpuint(info.pmodes[0].r.width, ==, 640);
    g_assert_cmpuint(info.pmodes[0].r.height, ==, 480);
}

/* Requests come from another thread while the guest asks. */
static void *
ask(void *data)
{
    for (uint32_t i = 0; i < 1000; i++) {
        const MonitorRequest wanted = {.enabled = true, .width = 1000 + i % 7, .height = 1000 + i % 7};
        screen_request_monitors(data, &wanted, 1);
    }
    return NULL;
}

static void
test_threads(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    const MonitorRequest first = {.enabled = true, .width = 1000, .height = 1000};
    screen_request_monitors(guest->screen, &first, 1);

    GThread *asker = g_thread_new("asker", ask, guest->screen);
    for (unsigned i = 0; i < 1000; i++) {
        struct virtio_gpu_resp_display_info info = display_info(guest);
        g_assert_cmpuint(info.pmodes[0].r.width, ==, info.pmodes[0].r.height); /* never half of each */
    }
    g_thread_join(asker);
    g_assert_cmphex(events_read(guest), ==, VIRTIO_GPU_EVENT_DISPLAY);
}

static void
test_wishes_outlive_a_reset(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    const MonitorRequest wanted = {.enabled = true, .width = 1600, .height = 900};

    screen_request_monitors(guest->screen, &wanted, 1);
    virtio_driver_reset(guest->driver);
    g_assert_cmphex(events_read(guest), ==, 0);
    virtio_driver_start(guest->driver, &guest->gpu->device, GPU_FEATURES);
    g_assert_cmpuint(display_info(guest).pmodes[0].r.width, ==, 1600);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/monitors/at-first", test_at_first);
    g_test_add_func("/monitors/asked-for", test_asked_for);
    g_test_add_func("/monitors/events", test_events_are_cleared_by_the_driver);
    g_test_add_func("/monitors/absurd", test_absurd_requests);
    g_test_add_func("/monitors/threads", test_threads);
    g_test_add_func("/monitors/reset", test_wishes_outlive_a_reset);
    return g_test_run();
}
