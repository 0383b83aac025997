/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-input (virtio 1.2, 5.8): what the keyboard, tablet and mouse say of themselves, and the events of a SPICE
 * client. The test prints what it receives for test_input.py to compare with what it sent.
 */
#include "clock.h"
#include "cpu.h"
#include "gpu.h"
#include "start.h"
#include "tap.h"
#include "text.h"
#include "virtqueue.h"

#define CONFIG_SELECT 0
#define CONFIG_SUBSELECT 1
#define CONFIG_SIZE 2
#define CONFIG_DATA 8

#define ID_NAME 1
#define ID_DEVICES 3
#define EVENT_BITS 0x11
#define ABSOLUTE_INFO 0x12

#define EV_SYN 0
#define EV_KEY 1
#define EV_REL 2
#define EV_ABS 3
#define EV_LED 0x11
#define KEY_A 30
#define BUTTON_LEFT 0x110
#define REL_X 0
#define REL_WHEEL 8
#define ABS_X 0

typedef struct Event {
    uint16_t type, code;
    uint32_t value;
} Event;

#define EVENTS 64
#define FLOOD 960 /* keys going down or up */

typedef struct Input {
    VirtioDevice device;
    VirtQueue events, statuses;
    Event slots[1024]; /* by descriptor id */
} Input;

static Input inputs[3];

static unsigned
question(VirtioDevice *device, uint8_t select, uint8_t subselect)
{
    mmio_write8(device->config + CONFIG_SELECT, select);
    mmio_write8(device->config + CONFIG_SUBSELECT, subselect);
    return virtio_config8(device, CONFIG_SIZE);
}

static bool
has(VirtioDevice *device, uint8_t type, unsigned code)
{
    return question(device, EVENT_BITS, type) > code / 8 &&
           virtio_config8(device, CONFIG_DATA + code / 8) & 1 << code % 8;
}

static void
post(Input *input)
{
    /* The id a chain will have is the head of the free list. */
    VirtBuffer buffer = {&input->slots[input->events.free_head], sizeof(Event)};

    virtqueue_add(&input->events, &buffer, 0, 1);
}

static bool
start(Input *input)
{
    if (!virtio_negotiate(&input->device, VIRTIO_F_EVENT_INDEX) ||
        !virtqueue_init(&input->events, &input->device, 0, EVENTS, VIRTIO_NO_VECTOR) ||
        !virtqueue_init(&input->statuses, &input->device, 1, 0, VIRTIO_NO_VECTOR))
        return false;
    virtio_driver_ok(&input->device);
    while (input->events.n_free)
        post(input);
    virtqueue_kick(&input->events);
    return true;
}

/* "keyboard", "tablet" or "mouse", by what it can send. */
static const char *
kind(Input *input)
{
    if (has(&input->device, EV_ABS, ABS_X))
        return "tablet";
    return has(&input->device, EV_REL, REL_X) ? "mouse" : "keyboard";
}

static void
test_description(Input *input)
{
    VirtioDevice *device = &input->device;
    const char *name = kind(input);

    ok(question(device, ID_NAME, 0) > 0, "%s: has a name", name);
    ok_equal(question(device, ID_DEVICES, 0), 8, "%s: has numbers", name);
    ok_equal(question(device, 0x77, 0), 0, "%s: what nobody knows has no answer", name);
    ok_equal(question(device, EVENT_BITS, 0x77), 0, "%s: nor do events nobody knows", name);
    for (unsigned i = 0; i < 256; i++)
        question(device, i, 255 - i);
    if (strcmp(name, "keyboard") == 0) {
        ok(has(device, EV_KEY, KEY_A), "keyboard: has keys");
        ok(has(device, EV_LED, 1), "keyboard: has lights");
    } else {
        ok(has(device, EV_KEY, BUTTON_LEFT), "%s: has buttons", name);
        ok(has(device, EV_REL, REL_WHEEL), "%s: has a wheel", name);
    }
    if (strcmp(name, "tablet") == 0) {
        ok_equal(question(device, ABSOLUTE_INFO, ABS_X), 20, "tablet: has a range");
        ok_equal(virtio_config32(device, CONFIG_DATA), 0, "tablet: from 0");
        ok_equal(virtio_config32(device, CONFIG_DATA + 4), 0x7fff, "tablet: to 32767");
    }
}

/* Prints a device's events up to the SYN that ends a report; false where none comes. */
static bool
report(Input *input, const char *name)
{
    for (unsigned i = 0; i < EVENTS; i++) {
        uint32_t length;
        int id = virtqueue_wait(&input->events, &length, SECONDS(5));
        if (id < 0 || length != sizeof(Event))
            return false;
        Event event = input->slots[id];
        post(input);
        virtqueue_kick(&input->events);
        if (event.type == EV_SYN)
            return true;
        note("%s %u %u %d", name, event.type, event.code, (int)event.value);
    }
    return false;
}

static void
test_events(Input *input, const char *what, unsigned reports)
{
    unsigned got = 0;

    ask_harness("%s", what);
    for (unsigned i = 0; i < reports; i++)
        got += report(input, what);
    ok_equal(got, reports, "%s: as many reports as were sent", what);
    ok(virtqueue_wait(&input->events, NULL, MILLISECONDS(50)) < 0, "%s: and no more", what);
}

/* The next event, read slowly; false where none comes. */
static bool
next_event(Input *input, Event *event)
{
    int id = virtqueue_wait(&input->events, NULL, SECONDS(5));

    if (id < 0)
        return false;
    *event = input->slots[id];
    post(input);
    virtqueue_kick(&input->events);
    return true;
}

/*
 * More keys at once than there are buffers for, while the guest stands still: all of them come, in order. The harness
 * presses the keys of the scan codes from 2 to 0x31, whose numbers are evdev's, again and again. QEMU loses what does not fit.
 */
static void
test_flood(Input *input, bool whole)
{
    unsigned events = 0, wrong = 0, stuck = 0;
    bool down[256] = {false};
    Event event;

    ask_harness("flood");
    clock_delay(MILLISECONDS(500));
    while (events < FLOOD && next_event(input, &event)) {
        if (event.type != EV_KEY)
            continue;
        wrong += event.code != 2 + events / 2 % 0x30 || event.value != (events % 2 == 0);
        down[event.code & 0xff] = event.value;
        events++;
    }
    for (unsigned i = 0; i < 256; i++)
        stuck += down[i];
    ok_equal(stuck, 0, "flood: no key is left down");
    if (whole) {
        ok_equal(events, FLOOD, "flood: every key comes");
        ok_equal(wrong, 0, "flood: in order");
    }
    ok(!virtio_needs_reset(&input->device), "flood: no reset needed");
}

/* SPICE takes absolute positions only while there is a picture they are positions on. */
static void
show_picture(void)
{
    GpuBox all = {0, 0, 1280, 800};

    ok(gpu_start(0) && gpu_create(1, GPU_BGRX, all.width, all.height) == GPU_OK &&
           gpu_set_scanout(0, 1, all) == GPU_OK && gpu_flush(1, all) == GPU_OK,
       "a picture to point at");
}

void
guest_main(void)
{
    Input *keyboard = NULL, *tablet = NULL, *mouse = NULL;

    for (unsigned i = 0; i < 3; i++) {
        if (!ok(virtio_find(VIRTIO_INPUT, i, &inputs[i].device), "input device %u is on the bus", i))
            return;
        const char *name = kind(&inputs[i]);
        if (strcmp(name, "keyboard") == 0)
            keyboard = &inputs[i];
        else if (strcmp(name, "tablet") == 0)
            tablet = &inputs[i];
        else
            mouse = &inputs[i];
        test_description(&inputs[i]);
    }
    if (!ok(keyboard && tablet && mouse, "a keyboard, a tablet and a mouse"))
        return;
    show_picture();
    ok(start(keyboard) && start(tablet), "keyboard and tablet start");
    test_events(keyboard, "keys", 6);
    test_events(tablet, "pointer", 2);
    test_events(tablet, "clicks", 2);
    /* Last: QEMU lets the pointer that was started last be the one. */
    ok(start(mouse), "mouse starts");
    test_events(mouse, "motion", 1);
    test_flood(keyboard, !start_on_qemu());
    Event light = {EV_LED, 0, 1};
    VirtBuffer buffer = {&light, sizeof(light)};
    ok(virtqueue_do(&keyboard->statuses, &buffer, 1, 0) >= 0, "a light is switched on");
    buffer.length = 3;
    virtqueue_do(&keyboard->statuses, &buffer, 1, 0);
    ok(virtio_reset(&keyboard->device), "keyboard resets");
    tap_done();
}
