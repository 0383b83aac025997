/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A boot keyboard (HID 1.11, Appendix B.1): a byte of modifiers, one unused, six keys.
 *
 * Each key going down or up is a report of its own, in order and at a keyboard's pace (type_ahead.h), so that a guest that is
 * slow for a moment loses none. More than six keys at a time is "roll over" (HID 1.11, Appendix C), until one is let go.
 */
#include "usb/hid/hid_private.h"
#include "usb/hid/keymap.h"
#include "vmm/board/type_ahead.h"

#include <linux/input-event-codes.h>
#include <string.h>

#define MODIFIERS 0xe0
#define ROLL_OVER 0x01
#define KEYS_AT_A_TIME 6
#define KEYS_DOWN_MAX 32 /* remembered; nobody has more fingers */

typedef struct {
    UsbHid hid; /* first */
    uint8_t modifiers;
    uint8_t keys[KEYS_DOWN_MAX]; /* usages, as the guest knows them, in the order they went down */
    uint8_t n_keys;
    TypeAhead ahead; /* of usages */
    Clock *clock;
    ClockTimer *timer; /* for what waits; NULL: nothing has yet */
} Keyboard;

static const uint8_t device_descriptor[] = {
    18,
    USB_DT_DEVICE,
    USB_WORD(0x0200),
    0,
    0,
    0,
    64,
    USB_WORD(USB_VENDOR_CARREL),
    USB_WORD(USB_PRODUCT_KEYBOARD),
    USB_WORD(0x0100),
    1,
    2,
    3,
    1,
};

/* HID 1.11, Appendix B.1, with keys up to the last that keymap.c knows. */
static const uint8_t report_descriptor[] = {
    0x05, 0x01, 0x09, 0x06, 0xa1, 0x01,                                     /* generic desktop, keyboard: application */
    0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7, 0x15, 0x00, 0x25, 0x01,             /* modifiers … */
    0x75, 0x01, 0x95, 0x08, 0x81, 0x02,                                     /* … eight bits */
    0x95, 0x01, 0x75, 0x08, 0x81, 0x01,                                     /* a byte of nothing */
    0x95, 0x05, 0x75, 0x01, 0x05, 0x08, 0x19, 0x01, 0x29, 0x05, 0x91, 0x02, /* out: five LEDs */
    0x95, 0x01, 0x75, 0x03, 0x91, 0x01, 0x95, 0x06, 0x75, 0x08, 0x15, 0x00, 0x26, 0xff, 0x00, /* six keys */
    0x05, 0x07, 0x19, 0x00, 0x2a, 0xff, 0x00, 0x81, 0x00, 0xc0,
};

#define HID_AT (9 + 9)
static const uint8_t configuration_descriptor[] = {
    9,
    USB_DT_CONFIG,
    USB_WORD(9 + 9 + 9 + 7),
    1,
    1,
    0,
    0xe0 /* self powered, wakes */,
    0,
    9,
    USB_DT_INTERFACE,
    0,
    0,
    1,
    USB_CLASS_HID,
    1 /* boot */,
    1 /* keyboard */,
    0,
    9,
    0x21,
    USB_WORD(0x0111),
    0,
    1,
    0x22,
    USB_WORD(sizeof(report_descriptor)),
    7,
    USB_DT_ENDPOINT,
    USB_DIR_IN | 1,
    USB_ENDPOINT_XFER_INT,
    USB_WORD(8),
    8 /* ms */,
};

static const UsbDescription description = {
    .device = device_descriptor,
    .configuration = configuration_descriptor,
    .configuration_size = sizeof(configuration_descriptor),
    .vendor = "Carrel",
    .product = "Carrel keyboard",
};

/* --- keys -------------------------------------------------------------------------------------------------------- */

static void
take(UsbHid *hid, const InputEvent *events, size_t n)
{
    Keyboard *keyboard = (Keyboard *)hid;

    for (size_t i = 0; i < n; i++) {
        uint8_t usage = events[i].type == EV_KEY ? hid_usage_of(events[i].code) : 0;
        if (usage)
            type_ahead_add(&keyboard->ahead, (TypeAheadKey){usage, events[i].value});
    }
}

static bool
remove_key(Keyboard *keyboard, uint8_t usage)
{
    uint8_t *place = memchr(keyboard->keys, usage, keyboard->n_keys);

    if (!place)
        return false;
    memmove(place, place + 1, keyboard->keys + keyboard->n_keys - place - 1);
    keyboard->n_keys--;
    return true;
}

/* Whether that changed anything. */
static bool
apply(Keyboard *keyboard, uint8_t usage, bool down)
{
    uint8_t before = keyboard->modifiers, bit = 1 << (usage & 7);

    if (usage >= MODIFIERS) {
        keyboard->modifiers = down ? before | bit : before & ~bit;
        return keyboard->modifiers != before;
    }
    if (!down)
        return remove_key(keyboard, usage);
    if (memchr(keyboard->keys, usage, keyboard->n_keys) || keyboard->n_keys == KEYS_DOWN_MAX)
        return false;
    keyboard->keys[keyboard->n_keys++] = usage;
    return true;
}

static void
current(UsbHid *hid, uint8_t report[HID_REPORT_MAX])
{
    const Keyboard *keyboard = (const Keyboard *)hid;

    memset(report, 0, HID_REPORT_MAX);
    report[0] = keyboard->modifiers;
    if (keyboard->n_keys > KEYS_AT_A_TIME)
        memset(report + 2, ROLL_OVER, KEYS_AT_A_TIME);
    else
        memcpy(report + 2, keyboard->keys, keyboard->n_keys);
}

static void
on_timer(void *user)
{
    usb_hid_answer(user);
}

static void
wake_at(Keyboard *keyboard, int64_t when)
{
    if (!keyboard->timer)
        keyboard->timer = clock_timer_new(keyboard->clock, on_timer, keyboard);
    clock_timer_set(keyboard->timer, when);
}

static bool
next(UsbHid *hid, uint8_t report[HID_REPORT_MAX])
{
    Keyboard *keyboard = (Keyboard *)hid;
    int64_t now = clock_now(keyboard->clock);
    TypeAheadKey key;
    bool changed = false;

    while (!changed && type_ahead_first(&keyboard->ahead, &key)) {
        if (type_ahead_due(&keyboard->ahead) > now) {
            wake_at(keyboard, type_ahead_due(&keyboard->ahead));
            return false;
        }
        changed = apply(keyboard, key.key, key.down);
        type_ahead_take(&keyboard->ahead, now);
    }
    current(hid, report);
    return changed;
}

static void
clear(UsbHid *hid)
{
    Keyboard *keyboard = (Keyboard *)hid;
    keyboard->modifiers = keyboard->n_keys = 0;
    type_ahead_clear(&keyboard->ahead);
}

static const UsbHidOps hid_ops = {
    .emulated = {.description = &description,
                 .control = usb_hid_control,
                 .data = usb_hid_data,
                 .cancel = usb_hid_cancel,
                 .configured = usb_hid_configured},
    .report_descriptor = report_descriptor,
    .report_descriptor_size = sizeof(report_descriptor),
    .report_size = 8,
    .hid_at = HID_AT,
    .take = take,
    .next = next,
    .current = current,
    .clear = clear,
};

static bool
after_load(void *object, GError **error)
{
    const Keyboard *keyboard = object;

    if (keyboard->n_keys <= KEYS_DOWN_MAX)
        return true;
    g_set_error(error, STATE_ERROR, STATE_ERROR_MALFORMED, "a keyboard with more keys down than there are");
    return false;
}

static const StateField fields[] = {
    STATE_STRUCT(Keyboard, hid, 1, &usb_hid_state),
    STATE_UINT(Keyboard, modifiers, 1),
    STATE_BYTES(Keyboard, keys, 1),
    STATE_UINT(Keyboard, n_keys, 1),
    STATE_STRUCT(Keyboard, ahead, 2, &type_ahead_state),
    STATE_END,
};
static const StateTable state = {
    .name = "usb-keyboard", .version = 2, .oldest = 2, .fields = fields, .after_load = after_load};

static void
finish(UsbDevice *device)
{
    clock_timer_free(((Keyboard *)device)->timer);
    usb_hid_finish(device);
}

static const UsbDeviceOps device_ops = {
    .kind = "keyboard",
    .submit = usb_emulated_submit,
    .cancel = usb_emulated_cancel,
    .reset = usb_emulated_reset,
    .state = &state,
    .finish = finish,
};

UsbDevice *
usb_keyboard_new(const char *id, Clock *clock)
{
    Keyboard *keyboard = g_new0(Keyboard, 1);

    keyboard->clock = clock;
    usb_hid_init(&keyboard->hid, &device_ops, &hid_ops, id);
    return &keyboard->hid.emulated.device;
}
