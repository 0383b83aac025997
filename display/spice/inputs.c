/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input interfaces of spice-server. Two sets of keys (buttons are keys too, as in evdev): those the client holds, and
 * those the guest was told are down; reports are what makes the second follow the first.
 */
#include "display/spice/inputs.h"

#include <linux/input-event-codes.h>
#include <spice/enums.h>

#include "display/spice/scancodes.h"

/* spice-server's button bits (its RED_MOUSE_STATE_TO_LOCAL), in the order of their keys. */
static const struct {
    uint32_t bit;
    uint16_t key;
} buttons[] = {
    {1 << 0, BTN_LEFT}, {1 << 1, BTN_RIGHT}, {1 << 2, BTN_MIDDLE}, {1 << 6, BTN_SIDE}, {1 << 7, BTN_EXTRA},
};

/* One device: its keys, held and told. */
typedef struct {
    InputSink sink; /* without ops: none */
    uint64_t held[(KEY_MAX + 1) / 64];
    uint64_t told[(KEY_MAX + 1) / 64];
} Keys;

struct Inputs {
    SpiceKbdInstance keyboard_instance;
    SpiceTabletInstance tablet_instance;
    SpiceMouseInstance mouse_instance;
    Keys keyboard, tablet, mouse;
    Question *question;
    bool running;
    ScanDecoder decoder;
    unsigned leds;      /* SPICE_KEYBOARD_MODIFIER_FLAGS_… */
    gint width, height; /* of what the tablet covers, pixels; atomic: a display worker may set them */
};

/* What spice-server makes of a keyboard and a mouse, and never frees: kept in sight, for leak checkers to find real ones. */
static void *volatile left_behind[2];

/* ---- keys ---- */

static bool
has(const uint64_t *set, unsigned key)
{
    return set[key / 64] >> (key % 64) & 1;
}

static void
put(uint64_t *set, unsigned key, bool in)
{
    if (in)
        set[key / 64] |= 1ull << (key % 64);
    else
        set[key / 64] &= ~(1ull << (key % 64));
}

/* Room for a position, a wheel and all buttons. */
typedef struct {
    InputEvent events[4 + G_N_ELEMENTS(buttons)];
    size_t n;
    bool asks; /* for a picture: something goes down, or a wheel turns */
} Report;

static void
add_event(Report *report, uint16_t type, uint16_t code, int32_t value)
{
    g_assert(report->n < G_N_ELEMENTS(report->events));
    report->events[report->n++] = (InputEvent){type, code, value};
    report->asks |= (type == EV_KEY && value) || (type == EV_REL && code == REL_WHEEL);
}

/* Notes that a key is held or not, and adds what the guest does not know yet. A key that goes down in a pause does not. */
static void
hold(Inputs *inputs, Keys *keys, unsigned key, bool down, Report *report)
{
    if (down && !inputs->running)
        return;
    put(keys->held, key, down);
    if (!inputs->running || has(keys->told, key) == down)
        return;
    put(keys->told, key, down);
    add_event(report, EV_KEY, (uint16_t)key, down);
}

static void
send_report(const Inputs *inputs, const Keys *keys, const Report *report)
{
    if (!report->n || !inputs->running)
        return;
    if (report->asks)
        question_ask(inputs->question, g_get_monotonic_time()); /* first: the guest may answer at once */
    keys->sink.ops->report(keys->sink.sink, report->events, report->n);
}

static void
hold_buttons(Inputs *inputs, Keys *keys, uint32_t state, Report *report)
{
    for (size_t i = 0; i < G_N_ELEMENTS(buttons); i++)
        hold(inputs, keys, buttons[i].key, state & buttons[i].bit, report);
}

/* Tells the guest of every key that is down for it but held by nobody. */
static void
catch_up(Inputs *inputs, Keys *keys)
{
    if (!keys->sink.ops || !inputs->running)
        return;
    for (unsigned key = 0; key <= KEY_MAX; key++) {
        Report report = {.n = 0};
        if (!has(keys->held, key))
            hold(inputs, keys, key, false, &report);
        send_report(inputs, keys, &report);
    }
}

static void
let_go(Inputs *inputs, Keys *keys)
{
    for (size_t i = 0; i < G_N_ELEMENTS(keys->held); i++)
        keys->held[i] = 0;
    catch_up(inputs, keys);
}

/* ---- keyboard ---- */

static Inputs *
of_keyboard(SpiceKbdInstance *instance)
{
    return (Inputs *)((char *)instance - offsetof(Inputs, keyboard_instance));
}

static void
push_scan(SpiceKbdInstance *instance, uint8_t byte)
{
    Inputs *inputs = of_keyboard(instance);
    Report report = {.n = 0};
    ScanKey key;

    if (!scan_decode(&inputs->decoder, byte, &key))
        return;
    hold(inputs, &inputs->keyboard, key.key, key.down, &report);
    send_report(inputs, &inputs->keyboard, &report);
}

static uint8_t
get_leds(SpiceKbdInstance *instance)
{
    return (uint8_t)of_keyboard(instance)->leds;
}

static void
on_leds(void *user, unsigned leds)
{
    Inputs *inputs = user;

    inputs->leds = (leds & 1 << LED_NUML ? SPICE_KEYBOARD_MODIFIER_FLAGS_NUM_LOCK : 0) |
                   (leds & 1 << LED_CAPSL ? SPICE_KEYBOARD_MODIFIER_FLAGS_CAPS_LOCK : 0) |
                   (leds & 1 << LED_SCROLLL ? SPICE_KEYBOARD_MODIFIER_FLAGS_SCROLL_LOCK : 0);
    spice_server_kbd_leds(&inputs->keyboard_instance, (int)inputs->leds);
}

static const SpiceKbdInterface keyboard_interface = {
    .base =
        {
            .type = SPICE_INTERFACE_KEYBOARD,
            .description = "carrel keyboard",
            .major_version = SPICE_INTERFACE_KEYBOARD_MAJOR,
            .minor_version = SPICE_INTERFACE_KEYBOARD_MINOR,
        },
    .push_scan_freg = push_scan,
    .get_leds = get_leds,
};

/* ---- tablet ---- */

static Inputs *
of_tablet(SpiceTabletInstance *instance)
{
    return (Inputs *)((char *)instance - offsetof(Inputs, tablet_instance));
}

/* May come on a display worker. */
static void
tablet_set_size(SpiceTabletInstance *instance, int width, int height)
{
    Inputs *inputs = of_tablet(instance);

    g_atomic_int_set(&inputs->width, width);
    g_atomic_int_set(&inputs->height, height);
}

/* A place among @size pixels on the tablet's scale. */
static int32_t
scaled(int place, int size)
{
    return size > 1 ? (int32_t)((int64_t)CLAMP(place, 0, size - 1) * INPUT_ABS_MAX / (size - 1)) : 0;
}

static void
tablet_position(SpiceTabletInstance *instance, int x, int y, uint32_t state)
{
    Inputs *inputs = of_tablet(instance);
    Report report = {.n = 0};

    add_event(&report, EV_ABS, ABS_X, scaled(x, g_atomic_int_get(&inputs->width)));
    add_event(&report, EV_ABS, ABS_Y, scaled(y, g_atomic_int_get(&inputs->height)));
    hold_buttons(inputs, &inputs->tablet, state, &report);
    send_report(inputs, &inputs->tablet, &report);
}

/* @motion is positive towards the user, evdev's wheel away from him. */
static void
tablet_wheel(SpiceTabletInstance *instance, int motion, uint32_t state)
{
    Inputs *inputs = of_tablet(instance);
    Report report = {.n = 0};

    if (motion)
        add_event(&report, EV_REL, REL_WHEEL, -motion);
    hold_buttons(inputs, &inputs->tablet, state, &report);
    send_report(inputs, &inputs->tablet, &report);
}

static void
tablet_buttons(SpiceTabletInstance *instance, uint32_t state)
{
    tablet_wheel(instance, 0, state);
}

static const SpiceTabletInterface tablet_interface = {
    .base =
        {
            .type = SPICE_INTERFACE_TABLET,
            .description = "carrel tablet",
            .major_version = SPICE_INTERFACE_TABLET_MAJOR,
            .minor_version = SPICE_INTERFACE_TABLET_MINOR,
        },
    .set_logical_size = tablet_set_size,
    .position = tablet_position,
    .wheel = tablet_wheel,
    .buttons = tablet_buttons,
};

/* ---- mouse ---- */

static void
mouse_motion(SpiceMouseInstance *instance, int dx, int dy, int dz, uint32_t state)
{
    Inputs *inputs = (Inputs *)((char *)instance - offsetof(Inputs, mouse_instance));
    Report report = {.n = 0};

    if (dx)
        add_event(&report, EV_REL, REL_X, dx);
    if (dy)
        add_event(&report, EV_REL, REL_Y, dy);
    if (dz)
        add_event(&report, EV_REL, REL_WHEEL, -dz);
    hold_buttons(inputs, &inputs->mouse, state, &report);
    send_report(inputs, &inputs->mouse, &report);
}

static void
mouse_buttons(SpiceMouseInstance *instance, uint32_t state)
{
    mouse_motion(instance, 0, 0, 0, state);
}

static const SpiceMouseInterface mouse_interface = {
    .base =
        {
            .type = SPICE_INTERFACE_MOUSE,
            .description = "carrel mouse",
            .major_version = SPICE_INTERFACE_MOUSE_MAJOR,
            .minor_version = SPICE_INTERFACE_MOUSE_MINOR,
        },
    .motion = mouse_motion,
    .buttons = mouse_buttons,
};

/* ---- all of them ---- */

static void
add_interface(SpiceServer *server, const InputSink *sink, SpiceBaseInstance *instance,
              const SpiceBaseInterface *interface)
{
    instance->sif = interface;
    if (sink->ops)
        spice_server_add_interface(server, instance);
}

static void
set_leds_listener(Inputs *inputs, InputLeds listener)
{
    const InputSink *sink = &inputs->keyboard.sink;

    if (sink->ops && sink->ops->on_leds)
        sink->ops->on_leds(sink->sink, listener, inputs);
}

Inputs *
inputs_new(SpiceServer *server, const SpiceDisplayInputs *devices, Question *question)
{
    Inputs *inputs = g_new0(Inputs, 1);

    inputs->question = question;
    inputs->running = true;
    inputs->keyboard.sink = devices->keyboard;
    inputs->tablet.sink = devices->tablet;
    inputs->mouse.sink = devices->mouse;
    add_interface(server, &devices->keyboard, &inputs->keyboard_instance.base, &keyboard_interface.base);
    add_interface(server, &devices->mouse, &inputs->mouse_instance.base, &mouse_interface.base);
    add_interface(server, &devices->tablet, &inputs->tablet_instance.base, &tablet_interface.base);
    set_leds_listener(inputs, on_leds);
    return inputs;
}

void
inputs_free(Inputs *inputs)
{
    if (!inputs)
        return;
    set_leds_listener(inputs, NULL);
    left_behind[0] = inputs->keyboard_instance.st;
    left_behind[1] = inputs->mouse_instance.st;
    g_free(inputs);
}

void
inputs_release(Inputs *inputs)
{
    let_go(inputs, &inputs->keyboard);
    let_go(inputs, &inputs->tablet);
    let_go(inputs, &inputs->mouse);
}

void
inputs_set_running(Inputs *inputs, bool running)
{
    inputs->running = running;
    catch_up(inputs, &inputs->keyboard);
    catch_up(inputs, &inputs->tablet);
    catch_up(inputs, &inputs->mouse);
}
