/* SPDX-License-Identifier: Apache-2.0 */
/* A route of input: to the first whose driver listens; nothing sticks where it came from; LEDs of the one that counts. */
#include "vmm/board/input.h"

#include <linux/input-event-codes.h>

typedef struct {
    const char *name;
    bool ready;
    GString *told;
    InputLeds changed;
    void *user;
} Sink;

static bool
sink_ready(void *object)
{
    return ((Sink *)object)->ready;
}

static void
sink_report(void *object, const InputEvent *events, size_t n)
{
    Sink *sink = object;
    for (size_t i = 0; i < n; i++)
        g_string_append_printf(sink->told, "%s:%u=%d ", sink->name, events[i].code, events[i].value);
}

static void
sink_on_leds(void *object, InputLeds changed, void *user)
{
    ((Sink *)object)->changed = changed;
    ((Sink *)object)->user = user;
}

static const InputSinkOps ops = {sink_ready, sink_report, sink_on_leds};

#define assert_told(text)                     \
    do {                                      \
        g_assert_cmpstr(told->str, ==, text); \
        g_string_truncate(told, 0);           \
    } while (0)

static unsigned leds;

static void
note_leds(void *user, unsigned bits)
{
    leds = bits;
}

static void
key(InputSink sink, uint16_t code, int value)
{
    sink.ops->report(sink.sink, &(InputEvent){EV_KEY, code, value}, 1);
}

static void
test_route(void)
{
    GString *told = g_string_new(NULL);
    Sink virtio = {"virtio", .told = told}, usb = {"usb", .told = told};
    const InputSink sinks[] = {{&ops, &virtio}, {0}, {&ops, &usb}};
    g_autoptr(InputRoute) route = input_route_new(sinks, 3);
    InputSink sink = input_route_sink(route);

    sink.ops->on_leds(sink.sink, note_leds, NULL);
    g_assert_false(sink.ops->ready(sink.sink));
    key(sink, KEY_A, 1); /* then the last may as well have it, once what the first believes is undone: nothing */
    assert_told("usb:30=1 ");
    g_string_free(told, TRUE);
}

static void
test_switch(void)
{
    GString *told = g_string_new(NULL);
    Sink virtio = {"virtio", .told = told}, usb = {"usb", .ready = true, .told = told};
    const InputSink sinks[] = {{&ops, &virtio}, {&ops, &usb}};
    g_autoptr(InputRoute) route = input_route_new(sinks, 2);
    InputSink sink = input_route_sink(route);

    sink.ops->on_leds(sink.sink, note_leds, NULL);
    g_assert_true(sink.ops->ready(sink.sink));
    key(sink, KEY_A, 1);
    key(sink, KEY_B, 1);
    key(sink, KEY_B, 0);
    assert_told("usb:30=1 usb:48=1 usb:48=0 ");
    usb.changed(usb.user, 3);
    g_assert_cmpuint(leds, ==, 3);
    virtio.changed(virtio.user, 4); /* not the one that counts */
    g_assert_cmpuint(leds, ==, 3);

    virtio.ready = true; /* its driver came up, with A still down at the other */
    key(sink, KEY_C, 1);
    assert_told("usb:30=0 virtio:46=1 ");
    g_assert_cmpuint(leds, ==, 4);
    key(sink, KEY_A, 0);
    assert_told("virtio:30=0 ");
    virtio.ready = false; /* the guest was reset */
    key(sink, KEY_A, 1);
    assert_told("virtio:46=0 usb:30=1 ");
    g_string_free(told, TRUE);
}

static void
test_none(void)
{
    g_autoptr(InputRoute) route = input_route_new(NULL, 0);
    g_assert_null(input_route_sink(route).ops);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/input/nobody-listens", test_route);
    g_test_add_func("/input/switch", test_switch);
    g_test_add_func("/input/none", test_none);
    return g_test_run();
}
