/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures for a client: two that differ in every pixel are shown in turn, or a small box changes, at a set pace. The
 * guest halts while it waits. Command line: mode=full or box, frames=N, interval=MICROSECONDS, jitter=MICROSECONDS,
 * width=, height=, and content=noise or text.
 *
 * It asks for "begin" and "end" around the frames, then prints "flush NANOSECONDS" of the host's clock for each.
 */
#include "clock.h"
#include "console.h"
#include "cpu.h"
#include "gpu.h"
#include "interrupt.h"
#include "start.h"
#include "tap.h"
#include "text.h"
#include "user.h"

#define FRAMES_MAX 4096
#define BOX 64

static uint32_t width, height;
static uint32_t *pictures[2];
static uint64_t flushed[FRAMES_MAX];

static uint64_t
draw(void *argument)
{
    (void)argument;
    bool text = strcmp(start_option("content", "noise"), "text") == 0;
    uint64_t state = 88172645463325252ull;

    for (unsigned p = 0; p < 2; p++) {
        for (uint32_t y = 0; y < height; y++) {
            for (uint32_t x = 0; x < width; x++) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                /* Text: lines of 20 rows with ink in a third of the places of 14 of them, on paper of two colours. */
                bool ink = y % 20 < 14 && (state & 0xff) < 85;
                uint32_t paper = p ? 0xf8f8f0 : 0xffffff;
                pictures[p][y * width + x] = text ? (ink ? 0x202020 + p : paper) : (uint32_t)state & 0xffffff;
            }
        }
    }
    return 0;
}

static uint64_t
draw_box(void *argument)
{
    uint64_t seed = (uint64_t)argument * 0x9e3779b97f4a7c15;

    for (uint32_t y = 0; y < BOX; y++) {
        for (uint32_t x = 0; x < BOX; x++)
            pictures[0][y * width + x] = (seed + x * 7 + y * 13) & 0xffffff;
    }
    return 0;
}

/* Sends two commands at once and halts until both are answered. picture: the one whose pixels are taken. */
static void
show(unsigned picture, GpuBox box)
{
    GpuTransfer transfer = {{GPU_TRANSFER}, box, picture * (uint64_t)width * height * 4, 1, 0};
    GpuFlush flush = {{GPU_FLUSH}, box, 1, 0};
    GpuHead answers[2] = {{0}};
    VirtBuffer first[] = {{&transfer, sizeof(transfer)}, {&answers[0], sizeof(answers[0])}};
    VirtBuffer second[] = {{&flush, sizeof(flush)}, {&answers[1], sizeof(answers[1])}};

    virtqueue_add(&gpu.control, first, 1, 1);
    virtqueue_add(&gpu.control, second, 1, 1);
    virtqueue_kick(&gpu.control);
    virtqueue_sleep(&gpu.control, NULL);
    virtqueue_sleep(&gpu.control, NULL);
    if (answers[0].type != GPU_OK || answers[1].type != GPU_OK)
        panic("answers %x, %x", answers[0].type, answers[1].type);
}

static void
begin(void)
{
    uint8_t vector = interrupt_allocate(NULL, NULL);
    GpuBox all = {0, 0, width, height};

    if (!gpu_start(VIRTIO_F_EVENT_INDEX))
        panic("no graphics device");
    /* One resource, and memory for two of its size behind it: a transfer chooses by its offset. */
    GpuEntry entry = {(uint64_t)pictures[0], 2 * width * height * 4, 0};
    if (gpu_create(1, GPU_BGRX, width, height) != GPU_OK || gpu_attach(1, &entry, 1) != GPU_OK ||
        gpu_transfer(1, all, 0) != GPU_OK)
        panic("no picture");
    gpu_set_scanout(0, 1, all);
    gpu_flush(1, all);
    pci_msix_set(&gpu.device.pci, 0, vector, false);
    pci_msix_enable(&gpu.device.pci, true, false);
    mmio_write16(gpu.device.common + VIRTIO_COMMON_QUEUE_SELECT, 0);
    mmio_write16(gpu.device.common + VIRTIO_COMMON_QUEUE_VECTOR, 0);
}

void
guest_main(void)
{
    bool box = strcmp(start_option("mode", "full"), "box") == 0;
    uint32_t frames = start_option_number("frames", 60);
    uint64_t interval = start_option_number("interval", 100000) * 1000;
    uint64_t jitter = start_option_number("jitter", 0) * 1000, random = 88172645463325252ull;

    width = start_option_number("width", 1920);
    height = start_option_number("height", 1080);
    pictures[0] = pages_allocate((2 * width * height * 4 + PAGE_SIZE - 1) / PAGE_SIZE);
    pictures[1] = pictures[0] + width * height;
    user_run(draw, NULL);
    begin();
    ask_harness("begin");

    uint64_t next = clock_ns();
    for (uint32_t i = 0; i < frames && i < FRAMES_MAX; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        next += interval + (jitter ? random % jitter : 0);
        clock_sleep_until(next);
        if (box)
            user_run(draw_box, (void *)(uint64_t)(i + 1));
        flushed[i] = clock_host_ns();
        if (box)
            show(0, (GpuBox){0, 0, BOX, BOX});
        else
            show((i + 1) % 2, (GpuBox){0, 0, width, height});
    }
    ask_harness("end");
    for (uint32_t i = 0; i < frames && i < FRAMES_MAX; i++)
        console_printf("flush %lu\n", flushed[i]);
    ok(true, "%u frames", frames);
    tap_done();
}
