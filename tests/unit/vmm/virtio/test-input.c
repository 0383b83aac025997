/* SPDX-License-Identifier: Apache-2.0 */
/* Keyboard, tablet and mouse: what they say of themselves, whole reports or none, keys that never stick, LEDs. */
#include "driver.h"
#include "vmm/board/type_ahead.h"
#include "vmm/virtio/input.h"

#include <linux/input.h>
#include <linux/virtio_input.h>
#include <linux/virtio_ring.h>
#include <string.h>

/* Of the keyboard; stands still but for advance(). */
static Clock *the_clock;

static void
advance(VirtioDriver *driver)
{
    clock_advance(the_clock, TYPE_AHEAD_INTERVAL);
    virtio_driver_run(driver);
}

static VirtioDriver *
start(VirtioInputKind kind, VirtioDriverFlags flags)
{
    VirtioDriver *driver = virtio_driver_new(flags);
    virtio_driver_start(driver, virtio_input_new(kind, "input0", driver->memory, the_clock), 0);
    return driver;
}

/* The answer to a question: its length, and its bytes in @answer. */
static unsigned
ask(VirtioDriver *driver, uint8_t select, uint8_t subselect, struct virtio_input_config *answer)
{
    virtio_device_config_write(driver->device, 0, &select, 1);
    virtio_device_config_write(driver->device, 1, &subselect, 1);
    virtio_device_config_read(driver->device, 0, answer, sizeof(*answer));
    return answer->size;
}

static bool
has(VirtioDriver *driver, uint8_t type, unsigned code)
{
    struct virtio_input_config answer;
    return ask(driver, VIRTIO_INPUT_CFG_EV_BITS, type, &answer) > code / 8 &&
           answer.u.bitmap[code / 8] >> (code % 8) & 1;
}

static void
test_keyboard(void)
{
    g_autoptr(VirtioDriver) driver = start(VIRTIO_INPUT_KEYBOARD, 0);
    struct virtio_input_config answer;

    unsigned len = ask(driver, VIRTIO_INPUT_CFG_ID_NAME, 0, &answer);
    g_assert_cmpmem(answer.u.string, len, "Carrel keyboard", 15);
    len = ask(driver, VIRTIO_INPUT_CFG_ID_SERIAL, 0, &answer);
    g_assert_cmpmem(answer.u.string, len, "input0", 6);
    g_assert_cmpuint(ask(driver, VIRTIO_INPUT_CFG_ID_DEVIDS, 0, &answer), ==, 8);
    g_assert_cmphex(answer.u.ids.bustype, ==, BUS_VIRTUAL);
    for (unsigned key = KEY_ESC; key <= 31; key++) /* all of these make it a keyboard for udev */
        g_assert_true(has(driver, EV_KEY, key));
    g_assert_true(has(driver, EV_KEY, KEY_MICMUTE));
    g_assert_false(has(driver, EV_KEY, BTN_LEFT) || has(driver, EV_REL, REL_X) || has(driver, EV_ABS, ABS_X));
    g_assert_true(has(driver, EV_LED, LED_CAPSL) && has(driver, EV_REP, REP_DELAY));
    g_assert_cmpuint(ask(driver, VIRTIO_INPUT_CFG_ABS_INFO, ABS_X, &answer), ==, 0);
}

static void
test_tablet(void)
{
    g_autoptr(VirtioDriver) driver = start(VIRTIO_INPUT_TABLET, 0);
    struct virtio_input_config answer;

    g_assert_true(has(driver, EV_ABS, ABS_X) && has(driver, EV_ABS, ABS_Y) && has(driver, EV_REL, REL_WHEEL));
    g_assert_true(has(driver, EV_KEY, BTN_LEFT) && has(driver, EV_KEY, BTN_EXTRA) && !has(driver, EV_KEY, KEY_A));
    g_assert_false(has(driver, EV_REL, REL_X) || has(driver, EV_LED, LED_CAPSL) || has(driver, EV_REP, REP_DELAY));
    for (unsigned axis = ABS_X; axis <= ABS_Y; axis++) {
        g_assert_cmpuint(ask(driver, VIRTIO_INPUT_CFG_ABS_INFO, axis, &answer), ==, 20);
        g_assert_cmpuint(answer.u.abs.min, ==, 0);
        g_assert_cmpuint(answer.u.abs.max, ==, VIRTIO_INPUT_ABS_MAX);
    }
    g_assert_cmpuint(ask(driver, VIRTIO_INPUT_CFG_ABS_INFO, ABS_PRESSURE, &answer), ==, 0);
}

static void
test_mouse(void)
{
    g_autoptr(VirtioDriver) driver = start(VIRTIO_INPUT_MOUSE, 0);

    g_assert_true(has(driver, EV_REL, REL_X) && has(driver, EV_REL, REL_Y) && has(driver, EV_REL, REL_WHEEL));
    g_assert_true(has(driver, EV_REL, REL_HWHEEL) && has(driver, EV_KEY, BTN_MIDDLE));
    g_assert_false(has(driver, EV_ABS, ABS_X) || has(driver, EV_KEY, KEY_A));
}

static void
test_hostile_questions(void)
{
    g_autoptr(VirtioDriver) driver = start(VIRTIO_INPUT_TABLET, 0);
    struct virtio_input_config answer;

    for (unsigned select = 0; select < 256; select++)
        for (unsigned subselect = 0; subselect < 256; subselect++)
            g_assert_cmpuint(ask(driver, select, subselect, &answer), <=, 128);
    memset(&answer, 0xff, sizeof(answer));
    virtio_device_config_write(driver->device, 0, &answer, sizeof(answer));
    virtio_device_config_read(driver->device, 0, &answer, sizeof(answer));
    g_assert_cmphex(answer.select, ==, 0xff);
    g_assert_cmphex(answer.size, ==, 0);
    g_assert_cmphex(answer.u.bitmap[0], ==, 0);
}

/* --- events ------------------------------------------------------------------------------------------------------- */

#define BUFFERS 64

typedef struct {
    uint64_t address[BUFFERS]; /* by id */
    uint64_t page;             /* where they all are */
    unsigned n;                /* posted so far */
} Buffers;

static void
post(VirtioDriver *driver, Buffers *buffers, unsigned n)
{
    if (!buffers->page)
        buffers->page = virtio_driver_alloc(driver, BUFFERS * 8);
    for (unsigned i = 0; i < n; i++) {
        uint64_t address = buffers->page + buffers->n++ % BUFFERS * 8;
        buffers->address[virtio_driver_add(driver, 0, (VirtioBuffer[]){{address, 8, true}}, 1)] = address;
    }
    if (virtio_driver_wants_kick(driver, 0, n))
        virtio_driver_kick(driver, 0);
}

static bool
next(VirtioDriver *driver, const Buffers *buffers, VirtioInputEvent *event)
{
    struct virtio_input_event wire;
    VirtioUsed used;
    if (!virtio_driver_used(driver, 0, &used))
        return false;
    g_assert_cmpuint(used.len, ==, 8);
    memcpy(&wire, virtio_driver_at(driver, buffers->address[used.id], 8), 8);
    *event = (VirtioInputEvent){wire.type, wire.code, wire.value};
    return true;
}

static void
expect(VirtioDriver *driver, const Buffers *buffers, uint16_t type, uint16_t code, int32_t value)
{
    VirtioInputEvent event = {0};
    g_assert_true(next(driver, buffers, &event));
    g_assert_cmpuint(event.type, ==, type);
    g_assert_cmpuint(event.code, ==, code);
    g_assert_cmpint(event.value, ==, value);
}

static void
expect_nothing(VirtioDriver *driver)
{
    VirtioUsed used;
    g_assert_false(virtio_driver_used(driver, 0, &used));
}

static void
key(VirtioDriver *driver, uint16_t code, bool down)
{
    virtio_input_report(driver->device, &(VirtioInputEvent){EV_KEY, code, down}, 1);
}

static void
test_report(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = start(VIRTIO_INPUT_TABLET, GPOINTER_TO_UINT(flags));
    Buffers buffers = {0};
    const VirtioInputEvent events[] = {{EV_ABS, ABS_X, 100}, {EV_ABS, ABS_Y, 32767}, {EV_REL, REL_WHEEL, -1}};

    virtio_input_report(driver->device, events, 3); /* no buffers yet: lost */
    post(driver, &buffers, 5);
    expect_nothing(driver);
    unsigned interrupts = virtio_driver_interrupts(driver, 0);
    virtio_input_report(driver->device, events, 3);
    g_assert_cmpuint(virtio_driver_interrupts(driver, 0), ==, interrupts + 1);
    for (unsigned i = 0; i < 3; i++)
        expect(driver, &buffers, events[i].type, events[i].code, events[i].value);
    expect(driver, &buffers, EV_SYN, SYN_REPORT, 0);
    expect_nothing(driver);

    virtio_input_report(driver->device, events, 3); /* one buffer is left, four are needed */
    expect_nothing(driver);
    post(driver, &buffers, 3);
    expect_nothing(driver); /* motion is not kept */
    virtio_input_report(driver->device, events, 3);
    for (unsigned i = 0; i < 3; i++)
        expect(driver, &buffers, events[i].type, events[i].code, events[i].value);
    expect(driver, &buffers, EV_SYN, SYN_REPORT, 0);
    virtio_input_report(driver->device, NULL, 0);
    expect_nothing(driver);
    g_assert_false(virtio_driver_needs_reset(driver));
}

static void
move(VirtioDriver *driver)
{
    virtio_input_report(driver->device, &(VirtioInputEvent){EV_REL, REL_X, 1}, 1);
}

/* Keys that come while the guest has no buffers wait, and come in order; motion does not. */
static void
test_type_ahead(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = start(VIRTIO_INPUT_KEYBOARD, GPOINTER_TO_UINT(flags));
    Buffers buffers = {0};

    post(driver, &buffers, 4);
    key(driver, KEY_A, true);
    key(driver, KEY_B, true);
    key(driver, KEY_C, true); /* from here on they wait */
    key(driver, KEY_C, false);
    key(driver, KEY_A, false);
    key(driver, KEY_B, false);
    move(driver);
    expect(driver, &buffers, EV_KEY, KEY_A, 1);
    expect(driver, &buffers, EV_SYN, SYN_REPORT, 0);
    expect(driver, &buffers, EV_KEY, KEY_B, 1);
    expect(driver, &buffers, EV_SYN, SYN_REPORT, 0);
    expect_nothing(driver);

    post(driver, &buffers, 3); /* for one of them */
    expect(driver, &buffers, EV_KEY, KEY_C, 1);
    expect(driver, &buffers, EV_SYN, SYN_REPORT, 0);
    expect_nothing(driver);
    key(driver, KEY_D, true); /* must not overtake what waits */
    post(driver, &buffers, 20);
    static const struct {
        uint16_t code;
        int32_t value;
    } rest[] = {{KEY_C, 0}, {KEY_A, 0}, {KEY_B, 0}, {KEY_D, 1}};
    for (size_t i = 0; i < G_N_ELEMENTS(rest); i++) {
        if (3 + i >= TYPE_AHEAD_AT_ONCE)
            advance(driver);
        expect(driver, &buffers, EV_KEY, rest[i].code, rest[i].value);
        expect(driver, &buffers, EV_SYN, SYN_REPORT, 0);
    }
    expect_nothing(driver); /* the motion is lost */
}

/* Text that comes all at once, to a guest that stands still: it arrives whole, and then at a keyboard's pace. */
static void
test_paste(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = start(VIRTIO_INPUT_KEYBOARD, GPOINTER_TO_UINT(flags));
    Buffers buffers = {0};

    for (unsigned i = 0; i < 1000; i++) /* no buffers: it stands still */
        key(driver, KEY_Q + i / 2 % 10, i % 2 == 0);
    post(driver, &buffers, BUFFERS);
    for (unsigned i = 0; i < 1000; i++) {
        if (i >= TYPE_AHEAD_AT_ONCE) {
            expect_nothing(driver);
            advance(driver);
        }
        expect(driver, &buffers, EV_KEY, KEY_Q + i / 2 % 10, i % 2 == 0);
        expect(driver, &buffers, EV_SYN, SYN_REPORT, 0);
        post(driver, &buffers, 2);
    }
    clock_advance(the_clock, CLOCK_SECOND);
    expect_nothing(driver);
}

/* Far more is typed than can wait: what was down comes up all the same. */
static void
test_nothing_sticks(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = start(VIRTIO_INPUT_KEYBOARD, GPOINTER_TO_UINT(flags));
    Buffers buffers = {0};

    post(driver, &buffers, 2);
    key(driver, KEY_A, true);
    for (int i = 0; i < TYPE_AHEAD_MAX; i++) {
        key(driver, KEY_B, true);
        key(driver, KEY_B, false);
    }
    key(driver, KEY_A, false); /* no room is left for anything else */
    expect(driver, &buffers, EV_KEY, KEY_A, 1);
    expect(driver, &buffers, EV_SYN, SYN_REPORT, 0);
    for (int i = 0; i < (TYPE_AHEAD_MAX - 1) / 2 * 2; i++) {
        post(driver, &buffers, 2);
        advance(driver);
        expect(driver, &buffers, EV_KEY, KEY_B, i % 2 == 0);
        expect(driver, &buffers, EV_SYN, SYN_REPORT, 0);
    }
    post(driver, &buffers, 2);
    advance(driver);
    expect(driver, &buffers, EV_KEY, KEY_A, 0);
    expect(driver, &buffers, EV_SYN, SYN_REPORT, 0);
    post(driver, &buffers, 2);
    advance(driver);
    expect_nothing(driver);
}

/* While the machine rests nothing reaches the guest; a key let go meanwhile comes up afterwards, also after a load. */
static void
test_pause_and_save(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = start(VIRTIO_INPUT_KEYBOARD, GPOINTER_TO_UINT(flags));
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    Buffers buffers = {0};

    post(driver, &buffers, 20);
    key(driver, KEY_A, true);
    expect(driver, &buffers, EV_KEY, KEY_A, 1);
    expect(driver, &buffers, EV_SYN, SYN_REPORT, 0);
    key(driver, KEY_C, true);
    expect(driver, &buffers, EV_KEY, KEY_C, 1);
    expect(driver, &buffers, EV_SYN, SYN_REPORT, 0);
    virtio_device_quiesce(driver->device);
    key(driver, KEY_B, true);
    key(driver, KEY_A, false);
    expect_nothing(driver);
    state_save(&virtio_device_state, driver->device, bytes);

    const VirtioTransportOps *ops = driver->device->transport_ops;
    virtio_device_free(driver->device);
    driver->device = virtio_input_new(VIRTIO_INPUT_KEYBOARD, "input0", driver->memory, the_clock);
    virtio_device_attach(driver->device, ops, driver);
    state_load(&virtio_device_state, driver->device, 1, bytes->data, bytes->len, &error);
    g_assert_no_error(error);
    virtio_device_resume(driver->device);
    virtio_driver_run(driver);
    expect(driver, &buffers, EV_KEY, KEY_A, 0);
    expect(driver, &buffers, EV_SYN, SYN_REPORT, 0);
    expect(driver, &buffers, EV_KEY, KEY_C, 0); /* which nobody holds any more */
    expect(driver, &buffers, EV_SYN, SYN_REPORT, 0);
    expect_nothing(driver);
}

static void
test_small_buffer(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = start(VIRTIO_INPUT_KEYBOARD, GPOINTER_TO_UINT(flags));
    uint64_t address = virtio_driver_alloc(driver, 8);

    virtio_driver_add(driver, 0, (VirtioBuffer[]){{address, 8, true}}, 1);
    virtio_driver_add(driver, 0, (VirtioBuffer[]){{address, 7, true}}, 1);
    key(driver, KEY_A, true);
    g_assert_true(virtio_driver_needs_reset(driver));
    virtio_driver_reset(driver);
    virtio_driver_start(driver, driver->device, 0);
    virtio_driver_add(driver, 0, (VirtioBuffer[]){{address, 8, false}}, 1); /* not writable */
    virtio_driver_add(driver, 0, (VirtioBuffer[]){{address, 8, true}}, 1);
    key(driver, KEY_A, true);
    g_assert_true(virtio_driver_needs_reset(driver));
}

/* --- LEDs --------------------------------------------------------------------------------------------------------- */

typedef struct {
    unsigned calls, leds;
} Leds;

static void
leds_changed(void *user, unsigned leds)
{
    Leds *state = user;
    state->calls++;
    state->leds = leds;
}

static void
set_led(VirtioDriver *driver, uint16_t type, uint16_t code, uint32_t value)
{
    const struct virtio_input_event event = {.type = type, .code = code, .value = value};
    virtio_driver_call(driver, 1, &event, sizeof(event), NULL, 0);
}

static void
test_leds(gconstpointer flags)
{
    g_autoptr(VirtioDriver) driver = start(VIRTIO_INPUT_KEYBOARD, GPOINTER_TO_UINT(flags));
    Leds leds = {0};

    virtio_input_on_leds(driver->device, leds_changed, &leds);
    set_led(driver, EV_LED, LED_CAPSL, 1);
    g_assert_cmphex(leds.leds, ==, 1 << LED_CAPSL);
    set_led(driver, EV_LED, LED_NUML, 1);
    g_assert_cmphex(leds.leds, ==, 1 << LED_CAPSL | 1 << LED_NUML);
    set_led(driver, EV_LED, LED_CAPSL, 0);
    set_led(driver, EV_LED, LED_CAPSL, 0); /* no change, no call */
    g_assert_cmphex(leds.leds, ==, 1 << LED_NUML);
    g_assert_cmpuint(leds.calls, ==, 3);

    set_led(driver, EV_LED, 0xffff, 1);
    set_led(driver, EV_KEY, KEY_A, 1);
    virtio_driver_call(driver, 1, "short", 5, NULL, 0);
    uint8_t in[8];
    virtio_driver_call(driver, 1, NULL, 0, in, 8);
    g_assert_cmpuint(leds.calls, ==, 3);
    g_assert_false(virtio_driver_needs_reset(driver));
    virtio_input_on_leds(driver->device, NULL, NULL);
    set_led(driver, EV_LED, LED_CAPSL, 1);
    g_assert_cmpuint(leds.calls, ==, 3);
}

/* A front end prefers another device to firmware's driver, which sets up the events' queue alone. */
static void
test_driver_of_firmware(void)
{
    g_autoptr(VirtioDriver) driver = virtio_driver_new(0);

    virtio_driver_attach(driver, virtio_input_new(VIRTIO_INPUT_KEYBOARD, "input0", driver->memory, the_clock));
    InputSink sink = virtio_input_sink(driver->device);
    for (unsigned n_queues = 1; n_queues <= 2; n_queues++) {
        virtio_driver_negotiate(driver, 0);
        for (unsigned queue = 0; queue < n_queues; queue++)
            virtio_driver_setup_queue(driver, queue, 16);
        g_assert_false(sink.ops->ready(sink.sink));
        virtio_driver_set_status(driver, VIRTIO_CONFIG_S_DRIVER_OK);
        g_assert_cmpint(sink.ops->ready(sink.sink), ==, n_queues == 2);
        virtio_driver_reset(driver);
    }
    g_assert_false(sink.ops->ready(sink.sink));
}

static void
add(const char *name, GTestDataFunc test)
{
    static const struct {
        const char *name;
        VirtioDriverFlags flags;
    } ways[] = {{"split", VIRTIO_DRIVER_EVENT_INDEX}, {"plain", 0}, {"packed", VIRTIO_DRIVER_ALL}};

    for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
        g_autofree char *path = g_strdup_printf("/virtio/input/%s/%s", name, ways[i].name);
        g_test_add_data_func(path, GUINT_TO_POINTER(ways[i].flags), test);
    }
}

int
main(int argc, char **argv)
{
    g_autoptr(Clock) clock = clock_new_manual(0);

    g_test_init(&argc, &argv, NULL);
    the_clock = clock;
    g_test_add_func("/virtio/input/keyboard", test_keyboard);
    g_test_add_func("/virtio/input/tablet", test_tablet);
    g_test_add_func("/virtio/input/mouse", test_mouse);
    g_test_add_func("/virtio/input/hostile-questions", test_hostile_questions);
    g_test_add_func("/virtio/input/driver-of-firmware", test_driver_of_firmware);
    add("report", test_report);
    add("type-ahead", test_type_ahead);
    add("paste", test_paste);
    add("nothing-sticks", test_nothing_sticks);
    add("pause-and-save", test_pause_and_save);
    add("small-buffer", test_small_buffer);
    add("leds", test_leds);
    return g_test_run();
}
