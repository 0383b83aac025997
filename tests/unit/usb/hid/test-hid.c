/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keyboard and tablet as a guest's driver sees them through the controller: descriptors walked, reports byte by byte, LEDs;
 * and the route of input between them and others.
 */
#include "host.h"
#include "usb/hid/hid.h"
#include "vmm/board/type_ahead.h"

#include <linux/input-event-codes.h>
#include <string.h>

typedef struct {
    Host host;
    UsbDevice *device;
    InputSink sink;
    unsigned slot;
    uint64_t data, block;
} Guest;

static void
guest_init(Guest *guest, bool keyboard)
{
    Host *host = &guest->host;

    host_init(host, 4);
    host_start(host);
    guest->device = keyboard ? usb_keyboard_new("keyboard", host->clock) : usb_tablet_new("tablet");
    g_assert_true(usb_bus_attach(host->bus, guest->device, NULL, USB_PORT_ANY, NULL, NULL));
    guest->sink = usb_hid_sink(guest->device, host->bus);
    host_pump(host);
    host_reset_port(host, 1);
    guest->slot = host_address(host, 1, 0);
    guest->data = host_alloc(host, 0x1000);
}

static void
configure(Guest *guest)
{
    Host *host = &guest->host;

    g_assert_cmpuint(host_configure(host, guest->slot, 3, EP_TYPE_INTERRUPT_IN, 8, 6), ==, CC_SUCCESS);
    g_assert_cmpuint(host_control(host, guest->slot, 0, USB_REQ_SET_CONFIGURATION, 1, 0, NULL, 0, NULL), ==,
                     CC_SUCCESS);
}

static void
listen(Guest *guest)
{
    guest->block = host_normal(&guest->host, guest->slot, 3, guest->data, 8);
}

static void
report(Guest *guest, uint16_t type, uint16_t code, int32_t value)
{
    guest->sink.ops->report(guest->sink.sink, &(InputEvent){type, code, value}, 1);
    host_pump(&guest->host);
}

/* Asks for the next report; NULL: there is none yet. */
static const uint8_t *
hear(Guest *guest, unsigned size)
{
    XhciTrb event;

    if (!host_event(&guest->host, &event))
        return NULL;
    g_assert_cmphex(event.parameter, ==, guest->block);
    g_assert_cmpuint(8 - (event.status & 0xffffff), ==, size);
    return host_at(&guest->host, guest->data);
}

static unsigned
get_descriptor(Guest *guest, uint8_t type, uint16_t value, uint8_t *data)
{
    uint32_t moved;
    unsigned code = host_control(&guest->host, guest->slot, type, USB_REQ_GET_DESCRIPTOR, value, 0, data, 256, &moved);
    return code == CC_SUCCESS ? moved : 0;
}

static void
mend_control(Guest *guest)
{
    Host *host = &guest->host;
    uint32_t where = guest->slot << 24 | 1 << 16;

    g_assert_cmpuint(host_command(host, 0, 0, HOST_TYPE(TRB_RESET_ENDPOINT) | where, NULL), ==, CC_SUCCESS);
    g_assert_cmpuint(
        host_command(host, host->rings[1].at | host->rings[1].cycle, 0, HOST_TYPE(TRB_SET_TR_DEQUEUE) | where, NULL),
        ==, CC_SUCCESS);
}

/* Every descriptor's length is right, and their sum is what the first says; the interface's class and its report's size. */
static void
walk_descriptors(Guest *guest, unsigned protocol)
{
    uint8_t data[256], report_data[256];
    unsigned endpoints = 0, report_size = 0;

    g_assert_cmpuint(get_descriptor(guest, 0x80, USB_DT_DEVICE << 8, data), ==, 18);
    g_assert_true(data[0] == 18 && data[17] == 1);
    unsigned total = get_descriptor(guest, 0x80, USB_DT_CONFIG << 8, data);
    g_assert_cmpuint(data[2] | data[3] << 8, ==, total);
    unsigned at = 0;
    for (; at < total; at += data[at]) {
        g_assert_cmpuint(data[at], >=, 2);
        if (data[at + 1] == USB_DT_INTERFACE)
            g_assert_true(data[at + 5] == USB_CLASS_HID && data[at + 7] == protocol);
        if (data[at + 1] == 0x21)
            report_size = data[at + 7] | data[at + 8] << 8;
        endpoints += data[at + 1] == USB_DT_ENDPOINT;
    }
    g_assert_cmpuint(at, ==, total);
    g_assert_cmpuint(endpoints, ==, 1);
    g_assert_cmpuint(get_descriptor(guest, 0x81, 0x2200, report_data), ==, report_size);
    g_assert_cmpuint(get_descriptor(guest, 0x81, 0x2100, report_data), ==, 9);
    g_assert_cmpuint(get_descriptor(guest, 0x80, USB_DT_STRING << 8, data), ==, 4);
    g_assert_cmpuint(get_descriptor(guest, 0x80, USB_DT_STRING << 8 | 2, data), >, 10);
    g_assert_cmpuint(get_descriptor(guest, 0x80, USB_DT_STRING << 8 | 9, data), ==, 0);
    mend_control(guest);
    g_assert_cmpuint(get_descriptor(guest, 0x80, USB_DT_DEVICE_QUALIFIER << 8, data), ==, 0); /* full speed only */
    mend_control(guest);
}

static void
test_descriptors(void)
{
    Guest guest;

    guest_init(&guest, true);
    walk_descriptors(&guest, 1);
    host_finish(&guest.host);
    guest_init(&guest, false);
    walk_descriptors(&guest, 0);
    host_finish(&guest.host);
}

static void
test_keys(void)
{
    Guest guest;
    static const uint8_t none[8], shift[8] = {2}, shift_a[8] = {2, 0, 4}, a[8] = {0, 0, 4};

    guest_init(&guest, true);
    g_assert_false(guest.sink.ops->ready(guest.sink.sink));
    report(&guest, EV_KEY, KEY_Z, 1); /* nobody hears it, now or later */
    configure(&guest);
    g_assert_true(guest.sink.ops->ready(guest.sink.sink));
    listen(&guest);
    g_assert_null(hear(&guest, 8));
    report(&guest, EV_KEY, KEY_LEFTSHIFT, 1);
    g_assert_cmpmem(hear(&guest, 8), 8, shift, 8);
    /* typed ahead of the guest: each comes by itself, in order */
    report(&guest, EV_KEY, KEY_A, 1);
    report(&guest, EV_KEY, KEY_LEFTSHIFT, 0);
    report(&guest, EV_KEY, KEY_A, 2); /* repeats are the guest's */
    report(&guest, EV_KEY, KEY_A, 0);
    const uint8_t *const expected[] = {shift_a, a, none};
    for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
        listen(&guest);
        g_assert_cmpmem(hear(&guest, 8), 8, expected[i], 8);
    }
    listen(&guest);
    g_assert_null(hear(&guest, 8));
    host_finish(&guest.host);
}

/* The guest asks; what comes of it by the keyboard's pace. */
static const uint8_t *
hear_in_time(Guest *guest)
{
    listen(guest);
    clock_advance(guest->host.clock, TYPE_AHEAD_INTERVAL);
    return hear(guest, 8);
}

static void
test_roll_over(void)
{
    Guest guest;
    const uint8_t *heard;

    guest_init(&guest, true);
    configure(&guest);
    for (unsigned key = KEY_Q; key < KEY_Q + 7; key++)
        report(&guest, EV_KEY, key, 1);
    for (unsigned i = 0; i < 6; i++) {
        heard = hear_in_time(&guest);
        g_assert_true(heard[2 + i] > 3 && (i == 5 || heard[3 + i] == 0));
    }
    heard = hear_in_time(&guest);
    g_assert_true(heard[2] == 1 && heard[7] == 1);
    report(&guest, EV_KEY, KEY_Q, 0);
    heard = hear_in_time(&guest);
    g_assert_cmpuint(heard[2], ==, 0x1a); /* W is the first now */
    host_finish(&guest.host);
}

/* Text that comes all at once, to a guest that stands still: it arrives whole, a report at a time and at a keyboard's pace. */
static void
test_paste(void)
{
    Guest guest;
    const uint8_t *heard;
    XhciTrb event;

    guest_init(&guest, true);
    configure(&guest);
    for (unsigned i = 0; i < 1000; i++)
        report(&guest, EV_KEY, KEY_Q + i / 2 % 10, i % 2 == 0);
    static const uint8_t usages[] = {0x14, 0x1a, 0x08, 0x15, 0x17, 0x1c, 0x18, 0x0c, 0x12, 0x13};
    for (unsigned i = 0; i < 1000; i++) {
        listen(&guest);
        if (i >= TYPE_AHEAD_AT_ONCE) {
            g_assert_false(host_event(&guest.host, &event));
            clock_advance(guest.host.clock, TYPE_AHEAD_INTERVAL);
        }
        heard = hear(&guest, 8);
        g_assert_nonnull(heard);
        g_assert_cmphex(heard[2], ==, i % 2 ? 0 : usages[i / 2 % 10]);
    }
    listen(&guest);
    clock_advance(guest.host.clock, CLOCK_SECOND);
    g_assert_null(hear(&guest, 8));
    host_finish(&guest.host);
}

/* Far more than anybody types, by whoever does not let go either: what goes up goes up. */
static void
test_nothing_sticks(void)
{
    Guest guest;
    const uint8_t *heard;
    uint8_t last[8] = {1};
    unsigned n = 0;

    guest_init(&guest, true);
    configure(&guest);
    report(&guest, EV_KEY, KEY_LEFTSHIFT, 1);
    for (unsigned i = 0; i < 10000; i++)
        report(&guest, EV_KEY, KEY_A + i / 2 % 9, i % 2 == 0);
    report(&guest, EV_KEY, KEY_X, 1);
    for (unsigned key = 0; key < KEY_MAX; key++)
        report(&guest, EV_KEY, key, 0);
    for (; (heard = hear_in_time(&guest)); n++)
        memcpy(last, heard, 8);
    g_assert_cmpuint(n, >, TYPE_AHEAD_MAX - 4);
    static const uint8_t none[8];
    g_assert_cmpmem(last, 8, none, 8);
    host_finish(&guest.host);
}

static unsigned seen_leds, n_seen;

static void
note_leds(void *user, unsigned leds)
{
    seen_leds = leds;
    n_seen++;
}

static void
test_requests(void)
{
    Guest guest;
    uint8_t data[8] = {5};
    Host *host = &guest.host;

    guest_init(&guest, true);
    configure(&guest);
    guest.sink.ops->on_leds(guest.sink.sink, note_leds, NULL);
    g_assert_cmpuint(host_control(host, guest.slot, 0x21, 9, 0x200, 0, data, 1, NULL), ==, CC_SUCCESS);
    host_pump(host);
    g_assert_cmpuint(seen_leds, ==, 1 << LED_NUML | 1 << LED_SCROLLL);

    /* a guest that blinks is told of once, as it is by then */
    uint8_t *blinks = host_at(host, guest.data);
    n_seen = 0;
    for (unsigned i = 0; i < 6; i++) {
        blinks[i] = i;
        host_ring_add(host, &host->rings[1], 0x21 | 9 << 8 | 0x200 << 16 | 1ull << 48, 8,
                      HOST_TYPE(TRB_SETUP_STAGE) | TRB_IMMEDIATE);
        host_ring_add(host, &host->rings[1], guest.data + i, 1, HOST_TYPE(TRB_DATA_STAGE));
        host_ring_add(host, &host->rings[1], 0, 0, HOST_TYPE(TRB_STATUS_STAGE) | TRB_DIR_IN);
    }
    host_doorbell(host, guest.slot, 1);
    g_assert_cmpuint(n_seen, ==, 1);
    g_assert_cmpuint(seen_leds, ==, 5);
    g_assert_cmpuint(host_control(host, guest.slot, 0x21, 10, 0x7d00, 0, NULL, 0, NULL), ==, CC_SUCCESS);
    g_assert_cmpuint(host_control(host, guest.slot, 0xa1, 2, 0, 0, data, 1, NULL), ==, CC_SUCCESS);
    g_assert_cmpuint(data[0], ==, 0x7d);
    g_assert_cmpuint(host_control(host, guest.slot, 0x21, 11, 0, 0, NULL, 0, NULL), ==, CC_SUCCESS);
    g_assert_cmpuint(host_control(host, guest.slot, 0xa1, 3, 0, 0, data, 1, NULL), ==, CC_SUCCESS);
    g_assert_cmpuint(data[0], ==, 0);
    report(&guest, EV_KEY, KEY_B, 1);
    listen(&guest);
    g_assert_nonnull(hear(&guest, 8));
    g_assert_cmpuint(host_control(host, guest.slot, 0xa1, 1, 0x100, 0, data, 8, NULL), ==, CC_SUCCESS);
    g_assert_cmpuint(data[2], ==, 5);
    /* refused: a report that there is not, an interface that there is not, alternate settings, configurations */
    const struct {
        uint8_t type, request;
        uint16_t value, index;
    } refused[] = {
        {0x21, 9, 0x300, 0}, {0xa1, 1, 0x100, 1}, {0x01, 11, 1, 0}, {0x00, 9, 2, 0},  {0x02, 3, 0, 0x8f},
        {0x02, 1, 0, 0x400}, {0x00, 3, 7, 0},     {0xc0, 1, 0, 0},  {0x82, 0, 0, 77},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_assert_cmpuint(host_control(host, guest.slot, refused[i].type, refused[i].request, refused[i].value,
                                      refused[i].index, data, refused[i].type & 0x80 ? 8 : 0, NULL),
                         ==, CC_STALL);
        mend_control(&guest);
    }
    /* a halted endpoint stays so until it is cleared */
    listen(&guest);
    g_assert_cmpuint(host_command(host, 0, 0, HOST_TYPE(TRB_STOP_ENDPOINT) | guest.slot << 24 | 3 << 16, NULL), ==,
                     CC_SUCCESS);
    g_assert_cmpuint(host_control(host, guest.slot, 0x02, 3, 0, 0x81, NULL, 0, NULL), ==, CC_SUCCESS);
    host_doorbell(host, guest.slot, 3);
    XhciTrb event;
    g_assert_true(host_event(host, &event) && event_code(&event) == CC_STALL);
    g_assert_cmpuint(host_control(host, guest.slot, 0x82, 0, 0, 0x81, data, 2, NULL), ==, CC_SUCCESS);
    g_assert_cmpuint(data[0], ==, 1);
    g_assert_cmpuint(host_control(host, guest.slot, 0x02, 1, 0, 0x81, NULL, 0, NULL), ==, CC_SUCCESS);
    host_finish(host);
}

static void
test_tablet(void)
{
    Guest guest;
    const InputEvent click[] = {{EV_ABS, ABS_X, 0x1234}, {EV_ABS, ABS_Y, 0x7fff}, {EV_KEY, BTN_RIGHT, 1}};
    static const uint8_t clicked[] = {2, 0x34, 0x12, 0xff, 0x7f, 0}, moved[] = {2, 9, 0, 0xff, 0x7f, 0},
                         released[] = {0, 9, 0, 0xff, 0x7f, 0}, wheeled[] = {0, 9, 0, 0xff, 0x7f, 0xfd};

    guest_init(&guest, false);
    configure(&guest);
    guest.sink.ops->report(guest.sink.sink, click, 3);
    for (unsigned i = 0; i < 10; i++) /* nobody listens: the last place counts … */
        report(&guest, EV_ABS, ABS_X, i);
    report(&guest, EV_KEY, BTN_RIGHT, 0);
    listen(&guest);
    /* … except that it is the click's own report that moved on */
    const uint8_t *heard = hear(&guest, 6);
    g_assert_cmpmem(heard, 6, moved, 6);
    listen(&guest);
    g_assert_cmpmem(hear(&guest, 6), 6, released, 6);
    for (unsigned i = 0; i < 3; i++)
        report(&guest, EV_REL, REL_WHEEL, -1);
    listen(&guest);
    g_assert_cmpmem(hear(&guest, 6), 6, wheeled, 6);
    listen(&guest);
    g_assert_null(hear(&guest, 6)); /* the wheel does not go on */
    guest.sink.ops->report(guest.sink.sink, click, 3);
    host_pump(&guest.host);
    g_assert_cmpmem(hear(&guest, 6), 6, clicked, 6);
    host_finish(&guest.host);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hid/descriptors", test_descriptors);
    g_test_add_func("/hid/keys", test_keys);
    g_test_add_func("/hid/roll-over", test_roll_over);
    g_test_add_func("/hid/paste", test_paste);
    g_test_add_func("/hid/nothing-sticks", test_nothing_sticks);
    g_test_add_func("/hid/requests", test_requests);
    g_test_add_func("/hid/tablet", test_tablet);
    return g_test_run();
}
