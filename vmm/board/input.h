/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: how what a person does reaches a keyboard or a pointer of the guest's, whichever it has.
 *
 * A front end (SPICE, a local seat) speaks to an InputSink: a virtio device, a USB device, or a *route* over several of them.
 * A route gives each report to the first of its sinks whose driver listens, and to the last where none does; the order is that
 * of the machine's assembly, virtio before USB. So firmware and installers without a driver for virtio get USB, and an
 * installed system gets virtio from the moment its driver is up. When that changes, keys that the one before was told are
 * down are let go there.
 *
 * Owner: the main thread, but for .ready.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INPUT_ABS_MAX 0x7fff /* ABS_X, ABS_Y: 0 to this */

typedef struct {
    uint16_t type; /* EV_KEY, EV_REL, EV_ABS, … from linux/input-event-codes.h */
    uint16_t code;
    int32_t value;
} InputEvent;

/* Told on the main thread when the guest sets keyboard LEDs: bits 1 << LED_NUML, LED_CAPSL, LED_SCROLLL. */
typedef void (*InputLeds)(void *user, unsigned leds);

typedef struct {
    /* Whether a driver of the guest's listens, a system's where there is another for firmware. Any thread. */
    bool (*ready)(void *sink);
    /* @n events that belong together. */
    void (*report)(void *sink, const InputEvent *events, size_t n);
    /* NULL: it has no LEDs. @changed NULL: nobody wants to know any more. */
    void (*on_leds)(void *sink, InputLeds changed, void *user);
} InputSinkOps;

typedef struct {
    const InputSinkOps *ops; /* NULL: no sink */
    void *sink;
} InputSink;

typedef struct InputRoute InputRoute;

/* Copies the @n sinks, which outlive it; those without ops are left out. */
InputRoute *input_route_new(const InputSink *sinks, size_t n);
void input_route_free(InputRoute *route);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(InputRoute, input_route_free)

/* The route as a sink; none where it has none. */
InputSink input_route_sink(InputRoute *route);
