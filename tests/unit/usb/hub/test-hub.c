/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hub as a guest's driver sees it through the controller: descriptors, power, resets and changes of ports; what is behind it,
 * by route and through the transaction translator; plugging in and out; saved and loaded.
 */
#include "host.h"
#include "usb/hid/hid.h"
#include "usb/hub/hub.h"

#include <linux/input-event-codes.h>
#include <linux/usb/ch11.h>
#include <string.h>

#define N_PORTS 4
#define CHANGED(change, status) ((uint32_t)(change) << 16 | (status))

/* A hub in root port 1, configured, its ports with power. */
typedef struct {
    Host host;
    UsbDevice *hub;
    unsigned slot;
    HostRing rings[2]; /* of the hub's slot: control, changes */
    uint64_t data, block;
} Guest;

static unsigned
hub_request(Guest *guest, uint8_t type, uint8_t request, uint16_t value, uint16_t index, void *data, uint16_t length)
{
    Host *host = &guest->host;
    HostRing of_child = host->rings[1];

    host->rings[1] = guest->rings[0];
    unsigned code = host_control(host, guest->slot, type, request, value, index, data, length, NULL);
    if (code == CC_STALL) {
        uint32_t where = guest->slot << 24 | 1 << 16;
        host_command(host, 0, 0, HOST_TYPE(TRB_RESET_ENDPOINT) | where, NULL);
        host_command(host, host->rings[1].at | host->rings[1].cycle, 0, HOST_TYPE(TRB_SET_TR_DEQUEUE) | where, NULL);
    }
    guest->rings[0] = host->rings[1];
    host->rings[1] = of_child;
    return code;
}

static void
port_feature(Guest *guest, unsigned port, bool set, unsigned feature)
{
    g_assert_cmpuint(
        hub_request(guest, USB_RT_PORT, set ? USB_REQ_SET_FEATURE : USB_REQ_CLEAR_FEATURE, feature, port, NULL, 0), ==,
        CC_SUCCESS);
}

/* wPortStatus, and above it wPortChange. */
static uint32_t
port_status(Guest *guest, unsigned port)
{
    uint8_t data[4];

    g_assert_cmpuint(hub_request(guest, USB_DIR_IN | USB_RT_PORT, USB_REQ_GET_STATUS, 0, port, data, 4), ==,
                     CC_SUCCESS);
    return data[0] | data[1] << 8 | data[2] << 16 | (uint32_t)data[3] << 24;
}

static void
attach(Guest *guest, UsbDevice *device, unsigned port)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(usb_bus_attach(guest->host.bus, device, guest->hub, port, NULL, &error));
    g_assert_no_error(error);
    host_pump(&guest->host);
}

static void
detach(Guest *guest, UsbDevice *device)
{
    usb_bus_detach(guest->host.bus, device, NULL);
    usb_device_free(device);
    host_pump(&guest->host);
}

static void
guest_init(Guest *guest, bool power)
{
    Host *host = &guest->host;

    host_init(host, 4);
    host_start(host);
    guest->hub = usb_hub_new("hub", N_PORTS);
    g_assert_true(usb_bus_attach(host->bus, guest->hub, NULL, 1, NULL, NULL));
    host_pump(host);
    host_reset_port(host, 1);
    guest->slot = host_address(host, 1, 0);
    g_assert_cmpuint(host_configure(host, guest->slot, 3, EP_TYPE_INTERRUPT_IN, 2, 11), ==, CC_SUCCESS);
    guest->rings[0] = host->rings[1];
    guest->rings[1] = host->rings[3];
    guest->data = host_alloc(host, 0x1000);
    if (!power)
        return;
    g_assert_cmpuint(hub_request(guest, 0, USB_REQ_SET_CONFIGURATION, 1, 0, NULL, 0), ==, CC_SUCCESS);
    for (unsigned port = 1; port <= N_PORTS; port++)
        port_feature(guest, port, true, USB_PORT_FEAT_POWER);
}

/* Gives the hub a transfer for what changes. */
static void
listen(Guest *guest)
{
    guest->host.rings[3] = guest->rings[1];
    guest->block = host_normal(&guest->host, guest->slot, 3, guest->data, 2);
    guest->rings[1] = guest->host.rings[3];
}

/* The ports it tells of, as bits; 0: it is silent. */
static unsigned
hear(Guest *guest)
{
    XhciTrb event;

    while (host_event(&guest->host, &event))
        if (xhci_trb_type(&event) == TRB_TRANSFER_EVENT && event.parameter == guest->block) {
            g_assert_cmpuint(2 - (event.status & 0xffffff), ==, 1);
            return *(uint8_t *)host_at(&guest->host, guest->data);
        }
    return 0;
}

static void
reset_port(Guest *guest, unsigned port)
{
    port_feature(guest, port, true, USB_PORT_FEAT_RESET);
    g_assert_cmphex(port_status(guest, port) >> 16 & USB_PORT_STAT_C_RESET, !=, 0);
    port_feature(guest, port, false, USB_PORT_FEAT_C_RESET);
    port_feature(guest, port, false, USB_PORT_FEAT_C_CONNECTION);
}

static void
test_descriptors(void)
{
    Guest guest;
    uint8_t data[64];

    guest_init(&guest, false);
    g_assert_cmpuint(hub_request(&guest, 0x80, USB_REQ_GET_DESCRIPTOR, USB_DT_DEVICE << 8, 0, data, 18), ==,
                     CC_SUCCESS);
    g_assert_true(data[4] == USB_CLASS_HUB && data[6] == USB_HUB_PR_HS_SINGLE_TT);
    g_assert_cmpuint(hub_request(&guest, 0x80, USB_REQ_GET_DESCRIPTOR, USB_DT_DEVICE_QUALIFIER << 8, 0, data, 10), ==,
                     CC_SUCCESS);
    g_assert_true(data[0] == 10 && data[4] == USB_CLASS_HUB);
    memset(data, 0, sizeof(data));
    hub_request(&guest, 0x80 | USB_RT_HUB, USB_REQ_GET_DESCRIPTOR, 0x2900, 0, data, 64);
    static const uint8_t expected[] = {9, 0x29, N_PORTS, 0x11, 0, 1, 0, 0, 0xff};
    g_assert_cmpmem(data, sizeof(expected), expected, sizeof(expected));
    g_assert_cmpuint(hub_request(&guest, 0x80 | USB_RT_HUB, USB_REQ_GET_STATUS, 0, 0, data, 4), ==, CC_SUCCESS);
    g_assert_cmphex(data[0] | data[2], ==, 0);
    host_finish(&guest.host);
}

static void
test_bad_requests(void)
{
    Guest guest;
    uint8_t data[64];
    const struct {
        uint8_t type, request;
        uint16_t value, index;
    } refused[] = {
        {0x23, 3, USB_PORT_FEAT_POWER, 0},
        {0x23, 3, USB_PORT_FEAT_POWER, N_PORTS + 1},
        {0x23, 3, USB_PORT_FEAT_POWER, 0xff},
        {0x23, 3, 99, 1},
        {0x23, 1, USB_PORT_FEAT_RESET, 1},
        {0xa3, 0, 0, 0},
        {0xa3, 0, 0, N_PORTS + 1},
        {0xa0, USB_REQ_GET_DESCRIPTOR, 0x2a00, 0},
        {0x20, 3, 2, 0},
        {0xa3, 10, 0, 1},
    };

    guest_init(&guest, false);
    /* nothing of a port is known before the hub is configured */
    g_assert_cmpuint(hub_request(&guest, 0x23, 3, USB_PORT_FEAT_POWER, 1, NULL, 0), ==, CC_STALL);
    g_assert_cmpuint(hub_request(&guest, 0xa3, 0, 0, 1, data, 4), ==, CC_STALL);
    g_assert_cmpuint(hub_request(&guest, 0, USB_REQ_SET_CONFIGURATION, 1, 0, NULL, 0), ==, CC_SUCCESS);
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++)
        g_assert_cmpuint(hub_request(&guest, refused[i].type, refused[i].request, refused[i].value, refused[i].index,
                                     data, refused[i].type & 0x80 ? 4 : 0),
                         ==, CC_STALL);
    /* a reset where nobody is, or where there is no power: nothing comes of it */
    g_assert_cmphex(port_status(&guest, 1), ==, 0);
    port_feature(&guest, 1, true, USB_PORT_FEAT_RESET);
    g_assert_cmphex(port_status(&guest, 1), ==, 0);
    port_feature(&guest, 1, true, USB_PORT_FEAT_POWER);
    port_feature(&guest, 1, true, USB_PORT_FEAT_RESET);
    port_feature(&guest, 1, true, USB_PORT_FEAT_SUSPEND);
    g_assert_cmphex(port_status(&guest, 1), ==, USB_PORT_STAT_POWER);
    host_finish(&guest.host);
}

static void
test_plugging(void)
{
    Guest guest;

    guest_init(&guest, false);
    attach(&guest, usb_keyboard_new("first", guest.host.clock), 2); /* seen once the port has power */
    g_assert_cmpuint(hub_request(&guest, 0, USB_REQ_SET_CONFIGURATION, 1, 0, NULL, 0), ==, CC_SUCCESS);
    listen(&guest);
    g_assert_cmphex(port_status(&guest, 2), ==, 0);
    g_assert_cmphex(hear(&guest), ==, 0);
    for (unsigned port = 1; port <= N_PORTS; port++)
        port_feature(&guest, port, true, USB_PORT_FEAT_POWER);
    g_assert_cmphex(*(uint8_t *)host_at(&guest.host, guest.data), ==, 1 << 2);
    g_assert_cmphex(port_status(&guest, 2), ==,
                    CHANGED(USB_PORT_STAT_C_CONNECTION, USB_PORT_STAT_POWER | USB_PORT_STAT_CONNECTION));

    listen(&guest);
    g_assert_cmphex(hear(&guest), ==, 0); /* told once, though nothing was cleared */
    UsbDevice *second = usb_keyboard_new("second", guest.host.clock);
    attach(&guest, second, USB_PORT_ANY);
    g_assert_cmpuint(second->port, ==, 1);
    g_assert_cmphex(hear(&guest), ==, 1 << 1);
    port_feature(&guest, 2, true, USB_PORT_FEAT_RESET);
    listen(&guest);
    g_assert_cmphex(hear(&guest), ==, 1 << 2); /* what happened while nobody listened */
    g_assert_cmphex(port_status(&guest, 2), ==,
                    CHANGED(USB_PORT_STAT_C_CONNECTION | USB_PORT_STAT_C_RESET,
                            USB_PORT_STAT_POWER | USB_PORT_STAT_CONNECTION | USB_PORT_STAT_ENABLE));
    port_feature(&guest, 2, false, USB_PORT_FEAT_C_RESET);
    port_feature(&guest, 2, false, USB_PORT_FEAT_C_CONNECTION);
    g_assert_cmphex(port_status(&guest, 2) >> 16, ==, 0);
    port_feature(&guest, 2, false, USB_PORT_FEAT_ENABLE);
    g_assert_cmphex(port_status(&guest, 2) & USB_PORT_STAT_ENABLE, ==, 0);

    listen(&guest);
    detach(&guest, second);
    g_assert_cmphex(hear(&guest), ==, 1 << 1);
    g_assert_cmphex(port_status(&guest, 1), ==, CHANGED(USB_PORT_STAT_C_CONNECTION, USB_PORT_STAT_POWER));
    port_feature(&guest, 2, false, USB_PORT_FEAT_POWER);
    g_assert_cmphex(port_status(&guest, 2), ==, 0);
    host_finish(&guest.host); /* with a transfer of the hub's under way, and a keyboard behind it */
}

/* Addresses the keyboard behind port 3, has it configured, and listens to it. Returns its slot. */
static unsigned
begin_keyboard(Guest *guest, uint64_t *block, uint64_t *data)
{
    Host *host = &guest->host;
    unsigned code, slot;

    reset_port(guest, 3);
    slot = host_address_through(host, 1, 3, guest->slot, 3, &code);
    g_assert_cmpuint(code, ==, CC_SUCCESS);
    g_assert_cmpuint(host_configure(host, slot, 3, EP_TYPE_INTERRUPT_IN, 8, 6), ==, CC_SUCCESS);
    g_assert_cmpuint(host_control(host, slot, 0, USB_REQ_SET_CONFIGURATION, 1, 0, NULL, 0, NULL), ==, CC_SUCCESS);
    *data = host_alloc(host, 0x1000);
    *block = host_normal(host, slot, 3, *data, 8);
    return slot;
}

static void
press(Host *host, UsbDevice *keyboard, unsigned key)
{
    InputSink sink = usb_hid_sink(keyboard, host->bus);

    sink.ops->report(sink.sink, &(InputEvent){EV_KEY, key, 1}, 1);
    host_pump(host);
}

static void
test_routes(void)
{
    Guest guest;
    Host *host = &guest.host;
    unsigned code;
    uint64_t block, data;
    XhciTrb event;

    guest_init(&guest, true);
    UsbDevice *keyboard = usb_keyboard_new("keyboard", guest.host.clock), *below = usb_hub_new("below", 2);
    attach(&guest, keyboard, 3);
    attach(&guest, below, 4);
    host_address_through(host, 1, 3, guest.slot, 3, &code);
    g_assert_cmpuint(code, ==, CC_TRANSACTION_ERROR); /* its port was not reset */
    reset_port(&guest, 3);
    static const struct {
        uint32_t route;
        unsigned tt_port;
    } wrong[] = {{2, 2}, {5, 5}, {0x13, 3}, {0x30, 3}, {3, 2}, {3, 0}};
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        host_address_through(host, 1, wrong[i].route, guest.slot, wrong[i].tt_port, &code);
        g_assert_cmpuint(code, ==, CC_TRANSACTION_ERROR);
    }
    host_address_through(host, 1, 3, 9, 3, &code); /* another slot's translator */
    g_assert_cmpuint(code, ==, CC_TRANSACTION_ERROR);
    begin_keyboard(&guest, &block, &data);
    press(host, keyboard, KEY_A);
    g_assert_true(host_event(host, &event) && event.parameter == block && event_code(&event) == CC_SUCCESS);
    g_assert_cmpuint(((uint8_t *)host_at(host, data))[2], ==, 4);

    /* a hub behind the hub, of its own speed: no translator in between */
    reset_port(&guest, 4);
    g_assert_cmphex(port_status(&guest, 4) & USB_PORT_STAT_HIGH_SPEED, !=, 0);
    unsigned second = host_address(host, 1, 4);
    uint8_t descriptor[9];
    g_assert_cmpuint(host_control(host, second, 0xa0, 6, 0x2900, 0, descriptor, 9, NULL), ==, CC_SUCCESS);
    g_assert_cmpuint(descriptor[2], ==, 2);
    host_finish(host);
}

static void
test_pulled_out(void)
{
    Guest guest;
    Host *host = &guest.host;
    uint64_t block, data;
    XhciTrb event;

    guest_init(&guest, true);
    UsbDevice *keyboard = usb_keyboard_new("keyboard", guest.host.clock);
    attach(&guest, keyboard, 3);
    begin_keyboard(&guest, &block, &data);
    listen(&guest);
    while (host_event(host, &event))
        continue;
    detach(&guest, keyboard);
    bool failed = false, told = false;
    while (host_event(host, &event)) {
        failed |= event.parameter == block && event_code(&event) == CC_TRANSACTION_ERROR;
        told |= event.parameter == guest.block && event_code(&event) == CC_SHORT_PACKET;
    }
    g_assert_true(failed && told);

    /* a reset of the hub's own port takes the power from those behind it */
    keyboard = usb_keyboard_new("keyboard", guest.host.clock);
    attach(&guest, keyboard, 3);
    host_reset_port(host, 1);
    g_assert_cmpuint(hub_request(&guest, 0, USB_REQ_SET_CONFIGURATION, 1, 0, NULL, 0), ==, CC_SUCCESS);
    g_assert_cmphex(port_status(&guest, 3), ==, 0);
    usb_bus_detach(host->bus, guest.hub, NULL); /* and the keyboard with it */
    usb_device_free(guest.hub);
    g_assert_null(usb_bus_find(host->bus, "keyboard"));
    host_finish(host);
}

static void
test_suspend(void)
{
    Guest guest;

    guest_init(&guest, true);
    UsbDevice *keyboard = usb_keyboard_new("keyboard", guest.host.clock);
    attach(&guest, keyboard, 3);
    reset_port(&guest, 3);
    port_feature(&guest, 3, true, USB_PORT_FEAT_SUSPEND);
    g_assert_cmphex(port_status(&guest, 3) & USB_PORT_STAT_SUSPEND, !=, 0);
    listen(&guest);
    g_assert_cmphex(hear(&guest), ==, 0);
    usb_device_wake(keyboard);
    host_pump(&guest.host);
    g_assert_cmphex(hear(&guest), ==, 1 << 3);
    g_assert_cmphex(port_status(&guest, 3) & CHANGED(USB_PORT_STAT_C_SUSPEND, USB_PORT_STAT_SUSPEND), ==,
                    CHANGED(USB_PORT_STAT_C_SUSPEND, 0));
    port_feature(&guest, 3, false, USB_PORT_FEAT_C_SUSPEND);
    port_feature(&guest, 3, true, USB_PORT_FEAT_SUSPEND);
    port_feature(&guest, 3, false, USB_PORT_FEAT_SUSPEND);
    g_assert_cmphex(port_status(&guest, 3) >> 16, ==, USB_PORT_STAT_C_SUSPEND);

    /* the hub itself sleeps, and news wake the root port, if the guest wants that */
    Host *host = &guest.host;
    g_assert_cmpuint(host_command(host, 0, 0, HOST_TYPE(TRB_STOP_ENDPOINT) | guest.slot << 24 | 3 << 16, NULL), ==,
                     CC_SUCCESS);
    g_assert_cmpuint(hub_request(&guest, 0, USB_REQ_SET_FEATURE, USB_DEVICE_REMOTE_WAKEUP, 0, NULL, 0), ==, CC_SUCCESS);
    host_put(host, HOST_PORT(1), PORTSC_PP | PORTSC_LWS | PLS_U3 << PORTSC_PLS_SHIFT);
    attach(&guest, usb_keyboard_new("another", guest.host.clock), 1);
    g_assert_cmpuint((host_get(host, HOST_PORT(1)) & PORTSC_PLS) >> PORTSC_PLS_SHIFT, ==, PLS_RESUME);
    host_finish(host);
}

/* A machine like @guest's, with its memory, and in port 3 of its hub what @name says: NULL, nothing. Loads @saved into it. */
static void
load(Guest *other, Guest *guest, const GByteArray *saved, const char *name)
{
    g_autoptr(GError) error = NULL;
    Host *host = &other->host;
    size_t n;

    *other = *guest;
    host_init(host, 4);
    memcpy(guest_memory_regions(host->memory, &n)->host, guest_memory_regions(guest->host.memory, &n)->host,
           HOST_MEMORY);
    other->hub = usb_hub_new("hub", N_PORTS);
    g_assert_true(usb_bus_attach(host->bus, other->hub, NULL, 1, NULL, NULL));
    if (name)
        attach(other, usb_keyboard_new(name, host->clock), 3);
    xhci_device_ops.quiesce(host->xhci);
    g_assert_true(state_load(&xhci_state, host->xhci, 1, saved->data, saved->len, &error));
    g_assert_no_error(error);
    xhci_device_ops.resume(host->xhci);
    host_pump(host);
    memcpy(host->rings, guest->host.rings, sizeof(host->rings));
    host->commands = guest->host.commands;
    host->event = guest->host.event;
    host->event_cycle = guest->host.event_cycle;
    host->free = guest->host.free;
}

static void
test_save(void)
{
    Guest guest, other;
    uint64_t block, data;
    XhciTrb event;
    g_autoptr(GByteArray) saved = g_byte_array_new();
    const uint32_t there = USB_PORT_STAT_POWER | USB_PORT_STAT_CONNECTION | USB_PORT_STAT_ENABLE;

    guest_init(&guest, true);
    attach(&guest, usb_keyboard_new("keyboard", guest.host.clock), 3);
    begin_keyboard(&guest, &block, &data);
    listen(&guest);
    xhci_device_ops.quiesce(guest.host.xhci);
    state_save(&xhci_state, guest.host.xhci, saved);

    load(&other, &guest, saved, "keyboard");
    press(&other.host, usb_bus_find(other.host.bus, "keyboard"), KEY_A);
    g_assert_true(host_event(&other.host, &event) && event.parameter == block);
    g_assert_cmphex(hear(&other), ==, 0);
    g_assert_cmphex(port_status(&other, 3), ==, there);
    host_finish(&other.host);

    static const char *const changed[] = {NULL, "another"};
    for (size_t i = 0; i < G_N_ELEMENTS(changed); i++) {
        load(&other, &guest, saved, changed[i]);
        g_assert_cmphex(hear(&other), ==, 1 << 3);
        g_assert_cmphex(
            port_status(&other, 3), ==,
            CHANGED(USB_PORT_STAT_C_CONNECTION, USB_PORT_STAT_POWER | (changed[i] ? USB_PORT_STAT_CONNECTION : 0)));
        host_finish(&other.host);
    }
    host_finish(&guest.host);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hub/descriptors", test_descriptors);
    g_test_add_func("/hub/bad-requests", test_bad_requests);
    g_test_add_func("/hub/plugging", test_plugging);
    g_test_add_func("/hub/routes", test_routes);
    g_test_add_func("/hub/pulled-out", test_pulled_out);
    g_test_add_func("/hub/suspend", test_suspend);
    g_test_add_func("/hub/save", test_save);
    return g_test_run();
}
