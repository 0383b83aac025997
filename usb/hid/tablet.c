/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pointer with absolute positions: a byte of buttons, X and Y of 15 bits, a wheel.
 *
 * Where the guest is slow, positions are lost and the last one counts; a button that goes down or up makes a report of its
 * own, at the place where it did.
 */
#include "usb/hid/hid_private.h"

#include <linux/input-event-codes.h>
#include <string.h>

#define REPORT_SIZE 6
#define WAITING_MAX 256 /* clicks that a busy guest has not yet taken */

typedef struct {
    uint8_t buttons;
    int8_t wheel;
    uint16_t x, y;
} Place;

typedef struct {
    UsbHid hid;                 /* first */
    Place told;                 /* what the guest knows */
    Place waiting[WAITING_MAX]; /* what it does not yet, in order */
    uint16_t n_waiting;
} Tablet;

static const uint8_t device_descriptor[] = {
    18,
    USB_DT_DEVICE,
    USB_WORD(0x0200),
    0,
    0,
    0,
    64,
    USB_WORD(USB_VENDOR_CARREL),
    USB_WORD(USB_PRODUCT_TABLET),
    USB_WORD(0x0100),
    1,
    2,
    3,
    1,
};

static const uint8_t report_descriptor[] = {
    0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x01, 0xa1, 0x00, /* generic desktop, mouse: application, pointer */
    0x05, 0x09, 0x19, 0x01, 0x29, 0x05, 0x15, 0x00, 0x25, 0x01, /* five buttons */
    0x95, 0x05, 0x75, 0x01, 0x81, 0x02, 0x95, 0x01, 0x75, 0x03, 0x81, 0x01,
    0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x15, 0x00, 0x26, 0xff, 0x7f, /* X, Y: 0 to 0x7fff, absolute */
    0x35, 0x00, 0x46, 0xff, 0x7f, 0x75, 0x10, 0x95, 0x02, 0x81, 0x02, 0x09,
    0x38, 0x15, 0x81, 0x25, 0x7f, 0x35, 0x00, 0x45, 0x00, /* wheel: relative */
    0x75, 0x08, 0x95, 0x01, 0x81, 0x06, 0xc0, 0xc0,
};

#define HID_AT (9 + 9)
static const uint8_t configuration_descriptor[] = {
    9,
    USB_DT_CONFIG,
    USB_WORD(9 + 9 + 9 + 7),
    1,
    1,
    0,
    0xe0,
    0,
    9,
    USB_DT_INTERFACE,
    0,
    0,
    1,
    USB_CLASS_HID,
    0,
    0,
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
    4,
};

static const UsbDescription description = {
    .device = device_descriptor,
    .configuration = configuration_descriptor,
    .configuration_size = sizeof(configuration_descriptor),
    .vendor = "Carrel",
    .product = "Carrel tablet",
};

/* Bit of a button in a report; -1: it has none. */
static int
button_bit(uint16_t key)
{
    static const uint16_t buttons[] = {BTN_LEFT, BTN_RIGHT, BTN_MIDDLE, BTN_SIDE, BTN_EXTRA};

    for (size_t i = 0; i < G_N_ELEMENTS(buttons); i++)
        if (buttons[i] == key)
            return i;
    return -1;
}

static void
apply(Place *place, const InputEvent *event)
{
    int bit = event->type == EV_KEY ? button_bit(event->code) : -1;

    if (bit >= 0)
        place->buttons = event->value ? place->buttons | 1 << bit : place->buttons & ~(1 << bit);
    else if (event->type == EV_ABS && event->code == ABS_X)
        place->x = CLAMP(event->value, 0, INPUT_ABS_MAX);
    else if (event->type == EV_ABS && event->code == ABS_Y)
        place->y = CLAMP(event->value, 0, INPUT_ABS_MAX);
    else if (event->type == EV_REL && event->code == REL_WHEEL)
        place->wheel = CLAMP(place->wheel + event->value, -127, 127);
}

static void
take(UsbHid *hid, const InputEvent *events, size_t n)
{
    Tablet *tablet = (Tablet *)hid;
    Place *last = tablet->n_waiting ? &tablet->waiting[tablet->n_waiting - 1] : NULL;
    Place before = last ? *last : tablet->told, now = before;

    if (!last)
        before.wheel = now.wheel = 0;
    for (size_t i = 0; i < n; i++)
        apply(&now, &events[i]);
    if (last && now.buttons == last->buttons)
        *last = now; /* only motion: the last one counts */
    else if (tablet->n_waiting < WAITING_MAX) {
        if (last)
            now.wheel = CLAMP(now.wheel - before.wheel, -127, 127);
        tablet->waiting[tablet->n_waiting++] = now;
    } else
        *last = now;
}

static void
put(const Place *place, uint8_t report[HID_REPORT_MAX])
{
    const uint8_t bytes[REPORT_SIZE] = {place->buttons, USB_WORD(place->x), USB_WORD(place->y), (uint8_t)place->wheel};
    memcpy(report, bytes, sizeof(bytes));
}

static bool
next(UsbHid *hid, uint8_t report[HID_REPORT_MAX])
{
    Tablet *tablet = (Tablet *)hid;

    if (!tablet->n_waiting)
        return false;
    tablet->told = tablet->waiting[0];
    memmove(tablet->waiting, tablet->waiting + 1, --tablet->n_waiting * sizeof(Place));
    put(&tablet->told, report);
    tablet->told.wheel = 0;
    return true;
}

static void
current(UsbHid *hid, uint8_t report[HID_REPORT_MAX])
{
    put(&((Tablet *)hid)->told, report);
}

static void
clear(UsbHid *hid)
{
    Tablet *tablet = (Tablet *)hid;
    tablet->told = (Place){0};
    tablet->n_waiting = 0;
}

static const UsbHidOps hid_ops = {
    .emulated = {.description = &description,
                 .control = usb_hid_control,
                 .data = usb_hid_data,
                 .cancel = usb_hid_cancel,
                 .configured = usb_hid_configured},
    .report_descriptor = report_descriptor,
    .report_descriptor_size = sizeof(report_descriptor),
    .report_size = REPORT_SIZE,
    .hid_at = HID_AT,
    .take = take,
    .next = next,
    .current = current,
    .clear = clear,
};

static const StateField place_fields[] = {
    STATE_UINT(Place, buttons, 1),
    STATE_UINT(Place, wheel, 1),
    STATE_UINT(Place, x, 1),
    STATE_UINT(Place, y, 1),
    STATE_END,
};
static const StateTable place_state = {.name = "tablet-place", .version = 1, .oldest = 1, .fields = place_fields};

static bool
after_load(void *object, GError **error)
{
    if (((Tablet *)object)->n_waiting <= WAITING_MAX)
        return true;
    g_set_error(error, STATE_ERROR, STATE_ERROR_MALFORMED, "a tablet with more to tell than there is room for");
    return false;
}

static const StateField fields[] = {
    STATE_STRUCT(Tablet, hid, 1, &usb_hid_state),
    STATE_STRUCT(Tablet, told, 1, &place_state),
    STATE_ARRAY(Tablet, waiting, 1, &place_state),
    STATE_UINT(Tablet, n_waiting, 1),
    STATE_END,
};
static const StateTable state = {
    .name = "usb-tablet", .version = 1, .oldest = 1, .fields = fields, .after_load = after_load};

static const UsbDeviceOps device_ops = {
    .kind = "tablet",
    .submit = usb_emulated_submit,
    .cancel = usb_emulated_cancel,
    .reset = usb_emulated_reset,
    .state = &state,
    .finish = usb_hid_finish,
};

UsbDevice *
usb_tablet_new(const char *id)
{
    Tablet *tablet = g_new0(Tablet, 1);
    usb_hid_init(&tablet->hid, &device_ops, &hid_ops, id);
    return &tablet->hid.emulated.device;
}
