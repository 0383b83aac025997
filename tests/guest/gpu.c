/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-gpu: what a 2D driver does, with pictures the harness compares pixel by pixel (test_gpu.py makes the same ones).
 * Command line: outputs=N as configured.
 */
#include "gpu.h"
#include "start.h"
#include "tap.h"
#include "text.h"
#include "user.h"

#define WIDTH 320
#define HEIGHT 200
#define STRIDE (WIDTH * 4)

static uint32_t *pixels; /* WIDTH * HEIGHT */

typedef struct Drawing {
    uint32_t seed;
    GpuBox box;
} Drawing;

/* The picture: every pixel tells where it is and which picture it belongs to. */
static uint64_t
draw(void *argument)
{
    const Drawing *drawing = argument;
    GpuBox box = drawing->box;

    for (uint32_t y = box.y; y < box.y + box.height; y++) {
        for (uint32_t x = box.x; x < box.x + box.width; x++)
            pixels[y * WIDTH + x] = (x * 0x010305 + y * 0x070b0d + drawing->seed * 0x111111) & 0xffffff;
    }
    return 0;
}

static void
draw_box(uint32_t seed, GpuBox box)
{
    Drawing drawing = {seed, box};

    user_run(draw, &drawing);
}

static const GpuBox whole = {0, 0, WIDTH, HEIGHT};

static void
test_information(void)
{
    static GpuDisplayInfo info;
    static GpuEdidAnswer edid;
    GpuHead ask = {GPU_GET_DISPLAY_INFO};
    GpuEdid ask_edid = {{GPU_GET_EDID}, 0, 0};
    unsigned outputs = start_option_number("outputs", 1), enabled = 0;

    ok_equal(virtio_config32(&gpu.device, GPU_CONFIG_SCANOUTS), outputs, "as many scanouts as configured");
    ok_equal(virtio_config32(&gpu.device, GPU_CONFIG_CAPSETS), 0, "no capability sets: 2D alone");
    ok_equal(gpu_command(&ask, sizeof(ask), &info, sizeof(info)), GPU_OK_DISPLAY_INFO, "display information");
    for (unsigned i = 0; i < 16; i++)
        enabled += info.modes[i].enabled;
    ok_equal(enabled, 1, "display information: one monitor is on");
    ok(info.modes[0].enabled && info.modes[0].box.width == 1280 && info.modes[0].box.height == 800,
       "display information: the first, at its size");

    if (!(gpu.device.features & GPU_F_EDID)) {
        ok(false, "EDID is offered");
        return;
    }
    ok_equal(gpu_command(&ask_edid, sizeof(ask_edid), &edid, sizeof(edid)), GPU_OK_EDID, "EDID");
    uint8_t sum = 0;
    for (unsigned i = 0; i < 128; i++)
        sum += edid.edid[i];
    ok(edid.size >= 128 && edid.edid[0] == 0 && edid.edid[1] == 0xff && edid.edid[7] == 0 && sum == 0,
       "EDID: head and sum are right");
    const uint8_t *timing = edid.edid + 54;
    ok_equal(timing[2] | (timing[4] & 0xf0) << 4, 1280, "EDID: the preferred timing is as wide as the monitor");
    ok_equal(timing[5] | (timing[7] & 0xf0) << 4, 800, "EDID: and as high");
    ask_edid.scanout = 99;
    ok(gpu_command(&ask_edid, sizeof(ask_edid), &edid, sizeof(edid)) >= GPU_ERROR, "EDID: of no scanout is an error");
}

/* The backing in three pieces that are neither rows nor pages, in another order in memory. */
static void
attach_pieces(uint32_t resource)
{
    uint64_t base = (uint64_t)pixels;
    GpuEntry pieces[] = {{base, 1000, 0}, {base + 1000, 100000, 0}, {base + 101000, STRIDE * HEIGHT - 101000, 0}};

    ok_equal(gpu_attach(resource, pieces, 3), GPU_OK, "backing in three pieces");
}

static void
test_picture(void)
{
    GpuHead fenced[16] = {{GPU_GET_DISPLAY_INFO, GPU_FLAG_FENCE, 0x123456789abcdef0, 0, 0, {0}}};
    static GpuDisplayInfo answer;

    ok_equal(gpu_create(1, GPU_BGRX, WIDTH, HEIGHT), GPU_OK, "a resource");
    attach_pieces(1);
    draw_box(1, whole);
    ok_equal(gpu_transfer(1, whole, 0), GPU_OK, "transfer");
    ok_equal(gpu_set_scanout(0, 1, whole), GPU_OK, "scanout");
    ok_equal(gpu_flush(1, whole), GPU_OK, "flush");
    ask_harness("screen picture");

    /* The whole backing changes, a box of it is transferred: only that may be seen. */
    draw_box(2, whole);
    GpuBox box = {40, 30, 100, 50};
    ok_equal(gpu_transfer(1, box, box.y * STRIDE + box.x * 4), GPU_OK, "transfer of a box");
    ok_equal(gpu_flush(1, box), GPU_OK, "flush of a box");
    ask_harness("screen box");

    GpuBox window = {32, 16, 256, 128};
    ok_equal(gpu_set_scanout(0, 1, window), GPU_OK, "scanout of a part");
    ok_equal(gpu_flush(1, whole), GPU_OK, "flush of all");
    ask_harness("screen window");

    gpu_command(fenced, sizeof(*fenced), &answer, sizeof(answer));
    ok(answer.head.flags & GPU_FLAG_FENCE && answer.head.fence == fenced->fence, "a fence comes back");
}

static void
test_destroyed(void)
{
    ok_equal(gpu_unref(1), GPU_OK, "a resource is destroyed under its scanout");
    ok(gpu_flush(1, whole) >= GPU_ERROR, "flush: it is gone");
    ok(gpu_transfer(1, whole, 0) >= GPU_ERROR, "transfer: it is gone");
    ok(gpu_set_scanout(0, 1, whole) >= GPU_ERROR, "scanout: it is gone");
    ok_equal(gpu_set_scanout(0, 0, (GpuBox){0}), GPU_OK, "scanout off");
    ok_equal(gpu_create(1, GPU_RGBX, WIDTH, HEIGHT), GPU_OK, "its number is free again");
    attach_pieces(1);
    draw_box(3, whole);
    gpu_transfer(1, whole, 0);
    gpu_set_scanout(0, 1, whole);
    ok_equal(gpu_flush(1, whole), GPU_OK, "and can be shown, in another format");
    ask_harness("screen swapped");
    ok_equal(gpu_detach(1), GPU_OK, "backing is detached");
    ok(gpu_transfer(1, whole, 0) >= GPU_ERROR, "transfer: no backing");
    ok_equal(gpu_flush(1, whole), GPU_OK, "flush: what was transferred is still shown");
    ask_harness("screen swapped");
    gpu_unref(1);
}

static void
test_blob(void)
{
    if (!(gpu.device.features & GPU_F_BLOB)) {
        skip("not offered", "blobs");
        return;
    }
    uint64_t base = (uint64_t)pixels;
    GpuCreateBlob create = {.head = {GPU_CREATE_BLOB},
                            .resource = 7,
                            .memory = GPU_BLOB_GUEST,
                            .n_entries = 2,
                            .size = STRIDE * HEIGHT,
                            .entries = {{base, 8192, 0}, {base + 8192, STRIDE * HEIGHT - 8192, 0}}};
    GpuSetScanoutBlob show = {.head = {GPU_SET_SCANOUT_BLOB},
                              .box = {0, 0, WIDTH, HEIGHT},
                              .resource = 7,
                              .width = WIDTH,
                              .height = HEIGHT,
                              .format = GPU_BGRX,
                              .strides = {STRIDE}};

    draw_box(4, whole);
    ok_equal(gpu_command(&create, sizeof(create) - 14 * sizeof(GpuEntry), NULL, 0), GPU_OK, "a blob of guest memory");
    ok_equal(gpu_command(&show, sizeof(show), NULL, 0), GPU_OK, "blob: scanout");
    ok_equal(gpu_flush(7, whole), GPU_OK, "blob: flush");
    ask_harness("screen blob");
    GpuBox box = {8, 8, 64, 64};
    draw_box(5, box);
    ok_equal(gpu_flush(7, box), GPU_OK, "blob: flush of a box, nothing transferred");
    ask_harness("screen blobbox");
    ok_equal(gpu_unref(7), GPU_OK, "blob: destroyed under its scanout");
    gpu_set_scanout(0, 0, (GpuBox){0});
}

static void
test_cursor(void)
{
    enum { SIDE = 64 };
    GpuEntry backing = {(uint64_t)pixels, SIDE * SIDE * 4, 0};

    gpu_create(9, GPU_BGRA, SIDE, SIDE);
    gpu_attach(9, &backing, 1);
    gpu_transfer(9, (GpuBox){0, 0, SIDE, SIDE}, 0);
    ok(gpu_cursor(GPU_UPDATE_CURSOR, 0, 9, 10, 20), "cursor: a picture");
    ok(gpu_cursor(GPU_MOVE_CURSOR, 0, 9, 30, 40), "cursor: moved");
    ok(gpu_cursor(GPU_UPDATE_CURSOR, 0, 0, 0, 0), "cursor: hidden");
    gpu_unref(9);
}

static void
test_scanouts(void)
{
    unsigned outputs = start_option_number("outputs", 1);

    if (outputs < 2)
        return;
    GpuEntry backing = {(uint64_t)pixels, STRIDE * HEIGHT, 0};
    for (unsigned i = 0; i < outputs; i++) {
        gpu_create(20 + i, GPU_BGRX, WIDTH, HEIGHT);
        gpu_attach(20 + i, &backing, 1);
        draw_box(10 + i, whole);
        gpu_transfer(20 + i, whole, 0);
        ok_equal(gpu_set_scanout(i, 20 + i, whole), GPU_OK, "scanout %u", i);
        ok_equal(gpu_flush(20 + i, whole), GPU_OK, "scanout %u: flush", i);
    }
    ask_harness("screens %u", outputs);
}

static void
test_mode(const VirtMode *mode)
{
    if (!ok(gpu_start(mode->features | GPU_F_EDID | GPU_F_BLOB), "%s: starts", mode->name))
        return;
    GpuEntry backing = {(uint64_t)pixels, STRIDE * HEIGHT, 0};
    gpu_create(1, GPU_BGRX, WIDTH, HEIGHT);
    gpu_attach(1, &backing, 1);
    ok(gpu_transfer(1, whole, 0) == GPU_OK && gpu_set_scanout(0, 1, whole) == GPU_OK && gpu_flush(1, whole) == GPU_OK,
       "%s: a picture", mode->name);
}

void
guest_main(void)
{
    pixels = pages_allocate((STRIDE * HEIGHT + PAGE_SIZE - 1) / PAGE_SIZE);
    if (!ok(gpu_start(GPU_F_EDID | GPU_F_BLOB), "graphics device starts"))
        return;
    test_information();
    test_picture();
    test_destroyed();
    test_blob();
    test_cursor();
    test_scanouts();
    ok(!virtio_needs_reset(&gpu.device), "no reset needed");
    for (unsigned i = 0; i < VIRT_MODES; i++)
        test_mode(&virt_modes[i]);
    tap_done();
}
