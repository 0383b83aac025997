/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 4 KiB random reads from the first disk, so many at once, from user mode and without interrupts.
 * Command line: depth=N, seconds=N. It asks for "begin" and "end" around the reads, then prints "reads N NANOSECONDS".
 */
#include "clock.h"
#include "console.h"
#include "cpu.h"
#include "interrupt.h"
#include "start.h"
#include "tap.h"
#include "text.h"
#include "user.h"
#include "virtqueue.h"

#define DEPTH_MAX 64
#define BLOCK 4096
#define SECTORS (BLOCK / 512)

typedef struct Head {
    uint32_t type, reserved;
    uint64_t sector;
} Head;

static VirtioDevice disk;
static VirtQueue queue;
static Head heads[DEPTH_MAX];
static uint8_t statuses[DEPTH_MAX];
static uint8_t *data;
static uint8_t slot_of[1024];
static uint64_t blocks, done, failed, elapsed;
static uint32_t depth;

static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void
submit(unsigned slot, uint64_t *state)
{
    heads[slot] = (Head){0, 0, next_random(state) % blocks * SECTORS};
    VirtBuffer chain[] = {{&heads[slot], sizeof(Head)}, {data + slot * BLOCK, BLOCK}, {&statuses[slot], 1}};
    slot_of[virtqueue_add(&queue, chain, 1, 2) & 1023] = slot;
}

static uint64_t
read_all(void *argument)
{
    uint64_t state = 88172645463325252ull, start = clock_ns(), end = start + (uint64_t)argument;

    for (unsigned i = 0; i < depth; i++)
        submit(i, &state);
    virtqueue_kick(&queue);
    for (unsigned in_flight = depth; in_flight > 0;) {
        int id = virtqueue_used(&queue, NULL);
        if (id < 0) {
            cpu_pause();
            continue;
        }
        unsigned again = 0;
        bool over = clock_ns() >= end;
        for (; id >= 0; id = virtqueue_used(&queue, NULL)) {
            unsigned slot = slot_of[id & 1023];
            done++;
            failed += statuses[slot] != 0;
            if (over) {
                in_flight--;
                continue;
            }
            submit(slot, &state);
            again++;
        }
        if (again)
            virtqueue_kick(&queue);
    }
    elapsed = clock_ns() - start;
    return 0;
}

void
guest_main(void)
{
    depth = start_option_number("depth", 1);
    if (!virtio_find(VIRTIO_BLOCK, 0, &disk) || !virtio_negotiate(&disk, VIRTIO_F_EVENT_INDEX | VIRTIO_F_INDIRECT) ||
        !virtqueue_init(&queue, &disk, 0, 0, VIRTIO_NO_VECTOR))
        panic("no disk");
    virtio_driver_ok(&disk);
    virtqueue_interrupts(&queue, false);
    blocks = virtio_config64(&disk, 0) / SECTORS;
    data = pages_allocate(DEPTH_MAX);

    user_run(read_all, (void *)MILLISECONDS(100)); /* warm */
    done = 0;
    ask_harness("begin");
    user_run(read_all, (void *)SECONDS(start_option_number("seconds", 2)));
    ask_harness("end");
    console_printf("reads %lu %lu\n", done, elapsed);
    ok(failed == 0, "reads succeed");
    tap_done();
}
