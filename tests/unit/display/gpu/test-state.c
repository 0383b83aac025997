/* SPDX-License-Identifier: Apache-2.0 */
/* Saved state: a restored desktop shows its picture at once and goes on; a stream that lies is refused. */
#include "guest.h"

typedef struct virtio_gpu_rect Rect;

/* A guest with a 2D picture on scanout 0, a blob on scanout 1, a cursor, a blob without memory, and wishes. */
static GpuGuest *
busy_guest(void)
{
    GpuGuest *guest = gpu_guest_new(2, 0);
    uint64_t pixels = gpu_guest_pixels(guest, 32 * 16, 100), one = gpu_guest_pixels(guest, 1024, 5000);
    uint64_t two = gpu_guest_pixels(guest, 1024, 0), cursor = gpu_guest_pixels(guest, 64 * 64, 0x70000000);
    const struct virtio_gpu_mem_entry backwards[] = {{.addr = two, .length = 4096}, {.addr = one, .length = 4096}};
    const MonitorRequest wanted[] = {{.enabled = true, .width = 1440, .height = 900, .width_mm = 400, .height_mm = 250},
                                     {.enabled = true, .width = 1234, .height = 777, .x = 1440}};
    const struct virtio_gpu_update_cursor update = {.hdr.type = VIRTIO_GPU_CMD_UPDATE_CURSOR,
                                                    .pos = {.scanout_id = 1, .x = 11, .y = -3},
                                                    .resource_id = 3,
                                                    .hot_x = 5,
                                                    .hot_y = 6};

    g_assert_cmphex(gpu_guest_create_2d(guest, 1, 32, 16), ==, OK);
    g_assert_cmphex(gpu_guest_attach_one(guest, 1, pixels, 32 * 16 * 4), ==, OK);
    g_assert_cmphex(gpu_guest_transfer(guest, 1, (Rect){0, 0, 32, 16}, 0), ==, OK);
    g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 1, (Rect){2, 1, 20, 10}), ==, OK);
    g_assert_cmphex(gpu_guest_create_blob(guest, 2, 8192, backwards, 2), ==, OK);
    g_assert_cmphex(gpu_guest_set_scanout_blob(guest, 1, 2, 48, 40), ==, OK);
    g_assert_cmphex(gpu_guest_create_blob_one(guest, 3, cursor, 64 * 64 * 4), ==, OK);
    gpu_guest_call(guest, 1, &update, sizeof update, NULL, 0);
    g_assert_cmphex(gpu_guest_create_blob(guest, 4, 4096, NULL, 0), ==, OK);
    g_assert_cmphex(gpu_guest_create_2d(guest, 5, 4, 4), ==, OK);
    g_assert_cmphex(gpu_guest_attach(guest, 5, NULL, 0), ==, OK); /* attached, and empty */
    screen_request_monitors(guest->screen, wanted, 2);
    return guest;
}

static GByteArray *
save(GpuGuest *guest)
{
    GByteArray *bytes = g_byte_array_new();
    state_save(&gpu_state, guest->gpu, bytes);
    return bytes;
}

/* A guest of the same memory, which has not begun. */
static GpuGuest *
fresh_guest(GpuGuest *from, unsigned n_scanouts, uint64_t max_host_memory)
{
    GpuGuest *guest = gpu_guest_new(n_scanouts, max_host_memory);
    uint64_t size = guest_memory_size(from->driver->memory);

    virtio_driver_reset(guest->driver);
    memcpy(virtio_driver_at(guest->driver, 0, size), virtio_driver_at(from->driver, 0, size), size);
    guest->driver->next = from->driver->next;
    return guest;
}

static bool
load(GpuGuest *guest, const GByteArray *bytes, GError **error)
{
    return state_load(&gpu_state, guest->gpu, gpu_state.version, bytes->data, bytes->len, error);
}

static void
assert_same_monitor(const GpuMonitor *a, const GpuMonitor *b)
{
    g_assert_cmpint(a->enabled, ==, b->enabled);
    g_assert_cmpuint(a->width, ==, b->width);
    g_assert_cmpuint(a->height, ==, b->height);
    g_assert_cmpint(a->x, ==, b->x);
    g_assert_cmpint(a->y, ==, b->y);
    g_assert_cmpuint(a->width_mm, ==, b->width_mm);
    g_assert_cmpuint(a->height_mm, ==, b->height_mm);
}

static void
test_restored(void)
{
    g_autoptr(GpuGuest) before = busy_guest();
    g_autoptr(GByteArray) bytes = save(before);
    g_autoptr(GpuGuest) after = fresh_guest(before, 2, 0);
    g_autoptr(GError) error = NULL;

    g_assert_true(load(after, bytes, &error));
    g_assert_no_error(error);

    /* The picture is there before the guest does anything. */
    g_assert_cmpuint(after->notes.of[0].surface->width, ==, 20);
    g_assert_cmpuint(gpu_guest_shown(after, 0, 0, 0), ==, 100 + 32 + 2);
    g_assert_cmpuint(gpu_guest_shown(after, 1, 15, 21), ==, 1023);
    g_assert_cmpuint(gpu_guest_shown(after, 1, 16, 21), ==, 5000);
    g_assert_true(after->notes.of[1].cursor_shown);
    g_assert_cmphex(after->notes.of[1].cursor.pixels[4095], ==, 0x70000fff);
    g_assert_cmpuint(after->notes.of[1].cursor.hot_y, ==, 6);
    g_assert_cmpint(after->notes.of[1].y, ==, -3);
    g_assert_false(after->notes.of[0].cursor_shown);
    g_assert_cmpuint(after->gpu->events_read, ==, VIRTIO_GPU_EVENT_DISPLAY);
    for (unsigned i = 0; i < SCREEN_MAX_SCANOUTS; i++)
        assert_same_monitor(&after->gpu->monitors[i], &before->gpu->monitors[i]);
    g_assert_cmpuint(virtio_gpu_stats(&after->gpu->device).host_bytes, ==, (32 * 16 + 16) * 4);
    g_assert_cmpuint(after->gpu->n_runs, ==, before->gpu->n_runs);

    /* And it goes on from there. */
    virtio_driver_start(after->driver, &after->gpu->device, GPU_FEATURES);
    g_assert_cmphex(gpu_guest_transfer(after, 1, (Rect){0, 0, 1, 1}, 4), ==, OK);
    g_assert_cmphex(gpu_guest_flush(after, 1, (Rect){0, 0, 32, 16}), ==, OK);
    assert_box(&after->notes.of[0].box, 0, 0, 20, 10);
    g_assert_cmphex(gpu_guest_create_2d(after, 2, 1, 1), ==, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
    g_assert_cmphex(gpu_guest_detach(after, 4), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
    g_assert_cmphex(gpu_guest_detach(after, 5), ==, OK);
    for (uint32_t id = 1; id <= 5; id++)
        g_assert_cmphex(gpu_guest_unref(after, id), ==, OK);
    g_assert_null(after->notes.of[1].surface);
}

/* What was saved is what would be saved again; and saving leaves nothing behind. */
static void
test_saving_changes_nothing(void)
{
    g_autoptr(GpuGuest) guest = busy_guest();
    g_autoptr(GByteArray) first = save(guest), second = save(guest);

    g_assert_cmpmem(first->data, first->len, second->data, second->len);
    for (guint i = 0; i < guest->gpu->resources->len; i++) {
        const GpuResource *resource = guest->gpu->resources->pdata[i];
        g_assert_null(resource->saved_pixels);
        g_assert_null(resource->saved_backing);
    }
    g_assert_null(guest->gpu->scanouts[1].saved_cursor);
    g_assert_cmphex(gpu_guest_unref(guest, 1), ==, OK);
}

static void
test_empty(void)
{
    g_autoptr(GpuGuest) before = gpu_guest_new(1, 0);
    g_autoptr(GByteArray) bytes = save(before);
    g_autoptr(GpuGuest) after = fresh_guest(before, 1, 0);

    g_assert_true(load(after, bytes, NULL));
    g_assert_null(after->notes.of[0].surface);
}

static void
test_truncated(void)
{
    g_autoptr(GpuGuest) before = busy_guest();
    g_autoptr(GByteArray) bytes = save(before);
    g_autoptr(GpuGuest) after = fresh_guest(before, 2, 0);

    /* Wide steps through the pictures, each length of what comes before and after them. */
    for (size_t len = 0; len < bytes->len; len += len < 300 || bytes->len - len < 500 ? 1 : 97) {
        GByteArray part = {.data = bytes->data, .len = len};
        g_autoptr(GError) error = NULL;
        g_assert_false(load(after, &part, &error));
        g_assert_error(error, STATE_ERROR, STATE_ERROR_TRUNCATED);
        virtio_driver_reset(after->driver); /* half filled: it must be fit for another try, or for the end */
    }
    g_assert_true(load(after, bytes, NULL));
}

/* Saves @guest with a field changed, changes it back, and sees the stream refused. */
#define REFUSED(guest, n_scanouts, field, value)                             \
    do {                                                                     \
        typeof(field) old_ = (field);                                        \
        (field) = (value);                                                   \
        g_autoptr(GByteArray) bytes_ = save(guest);                          \
        (field) = old_;                                                      \
        expect_refused(guest, n_scanouts, 0, bytes_, STATE_ERROR_MALFORMED); \
    } while (0)

static void
expect_refused(GpuGuest *before, unsigned n_scanouts, uint64_t max_host_memory, const GByteArray *bytes, int code)
{
    g_autoptr(GpuGuest) after = fresh_guest(before, n_scanouts, max_host_memory);
    g_autoptr(GError) error = NULL;
    g_assert_false(load(after, bytes, &error));
    g_assert_error(error, STATE_ERROR, code);

    virtio_driver_reset(after->driver);
    g_assert_cmpuint(virtio_gpu_stats(&after->gpu->device).resources, ==, 0);
    g_assert_null(after->notes.of[0].surface);
    g_autoptr(GByteArray) good = save(before);
    if (n_scanouts == 2 && !max_host_memory)
        g_assert_true(load(after, good, NULL));
}

static void
test_lies(void)
{
    g_autoptr(GpuGuest) guest = busy_guest();
    VirtioGpu *gpu = guest->gpu;
    GpuResource *picture = gpu_resource_find(gpu, 1), *blob = gpu_resource_find(gpu, 2);

    REFUSED(guest, 2, picture->id, 0);
    REFUSED(guest, 2, picture->id, 2);  /* twice */
    REFUSED(guest, 2, picture->id, 77); /* the scanout shows one that is not there */
    REFUSED(guest, 2, picture->width, 0);
    REFUSED(guest, 2, picture->width, 33); /* the pixels are of another size */
    REFUSED(guest, 2, picture->height, UINT32_MAX);
    REFUSED(guest, 2, picture->format, 1234);
    REFUSED(guest, 2, picture->blob, true);
    REFUSED(guest, 2, blob->blob, false);
    REFUSED(guest, 2, blob->blob_size, 0);
    REFUSED(guest, 2, blob->blob_size, 8193);           /* longer than its memory */
    REFUSED(guest, 2, gpu->scanouts[0].resource_id, 4); /* a blob without memory */
    REFUSED(guest, 2, gpu->scanouts[0].view.x, 13);
    REFUSED(guest, 2, gpu->scanouts[0].view.width, 0);
    REFUSED(guest, 2, gpu->scanouts[1].view.offset, 513);
    REFUSED(guest, 2, gpu->scanouts[1].view.stride, UINT32_MAX - 3);
    REFUSED(guest, 2, gpu->scanouts[1].view.picture_height, 43);
    REFUSED(guest, 2, gpu->scanouts[1].view.format, 0);
    REFUSED(guest, 2, gpu->monitors[0].width, 0);
    REFUSED(guest, 2, gpu->monitors[3].height, 8193);
    REFUSED(guest, 2, gpu->monitors[1].x, -1);

    g_autoptr(GByteArray) bytes = save(guest);
    expect_refused(guest, 1, 0, bytes, STATE_ERROR_FOREIGN);
    expect_refused(guest, 3, 0, bytes, STATE_ERROR_FOREIGN);
    expect_refused(guest, 2, 32 * 16 * 4, bytes, STATE_ERROR_MALFORMED); /* more pixels than this desktop may have */
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/gpu-state/restored", test_restored);
    g_test_add_func("/gpu-state/unchanged", test_saving_changes_nothing);
    g_test_add_func("/gpu-state/empty", test_empty);
    g_test_add_func("/gpu-state/truncated", test_truncated);
    g_test_add_func("/gpu-state/lies", test_lies);
    return g_test_run();
}
