/* SPDX-License-Identifier: Apache-2.0 */
/* The common part of keyboard and tablet. */
#include "usb/hid/hid_private.h"

#include <linux/hid.h>
#include <linux/input-event-codes.h>
#include <string.h>

#define CLASS_GET(request) USB_REQUEST(USB_DIR_IN | USB_TYPE_CLASS | USB_RECIP_INTERFACE, request)
#define CLASS_SET(request) USB_REQUEST(USB_DIR_OUT | USB_TYPE_CLASS | USB_RECIP_INTERFACE, request)
#define GET_CLASS_DESCRIPTOR USB_REQUEST(USB_DIR_IN | USB_TYPE_STANDARD | USB_RECIP_INTERFACE, USB_REQ_GET_DESCRIPTOR)

#define HID_DESCRIPTOR_SIZE 9
#define REPORT_INPUT 1 /* HID 1.11, 7.2.1 */
#define REPORT_OUTPUT 2

static UsbHid *
hid_of(UsbEmulated *emulated)
{
    return (UsbHid *)emulated;
}

/* --- reports ----------------------------------------------------------------------------------------------------- */

void
usb_hid_answer(UsbHid *hid)
{
    uint8_t report[HID_REPORT_MAX];

    if (!hid->waiting || !hid->ops->next(hid, report))
        return;
    UsbTransfer *transfer = g_steal_pointer(&hid->waiting);
    uint32_t len = MIN(hid->ops->report_size, transfer->length);
    usb_transfer_write(transfer, report, len);
    usb_transfer_complete(transfer, len < hid->ops->report_size ? USB_BABBLE : USB_OK);
}

void
usb_hid_data(UsbEmulated *emulated, UsbTransfer *transfer)
{
    UsbHid *hid = hid_of(emulated);

    if (!usb_transfer_is_in(transfer) || (transfer->endpoint & 0xf) != 1 || hid->waiting) {
        usb_transfer_complete(transfer, USB_FAULT);
        return;
    }
    hid->waiting = transfer;
    usb_hid_answer(hid);
}

void
usb_hid_cancel(UsbEmulated *emulated, UsbTransfer *transfer)
{
    g_assert(hid_of(emulated)->waiting == transfer);
    hid_of(emulated)->waiting = NULL;
    usb_transfer_complete(transfer, USB_CANCELLED);
}

/* --- requests of the class (HID 1.11, 7) ---------------------------------------------------------------------------- */

static gboolean
tell_leds(void *user)
{
    UsbHid *hid = user;

    g_atomic_int_set(&hid->telling, false);
    g_mutex_lock(&hid->lock);
    InputLeds changed = hid->changed;
    void *whom = hid->user;
    g_mutex_unlock(&hid->lock);

    if (changed)
        changed(whom, __atomic_load_n(&hid->leds, __ATOMIC_RELAXED));
    return G_SOURCE_REMOVE;
}

/*
 * HID's LEDs (Usage Tables, 11) are in the order of evdev's: Num, Caps, Scroll. However often the guest changes them, one
 * note is on its way to the main thread, which finds them as they are by then.
 */
static void
set_leds(UsbHid *hid, uint8_t leds)
{
    __atomic_store_n(&hid->leds, leds & 7, __ATOMIC_RELAXED);
    if (g_atomic_int_compare_and_exchange(&hid->telling, false, true))
        g_idle_add_full(G_PRIORITY_DEFAULT, tell_leds, hid, NULL);
}

static bool
set_report(UsbHid *hid, UsbTransfer *transfer)
{
    uint8_t leds;

    if (transfer->setup.value >> 8 != REPORT_OUTPUT || usb_transfer_read(transfer, &leds, 1) != 1)
        return false;
    if ((leds & 7) != hid->leds)
        set_leds(hid, leds);
    return true;
}

static bool
get_report(UsbHid *hid, UsbTransfer *transfer)
{
    uint8_t report[HID_REPORT_MAX] = {0};

    if (transfer->setup.value >> 8 != REPORT_INPUT)
        return false;
    hid->ops->current(hid, report);
    usb_transfer_write(transfer, report, hid->ops->report_size);
    return true;
}

static bool
get_descriptor(UsbHid *hid, UsbTransfer *transfer)
{
    switch (transfer->setup.value >> 8) {
    case HID_DT_HID:
        usb_transfer_write(transfer, hid->ops->emulated.description->configuration + hid->ops->hid_at,
                           HID_DESCRIPTOR_SIZE);
        return true;
    case HID_DT_REPORT:
        usb_transfer_write(transfer, hid->ops->report_descriptor, hid->ops->report_descriptor_size);
        return true;
    default:
        return false;
    }
}

bool
usb_hid_control(UsbEmulated *emulated, UsbTransfer *transfer)
{
    UsbHid *hid = hid_of(emulated);
    uint8_t low = transfer->setup.value & 0xff;

    if (transfer->setup.index != 0)
        return false; /* there is one interface */
    switch (usb_setup_request(&transfer->setup)) {
    case GET_CLASS_DESCRIPTOR:
        return get_descriptor(hid, transfer);
    case CLASS_GET(HID_REQ_GET_REPORT):
        return get_report(hid, transfer);
    case CLASS_SET(HID_REQ_SET_REPORT):
        return set_report(hid, transfer);
    case CLASS_GET(HID_REQ_GET_IDLE):
        usb_transfer_write(transfer, &hid->idle, 1);
        return true;
    case CLASS_SET(HID_REQ_SET_IDLE):
        hid->idle = transfer->setup.value >> 8;
        return true;
    case CLASS_GET(HID_REQ_GET_PROTOCOL):
        usb_transfer_write(transfer, &hid->protocol, 1);
        return true;
    case CLASS_SET(HID_REQ_SET_PROTOCOL):
        hid->protocol = low; /* both have the same report */
        return low <= 1;
    default:
        return false;
    }
}

void
usb_hid_configured(UsbEmulated *emulated)
{
    UsbHid *hid = hid_of(emulated);

    hid->idle = 0;
    hid->protocol = 1; /* HID 1.11, 7.2.6: the report protocol */
    hid->ops->clear(hid);
}

/* --- front ends -------------------------------------------------------------------------------------------------- */

typedef struct {
    UsbHid *hid;
    size_t n;
    InputEvent events[];
} Events;

static void
take_events(void *data)
{
    g_autofree Events *events = data;
    UsbHid *hid = events->hid;

    if (!hid->emulated.configuration)
        return; /* nobody to hear it, and late news are no use */
    hid->ops->take(hid, events->events, events->n);
    if (!hid->waiting && hid->emulated.wakeup)
        usb_device_wake(&hid->emulated.device);
    usb_hid_answer(hid);
}

static bool
sink_ready(void *sink)
{
    return usb_emulated_is_configured(sink);
}

static void
sink_report(void *sink, const InputEvent *events, size_t n)
{
    UsbHid *hid = sink;
    Events *copy = g_malloc(sizeof(*copy) + n * sizeof(*events));

    copy->hid = hid;
    copy->n = n;
    memcpy(copy->events, events, n * sizeof(*events));
    usb_bus_post(hid->bus, take_events, copy);
}

static void
sink_on_leds(void *sink, InputLeds changed, void *user)
{
    UsbHid *hid = sink;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&hid->lock);

    hid->changed = changed;
    hid->user = user;
}

InputSink
usb_hid_sink(UsbDevice *device, UsbBus *bus)
{
    static const InputSinkOps ops = {.ready = sink_ready, .report = sink_report, .on_leds = sink_on_leds};

    ((UsbHid *)device)->bus = bus;
    return (InputSink){&ops, device};
}

/* --- life -------------------------------------------------------------------------------------------------------- */

void
usb_hid_init(UsbHid *hid, const UsbDeviceOps *device_ops, const UsbHidOps *ops, const char *id)
{
    g_assert(ops->report_size <= HID_REPORT_MAX);
    usb_emulated_init(&hid->emulated, device_ops, &ops->emulated, USB_FULL, id, NULL);
    hid->ops = ops;
    hid->protocol = 1;
    g_mutex_init(&hid->lock);
}

void
usb_hid_finish(UsbDevice *device)
{
    UsbHid *hid = (UsbHid *)device;

    g_idle_remove_by_data(hid);
    g_mutex_clear(&hid->lock);
    usb_emulated_finish(&hid->emulated);
}

static bool
hid_after_load(void *object, GError **error)
{
    set_leds(object, ((UsbHid *)object)->leds);
    return true;
}

static const StateField fields[] = {
    STATE_STRUCT(UsbHid, emulated, 1, &usb_emulated_state),
    STATE_UINT(UsbHid, idle, 1),
    STATE_UINT(UsbHid, protocol, 1),
    STATE_UINT(UsbHid, leds, 1),
    STATE_END,
};
const StateTable usb_hid_state = {
    .name = "usb-hid", .version = 1, .oldest = 1, .fields = fields, .after_load = hid_after_load};
