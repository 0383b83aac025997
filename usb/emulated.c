/* SPDX-License-Identifier: Apache-2.0 */
/* Standard requests (USB 2.0, 9.4). */
#include "usb/emulated.h"

#include <string.h>

#define SET(kind, request) USB_REQUEST(USB_DIR_OUT | USB_TYPE_STANDARD | (kind), request)
#define GET(kind, request) USB_REQUEST(USB_DIR_IN | USB_TYPE_STANDARD | (kind), request)

#define LANGUAGE_ENGLISH 0x0409
#define STRING_MAX 126 /* UTF-16 units a descriptor has room for */

static void
write_string(UsbTransfer *transfer, const char *text)
{
    uint8_t descriptor[2 + 2 * STRING_MAX] = {0, USB_DT_STRING};
    glong n = 0;
    g_autofree gunichar2 *units = g_utf8_to_utf16(text, -1, NULL, &n, NULL);

    n = units ? MIN(n, STRING_MAX) : 0;
    descriptor[0] = 2 + 2 * n;
    for (glong i = 0; i < n; i++) {
        descriptor[2 + 2 * i] = units[i] & 0xff;
        descriptor[3 + 2 * i] = units[i] >> 8;
    }
    usb_transfer_write(transfer, descriptor, descriptor[0]);
}

static bool
get_string(const UsbEmulated *emulated, UsbTransfer *transfer, unsigned index)
{
    static const uint8_t languages[] = {4, USB_DT_STRING, USB_WORD(LANGUAGE_ENGLISH)};
    const UsbDescription *description = emulated->ops->description;
    const char *const texts[] = {NULL, description->vendor, description->product, emulated->serial};

    if (index >= G_N_ELEMENTS(texts))
        return false;
    if (index == 0)
        usb_transfer_write(transfer, languages, sizeof(languages));
    else
        write_string(transfer, texts[index]);
    return true;
}

static bool
get_descriptor(const UsbEmulated *emulated, UsbTransfer *transfer)
{
    const UsbDescription *description = emulated->ops->description;
    unsigned index = transfer->setup.value & 0xff;

    switch (transfer->setup.value >> 8) {
    case USB_DT_DEVICE:
        usb_transfer_write(transfer, description->device, USB_DT_DEVICE_SIZE);
        return true;
    case USB_DT_CONFIG:
        usb_transfer_write(transfer, description->configuration, description->configuration_size);
        return index == 0;
    case USB_DT_STRING:
        return get_string(emulated, transfer, index);
    case USB_DT_DEVICE_QUALIFIER:
        if (description->qualifier)
            usb_transfer_write(transfer, description->qualifier, 10);
        return description->qualifier;
    default:
        return false;
    }
}

static bool
set_configuration(UsbEmulated *emulated, unsigned value)
{
    if (value > 1)
        return false;
    __atomic_store_n(&emulated->configuration, value, __ATOMIC_RELEASE);
    emulated->halted[0] = emulated->halted[1] = 0;
    if (emulated->ops->configured)
        emulated->ops->configured(emulated);
    return true;
}

static uint8_t *
halted_of(UsbEmulated *emulated, unsigned endpoint)
{
    return &emulated->halted[(bool)(endpoint & USB_DIR_IN)];
}

static bool
is_endpoint(unsigned index)
{
    return !(index & ~(USB_DIR_IN | 0xf)) && (index & 0xf) < USB_EMULATED_ENDPOINTS;
}

void
usb_emulated_halt(UsbEmulated *emulated, uint8_t endpoint)
{
    *halted_of(emulated, endpoint) |= 1 << (endpoint & 0xf);
}

void
usb_emulated_stall(UsbEmulated *emulated, UsbTransfer *transfer)
{
    usb_emulated_halt(emulated, transfer->endpoint);
    usb_transfer_complete(transfer, USB_STALL);
}

static bool
set_halt(UsbEmulated *emulated, const UsbSetup *setup, bool on)
{
    if (setup->value != USB_ENDPOINT_HALT || !is_endpoint(setup->index))
        return false;
    if (on) {
        usb_emulated_halt(emulated, setup->index);
        return true;
    }
    *halted_of(emulated, setup->index) &= ~(1 << (setup->index & 0xf));
    if (emulated->ops->cleared)
        emulated->ops->cleared(emulated, setup->index);
    return true;
}

static bool
set_wakeup(UsbEmulated *emulated, const UsbSetup *setup, bool on)
{
    if (setup->value != USB_DEVICE_REMOTE_WAKEUP)
        return false;
    emulated->wakeup = on;
    return true;
}

static bool
get_status(UsbEmulated *emulated, UsbTransfer *transfer)
{
    uint8_t status[2] = {0};
    unsigned index = transfer->setup.index;

    switch (transfer->setup.request_type & USB_RECIP_MASK) {
    case USB_RECIP_DEVICE:
        status[0] = 1 << USB_DEVICE_SELF_POWERED | (emulated->wakeup ? 1 << USB_DEVICE_REMOTE_WAKEUP : 0);
        break;
    case USB_RECIP_ENDPOINT:
        if (!is_endpoint(index))
            return false;
        status[0] = *halted_of(emulated, index) >> (index & 0xf) & 1;
        break;
    default:
        break;
    }
    usb_transfer_write(transfer, status, sizeof(status));
    return true;
}

/* true: answered; false: it is none of these, or refused. */
static bool
standard_request(UsbEmulated *emulated, UsbTransfer *transfer)
{
    const UsbSetup *setup = &transfer->setup;
    uint8_t zero = 0;

    switch (usb_setup_request(setup)) {
    case GET(USB_RECIP_DEVICE, USB_REQ_GET_DESCRIPTOR):
        return get_descriptor(emulated, transfer);
    case GET(USB_RECIP_DEVICE, USB_REQ_GET_CONFIGURATION):
        usb_transfer_write(transfer, &emulated->configuration, 1);
        return true;
    case SET(USB_RECIP_DEVICE, USB_REQ_SET_CONFIGURATION):
        return set_configuration(emulated, setup->value & 0xff);
    case GET(USB_RECIP_DEVICE, USB_REQ_GET_STATUS):
    case GET(USB_RECIP_INTERFACE, USB_REQ_GET_STATUS):
    case GET(USB_RECIP_ENDPOINT, USB_REQ_GET_STATUS):
        return get_status(emulated, transfer);
    case SET(USB_RECIP_DEVICE, USB_REQ_SET_FEATURE):
        return set_wakeup(emulated, setup, true);
    case SET(USB_RECIP_DEVICE, USB_REQ_CLEAR_FEATURE):
        return set_wakeup(emulated, setup, false);
    case SET(USB_RECIP_ENDPOINT, USB_REQ_SET_FEATURE):
        return set_halt(emulated, setup, true);
    case SET(USB_RECIP_ENDPOINT, USB_REQ_CLEAR_FEATURE):
        return set_halt(emulated, setup, false);
    case GET(USB_RECIP_INTERFACE, USB_REQ_GET_INTERFACE):
        usb_transfer_write(transfer, &zero, 1);
        return emulated->configuration;
    case SET(USB_RECIP_INTERFACE, USB_REQ_SET_INTERFACE):
        return emulated->configuration && setup->value == 0;
    default:
        return false;
    }
}

static void
control(UsbEmulated *emulated, UsbTransfer *transfer)
{
    bool done =
        standard_request(emulated, transfer) || (emulated->ops->control && emulated->ops->control(emulated, transfer));

    if (done && !usb_transfer_is_in(transfer))
        transfer->actual = transfer->length; /* what it did not care for is taken all the same */
    usb_transfer_complete(transfer, done ? USB_OK : USB_STALL);
}

void
usb_emulated_submit(UsbDevice *device, UsbTransfer *transfer)
{
    UsbEmulated *emulated = (UsbEmulated *)device;
    unsigned number = transfer->endpoint & 0xf;

    if (transfer->type == USB_CONTROL && number == 0)
        control(emulated, transfer);
    else if (!emulated->configuration || !is_endpoint(transfer->endpoint) || transfer->type == USB_ISOCHRONOUS ||
             transfer->type == USB_CONTROL)
        usb_transfer_complete(transfer, USB_FAULT); /* nobody answers there */
    else if (*halted_of(emulated, transfer->endpoint) >> number & 1)
        usb_transfer_complete(transfer, USB_STALL);
    else
        emulated->ops->data(emulated, transfer);
}

void
usb_emulated_cancel(UsbDevice *device, UsbTransfer *transfer)
{
    UsbEmulated *emulated = (UsbEmulated *)device;
    emulated->ops->cancel(emulated, transfer);
}

void
usb_emulated_reset(UsbDevice *device)
{
    UsbEmulated *emulated = (UsbEmulated *)device;

    emulated->wakeup = false;
    set_configuration(emulated, 0);
    usb_device_reset_done(device);
}

void
usb_emulated_init(UsbEmulated *emulated, const UsbDeviceOps *device_ops, const UsbEmulatedOps *ops, UsbSpeed speed,
                  const char *id, const char *serial)
{
    const uint8_t *device = ops->description->device;

    g_assert(ops->data && ops->cancel);
    usb_device_init(&emulated->device, device_ops, speed, id, ops->description->product);
    emulated->device.vendor = device[8] | device[9] << 8;
    emulated->device.product = device[10] | device[11] << 8;
    emulated->ops = ops;
    emulated->serial = g_strdup(serial ? serial : id);
}

void
usb_emulated_finish(UsbEmulated *emulated)
{
    g_free(emulated->serial);
}

static bool
after_load(void *object, GError **error)
{
    if (((UsbEmulated *)object)->configuration <= 1)
        return true;
    g_set_error(error, STATE_ERROR, STATE_ERROR_MALFORMED, "a USB device in a configuration it does not have");
    return false;
}

static const StateField fields[] = {
    STATE_UINT(UsbEmulated, configuration, 1),
    STATE_BOOL(UsbEmulated, wakeup, 1),
    STATE_BYTES(UsbEmulated, halted, 1),
    STATE_END,
};
const StateTable usb_emulated_state = {
    .name = "usb-emulated", .version = 1, .oldest = 1, .fields = fields, .after_load = after_load};
