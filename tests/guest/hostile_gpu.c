/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-gpu commands no driver sends. Each must be answered with an error, or not at all and the device says it needs a
 * reset; afterwards it still works, and the harness finds the VMM's memory bounded.
 *
 * Attacks are named by the published fault of their class where there is one. The numbers are of other VMMs' faults:
 *   CVE-2016-7994    creating a resource fails half way, again and again, and leaks
 *   CVE-2016-9846    a cursor from a resource of another size leaks
 *   CVE-2016-9908, CVE-2016-9845, CVE-2021-3545   capability sets answer with memory nobody filled
 *   CVE-2016-9912, CVE-2021-3544                  a resource destroyed with its backing leaks it
 *   CVE-2016-10028, CVE-2021-3546                 capability sets that are not there, of no size
 *   CVE-2016-10029   a scanout past the last one
 *   CVE-2017-5578    backing attached twice leaks the first
 *   CVE-2026-3886    width times bytes a pixel overflows
 */
#include "clock.h"
#include "gpu.h"
#include "smp.h"
#include "start.h"
#include "tap.h"
#include "text.h"
#include "user.h"

#define SIDE 64
#define HOLE 0xa0000000ull
#define ONES 0xffffffffu

static uint8_t *backing; /* SIDE * SIDE * 4 */
static const GpuBox whole = {0, 0, SIDE, SIDE};
static const GpuBox none = {0, 0, 0, 0};

/* Starts it anew with one good resource, number 1, on the first scanout. */
static bool
begin(void)
{
    GpuEntry entry = {(uint64_t)backing, SIDE * SIDE * 4, 0};

    return gpu_start(GPU_F_EDID | GPU_F_BLOB) && gpu_create(1, GPU_BGRX, SIDE, SIDE) == GPU_OK &&
           gpu_attach(1, &entry, 1) == GPU_OK && gpu_transfer(1, whole, 0) == GPU_OK &&
           gpu_set_scanout(0, 1, whole) == GPU_OK && gpu_flush(1, whole) == GPU_OK;
}

/* An attack's answer: an error, or none because the device wants a reset, which it then gets. */
static void
refused(uint32_t answer, const char *name)
{
    bool stopped = answer == GPU_LOST && virtio_needs_reset(&gpu.device);

    ok(answer >= GPU_ERROR || stopped, "%s", name);
    if (answer && answer < GPU_ERROR)
        note("answered %x", answer);
    if (stopped)
        ok(begin(), "%s: it works after the reset", name);
}

static uint32_t
create(uint32_t width, uint32_t height)
{
    return gpu_create(50, GPU_BGRX, width, height);
}

static void
test_create(void)
{
    refused(gpu_create(0, GPU_BGRX, SIDE, SIDE), "create: resource number 0");
    refused(gpu_create(1, GPU_BGRX, SIDE, SIDE), "create: a number in use");
    refused(gpu_create(50, 0, SIDE, SIDE), "create: format 0");
    refused(gpu_create(50, ONES, SIDE, SIDE), "create: a format nobody knows");
    refused(create(0, SIDE), "create: no width");
    refused(create(SIDE, 0), "create: no height");
    refused(create(0x40000001, 1), "create: CVE-2026-3886: width times four overflows to 4");
    refused(create(0x40000000, 0x40000000), "create: CVE-2026-3886: width times four overflows to 0");
    refused(create(0x10000, 0x10000), "create: width times height overflows to 0");
    refused(create(0x8001, 0x8001), "create: width times height times four overflows");
    refused(create(ONES, ONES), "create: as large as can be said");
    refused(create(1, ONES), "create: as high as can be said");
    refused(create(16384, 16384), "create: a gibibyte of pixels");
    for (unsigned i = 0; i < 200; i++)
        create(0x7fff, 0x7fff);
    ok(gpu_create(50, GPU_BGRX, SIDE, SIDE) == GPU_OK && gpu_unref(50) == GPU_OK,
       "create: CVE-2016-7994: 200 failures leave the number free");
}

static void
test_scanout(void)
{
    refused(gpu_set_scanout(1, 1, whole), "scanout: CVE-2016-10029: one past the last");
    refused(gpu_set_scanout(16, 1, whole), "scanout: CVE-2016-10029: past any");
    refused(gpu_set_scanout(ONES, 1, whole), "scanout: CVE-2016-10029: the largest number");
    refused(gpu_set_scanout(ONES, 0, none), "scanout: the largest number, switched off");
    refused(gpu_set_scanout(0, 99, whole), "scanout: a resource that is not there");
    refused(gpu_set_scanout(0, 1, (GpuBox){0, 0, SIDE + 1, SIDE}), "scanout: wider than the resource");
    refused(gpu_set_scanout(0, 1, (GpuBox){1, 0, SIDE, SIDE}), "scanout: moved out of the resource");
    refused(gpu_set_scanout(0, 1, (GpuBox){0xffffffc0, 0, SIDE, SIDE}), "scanout: x plus width wraps");
    refused(gpu_set_scanout(0, 1, (GpuBox){0, ONES, SIDE, SIDE}), "scanout: y plus height wraps");
    refused(gpu_set_scanout(0, 1, none), "scanout: of no size");
}

static void
test_flush_and_transfer(void)
{
    refused(gpu_flush(99, whole), "flush: a resource that is not there");
    refused(gpu_flush(0, whole), "flush: resource number 0");
    refused(gpu_flush(1, (GpuBox){0, 0, SIDE + 1, SIDE}), "flush: outside the resource");
    refused(gpu_flush(1, (GpuBox){0xfffffff0, 0, SIDE, 1}), "flush: x plus width wraps");
    refused(gpu_transfer(99, whole, 0), "transfer: a resource that is not there");
    refused(gpu_transfer(1, (GpuBox){0, 1, SIDE, SIDE}, 0), "transfer: outside the resource");
    refused(gpu_transfer(1, (GpuBox){0xfffffff0, 0, 0x20, 1}, 0), "transfer: x plus width wraps");
    refused(gpu_transfer(1, (GpuBox){0, 0xfffffff0, 1, 0x20}, 0), "transfer: y plus height wraps");
    gpu_create(51, GPU_BGRX, SIDE, SIDE);
    refused(gpu_transfer(51, whole, 0), "transfer: no backing");
    gpu_unref(51);

    /* Past the backing's end: refused, or nothing is copied from there. It must not read what is not the guest's. */
    gpu_transfer(1, whole, 1);
    gpu_transfer(1, whole, 0xffffffffffffffff);
    gpu_transfer(1, whole, 0xfffffffffffff000);
    gpu_transfer(1, (GpuBox){0, 0, 1, SIDE}, 0xffffffff00000000);
    ok(virtio_needs_reset(&gpu.device) ? begin() : gpu_transfer(1, whole, 0) == GPU_OK,
       "transfer: offsets past the backing");
}

static uint32_t
attach(uint32_t resource, uint32_t n, GpuEntry entry)
{
    GpuAttach command = {{GPU_ATTACH}, resource, n, {entry, entry, entry}};

    return gpu_command(&command, sizeof(command), NULL, 0);
}

static void
test_attach(void)
{
    GpuEntry good = {(uint64_t)backing, SIDE * SIDE * 4, 0};

    gpu_create(52, GPU_BGRX, SIDE, SIDE);
    refused(attach(52, ONES, good), "attach: 4294967295 entries");
    refused(attach(52, 0x10000001, good), "attach: entries whose bytes wrap to one");
    refused(attach(52, 17, good), "attach: more entries than were sent");
    refused(attach(99, 1, good), "attach: a resource that is not there");
    refused(attach(52, 1, (GpuEntry){(uint64_t)backing, ONES, 0}), "attach: 4 GiB of memory");
    if (start_on_qemu()) {
        skip("QEMU copies what is not memory", "attach: what is not memory");
    } else {
        refused(attach(52, 1, (GpuEntry){HOLE, 4096, 0}), "attach: memory in the hole");
        refused(attach(52, 1, (GpuEntry){0xfffffffffffff000, 8192, 0}), "attach: memory that wraps");
        refused(attach(52, 1, (GpuEntry){gpu.device.common, 4096, 0}), "attach: the device's own registers");
    }
    gpu_create(52, GPU_BGRX, SIDE, SIDE); /* it may have been lost to a reset */

    ok(attach(52, 1, good) == GPU_OK, "attach: sound backing after all that");
    for (unsigned i = 0; i < 100; i++)
        attach(52, 1, good);
    refused(attach(52, 1, good), "attach: CVE-2017-5578: over and over");
    ok(gpu_unref(52) == GPU_OK, "attach: and the resource can be destroyed");

    unsigned good_turns = 0;
    for (unsigned i = 0; i < 300; i++)
        good_turns +=
            gpu_create(53, GPU_BGRX, 256, 256) == GPU_OK && attach(53, 1, good) == GPU_OK && gpu_unref(53) == GPU_OK;
    ok_equal(good_turns, 300, "attach: CVE-2016-9912, CVE-2021-3544: destroyed with its backing, 300 times");

    /* Backing too small for the picture, and of no length: what is missing must not be read from elsewhere. */
    gpu_create(54, GPU_BGRX, SIDE, SIDE);
    attach(54, 1, (GpuEntry){(uint64_t)backing, 1, 0});
    gpu_transfer(54, whole, 0);
    gpu_detach(54);
    attach(54, 2, (GpuEntry){(uint64_t)backing, 0, 0});
    gpu_transfer(54, whole, 0);
    gpu_unref(54);
    ok(virtio_needs_reset(&gpu.device) ? begin() : gpu_flush(1, whole) == GPU_OK, "attach: backing that is too small");
    refused(gpu_detach(99), "detach: a resource that is not there");
}

static void
test_unref(void)
{
    refused(gpu_unref(99), "unref: a resource that is not there");
    refused(gpu_unref(0), "unref: resource number 0");
    gpu_create(55, GPU_BGRX, SIDE, SIDE);
    gpu_unref(55);
    refused(gpu_unref(55), "unref: twice");
    for (unsigned i = 0; i < 20; i++) {
        gpu_create(56, GPU_BGRX, SIDE, SIDE);
        gpu_set_scanout(0, 56, whole);
        gpu_flush(56, whole);
        gpu_cursor(GPU_UPDATE_CURSOR, 0, 56, 1, 1);
        gpu_unref(56);
        gpu_flush(56, whole);
    }
    refused(gpu_flush(56, whole), "unref: shown, as a picture and as a cursor, 20 times");
    refused(gpu_set_scanout(0, 56, whole), "unref: and not to be shown again");
    ok(gpu_set_scanout(0, 1, whole) == GPU_OK && gpu_flush(1, whole) == GPU_OK, "unref: another can be");
}

static void
test_cursor(void)
{
    gpu_create(57, GPU_BGRA, 32, 32);
    gpu_create(58, GPU_BGRA, 512, 512);
    for (unsigned i = 0; i < 100; i++)
        gpu_cursor(GPU_UPDATE_CURSOR, 0, 57, i, i);
    gpu_cursor(GPU_UPDATE_CURSOR, 0, 58, 0, 0);
    ok(!virtio_needs_reset(&gpu.device), "cursor: CVE-2016-9846: resources of other sizes");
    gpu_cursor(GPU_UPDATE_CURSOR, 0, 99, 0, 0);
    gpu_cursor(GPU_UPDATE_CURSOR, 99, 1, 0, 0);
    gpu_cursor(GPU_MOVE_CURSOR, ONES, 1, ONES, ONES);
    gpu_cursor(GPU_UPDATE_CURSOR, 0, 0, ONES, ONES);
    gpu_cursor(0x1234, 0, 1, 0, 0);
    GpuCursor hot = {{GPU_UPDATE_CURSOR}, 0, 0, 0, 0, 1, ONES, ONES, 0};
    VirtBuffer chain = {&hot, sizeof(hot)};
    virtqueue_do(&gpu.cursor, &chain, 1, 0);
    ok(virtio_needs_reset(&gpu.device) ? begin() : gpu_flush(1, whole) == GPU_OK,
       "cursor: resources and scanouts that are not there, hot spots far away");
    GpuCreate2d wrong_queue = {{GPU_CREATE_2D}, 60, GPU_BGRX, SIDE, SIDE};
    chain = (VirtBuffer){&wrong_queue, sizeof(wrong_queue)};
    virtqueue_do(&gpu.cursor, &chain, 1, 0);
    hot.head.type = GPU_UPDATE_CURSOR;
    gpu_command(&hot, sizeof(hot), NULL, 0);
    ok(virtio_needs_reset(&gpu.device) ? begin() : gpu_flush(1, whole) == GPU_OK,
       "cursor: commands on the wrong queue");
}

static void
test_capsets(void)
{
    static uint8_t answer[4096];
    unsigned touched = 0;

    for (unsigned type = GPU_GET_CAPSET_INFO; type <= GPU_GET_CAPSET; type++) {
        for (unsigned i = 0; i < 4; i++) {
            GpuCapset command = {{type}, i == 3 ? ONES : i, i};
            memset(answer, 0xca, sizeof(answer));
            refused(gpu_command(&command, sizeof(command), answer, sizeof(answer)),
                    type == GPU_GET_CAPSET ? "capset: CVE-2016-10028, CVE-2021-3546: there is none"
                                           : "capset: CVE-2016-9845, CVE-2021-3545: information on none");
            for (unsigned at = sizeof(GpuHead) + 16; at < sizeof(answer); at++)
                touched += answer[at] != 0xca;
        }
    }
    ok_equal(touched, 0, "capset: CVE-2016-9908: nothing but the answer is written");
}

static uint32_t
blob(uint32_t memory, uint64_t size, uint32_t n, GpuEntry entry)
{
    GpuCreateBlob command = {.head = {GPU_CREATE_BLOB},
                             .resource = 70,
                             .memory = memory,
                             .n_entries = n,
                             .size = size,
                             .entries = {entry, entry}};

    return gpu_command(&command, sizeof(command), NULL, 0);
}

static uint32_t
show_blob(uint32_t width, uint32_t height, uint32_t stride, uint32_t offset, uint32_t format)
{
    GpuSetScanoutBlob command = {.head = {GPU_SET_SCANOUT_BLOB},
                                 .box = {0, 0, width, height},
                                 .resource = 70,
                                 .width = width,
                                 .height = height,
                                 .format = format,
                                 .strides = {stride},
                                 .offsets = {offset}};

    return gpu_command(&command, sizeof(command), NULL, 0);
}

static void
test_blobs(void)
{
    GpuEntry good = {(uint64_t)backing, SIDE * SIDE * 4, 0};

    if (!(gpu.device.features & GPU_F_BLOB)) {
        refused(blob(GPU_BLOB_GUEST, good.length, 1, good), "blob: not negotiated");
        return;
    }
    refused(blob(GPU_BLOB_GUEST, 0, 1, good), "blob: of no size");
    refused(blob(GPU_BLOB_GUEST, 1ull << 63, 1, good), "blob: of half of everything");
    refused(blob(GPU_BLOB_GUEST, good.length + 1, 1, good), "blob: larger than its memory");
    blob(GPU_BLOB_GUEST, good.length, 0, good); /* its memory may come later, by attaching */
    refused(show_blob(SIDE, SIDE, SIDE * 4, 0, GPU_BGRX), "blob: without memory cannot be shown");
    gpu_unref(70);
    refused(blob(GPU_BLOB_GUEST, good.length, ONES, good), "blob: 4294967295 entries");
    refused(blob(GPU_BLOB_GUEST, 4096, 1, (GpuEntry){HOLE, 4096, 0}), "blob: memory in the hole");
    refused(blob(2, good.length, 0, good), "blob: of the host's memory");
    refused(blob(99, good.length, 1, good), "blob: of memory nobody knows");
    ok(blob(GPU_BLOB_GUEST, good.length, 1, good) == GPU_OK, "blob: a sound one");
    refused(blob(GPU_BLOB_GUEST, good.length, 1, good), "blob: a number in use");
    refused(show_blob(SIDE, SIDE, SIDE * 4 - 4, 0, GPU_BGRX), "blob: rows that overlap");
    refused(show_blob(SIDE, SIDE, 0, 0, GPU_BGRX), "blob: rows of no length");
    refused(show_blob(SIDE, SIDE, SIDE * 4, 4, GPU_BGRX), "blob: begins too late");
    refused(show_blob(SIDE, SIDE, ONES, 0, GPU_BGRX), "blob: rows of 4 GiB");
    refused(show_blob(SIDE, SIDE, SIDE * 4, ONES, GPU_BGRX), "blob: begins at 4 GiB");
    refused(show_blob(0x10000, 0x10000, 0x40000, 0, GPU_BGRX), "blob: a scanout larger than any");
    refused(show_blob(0x40000000, 1, 0, 0, GPU_BGRX), "blob: width times four overflows");
    refused(show_blob(SIDE, SIDE, SIDE * 4, 0, 999), "blob: a format nobody knows");
    refused(show_blob(0, 0, SIDE * 4, 0, GPU_BGRX), "blob: a scanout of no size");
    gpu_unref(70);
}

/* Every command cut short at every place, with answers of every size, as one chain each. */
static void
test_truncated(void)
{
    static const uint8_t types[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xa, 0xb, 0xc, 0xd, 0xe};
    static struct {
        GpuHead head;
        uint32_t rest[16];
    } command;
    static uint8_t answer[64];

    for (unsigned i = 0; i < sizeof(types); i++) {
        for (unsigned length = 1; length < 64; length += 13) {
            command.head.type = 0x100 | types[i];
            command.rest[4] = 77;
            gpu_command(&command, length, answer, sizeof(answer));
            if (virtio_needs_reset(&gpu.device))
                begin();
        }
    }
    ok(begin(), "truncated: every command at some length");

    static const uint32_t sizes[] = {1, 8, 23};
    for (unsigned i = 0; i < 3; i++) {
        GpuHead ask = {GPU_GET_DISPLAY_INFO};
        memset(answer, 0xca, sizeof(answer));
        gpu_command(&ask, sizeof(ask), answer, sizes[i]);
        bool whole_behind = true;
        for (unsigned at = sizes[i]; at < sizeof(answer); at++)
            whole_behind = whole_behind && answer[at] == 0xca;
        ok(whole_behind, "truncated: an answer in %u bytes stays in them", sizes[i]);
        if (virtio_needs_reset(&gpu.device))
            begin();
    }
    GpuHead ask = {GPU_GET_DISPLAY_INFO};
    VirtBuffer alone = {&ask, sizeof(ask)};
    virtqueue_do(&gpu.control, &alone, 1, 0);
    begin();
    virtqueue_do(&gpu.control, &alone, 0, 1);
    begin();
    VirtBuffer same[] = {{&command, sizeof(command)}, {&command, sizeof(command)}};
    command.head.type = GPU_GET_DISPLAY_INFO;
    virtqueue_do(&gpu.control, same, 1, 1);
    ok(begin(), "truncated: no answer buffer, no command, both in one place");
}

static void
test_unknown(void)
{
    static const uint32_t types[] = {0, 0xff, 0x10b, 0x10e, 0x1ff, 0x200, 0x204, 0x207, 0x2ff, 0x1100, ONES};

    for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        uint32_t command[32] = {types[i], 0, 0, 0, 1, 0, 1, 1, 1, 1};
        refused(gpu_command(command, sizeof(command), NULL, 0), "unknown: a command of no kind there is, or of 3D");
    }
}

/* A hundred thousand small resources, in user mode: as many as the device will have, then errors, and never a crash. */
#define MANY 100000
#define BATCH 16

static uint64_t
create_many(void *argument)
{
    static GpuCreate2d commands[BATCH];
    static GpuHead answers[BATCH];
    uint64_t made = 0;

    (void)argument;
    for (uint32_t first = 0; first < MANY; first += BATCH) {
        for (uint32_t i = 0; i < BATCH; i++) {
            commands[i] = (GpuCreate2d){{GPU_CREATE_2D}, 1000 + first + i, GPU_BGRX, 16, 16};
            VirtBuffer chain[] = {{&commands[i], sizeof(commands[i])}, {&answers[i], sizeof(answers[i])}};
            virtqueue_add(&gpu.control, chain, 1, 1);
        }
        virtqueue_kick(&gpu.control);
        for (uint32_t i = 0; i < BATCH; i++) {
            if (virtqueue_wait(&gpu.control, NULL, SECONDS(5)) < 0)
                return made;
        }
        for (uint32_t i = 0; i < BATCH; i++)
            made += ((volatile GpuHead *)answers)[i].type == GPU_OK;
    }
    return made;
}

static void
test_many(void)
{
    begin();
    uint64_t made = user_run(create_many, NULL);
    note("%lu of %u resources were made", made, MANY);
    ok(!virtio_needs_reset(&gpu.device), "many: 100000 resources");
    ok(gpu_flush(1, whole) == GPU_OK, "many: the first one is still shown");
    ok(begin(), "many: a reset frees them");
}

/* Commands rewritten by another processor while they are read: what was checked must be what is used. */
static volatile GpuCreate2d raced_create;
static volatile GpuAttach raced_attach;
static volatile bool racing;

static void
race(void *context)
{
    (void)context;
    while (racing) {
        raced_create.width = 0x40000001;
        raced_attach.n_entries = ONES;
        raced_attach.entries[0].length = ONES;
        raced_attach.entries[0].address = HOLE;
        raced_create.width = SIDE;
        raced_attach.n_entries = 1;
        raced_attach.entries[0].length = SIDE * SIDE * 4;
        raced_attach.entries[0].address = (uint64_t)backing;
    }
}

static uint64_t
send_raced(void *argument)
{
    uint64_t made = 0;

    (void)argument;
    for (unsigned i = 0; i < 500 && !virtio_needs_reset(&gpu.device); i++) {
        made += gpu_command((const void *)&raced_create, sizeof(raced_create), NULL, 0) == GPU_OK;
        gpu_command((const void *)&raced_attach, sizeof(raced_attach), NULL, 0);
        gpu_transfer(80, whole, 0);
        gpu_set_scanout(0, 80, whole);
        gpu_flush(80, whole);
        gpu_unref(80);
    }
    return made;
}

static void
test_race(void)
{
    if (smp_start() < 2) {
        skip("one processor", "race: commands rewritten while they are read");
        return;
    }
    raced_create = (GpuCreate2d){{GPU_CREATE_2D}, 80, GPU_BGRX, SIDE, SIDE};
    raced_attach = (GpuAttach){{GPU_ATTACH}, 80, 1, {{(uint64_t)backing, SIDE * SIDE * 4, 0}}};
    racing = true;
    smp_run(1, race, NULL);
    uint64_t made = user_run(send_raced, NULL);
    racing = false;
    ok(smp_wait(1, SECONDS(5)), "race: %lu of 500 rewritten commands were good", made);
    ok(begin(), "race: it works on");
}

/* As much memory as it will give, in resources as large as they may be. */
static void
test_greedy(void)
{
    unsigned made = 0;

    for (uint32_t i = 0; i < 200; i++)
        made += gpu_create(100 + i, GPU_BGRX, 4096, 4096) == GPU_OK;
    note("%u resources of 64 MiB were made", made);
    ok(made < 200, "greedy: 12800 MiB of pixels are not had");
    ok(gpu_flush(1, whole) == GPU_OK, "greedy: it works on");
    ok(begin(), "greedy: a reset frees them");
}

void
guest_main(void)
{
    backing = pages_allocate(SIDE * SIDE * 4 / PAGE_SIZE);
    if (!ok(begin(), "graphics device starts"))
        return;
    test_create();
    test_scanout();
    test_flush_and_transfer();
    test_attach();
    test_unref();
    test_cursor();
    test_capsets();
    test_blobs();
    test_unknown();
    test_truncated();
    test_race();
    test_greedy();
    test_many();
    tap_done();
}
