/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs: shown where they lie in the guest's memory, with whatever stride and offset, and never beyond their size. */
#include "guest.h"

#define INVALID_PARAMETER VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER
#define INVALID_ID VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID

typedef struct virtio_gpu_rect Rect;
typedef struct virtio_gpu_set_scanout_blob SetScanoutBlob;

static NotesOfScanout *
notes(GpuGuest *guest)
{
    return &guest->notes.of[0];
}

/* A valid command for a picture of 16 × 8 in resource 1. */
static SetScanoutBlob
set_16_by_8(void)
{
    return (SetScanoutBlob){
        .hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT_BLOB,
        .r = {0, 0, 16, 8},
        .resource_id = 1,
        .width = 16,
        .height = 8,
        .format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM,
        .strides = {64},
    };
}

static uint32_t
set(GpuGuest *guest, SetScanoutBlob command)
{
    return gpu_guest_command(guest, &command, sizeof command);
}

/* The scanout reads the guest's own pages: what the guest draws is seen without any command. */
static void
test_zero_copy(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    uint64_t pixels = gpu_guest_pixels(guest, 16 * 8, 1);

    g_assert_cmphex(gpu_guest_create_blob_one(guest, 1, pixels, 512), ==, OK);
    g_assert_cmphex(set(guest, set_16_by_8()), ==, OK);
    uint32_t *memory = virtio_driver_at(guest->driver, pixels, 512);
    g_assert_true(notes(guest)->surface->linear == memory);
    g_assert_cmphex(notes(guest)->surface->format, ==, PIXMAN_a8r8g8b8);
    memory[17] = 4711;
    g_assert_cmpuint(gpu_guest_shown(guest, 0, 1, 1), ==, 4711);
    g_assert_cmpuint(virtio_gpu_stats(&guest->gpu->device).host_bytes, ==, 0);

    g_assert_cmphex(gpu_guest_flush(guest, 1, (Rect){2, 3, 4, 5}), ==, OK);
    assert_box(&notes(guest)->box, 2, 3, 6, 8);
    g_assert_cmphex(gpu_guest_flush(guest, 1, (Rect){0, 0, UINT32_MAX, UINT32_MAX}), ==, OK); /* clipped */
    assert_box(&notes(guest)->box, 0, 0, 16, 8);
}

static void
test_scattered_pages(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    uint64_t one = gpu_guest_pixels(guest, 1024, 0), two = gpu_guest_pixels(guest, 1024, 1024);
    const struct virtio_gpu_mem_entry backwards[] = {{.addr = two, .length = 4096}, {.addr = one, .length = 4096}};

    g_assert_cmphex(gpu_guest_create_blob(guest, 1, 8192, backwards, 2), ==, OK);
    g_assert_cmphex(gpu_guest_set_scanout_blob(guest, 0, 1, 48, 40), ==, OK);
    g_assert_null(notes(guest)->surface->linear);
    g_assert_cmpuint(gpu_guest_shown(guest, 0, 0, 0), ==, 1024);
    g_assert_cmpuint(gpu_guest_shown(guest, 0, 15, 21), ==, 2047); /* the last of the first page … */
    g_assert_cmpuint(gpu_guest_shown(guest, 0, 16, 21), ==, 0);    /* … and what follows */
}

static void
test_stride_offset_and_part(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    uint64_t pixels = gpu_guest_pixels(guest, 1024, 0);
    SetScanoutBlob command = set_16_by_8();

    g_assert_cmphex(gpu_guest_create_blob_one(guest, 1, pixels, 4096), ==, OK);
    command.strides[0] = 100;
    command.offsets[0] = 40;
    command.r = (Rect){3, 2, 10, 5};
    g_assert_cmphex(set(guest, command), ==, OK);
    g_assert_cmpuint(notes(guest)->surface->width, ==, 10);
    g_assert_cmpuint(gpu_guest_shown(guest, 0, 0, 0), ==, 10 + 2 * 25 + 3);
    g_assert_cmpuint(gpu_guest_shown(guest, 0, 9, 4), ==, 10 + 6 * 25 + 12);
    g_assert_cmphex(gpu_guest_flush(guest, 1, (Rect){0, 0, 16, 3}), ==, OK);
    assert_box(&notes(guest)->box, 0, 0, 10, 1);
}

static void
test_refused_pictures(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    /* The backing is longer than the blob: only the blob counts. */
    const struct virtio_gpu_mem_entry page = {.addr = gpu_guest_pixels(guest, 1024, 0), .length = 4096};
    g_assert_cmphex(gpu_guest_create_blob(guest, 1, 512, &page, 1), ==, OK);

#define REFUSED(change)                                              \
    do {                                                             \
        SetScanoutBlob command = set_16_by_8();                      \
        change;                                                      \
        g_assert_cmphex(set(guest, command), ==, INVALID_PARAMETER); \
    } while (0)
    REFUSED(command.height = 9);
    REFUSED(command.offsets[0] = 4);
    REFUSED(command.offsets[0] = UINT32_MAX - 3);
    REFUSED(command.strides[0] = 68);
    REFUSED(command.strides[0] = UINT32_MAX - 3);
    REFUSED(command.strides[0] = 60); /* rows overlap */
    REFUSED(command.strides[0] = 66); /* misaligned */
    REFUSED(command.strides[0] = 0);
    REFUSED(command.format = 0);
    REFUSED(command.format = 1234);
    REFUSED(command.width = 0);
    REFUSED(command.height = 0);
    REFUSED(command.width = 0x40000004); /* × 4 wraps to 16 */
    REFUSED(command.height = UINT32_MAX);
    REFUSED(command.r.width = 0);
    REFUSED(command.r.height = 0);
    REFUSED(command.r.x = 1);
    REFUSED((command.r.x = UINT32_MAX, command.r.width = 2));
    REFUSED(command.r.y = UINT32_MAX);
#undef REFUSED
    g_assert_null(notes(guest)->surface);

    SetScanoutBlob command = set_16_by_8();
    command.scanout_id = 1;
    g_assert_cmphex(set(guest, command), ==, VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID);
    command.scanout_id = 0;
    command.resource_id = 2;
    g_assert_cmphex(set(guest, command), ==, INVALID_ID);
    g_assert_cmphex(gpu_guest_create_2d(guest, 2, 16, 8), ==, OK);
    g_assert_cmphex(set(guest, command), ==, INVALID_ID); /* no blob */
    g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 1, (Rect){0, 0, 16, 8}), ==, INVALID_ID);

    /* Misaligned in the guest's memory: shown all the same. */
    g_assert_cmphex(gpu_guest_create_blob_one(guest, 3, page.addr + 1, 512), ==, OK);
    command.resource_id = 3;
    g_assert_cmphex(set(guest, command), ==, OK);
    g_assert_cmphex(gpu_guest_shown(guest, 0, 0, 0), ==, 1 << 24);
    command.resource_id = 0;
    g_assert_cmphex(set(guest, command), ==, OK);
    g_assert_null(notes(guest)->surface);
}

static void
test_refused_blobs(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    uint64_t page = gpu_guest_pixels(guest, 1024, 0);
    struct {
        struct virtio_gpu_resource_create_blob create;
        struct virtio_gpu_mem_entry entry;
    } command = {
        .create = {.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, .resource_id = 1, .nr_entries = 1, .size = 4096},
        .entry = {.addr = page, .length = 4096},
    };
    static const uint32_t kinds[] = {0, VIRTIO_GPU_BLOB_MEM_HOST3D, VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST, UINT32_MAX};
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        command.create.blob_mem = kinds[i];
        g_assert_cmphex(gpu_guest_command(guest, &command, sizeof command), ==, INVALID_PARAMETER);
    }
    command.create.blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST;
    command.create.blob_flags = 8;
    g_assert_cmphex(gpu_guest_command(guest, &command, sizeof command), ==, INVALID_PARAMETER);

    const struct virtio_gpu_mem_entry entry = {.addr = page, .length = 4096};
    g_assert_cmphex(gpu_guest_create_blob(guest, 0, 4096, &entry, 1), ==, INVALID_ID);
    g_assert_cmphex(gpu_guest_create_blob(guest, 1, 0, &entry, 1), ==, INVALID_PARAMETER);
    g_assert_cmphex(gpu_guest_create_blob(guest, 1, 4097, &entry, 1), ==, INVALID_PARAMETER);
    g_assert_cmphex(gpu_guest_create_blob(guest, 1, UINT64_MAX, &entry, 1), ==, INVALID_PARAMETER);
    g_assert_cmphex(gpu_guest_create_blob_one(guest, 1, UINT64_MAX - 4095, 4096), ==, INVALID_PARAMETER);
    g_assert_cmpuint(virtio_gpu_stats(&guest->gpu->device).resources, ==, 0);
    g_assert_cmphex(gpu_guest_create_blob(guest, 1, 4096, &entry, 1), ==, OK);
    g_assert_cmphex(gpu_guest_create_blob(guest, 1, 4096, &entry, 1), ==, INVALID_ID);
    g_assert_cmphex(gpu_guest_create_2d(guest, 1, 1, 1), ==, INVALID_ID);
}

static void
test_memory_comes_later_and_goes(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    uint64_t pixels = gpu_guest_pixels(guest, 16 * 8, 0);

    g_assert_cmphex(gpu_guest_create_blob(guest, 1, 512, NULL, 0), ==, OK);
    g_assert_cmphex(set(guest, set_16_by_8()), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
    g_assert_cmphex(gpu_guest_attach_one(guest, 1, pixels, 511), ==, INVALID_PARAMETER);
    g_assert_cmphex(gpu_guest_attach_one(guest, 1, pixels, 512), ==, OK);
    g_assert_cmphex(set(guest, set_16_by_8()), ==, OK);
    g_assert_cmphex(gpu_guest_detach(guest, 1), ==, OK);
    g_assert_null(notes(guest)->surface);
    g_assert_cmphex(set(guest, set_16_by_8()), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
    g_assert_cmphex(gpu_guest_attach_one(guest, 1, pixels, 512), ==, OK);
    g_assert_cmphex(set(guest, set_16_by_8()), ==, OK);
    g_autoptr(Surface) viewed = screen_get_surface(guest->screen, 0);
    g_assert_cmphex(gpu_guest_unref(guest, 1), ==, OK);
    g_assert_null(notes(guest)->surface);
    uint32_t scratch;
    g_assert_cmpuint(*surface_row(viewed, 15, 7, 1, &scratch), ==, 127); /* guest RAM stays */
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/blob/zero-copy", test_zero_copy);
    g_test_add_func("/blob/scattered", test_scattered_pages);
    g_test_add_func("/blob/stride", test_stride_offset_and_part);
    g_test_add_func("/blob/refused-pictures", test_refused_pictures);
    g_test_add_func("/blob/refused-blobs", test_refused_blobs);
    g_test_add_func("/blob/later", test_memory_comes_later_and_goes);
    return g_test_run();
}
