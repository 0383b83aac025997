/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When keys arrive: polls the keyboard's queue from user mode and notes the host's clock as each press is seen.
 * Command line: keys=N. It asks for "ready", then prints "key NANOSECONDS" for each of the presses.
 */
#include "clock.h"
#include "console.h"
#include "cpu.h"
#include "interrupt.h"
#include "start.h"
#include "tap.h"
#include "user.h"
#include "virtqueue.h"

#define EV_KEY 1
#define KEYS_MAX 1024

typedef struct Event {
    uint16_t type, code;
    uint32_t value;
} Event;

static VirtioDevice keyboard;
static VirtQueue events;
static volatile Event slots[1024];
static uint64_t seen[KEYS_MAX];
static uint64_t n_keys;

static void
post(void)
{
    VirtBuffer buffer = {(void *)&slots[events.free_head], sizeof(Event)};

    virtqueue_add(&events, &buffer, 0, 1);
}

static uint64_t
listen(void *argument)
{
    (void)argument;
    for (uint64_t n = 0; n < n_keys;) {
        int id = virtqueue_used(&events, NULL);
        if (id < 0) {
            cpu_pause();
            continue;
        }
        if (slots[id].type == EV_KEY && slots[id].value == 1)
            seen[n++] = clock_host_ns();
        post();
        virtqueue_kick(&events);
    }
    return 0;
}

void
guest_main(void)
{
    n_keys = start_option_number("keys", 50);
    if (!virtio_find(VIRTIO_INPUT, 0, &keyboard) || !virtio_negotiate(&keyboard, VIRTIO_F_EVENT_INDEX) ||
        !virtqueue_init(&events, &keyboard, 0, 0, VIRTIO_NO_VECTOR))
        panic("no keyboard");
    virtio_driver_ok(&keyboard);
    while (events.n_free)
        post();
    virtqueue_kick(&events);
    virtqueue_interrupts(&events, false);
    ask_harness("ready");
    user_run(listen, NULL);
    for (uint64_t i = 0; i < n_keys; i++)
        console_printf("key %lu\n", seen[i]);
    ok(true, "%lu keys", n_keys);
    tap_done();
}
