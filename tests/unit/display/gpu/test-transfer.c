/* SPDX-License-Identifier: Apache-2.0 */
/* TRANSFER_TO_HOST_2D: exactly the rectangle is copied, from wherever the guest's pages are; all else is refused. */
#include "guest.h"

#define INVALID_PARAMETER VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER
#define SIDE 16

typedef struct virtio_gpu_rect Rect;

/* A shown resource of SIDE × SIDE whose backing holds the numbers from 1000 up. */
static GpuGuest *
guest_with_picture(void)
{
    GpuGuest *guest = gpu_guest_new(1, 0);
    uint64_t pixels = gpu_guest_pixels(guest, SIDE * SIDE, 1000);

    g_assert_cmphex(gpu_guest_create_2d(guest, 1, SIDE, SIDE), ==, OK);
    g_assert_cmphex(gpu_guest_attach_one(guest, 1, pixels, SIDE * SIDE * 4), ==, OK);
    g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 1, (Rect){0, 0, SIDE, SIDE}), ==, OK);
    return guest;
}

/* Pixels inside @rect came from @offset of the backing, those outside are 0. */
static void
check_picture(GpuGuest *guest, Rect rect, uint32_t offset)
{
    for (uint32_t y = 0; y < SIDE; y++) {
        for (uint32_t x = 0; x < SIDE; x++) {
            bool inside = x >= rect.x && x < rect.x + rect.width && y >= rect.y && y < rect.y + rect.height;
            uint32_t expected = 1000 + offset / 4 + (y - rect.y) * SIDE + (x - rect.x);
            g_assert_cmpuint(gpu_guest_shown(guest, 0, x, y), ==, inside ? expected : 0);
        }
    }
}

static void
test_rectangles(void)
{
    static const struct {
        Rect rect;
        uint32_t offset;
    } cases[] = {
        {{0, 0, SIDE, SIDE}, 0},
        {{0, 4, SIDE, 3}, 4 * SIDE * 4},
        {{3, 5, 7, 9}, (5 * SIDE + 3) * 4},
        {{15, 15, 1, 1}, 255 * 4},
        {{2, 2, 4, 4}, 0} /* from elsewhere in the guest's picture */,
        {{0, 0, SIDE, 2}, 14 * SIDE * 4},
        {{5, 5, 0, 4}, 0},
        {{16, 16, 0, 0}, 0},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GpuGuest) guest = guest_with_picture();
        g_assert_cmphex(gpu_guest_transfer(guest, 1, cases[i].rect, cases[i].offset), ==, OK);
        check_picture(guest, cases[i].rect, cases[i].offset);
    }
}

static void
test_scattered_backing(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    uint64_t pixels = gpu_guest_pixels(guest, SIDE * SIDE, 1000);
    struct virtio_gpu_mem_entry entries[SIDE * SIDE * 4 / 7 + 1];
    uint32_t n = 0;

    /* Seven bytes each, every piece moved to a page of its own. */
    for (uint32_t at = 0; at < SIDE * SIDE * 4; at += 7) {
        uint32_t len = MIN(7, SIDE * SIDE * 4 - at);
        uint64_t page = virtio_driver_alloc(guest->driver, len);
        memcpy(virtio_driver_at(guest->driver, page, len), virtio_driver_at(guest->driver, pixels + at, len), len);
        entries[n++] = (struct virtio_gpu_mem_entry){.addr = page, .length = len};
    }
    g_assert_cmphex(gpu_guest_create_2d(guest, 1, SIDE, SIDE), ==, OK);
    g_assert_cmphex(gpu_guest_attach(guest, 1, entries, n), ==, OK);
    g_assert_cmphex(gpu_guest_set_scanout(guest, 0, 1, (Rect){0, 0, SIDE, SIDE}), ==, OK);
    g_assert_cmphex(gpu_guest_transfer(guest, 1, (Rect){3, 2, 11, 13}, (2 * SIDE + 3) * 4), ==, OK);
    check_picture(guest, (Rect){3, 2, 11, 13}, (2 * SIDE + 3) * 4);
    g_assert_cmphex(gpu_guest_transfer(guest, 1, (Rect){0, 0, SIDE, SIDE}, 0), ==, OK);
    check_picture(guest, (Rect){0, 0, SIDE, SIDE}, 0);
}

static void
test_out_of_range(void)
{
    g_autoptr(GpuGuest) guest = guest_with_picture();
    static const struct {
        Rect rect;
        uint64_t offset;
    } cases[] = {
        {{0, 0, SIDE + 1, 1}, 0},
        {{0, 0, 1, SIDE + 1}, 0},
        {{1, 0, SIDE, 1}, 0},
        {{0, SIDE, 1, 1}, 0},
        {{UINT32_MAX, 0, 2, 1}, 0}, /* x + width wraps to 1 */
        {{0, UINT32_MAX, 1, 2}, 0},
        {{0, 0, UINT32_MAX, UINT32_MAX}, 0},
        {{0x80000000, 0, 0x80000001, 1}, 0},
        {{0, 0, SIDE, SIDE}, 1}, /* the backing ends one byte early */
        {{0, 0, 1, 1}, SIDE * SIDE * 4 - 3},
        {{0, 0, 1, 1}, SIDE * SIDE * 4},
        {{0, 0, 1, 1}, UINT64_MAX},
        {{0, 0, SIDE, SIDE}, UINT64_MAX - SIDE * SIDE * 4 + 1}, /* offset + length wraps to 0 */
        {{0, 0, 1, 1}, 1ull << 32},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        g_assert_cmphex(gpu_guest_transfer(guest, 1, cases[i].rect, cases[i].offset), ==, INVALID_PARAMETER);
    check_picture(guest, (Rect){0}, 0); /* nothing was copied */
}

static void
test_no_such_picture(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    Rect rect = {0, 0, 1, 1};

    g_assert_cmphex(gpu_guest_transfer(guest, 1, rect, 0), ==, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
    g_assert_cmphex(gpu_guest_create_2d(guest, 1, 8, 8), ==, OK);
    g_assert_cmphex(gpu_guest_transfer(guest, 1, rect, 0), ==, VIRTIO_GPU_RESP_ERR_UNSPEC); /* no backing */
    g_assert_cmphex(gpu_guest_attach(guest, 1, NULL, 0), ==, OK);
    g_assert_cmphex(gpu_guest_transfer(guest, 1, rect, 0), ==, INVALID_PARAMETER); /* an empty one */

    /* Linux sends transfers for blobs, which need none. */
    g_assert_cmphex(gpu_guest_create_blob_one(guest, 2, gpu_guest_pixels(guest, 4, 0), 16), ==, OK);
    g_assert_cmphex(gpu_guest_transfer(guest, 2, (Rect){0, 0, 99, 99}, 7), ==, OK);
}

static unsigned
answered(GpuGuest *guest)
{
    VirtioUsed used;
    unsigned n = 0;
    while (virtio_driver_used(guest->driver, GPU_QUEUE_CONTROL, &used))
        n++;
    return n;
}

/* Large transfers, all posted at once: others get their turn long before the last is done. */
static void
test_much_at_once(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    uint64_t ram = virtio_driver_alloc(guest->driver, 1 << 20);
    const struct virtio_gpu_transfer_to_host_2d transfer = {
        .hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, .resource_id = 1, .r = {0, 0, 2048, 2048}};
    struct virtio_gpu_mem_entry entries[16];

    for (size_t i = 0; i < G_N_ELEMENTS(entries); i++) /* the same megabyte again and again */
        entries[i] = (struct virtio_gpu_mem_entry){.addr = ram, .length = 1 << 20};
    g_assert_cmphex(gpu_guest_create_2d(guest, 1, 2048, 2048), ==, OK);
    g_assert_cmphex(gpu_guest_attach(guest, 1, entries, G_N_ELEMENTS(entries)), ==, OK);
    virtio_driver_run(guest->driver);

    uint64_t command = virtio_driver_alloc(guest->driver, sizeof transfer);
    memcpy(virtio_driver_at(guest->driver, command, sizeof transfer), &transfer, sizeof transfer);
    uint64_t answer = virtio_driver_alloc(guest->driver, sizeof transfer.hdr);
    for (unsigned i = 0; i < 12; i++)
        virtio_driver_add(guest->driver, GPU_QUEUE_CONTROL,
                          (VirtioBuffer[]){{command, sizeof transfer, false}, {answer, sizeof transfer.hdr, true}}, 2);
    virtio_device_schedule(&guest->gpu->device, guest->gpu->device.queues[GPU_QUEUE_CONTROL]);
    g_main_context_iteration(NULL, FALSE);
    unsigned n = answered(guest);
    g_assert_cmpuint(n, >=, 1);
    g_assert_cmpuint(n, <=, 3);
    virtio_driver_run(guest->driver);
    g_assert_cmpuint(n + answered(guest), ==, 12);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/transfer/rectangles", test_rectangles);
    g_test_add_func("/transfer/scattered", test_scattered_backing);
    g_test_add_func("/transfer/out-of-range", test_out_of_range);
    g_test_add_func("/transfer/no-such-picture", test_no_such_picture);
    g_test_add_func("/transfer/much-at-once", test_much_at_once);
    return g_test_run();
}
