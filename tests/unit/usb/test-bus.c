/* SPDX-License-Identifier: Apache-2.0 */
/* The bus and its devices: ports, hubs, plugging in and out, calls into the USB thread; moving a transfer's data. */
#include "usb/bus.h"
#include "vmm/board/loop_thread.h"

#include <string.h>

/* --- a device that does nothing, a hub of two ports, a controller that writes down what it is told ------------------- */

static void
no_transfer(UsbDevice *device, UsbTransfer *transfer)
{
    g_assert_not_reached();
}

static void
note_reset(UsbDevice *device)
{
}

static unsigned freed;

static void
count_free(UsbDevice *device)
{
    freed++;
}

static const UsbDeviceOps plain_ops = {
    .kind = "plain", .submit = no_transfer, .cancel = no_transfer, .reset = note_reset, .finish = count_free};

typedef struct {
    UsbDevice device;
    UsbDevice *children[3];
} Hub;

static unsigned
two(UsbDevice *hub)
{
    return 2;
}

static UsbDevice *
hub_child(UsbDevice *hub, unsigned port)
{
    return ((Hub *)hub)->children[port];
}

static bool
hub_enabled(UsbDevice *hub, unsigned port)
{
    return true;
}

static void
hub_plug(UsbDevice *hub, unsigned port, UsbDevice *child)
{
    ((Hub *)hub)->children[port] = child;
}

static void
hub_reset_done(UsbDevice *hub, unsigned port)
{
}

static unsigned woken;

static void
hub_wake(UsbDevice *hub, unsigned port)
{
    woken = port;
}

static const UsbHubOps hub_ops = {two, hub_child, hub_enabled, hub_plug, hub_reset_done, hub_wake};
static const UsbDeviceOps hub_device_ops = {.kind = "hub",
                                            .submit = no_transfer,
                                            .cancel = no_transfer,
                                            .reset = note_reset,
                                            .hub = &hub_ops,
                                            .finish = count_free};

typedef struct {
    GString *told;
} Notes;

static void
note_plugged(void *user, UsbDevice *device)
{
    g_string_append_printf(((Notes *)user)->told, "+%s@%u ", device->id, device->port);
}

static void
note_unplugging(void *user, UsbDevice *device)
{
    g_autofree char *path = usb_device_path(device);
    g_string_append_printf(((Notes *)user)->told, "-%s@%s ", device->id, path);
}

static void
note_bus_reset(void *user, UsbDevice *device)
{
    g_assert_not_reached();
}

static void
note_reset_done(void *user, UsbDevice *device)
{
    g_string_append_printf(((Notes *)user)->told, "r%s ", device->id);
}

static void
note_wake(void *user, UsbDevice *device)
{
    g_string_append_printf(((Notes *)user)->told, "w%s ", device->id);
}

static void
note_released(void *user)
{
    g_string_append(((Notes *)user)->told, "released ");
}

static const UsbControllerOps notes_ops = {note_plugged,    note_unplugging, note_bus_reset,
                                           note_reset_done, note_wake,       note_released};

static void
note_change(void *user, UsbChange change, const UsbDevice *device, const char *reason)
{
    g_string_append_printf(((Notes *)user)->told, "%s:%s:%s ", change == USB_ATTACHED ? "attached" : "detached",
                           device->id, reason);
}

static UsbDevice *
plain(const char *id, UsbSpeed speed)
{
    UsbDevice *device = g_new0(UsbDevice, 1);
    usb_device_init(device, &plain_ops, speed, id, id);
    return device;
}

static UsbDevice *
hub(const char *id)
{
    Hub *made = g_new0(Hub, 1);
    usb_device_init(&made->device, &hub_device_ops, USB_HIGH, id, id);
    return &made->device;
}

#define assert_told(notes, text)                       \
    do {                                               \
        g_assert_cmpstr((notes)->told->str, ==, text); \
        g_string_truncate((notes)->told, 0);           \
    } while (0)

static bool
attach(UsbBus *bus, UsbDevice *device, UsbDevice *parent, unsigned port)
{
    g_autoptr(GError) error = NULL;
    bool done = usb_bus_attach(bus, device, parent, port, "asked for", &error);
    g_assert_true(done == !error);
    return done;
}

/* --- tests ------------------------------------------------------------------------------------------------------ */

static void
test_ports(void)
{
    g_autoptr(UsbBus) bus = usb_bus_new(g_main_context_default(), 3);
    UsbDevice *a = plain("a", USB_HIGH), *b = plain("b", USB_SUPER), *c = plain("c", USB_LOW),
              *d = plain("d", USB_FULL);

    g_assert_true(attach(bus, a, NULL, 2));
    g_assert_true(attach(bus, b, NULL, USB_PORT_ANY));
    g_assert_cmpuint(b->port, ==, 1);
    g_assert_false(attach(bus, c, NULL, 2)); /* taken */
    g_assert_false(attach(bus, c, NULL, 4)); /* not there */
    g_assert_true(attach(bus, c, NULL, USB_PORT_ANY));
    g_assert_false(attach(bus, d, NULL, USB_PORT_ANY)); /* full */
    usb_bus_detach(bus, a, "unplugged");
    usb_device_free(a);
    g_assert_true(attach(bus, d, NULL, USB_PORT_ANY));
    g_assert_cmpuint(d->port, ==, 2);
    g_assert_true(usb_bus_find(bus, "d") == d && usb_bus_at(bus, 2) == d);
    g_assert_null(usb_bus_find(bus, "a"));
    g_assert_null(usb_bus_at(bus, 4));
}

static void
test_super_speed_stays_below_sixteen(void)
{
    g_autoptr(UsbBus) bus = usb_bus_new(g_main_context_default(), 16);
    UsbDevice *fast = plain("fast", USB_SUPER);

    g_assert_false(attach(bus, fast, NULL, 16));
    g_assert_true(attach(bus, fast, NULL, 15));
    g_assert_true(attach(bus, plain("slow", USB_LOW), NULL, 16));
}

static void
test_same_name_twice(void)
{
    g_autoptr(UsbBus) bus = usb_bus_new(g_main_context_default(), 3);
    UsbDevice *again = plain("a", USB_HIGH);

    g_assert_true(attach(bus, plain("a", USB_HIGH), NULL, USB_PORT_ANY));
    g_assert_false(attach(bus, again, NULL, USB_PORT_ANY));
    usb_device_free(again);
}

static void
test_who_is_told(void)
{
    Notes notes = {g_string_new(NULL)};
    g_autoptr(UsbBus) bus = usb_bus_new(g_main_context_default(), 3);
    UsbDevice *top = hub("hub"), *stick = plain("stick", USB_HIGH);

    usb_bus_set_controller(bus, &notes_ops, &notes);
    usb_bus_listen(bus, note_change, &notes);
    attach(bus, top, NULL, 3);
    assert_told(&notes, "+hub@3 attached:hub:asked for ");
    attach(bus, stick, top, USB_PORT_ANY); /* the hub tells the guest, not the controller */
    assert_told(&notes, "attached:stick:asked for ");
    g_autofree char *path = usb_device_path(stick);
    g_assert_cmpstr(path, ==, "3.1");
    g_assert_true(usb_device_root(stick) == top);

    stick->resetting = true;
    usb_device_reset_done(stick);
    usb_device_reset_done(stick); /* once is enough */
    usb_device_wake(stick);
    assert_told(&notes, "rstick wstick ");
    g_assert_cmpuint(woken, ==, 1);
    usb_bus_hold(bus);
    usb_bus_hold(bus);
    usb_bus_release(bus);
    assert_told(&notes, "");
    usb_bus_release(bus);
    assert_told(&notes, "released ");

    freed = 0;
    usb_bus_detach(bus, top, "its cable was pulled");
    g_assert_cmpuint(freed, ==, 1); /* the stick */
    assert_told(&notes, "-stick@3.1 detached:stick:its cable was pulled -hub@3 detached:hub:its cable was pulled ");
    usb_device_free(top);
    usb_bus_set_controller(bus, NULL, NULL);
    g_string_free(notes.told, TRUE);
}

static void
test_hubs_end(void)
{
    g_autoptr(UsbBus) bus = usb_bus_new(g_main_context_default(), 1);
    UsbDevice *above = NULL, *late = plain("late", USB_HIGH), *fast = plain("fast", USB_SUPER);
    char name[] = "h0";

    for (unsigned i = 0; i < USB_HUB_DEPTH_MAX; i++) {
        name[1]++;
        UsbDevice *next = hub(name);
        g_assert_true(attach(bus, next, above, USB_PORT_ANY));
        above = next;
    }
    g_assert_false(attach(bus, fast, above, USB_PORT_ANY)); /* no place behind a slower hub */
    usb_device_free(fast);
    g_assert_true(attach(bus, late, above, 2));
    UsbDevice *sixth = hub("sixth"), *deep = plain("deep", USB_HIGH);
    g_assert_true(attach(bus, sixth, above, 1));
    g_assert_false(attach(bus, deep, sixth, 1));
    usb_device_free(deep);
}

static void
note_thread(void *data)
{
    *(GThread **)data = g_thread_self();
}

static void
test_calls(void)
{
    g_autoptr(LoopThread) thread = loop_thread_new("usb", NULL, NULL);
    g_autoptr(UsbBus) bus = usb_bus_new(loop_thread_context(thread), 1);
    GThread *posted = NULL, *called = NULL;

    usb_bus_post(bus, note_thread, &posted);
    usb_bus_call(bus, note_thread, &called);
    g_assert_true(posted == called && called != g_thread_self());
    g_clear_pointer(&thread, loop_thread_free);
    usb_bus_call(bus, note_thread, &called);
    g_assert_true(called == g_thread_self());
}

static void
test_transfer_data(void)
{
    char memory[] = "abc....defgh";
    struct iovec iov[] = {{memory, 3}, {memory + 7, 0}, {memory + 7, 5}};
    UsbTransfer transfer = {.iov = iov, .n_iov = 3, .length = 8};
    char text[16] = {0};
    struct iovec part[3];
    uint32_t taken;

    g_assert_cmpuint(usb_transfer_read(&transfer, text, 2), ==, 2);
    g_assert_cmpuint(usb_transfer_read(&transfer, text + 2, 10), ==, 6);
    g_assert_cmpstr(text, ==, "abcdefgh");
    g_assert_cmpuint(transfer.actual, ==, 8);
    g_assert_cmpuint(usb_transfer_read(&transfer, text, 1), ==, 0);
    transfer.actual = 2;
    g_assert_cmpuint(usb_transfer_write(&transfer, "12345678", 8), ==, 6);
    g_assert_cmpstr(memory, ==, "ab1....23456");
    g_assert_cmpuint(usb_transfer_slice(&transfer, 1, 4, part, 3, &taken), ==, 2);
    g_assert_true(taken == 4 && part[0].iov_len == 2 && part[1].iov_len == 2 && part[1].iov_base == memory + 7);
    g_assert_cmpuint(usb_transfer_slice(&transfer, 0, 8, part, 1, &taken), ==, 1);
    g_assert_cmpuint(taken, ==, 3);
    g_assert_cmpuint(usb_transfer_slice(&transfer, 8, 8, part, 3, &taken), ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bus/ports", test_ports);
    g_test_add_func("/bus/super-speed-stays-below-sixteen", test_super_speed_stays_below_sixteen);
    g_test_add_func("/bus/same-name-twice", test_same_name_twice);
    g_test_add_func("/bus/who-is-told", test_who_is_told);
    g_test_add_func("/bus/hubs-end", test_hubs_end);
    g_test_add_func("/bus/calls", test_calls);
    g_test_add_func("/transfer/data", test_transfer_data);
    return g_test_run();
}
