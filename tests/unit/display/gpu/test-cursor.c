/* SPDX-License-Identifier: Apache-2.0 */
/* The cursor: pictures of exactly 64 × 64 in any format, hidden, moved, and whatever else is refused. */
#include "guest.h"

#define SIDE CURSOR_SIDE
#define BYTES (SIDE * SIDE * 4)
#define ERR_ID VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID
#define ERR_PARAMETER VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER

static uint32_t
cursor(GpuGuest *guest, struct virtio_gpu_update_cursor command)
{
    struct virtio_gpu_ctrl_hdr response;
    if (!command.hdr.type)
        command.hdr.type = VIRTIO_GPU_CMD_UPDATE_CURSOR;
    g_assert_cmpuint(gpu_guest_call(guest, 1, &command, sizeof command, &response, sizeof response), ==,
                     sizeof response);
    return response.type;
}

static NotesOfScanout *
notes(GpuGuest *guest)
{
    return &guest->notes.of[0];
}

static void
make_2d_cursor(GpuGuest *guest, uint32_t id, uint32_t format, uint32_t first)
{
    uint64_t pixels = gpu_guest_pixels(guest, SIDE * SIDE, first);
    g_assert_cmphex(gpu_guest_create_2d_of(guest, id, SIDE, SIDE, format), ==, OK);
    g_assert_cmphex(gpu_guest_attach_one(guest, id, pixels, BYTES), ==, OK);
    g_assert_cmphex(gpu_guest_transfer(guest, id, (struct virtio_gpu_rect){0, 0, SIDE, SIDE}, 0), ==, OK);
}

static void
test_show_move_hide(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    make_2d_cursor(guest, 1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 0x80000000);

    g_assert_cmphex(
        cursor(guest,
               (struct virtio_gpu_update_cursor){.pos = {.x = 10, .y = 20}, .resource_id = 1, .hot_x = 3, .hot_y = 63}),
        ==, OK);
    g_assert_true(notes(guest)->cursor_shown);
    g_assert_cmphex(notes(guest)->cursor.pixels[0], ==, 0x80000000);
    g_assert_cmphex(notes(guest)->cursor.pixels[SIDE * SIDE - 1], ==, 0x80000fff);
    g_assert_cmpuint(notes(guest)->cursor.hot_x, ==, 3);
    g_assert_cmpuint(notes(guest)->cursor.hot_y, ==, 63);
    g_assert_cmpint(notes(guest)->x, ==, 10);
    g_assert_cmpint(notes(guest)->y, ==, 20);

    unsigned pictures = notes(guest)->n_cursor;
    g_assert_cmphex(cursor(guest, (struct virtio_gpu_update_cursor){.hdr.type = VIRTIO_GPU_CMD_MOVE_CURSOR,
                                                                    .pos = {.x = -5, .y = 7},
                                                                    .resource_id = 99}),
                    ==, OK);
    g_assert_cmpint(notes(guest)->x, ==, -5);
    g_assert_cmpuint(notes(guest)->n_cursor, ==, pictures);

    g_assert_cmphex(cursor(guest, (struct virtio_gpu_update_cursor){.resource_id = 0}), ==, OK);
    g_assert_false(notes(guest)->cursor_shown);

    /* The picture was copied: its resource may go. */
    g_assert_cmphex(cursor(guest, (struct virtio_gpu_update_cursor){.resource_id = 1}), ==, OK);
    g_assert_cmphex(gpu_guest_unref(guest, 1), ==, OK);
    CursorImage image;
    int32_t x, y;
    g_assert_true(screen_get_cursor(guest->screen, 0, &image, &x, &y));
    g_assert_cmphex(image.pixels[1], ==, 0x80000001);
}

/* The fourth byte is alpha, also where the format calls it unused. */
static void
test_formats(void)
{
    static const struct {
        uint32_t format, pixel;
    } cases[] = {
        {VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 0xa1b2c3d4}, {VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 0xa1b2c3d4},
        {VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, 0xd4c3b2a1}, {VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, 0xd4c3b2a1},
        {VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, 0xa1d4c3b2}, {VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, 0xa1d4c3b2},
        {VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, 0xb2c3d4a1}, {VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, 0xb2c3d4a1},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
        make_2d_cursor(guest, 1, cases[i].format, cases[i].pixel);
        g_assert_cmphex(cursor(guest, (struct virtio_gpu_update_cursor){.resource_id = 1}), ==, OK);
        g_assert_cmphex(notes(guest)->cursor.pixels[0], ==, 0xa1b2c3d4);
    }
}

static void
test_blob(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    uint64_t pixels = gpu_guest_pixels(guest, SIDE * SIDE, 0x1000000);

    g_assert_cmphex(gpu_guest_create_blob_one(guest, 1, pixels, BYTES), ==, OK);
    g_assert_cmphex(cursor(guest, (struct virtio_gpu_update_cursor){.resource_id = 1}), ==, OK);
    g_assert_cmphex(notes(guest)->cursor.pixels[SIDE * SIDE - 1], ==, 0x1000fff);
    g_assert_cmphex(gpu_guest_create_blob_one(guest, 2, pixels, BYTES - 1), ==, OK);
    g_assert_cmphex(cursor(guest, (struct virtio_gpu_update_cursor){.resource_id = 2}), ==, ERR_PARAMETER);
    g_assert_cmphex(gpu_guest_detach(guest, 1), ==, OK);
    g_assert_cmphex(cursor(guest, (struct virtio_gpu_update_cursor){.resource_id = 1}), ==, ERR_PARAMETER);
}

static void
test_refusals(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    static const uint32_t sizes[][2] = {{63, 64}, {64, 63}, {65, 64}, {64, 65}, {1, 1}, {16384, 1}};

    for (uint32_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_assert_cmphex(gpu_guest_create_2d(guest, i + 1, sizes[i][0], sizes[i][1]), ==, OK);
        g_assert_cmphex(cursor(guest, (struct virtio_gpu_update_cursor){.resource_id = i + 1}), ==, ERR_PARAMETER);
    }
    g_assert_cmphex(cursor(guest, (struct virtio_gpu_update_cursor){.resource_id = 99}), ==, ERR_ID);
    for (uint32_t type = VIRTIO_GPU_CMD_UPDATE_CURSOR; type <= VIRTIO_GPU_CMD_MOVE_CURSOR; type++) {
        g_assert_cmphex(cursor(guest, (struct virtio_gpu_update_cursor){.hdr.type = type, .pos.scanout_id = 1}), ==,
                        VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID);
        g_assert_cmphex(
            cursor(guest, (struct virtio_gpu_update_cursor){.hdr.type = type, .pos.scanout_id = UINT32_MAX}), ==,
            VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID);
    }
    g_assert_false(notes(guest)->cursor_shown);
    g_assert_cmpuint(notes(guest)->n_move, ==, 1); /* only what it was told when it came */
}

static void
test_absurd_places_are_brought_near(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    make_2d_cursor(guest, 1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 0);

    g_assert_cmphex(cursor(guest, (struct virtio_gpu_update_cursor){.pos = {.x = 0x7fffffff, .y = 0x80000000},
                                                                    .resource_id = 1,
                                                                    .hot_x = UINT32_MAX,
                                                                    .hot_y = 64}),
                    ==, OK);
    g_assert_cmpint(notes(guest)->x, ==, SURFACE_MAX_SIDE);
    g_assert_cmpint(notes(guest)->y, ==, -SIDE);
    g_assert_cmpuint(notes(guest)->cursor.hot_x, ==, SIDE - 1);
    g_assert_cmpuint(notes(guest)->cursor.hot_y, ==, SIDE - 1);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cursor/show-move-hide", test_show_move_hide);
    g_test_add_func("/cursor/formats", test_formats);
    g_test_add_func("/cursor/blob", test_blob);
    g_test_add_func("/cursor/refusals", test_refusals);
    g_test_add_func("/cursor/places", test_absurd_places_are_brought_near);
    return g_test_run();
}
