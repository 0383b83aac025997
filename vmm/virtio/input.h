/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-input (virtio 1.2, 5.8): a keyboard, an absolute tablet and a relative mouse.
 *
 * Events are Linux evdev codes, as the specification says. A front end (SPICE, a local seat) sends whole reports; of one that
 * does not fit the guest's queue the keys and buttons wait for room, and motion is dropped. Keys also wait where they come faster
 * than a keyboard tells them; how many may wait, and that none sticks, is in vmm/board/type_ahead.h.
 */
#pragma once

#include "vmm/board/clock.h"
#include "vmm/board/input.h"
#include "vmm/virtio/device.h"

typedef enum {
    VIRTIO_INPUT_KEYBOARD,
    VIRTIO_INPUT_TABLET, /* ABS_X, ABS_Y 0 to VIRTIO_INPUT_ABS_MAX, buttons, wheel */
    VIRTIO_INPUT_MOUSE,  /* REL_X, REL_Y, buttons, wheel */
} VirtioInputKind;

#define VIRTIO_INPUT_ABS_MAX INPUT_ABS_MAX

typedef InputEvent VirtioInputEvent;

/* @clock, whose timers fire on the main thread, outlives the device; only a keyboard needs one. */
VirtioDevice *virtio_input_new(VirtioInputKind kind, const char *id, GuestMemory *memory, Clock *clock);
/* Sends @n events and a closing EV_SYN. Main thread. */
void virtio_input_report(VirtioDevice *device, const VirtioInputEvent *events, size_t n);

/* Calls @changed(…, leds) on the main thread when the guest sets keyboard LEDs: bits 1 << LED_NUML, LED_CAPSL, LED_SCROLLL. */
typedef InputLeds VirtioInputLeds;
void virtio_input_on_leds(VirtioDevice *keyboard, VirtioInputLeds changed, void *user);

/* The device as a front end sees it; none where @device is NULL. It is ready while its driver runs. */
InputSink virtio_input_sink(VirtioDevice *device);
