/* SPDX-License-Identifier: Apache-2.0 */
/* Scanouts: parts of resources, flushes, several scanouts on one resource, resources that end while they are shown. */
#include "guest.h"

#define INVALID_PARAMETER VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER

typedef struct virtio_gpu_rect Rect;

static NotesOfScanout *
notes(GpuGuest *guest, unsigned scanout)
{
    return &guest->notes.of[scanout];
}

/* Resource @id: 32 × 16 pixels that count up from @first. */
static void
make_picture(GpuGuest *guest, uint32_t id, uint32_t first)
{
    uint64_t pixels = gpu_guest_pixels(guest, 32 * 16, first);
    g_assert_cmphex(gpu_guest_create_2d(guest, id, 32, 16), ==, OK);
    g_assert_cmphex(gpu_guest_attach_one(guest, id, pixels, 32 * 16 * 4), ==, OK);
    g_assert_cmphex(gpu_guest_transfer(guest, id, (Rect){0, 0, 32, 16}, 0), ==, OK);
}

static void
test_part_of_a_resource(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    make_picture(guest, 1, 1);

    g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 1, (Rect){4, 2, 20, 10}), ==, OK);
    g_assert_cmpuint(notes(guest, 0)->surface->width, ==, 20);
    g_assert_cmpuint(notes(guest, 0)->surface->height, ==, 10);
    g_assert_cmphex(notes(guest, 0)->surface->format, ==, PIXMAN_x8r8g8b8);
    g_assert_nonnull(notes(guest, 0)->surface->linear);
    g_assert_cmpuint(gpu_guest_shown(guest, 0, 0, 0), ==, 1 + 2 * 32 + 4);
    g_assert_cmpuint(gpu_guest_shown(guest, 0, 19, 9), ==, 1 + 11 * 32 + 23);
}

static void
test_flush(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    make_picture(guest, 1, 1);
    g_assert_cmphex(gpu_guest_flush(guest, 1, (Rect){0, 0, 32, 16}), ==, OK); /* shown nowhere */
    g_assert_cmpuint(notes(guest, 0)->n_damage, ==, 0);

    g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 1, (Rect){4, 2, 20, 10}), ==, OK);
    g_assert_cmphex(gpu_guest_flush(guest, 1, (Rect){0, 0, 32, 16}), ==, OK);
    assert_box(&notes(guest, 0)->box, 0, 0, 20, 10);
    g_assert_cmphex(gpu_guest_flush(guest, 1, (Rect){5, 3, 2, 1}), ==, OK);
    assert_box(&notes(guest, 0)->box, 1, 1, 3, 2);
    g_assert_cmphex(gpu_guest_flush(guest, 1, (Rect){0, 0, 6, 16}), ==, OK);
    assert_box(&notes(guest, 0)->box, 0, 0, 2, 10);
    g_assert_cmpuint(notes(guest, 0)->n_damage, ==, 3);
    g_assert_cmphex(gpu_guest_flush(guest, 1, (Rect){24, 12, 8, 4}), ==, OK); /* beside what is shown */
    g_assert_cmphex(gpu_guest_flush(guest, 1, (Rect){8, 8, 0, 0}), ==, OK);
    g_assert_cmpuint(notes(guest, 0)->n_damage, ==, 3);
    g_assert_cmpuint(screen_stats(guest->screen, 0).frames, ==, 3);

    static const Rect absurd[] = {
        {0, 0, 33, 1}, {0, 0, 1, 17}, {32, 16, 1, 1}, {UINT32_MAX, 0, 2, 1}, {0, 0, UINT32_MAX, UINT32_MAX}};
    for (size_t i = 0; i < G_N_ELEMENTS(absurd); i++)
        g_assert_cmphex(gpu_guest_flush(guest, 1, absurd[i]), ==, INVALID_PARAMETER);
    g_assert_cmphex(gpu_guest_flush(guest, 2, (Rect){0}), ==, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
    g_assert_cmphex(gpu_guest_flush(guest, 0, (Rect){0}), ==, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
    g_assert_cmpuint(notes(guest, 0)->n_damage, ==, 3);
}

/* X puts all monitors into one buffer. */
static void
test_several_scanouts_on_one_resource(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(4, 0);
    make_picture(guest, 1, 1);
    g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 1, (Rect){0, 0, 16, 16}), ==, OK);
    g_assert_cmphex(gpu_guest_set_scanout(guest, 3, 1, (Rect){16, 0, 16, 16}), ==, OK);
    g_assert_cmpuint(gpu_guest_shown(guest, 0, 15, 0), ==, 16);
    g_assert_cmpuint(gpu_guest_shown(guest, 3, 0, 0), ==, 17);

    g_assert_cmphex(gpu_guest_flush(guest, 1, (Rect){14, 1, 4, 2}), ==, OK);
    assert_box(&notes(guest, 0)->box, 14, 1, 16, 3);
    assert_box(&notes(guest, 3)->box, 0, 1, 2, 3);
    g_assert_cmpuint(notes(guest, 1)->n_damage, ==, 0);

    g_assert_cmphex(gpu_guest_unref(guest, 1), ==, OK);
    g_assert_null(notes(guest, 0)->surface);
    g_assert_null(notes(guest, 3)->surface);
}

static void
test_destroyed_while_shown(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    make_picture(guest, 1, 500);
    g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 1, (Rect){0, 0, 32, 16}), ==, OK);

    g_autoptr(Surface) viewed = screen_get_surface(guest->screen, 0);
    g_assert_cmphex(gpu_guest_unref(guest, 1), ==, OK);
    g_assert_null(notes(guest, 0)->surface);
    g_assert_null(screen_get_surface(guest->screen, 0));
    uint32_t scratch;
    g_assert_cmpuint(*surface_row(viewed, 31, 15, 1, &scratch), ==, 500 + 32 * 16 - 1); /* still there for who looks */
    g_assert_cmpuint(virtio_gpu_stats(&guest->gpu->device).host_bytes, ==, 32 * 16 * 4);
    g_clear_pointer(&viewed, surface_unref);
    g_assert_cmpuint(virtio_gpu_stats(&guest->gpu->device).host_bytes, ==, 0);

    make_picture(guest, 1, 9); /* the same id again is another resource: not shown */
    g_assert_cmphex(gpu_guest_flush(guest, 1, (Rect){0, 0, 32, 16}), ==, OK);
    g_assert_null(screen_get_surface(guest->screen, 0));
    g_assert_cmpuint(notes(guest, 0)->n_damage, ==, 0);
}

static void
test_blank(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    make_picture(guest, 1, 1);
    g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 1, (Rect){0, 0, 32, 16}), ==, OK);
    g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 0, (Rect){0, 0, 0, 0}), ==, OK);
    g_assert_null(notes(guest, 0)->surface);
    g_assert_cmphex(gpu_guest_flush(guest, 1, (Rect){0, 0, 32, 16}), ==, OK);
    g_assert_cmpuint(notes(guest, 0)->n_damage, ==, 0);
    g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 1, (Rect){0, 0, 32, 16}), ==, OK);
    g_assert_nonnull(notes(guest, 0)->surface);
}

/* Two buffers shown in turn: each keeps its surface, and the same one again is no news. */
static void
test_page_flips(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    const Rect all = {0, 0, 32, 16};
    make_picture(guest, 1, 1);
    make_picture(guest, 2, 1000);

    g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 1, all), ==, OK);
    Surface *first = notes(guest, 0)->surface;
    g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 2, all), ==, OK);
    g_assert_cmpuint(gpu_guest_shown(guest, 0, 0, 0), ==, 1000);
    g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 1, all), ==, OK);
    g_assert_true(notes(guest, 0)->surface == first);
    unsigned told = notes(guest, 0)->n_surface;
    g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 1, all), ==, OK);
    g_assert_cmpuint(notes(guest, 0)->n_surface, ==, told);
    g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 1, (Rect){0, 0, 31, 16}), ==, OK);
    g_assert_cmpuint(notes(guest, 0)->n_surface, ==, told + 1);
}

static void
test_refusals(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(2, 0);
    static const Rect absurd[] = {{0, 0, 33, 16}, {0, 0, 32, 17},        {1, 0, 32, 16},       {0, 0, 0, 16},
                                  {0, 0, 32, 0},  {UINT32_MAX, 0, 2, 1}, {0, UINT32_MAX, 1, 2}};
    make_picture(guest, 1, 1);

    for (size_t i = 0; i < G_N_ELEMENTS(absurd); i++)
        g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 1, absurd[i]), ==, INVALID_PARAMETER);
    for (uint32_t id = 0; id < 2; id++) {
        g_assert_cmphex(gpu_guest_set_scanout(guest, 2, id, (Rect){0, 0, 32, 16}), ==,
                        VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID);
        g_assert_cmphex(gpu_guest_set_scanout(guest, UINT32_MAX, id, (Rect){0, 0, 32, 16}), ==,
                        VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID);
    }
    g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 7, (Rect){0, 0, 32, 16}), ==,
                    VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
    g_assert_null(notes(guest, 0)->surface);

    /* What is refused leaves what is shown as it was. */
    g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 1, (Rect){0, 0, 32, 16}), ==, OK);
    g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 1, absurd[0]), ==, INVALID_PARAMETER);
    g_assert_cmphex(gpu_guest_flush(guest, 1, (Rect){0, 0, 32, 16}), ==, OK);
    assert_box(&notes(guest, 0)->box, 0, 0, 32, 16);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/gpu-scanout/part", test_part_of_a_resource);
    g_test_add_func("/gpu-scanout/flush", test_flush);
    g_test_add_func("/gpu-scanout/several", test_several_scanouts_on_one_resource);
    g_test_add_func("/gpu-scanout/destroyed", test_destroyed_while_shown);
    g_test_add_func("/gpu-scanout/blank", test_blank);
    g_test_add_func("/gpu-scanout/page-flips", test_page_flips);
    g_test_add_func("/gpu-scanout/refusals", test_refusals);
    return g_test_run();
}
