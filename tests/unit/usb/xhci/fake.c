/* SPDX-License-Identifier: Apache-2.0 */
/* A device for tests. */
#include "fake.h"

static void
fake_submit(UsbDevice *device, UsbTransfer *transfer)
{
    Fake *fake = (Fake *)device;

    fake->submits++;
    fake->last_stream = transfer->stream;
    g_assert_false(transfer->type == USB_CONTROL && transfer->setup.request == USB_REQ_SET_ADDRESS);
    if (fake->keep) {
        g_ptr_array_add(fake->kept, transfer);
        return;
    }
    static const uint8_t pattern[65536] = {1, 2, 3, 4, 5, 6, 7, 8};
    if (usb_transfer_is_in(transfer))
        usb_transfer_write(transfer, pattern, MIN(transfer->length, fake->moves));
    else
        transfer->actual = MIN(transfer->length, fake->moves);
    usb_transfer_complete(transfer, fake->status);
}

void
fake_give_back(Fake *fake, guint i, uint32_t moved, UsbStatus status)
{
    UsbTransfer *transfer = g_ptr_array_steal_index(fake->kept, i);
    transfer->actual = moved;
    usb_transfer_complete(transfer, status);
}

static void
fake_cancel(UsbDevice *device, UsbTransfer *transfer)
{
    Fake *fake = (Fake *)device;
    guint i;

    fake->cancels++;
    g_assert_true(g_ptr_array_find(fake->kept, transfer, &i));
    if (!fake->cancel_late)
        fake_give_back(fake, i, MIN(fake->moves, transfer->length - 1), USB_CANCELLED);
}

static void
fake_reset(UsbDevice *device)
{
    ((Fake *)device)->resets++;
    if (!((Fake *)device)->reset_late)
        usb_device_reset_done(device);
}

static void
fake_stop(UsbDevice *device, uint8_t endpoint)
{
    ((Fake *)device)->stops++;
}

static bool
fake_set_streams(UsbDevice *device, uint8_t endpoint, unsigned n)
{
    ((Fake *)device)->n_streams = n;
    return true;
}

static unsigned
fake_depth(UsbDevice *device, uint8_t endpoint)
{
    return ((Fake *)device)->depth;
}

static void
fake_finish(UsbDevice *device)
{
    g_ptr_array_unref(((Fake *)device)->kept);
}

static const StateField fake_fields[] = {STATE_UINT(Fake, state, 1), STATE_END};
static const StateTable fake_state = {.name = "fake", .version = 1, .oldest = 1, .fields = fake_fields};

static const UsbDeviceOps fake_ops = {
    .kind = "fake",
    .submit = fake_submit,
    .cancel = fake_cancel,
    .reset = fake_reset,
    .stop = fake_stop,
    .set_streams = fake_set_streams,
    .depth = fake_depth,
    .state = &fake_state,
    .finish = fake_finish,
};

Fake *
fake_plug_as(Host *host, UsbSpeed speed, const char *id)
{
    Fake *fake = g_new0(Fake, 1);
    g_autoptr(GError) error = NULL;

    usb_device_init(&fake->device, &fake_ops, speed, id, "fake");
    fake->kept = g_ptr_array_new();
    fake->moves = UINT32_MAX;
    fake->depth = 1;
    usb_bus_attach(host->bus, &fake->device, NULL, USB_PORT_ANY, NULL, &error);
    g_assert_no_error(error);
    host_pump(host);
    return fake;
}

Fake *
fake_plug(Host *host, UsbSpeed speed)
{
    return fake_plug_as(host, speed, "fake0");
}

Fake *
fake_plug_configured(Host *host, unsigned *slot)
{
    Fake *fake = fake_plug(host, USB_HIGH);

    host_reset_port(host, 1);
    *slot = host_address(host, 1, 0);
    g_assert_cmpuint(host_configure(host, *slot, 2, EP_TYPE_BULK_OUT, 512, 0), ==, CC_SUCCESS);
    g_assert_cmpuint(host_configure(host, *slot, 3, EP_TYPE_BULK_IN, 512, 0), ==, CC_SUCCESS);
    return fake;
}

unsigned
host_context_state(Host *host, unsigned slot, unsigned index)
{
    uint64_t output = ((uint64_t *)host_at(host, HOST_DCBAA))[slot];
    return *(uint32_t *)host_at(host, output + index * CONTEXT_SIZE) & 7;
}

uint64_t
host_context_dequeue(Host *host, unsigned slot, unsigned index)
{
    uint64_t output = ((uint64_t *)host_at(host, HOST_DCBAA))[slot];
    return *(uint64_t *)host_at(host, output + index * CONTEXT_SIZE + 8);
}

void
assert_transfer_event(Host *host, uint64_t block, unsigned code, uint32_t left)
{
    XhciTrb event;

    g_assert_true(host_event(host, &event));
    g_assert_cmpuint(xhci_trb_type(&event), ==, TRB_TRANSFER_EVENT);
    g_assert_cmphex(event.parameter, ==, block);
    g_assert_cmpuint(event_code(&event), ==, code);
    g_assert_cmpuint(event.status & 0xffffff, ==, left);
}

void
assert_no_event(Host *host)
{
    XhciTrb event;
    g_assert_false(host_event(host, &event));
}
