/* SPDX-License-Identifier: Apache-2.0 */
/* Console ports: how they are announced, data both ways with flow control, ends that open and close, hostile control. */
#include "driver.h"
#include "vmm/virtio/console.h"

#include <linux/virtio_console.h>
#include <linux/virtio_ring.h>
#include <string.h>

#define MULTIPORT (1ull << VIRTIO_CONSOLE_F_MULTIPORT)
#define CONTROL_IN 2 /* to the guest */
#define CONTROL_OUT 3
#define FLOOD 60000
#define IN(port) ((port) ? 2 + 2 * (port) : 0)
#define OUT(port) ((port) ? 3 + 2 * (port) : 1)

/* A back end that keeps what it is given, as far as it has room. */
typedef struct {
    VirtioConsolePort *port;
    GByteArray *got;
    size_t room;
    unsigned opened, closed, writable;
    bool always_open;
    bool echo;   /* writes back from within data() */
    bool eager;  /* resumes from within data() */
    bool closes; /* closes its end from within data() */
} BackEnd;

static size_t
on_data(void *back_end, const void *bytes, size_t len)
{
    BackEnd *end = back_end;
    size_t taken = MIN(len, end->room);

    g_byte_array_append(end->got, bytes, taken);
    if (!end->eager)
        end->room -= taken;
    else
        console_port_resume(end->port);
    if (end->echo)
        console_port_write(end->port, bytes, taken);
    if (end->closes)
        console_port_set_open(end->port, false);
    return taken;
}

static void
on_guest_open(void *back_end, bool open)
{
    BackEnd *end = back_end;
    if (open)
        end->opened++;
    else
        end->closed++;
    if (!end->always_open)
        console_port_set_open(end->port, open); /* as SPICE's agent channel does */
}

static void
on_writable(void *back_end)
{
    ((BackEnd *)back_end)->writable++;
}

static const ConsolePortOps ops = {.data = on_data, .guest_open = on_guest_open, .writable = on_writable};

typedef struct {
    VirtioDriver *driver;
    BackEnd ends[3]; /* port 0 and two named ones */
    uint64_t control[128];
} Fixture;

static VirtioDevice *
make_console(Fixture *fixture)
{
    VirtioDevice *device = virtio_console_new("console0", fixture->driver->memory, 3);
    fixture->ends[0].always_open = true;
    fixture->ends[0].port = virtio_console_port0(device, &ops, &fixture->ends[0]);
    fixture->ends[1].port = virtio_console_add_port(device, "org.example.one", &ops, &fixture->ends[1]);
    fixture->ends[2].port = virtio_console_add_port(device, "org.example.two", &ops, &fixture->ends[2]);
    return device;
}

static void
set_up(Fixture *fixture, gconstpointer flags)
{
    *fixture = (Fixture){.driver = virtio_driver_new(GPOINTER_TO_UINT(flags))};
    for (unsigned i = 0; i < 3; i++) {
        fixture->ends[i].got = g_byte_array_new();
        fixture->ends[i].room = SIZE_MAX;
    }
    virtio_driver_attach(fixture->driver, make_console(fixture));
}

static void
tear_down(Fixture *fixture, gconstpointer flags)
{
    virtio_driver_free(fixture->driver);
    for (unsigned i = 0; i < 3; i++)
        g_byte_array_unref(fixture->ends[i].got);
}

static void
post_control(Fixture *fixture, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t address = virtio_driver_alloc(fixture->driver, 64);
        fixture->control[virtio_driver_add(fixture->driver, CONTROL_IN, (VirtioBuffer[]){{address, 64, true}}, 1)] =
            address;
    }
    virtio_driver_kick(fixture->driver, CONTROL_IN);
}

static void
tell(Fixture *fixture, uint32_t id, uint16_t event, uint16_t value)
{
    const struct virtio_console_control message = {id, event, value};
    virtio_driver_call(fixture->driver, CONTROL_OUT, &message, sizeof(message), NULL, 0);
}

/* The next message from the device must be this one; @text after it. */
static void
expect(Fixture *fixture, uint32_t id, uint16_t event, uint16_t value, const char *text)
{
    VirtioUsed used;
    g_assert_true(virtio_driver_used(fixture->driver, CONTROL_IN, &used));
    const struct virtio_console_control *message = virtio_driver_at(fixture->driver, fixture->control[used.id], 64);
    g_assert_cmpuint(message->id, ==, id);
    g_assert_cmpuint(message->event, ==, event);
    g_assert_cmpuint(message->value, ==, value);
    g_assert_cmpmem(message + 1, used.len - sizeof(*message), text, strlen(text));
    post_control(fixture, 1);
}

static void
expect_nothing(Fixture *fixture)
{
    VirtioUsed used;
    virtio_driver_run(fixture->driver);
    g_assert_false(virtio_driver_used(fixture->driver, CONTROL_IN, &used));
}

/* Up to where every port is ready and all is said. */
static void
start(Fixture *fixture)
{
    virtio_driver_start(fixture->driver, fixture->driver->device, MULTIPORT);
    post_control(fixture, 8);
    expect_nothing(fixture);
    tell(fixture, 0, VIRTIO_CONSOLE_DEVICE_READY, 1);
    for (unsigned i = 0; i < 3; i++)
        expect(fixture, i, VIRTIO_CONSOLE_PORT_ADD, 1, "");
    tell(fixture, 0, VIRTIO_CONSOLE_PORT_READY, 1);
    expect(fixture, 0, VIRTIO_CONSOLE_CONSOLE_PORT, 1, "");
    expect(fixture, 0, VIRTIO_CONSOLE_PORT_OPEN, 1, "");
    tell(fixture, 1, VIRTIO_CONSOLE_PORT_READY, 1);
    expect(fixture, 1, VIRTIO_CONSOLE_PORT_NAME, 1, "org.example.one");
    tell(fixture, 2, VIRTIO_CONSOLE_PORT_READY, 1);
    expect(fixture, 2, VIRTIO_CONSOLE_PORT_NAME, 1, "org.example.two");
    expect_nothing(fixture);
}

static void
open_port(Fixture *fixture, unsigned port)
{
    tell(fixture, port, VIRTIO_CONSOLE_PORT_OPEN, 1);
    expect(fixture, port, VIRTIO_CONSOLE_PORT_OPEN, 1, "");
}

static void
test_announcement(Fixture *fixture, gconstpointer flags)
{
    uint32_t ports;

    virtio_device_config_read(fixture->driver->device, 4, &ports, 4);
    g_assert_cmpuint(ports, ==, 4);
    start(fixture);
    g_assert_false(console_port_guest_is_open(fixture->ends[1].port));
    open_port(fixture, 1);
    g_assert_true(console_port_guest_is_open(fixture->ends[1].port));
    g_assert_cmpuint(fixture->ends[1].opened, ==, 1);
    tell(fixture, 1, VIRTIO_CONSOLE_PORT_OPEN, 1); /* again */
    expect_nothing(fixture);
    tell(fixture, 1, VIRTIO_CONSOLE_PORT_OPEN, 0);
    expect(fixture, 1, VIRTIO_CONSOLE_PORT_OPEN, 0, "");
    g_assert_cmpuint(fixture->ends[1].closed, ==, 1);
    g_assert_cmpuint(fixture->ends[1].opened, ==, 1);
    g_assert_cmpuint(fixture->ends[2].opened, ==, 0);
}

/* The guest reads no answers for a while: then it hears how things stand, not each step. */
static void
test_answers_wait(Fixture *fixture, gconstpointer flags)
{
    virtio_driver_start(fixture->driver, fixture->driver->device, MULTIPORT);
    for (unsigned i = 0; i < 300; i++)
        tell(fixture, 0, VIRTIO_CONSOLE_DEVICE_READY, 1);
    for (unsigned i = 0; i < 300; i++)
        tell(fixture, 1, VIRTIO_CONSOLE_PORT_READY, 1);
    console_port_set_open(fixture->ends[1].port, true);
    console_port_set_open(fixture->ends[1].port, false);
    console_port_set_open(fixture->ends[1].port, true);
    console_port_set_open(fixture->ends[2].port, true); /* not ready: it is told later */
    post_control(fixture, 16);
    expect(fixture, 0, VIRTIO_CONSOLE_PORT_ADD, 1, "");
    expect(fixture, 1, VIRTIO_CONSOLE_PORT_ADD, 1, "");
    expect(fixture, 1, VIRTIO_CONSOLE_PORT_NAME, 1, "org.example.one");
    expect(fixture, 1, VIRTIO_CONSOLE_PORT_OPEN, 1, "");
    expect(fixture, 2, VIRTIO_CONSOLE_PORT_ADD, 1, "");
    expect_nothing(fixture);
    tell(fixture, 2, VIRTIO_CONSOLE_PORT_READY, 1);
    expect(fixture, 2, VIRTIO_CONSOLE_PORT_NAME, 1, "org.example.two");
    expect(fixture, 2, VIRTIO_CONSOLE_PORT_OPEN, 1, "");
}

static void
write_out(Fixture *fixture, unsigned port, const char *text)
{
    uint64_t address = virtio_driver_alloc(fixture->driver, strlen(text));
    memcpy(virtio_driver_at(fixture->driver, address, strlen(text)), text, strlen(text));
    virtio_driver_add(fixture->driver, OUT(port),
                      (VirtioBuffer[]){{address, 1, false}, {address + 1, strlen(text) - 1, false}}, 2);
    virtio_driver_kick(fixture->driver, OUT(port));
}

static unsigned
written_back(Fixture *fixture, unsigned port)
{
    VirtioUsed used;
    unsigned n = 0;
    while (virtio_driver_used(fixture->driver, OUT(port), &used))
        n++;
    return n;
}

static void
expect_got(Fixture *fixture, unsigned port, const char *text)
{
    g_assert_cmpmem(fixture->ends[port].got->data, fixture->ends[port].got->len, text, strlen(text));
}

static void
test_guest_writes(Fixture *fixture, gconstpointer flags)
{
    start(fixture);
    open_port(fixture, 1);
    write_out(fixture, 1, "hello ");
    write_out(fixture, 1, "world");
    expect_got(fixture, 1, "hello world");
    g_assert_cmpuint(written_back(fixture, 1), ==, 2);
    write_out(fixture, 0, "console");
    expect_got(fixture, 0, "console");

    console_port_set_open(fixture->ends[1].port, false); /* nobody there: thrown away */
    write_out(fixture, 1, "lost");
    expect_got(fixture, 1, "hello world");
    g_assert_cmpuint(written_back(fixture, 1), ==, 1);
}

/* A back end takes as much as it can; the guest's request waits, across a pause too, and nothing is lost or doubled. */
static void
test_guest_is_throttled(Fixture *fixture, gconstpointer flags)
{
    BackEnd *end = &fixture->ends[1];

    start(fixture);
    open_port(fixture, 1);
    end->room = 5;
    write_out(fixture, 1, "abcdefgh");
    write_out(fixture, 1, "ijkl");
    expect_got(fixture, 1, "abcde");
    g_assert_cmpuint(written_back(fixture, 1), ==, 0);
    end->room = 1;
    virtio_driver_kick(fixture->driver, OUT(1)); /* the guest's impatience changes nothing */
    expect_got(fixture, 1, "abcde");
    console_port_resume(end->port);
    virtio_driver_run(fixture->driver);
    expect_got(fixture, 1, "abcdef");
    virtio_device_quiesce(fixture->driver->device);
    end->room = SIZE_MAX;
    console_port_resume(end->port);
    virtio_driver_run(fixture->driver);
    expect_got(fixture, 1, "abcdef");
    virtio_device_resume(fixture->driver->device);
    virtio_driver_run(fixture->driver);
    expect_got(fixture, 1, "abcdefghijkl");
    g_assert_cmpuint(written_back(fixture, 1), ==, 2);

    end->room = 1;
    write_out(fixture, 1, "mnop");
    console_port_set_open(end->port, false); /* a reader that went away holds nothing up */
    virtio_driver_run(fixture->driver);
    g_assert_cmpuint(written_back(fixture, 1), ==, 1);
    expect_got(fixture, 1, "abcdefghijklm");
}

/* Back ends call in from within their ops. */
static void
test_reentry(Fixture *fixture, gconstpointer flags)
{
    BackEnd *end = &fixture->ends[1];
    uint64_t room = virtio_driver_alloc(fixture->driver, 64);
    VirtioUsed used;

    start(fixture);
    open_port(fixture, 1);
    end->room = 3;
    end->eager = end->echo = true;
    virtio_driver_add(fixture->driver, IN(1), (VirtioBuffer[]){{room, 64, true}}, 1);
    write_out(fixture, 1, "x");
    g_assert_true(virtio_driver_used(fixture->driver, IN(1), &used));
    g_assert_cmpuint(used.len, ==, 1);
    write_out(fixture, 1, "abcdefgh");
    expect_got(fixture, 1, "xabcdefgh");
    end->eager = end->echo = false;
    end->closes = true;
    write_out(fixture, 1, "stopped by its reader");
    expect_got(fixture, 1, "xabcdefghs");
    g_assert_cmpuint(written_back(fixture, 1), ==, 3);
    expect(fixture, 1, VIRTIO_CONSOLE_PORT_OPEN, 0, "");
}

static void
test_host_writes(Fixture *fixture, gconstpointer flags)
{
    BackEnd *end = &fixture->ends[1];
    uint64_t address = virtio_driver_alloc(fixture->driver, 64);
    VirtioUsed used;

    start(fixture);
    virtio_driver_add(fixture->driver, IN(1), (VirtioBuffer[]){{address, 4, true}}, 1);
    virtio_driver_add(fixture->driver, IN(1), (VirtioBuffer[]){{address + 8, 4, true}}, 1);
    g_assert_cmpuint(console_port_write(end->port, "early", 5), ==, 0); /* the guest's end is closed */
    open_port(fixture, 1);
    g_assert_cmpuint(console_port_write(end->port, "0123456789", 10), ==, 8);
    g_assert_true(virtio_driver_used(fixture->driver, IN(1), &used));
    g_assert_true(virtio_driver_used(fixture->driver, IN(1), &used));
    g_assert_cmpmem(virtio_driver_at(fixture->driver, address, 12), 12,
                    "0123\0\0\0\0"
                    "4567",
                    12);
    g_assert_cmpuint(end->writable, ==, 0);
    virtio_driver_add(fixture->driver, IN(1), (VirtioBuffer[]){{address, 64, true}}, 1);
    g_assert_true(virtio_driver_wants_kick(fixture->driver, IN(1), 1));
    virtio_driver_kick(fixture->driver, IN(1));
    g_assert_cmpuint(end->writable, ==, 1);
    g_assert_cmpuint(console_port_write(end->port, "89", 2), ==, 2);
    g_assert_true(virtio_driver_used(fixture->driver, IN(1), &used));
    g_assert_cmpuint(used.len, ==, 2);
    virtio_driver_kick(fixture->driver, IN(1));
    g_assert_cmpuint(end->writable, ==, 1); /* all had fit */

    tell(fixture, 1, VIRTIO_CONSOLE_PORT_OPEN, 0);
    virtio_driver_add(fixture->driver, IN(1), (VirtioBuffer[]){{address, 64, true}}, 1);
    g_assert_cmpuint(console_port_write(end->port, "late", 4), ==, 0);
}

/* One request of megabytes is taken in several turns, whole and in order. */
static void
test_long_write(Fixture *fixture, gconstpointer flags)
{
    BackEnd *end = &fixture->ends[1];
    uint32_t len = 1 << 20;
    uint64_t address = virtio_driver_alloc(fixture->driver, len);
    uint8_t *bytes = virtio_driver_at(fixture->driver, address, len);

    start(fixture);
    open_port(fixture, 1);
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = i * 7 + (i >> 8);
    virtio_driver_add(fixture->driver, OUT(1),
                      (VirtioBuffer[]){{address, len / 2 + 1, false}, {address + len / 2 + 1, len / 2 - 1, false}}, 2);
    virtio_device_schedule(fixture->driver->device, fixture->driver->device->queues[OUT(1)]);
    g_main_context_iteration(NULL, FALSE);
    g_assert_cmpuint(end->got->len, >, 0);
    g_assert_cmpuint(end->got->len, <, len);
    virtio_driver_run(fixture->driver);
    g_assert_cmpmem(end->got->data, end->got->len, bytes, len);
    g_assert_cmpuint(written_back(fixture, 1), ==, 1);
}

/* Buffers without room come back at once, for ever: the back end is told to go on in another turn. */
static void
test_no_room(Fixture *fixture, gconstpointer flags)
{
    BackEnd *end = &fixture->ends[1];
    uint64_t address = virtio_driver_alloc(fixture->driver, 64);

    if (GPOINTER_TO_UINT(flags)) {
        g_test_skip("floods are for split rings without an event index");
        return;
    }
    start(fixture);
    open_port(fixture, 1);
    g_autoptr(VirtioFlood) flood =
        virtio_driver_flood(fixture->driver, IN(1), (VirtioBuffer){address, 1, false}, FLOOD);
    unsigned served;
    do { /* until the driver was fast enough to fill a turn */
        uint16_t before = virtio_driver_flooded(flood);
        g_assert_cmpuint(console_port_write(end->port, "x", 1), ==, 0);
        served = virtio_driver_flooded(flood) - before;
        g_assert_cmpuint(served, <=, 64);
    } while (served < 64 && virtio_driver_flooded(flood) < FLOOD);
    g_assert_true(served < 64 || g_main_context_pending(NULL)); /* it goes on without another kick */
}

/* A turn may end with the guest's last buffer: the next one it posts is heard of. */
static void
test_small_buffers(Fixture *fixture, gconstpointer flags)
{
    BackEnd *end = &fixture->ends[1];
    uint64_t address = virtio_driver_alloc(fixture->driver, 64);
    uint8_t bytes[100] = {0};

    start(fixture);
    open_port(fixture, 1);
    virtio_driver_kick(fixture->driver, IN(1));
    for (unsigned i = 0; i < 64; i++)
        virtio_driver_add(fixture->driver, IN(1), (VirtioBuffer[]){{address, 1, true}}, 1);
    g_assert_cmpuint(console_port_write(end->port, bytes, sizeof(bytes)), ==, 64);
    virtio_driver_run(fixture->driver);
    g_assert_cmpuint(end->writable, ==, 0);
    virtio_driver_add(fixture->driver, IN(1), (VirtioBuffer[]){{address, 64, true}}, 1);
    g_assert_true(virtio_driver_wants_kick(fixture->driver, IN(1), 1));
    virtio_driver_kick(fixture->driver, IN(1));
    g_assert_cmpuint(end->writable, ==, 1);
}

static void
test_without_ports(Fixture *fixture, gconstpointer flags)
{
    uint64_t address = virtio_driver_alloc(fixture->driver, 64);
    VirtioUsed used;

    virtio_driver_start(fixture->driver, fixture->driver->device, 0);
    virtio_driver_run(fixture->driver);
    g_assert_cmpuint(fixture->ends[0].opened, ==, 1);
    write_out(fixture, 0, "login:");
    expect_got(fixture, 0, "login:");
    virtio_driver_add(fixture->driver, IN(0), (VirtioBuffer[]){{address, 64, true}}, 1);
    g_assert_cmpuint(console_port_write(fixture->ends[0].port, "root\n", 5), ==, 5);
    g_assert_true(virtio_driver_used(fixture->driver, IN(0), &used));
}

static void
test_reset(Fixture *fixture, gconstpointer flags)
{
    start(fixture);
    open_port(fixture, 1);
    fixture->ends[1].room = 0;
    write_out(fixture, 1, "never");
    virtio_driver_reset(fixture->driver);
    virtio_driver_run(fixture->driver);
    g_assert_cmpuint(fixture->ends[1].closed, ==, 1);
    g_assert_false(console_port_guest_is_open(fixture->ends[1].port));
    fixture->ends[1].room = SIZE_MAX;
    start(fixture);
    open_port(fixture, 1);
    write_out(fixture, 1, "anew");
    expect_got(fixture, 1, "anew");
}

/* Control messages of every kind, for every port and none, of every length: the device lives on. */
static void
test_hostile_control(Fixture *fixture, gconstpointer flags)
{
    static const uint32_t ids[] = {0, 1, 3, 4, 31, 32, 0x7fffffff, UINT32_MAX};
    uint8_t bytes[64] = {0};

    start(fixture);
    for (size_t i = 0; i < G_N_ELEMENTS(ids); i++)
        for (unsigned event = 0; event < 12; event++)
            for (unsigned value = 0; value < 3; value++)
                tell(fixture, ids[i], event, value);
    for (unsigned len = 1; len < sizeof(bytes); len++)
        virtio_driver_call(fixture->driver, CONTROL_OUT, bytes, len, NULL, 0);
    virtio_driver_call(fixture->driver, CONTROL_OUT, NULL, 0, bytes, sizeof(bytes));
    g_assert_false(virtio_driver_needs_reset(fixture->driver));
    virtio_driver_reset(fixture->driver);
    start(fixture);
}

static void
test_small_control_buffer(Fixture *fixture, gconstpointer flags)
{
    uint64_t address = virtio_driver_alloc(fixture->driver, 64);

    virtio_driver_start(fixture->driver, fixture->driver->device, MULTIPORT);
    virtio_driver_add(fixture->driver, CONTROL_IN, (VirtioBuffer[]){{address, 8, true}}, 1);
    virtio_driver_add(fixture->driver, CONTROL_IN, (VirtioBuffer[]){{address, 7, true}}, 1);
    tell(fixture, 0, VIRTIO_CONSOLE_DEVICE_READY, 1);
    g_assert_true(virtio_driver_needs_reset(fixture->driver));
}

static void
test_saved_state(Fixture *fixture, gconstpointer flags)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;

    start(fixture);
    open_port(fixture, 1);
    open_port(fixture, 2);
    fixture->ends[1].room = 3;
    write_out(fixture, 1, "abcdef");
    virtio_device_quiesce(fixture->driver->device);
    state_save(&virtio_device_state, fixture->driver->device, bytes);
    const VirtioTransportOps *transport = fixture->driver->device->transport_ops;
    virtio_device_free(fixture->driver->device);

    /* In the new process nobody has opened the host's ends yet; port 1's back end does as soon as it hears of it. */
    fixture->ends[1].opened = fixture->ends[2].opened = 0;
    fixture->ends[1].room = SIZE_MAX;
    VirtioDevice *device = fixture->driver->device = make_console(fixture);
    virtio_device_attach(device, transport, fixture->driver);
    state_load(&virtio_device_state, device, 1, bytes->data, bytes->len, &error);
    g_assert_no_error(error);
    g_assert_true(console_port_guest_is_open(fixture->ends[1].port));
    console_port_set_open(fixture->ends[1].port, true); /* before anything runs */
    virtio_device_resume(device);
    virtio_driver_run(fixture->driver);
    g_assert_cmpuint(fixture->ends[1].opened, ==, 1);
    g_assert_cmpuint(fixture->ends[2].opened, ==, 1);
    expect_got(fixture, 1, "abcdef");
    g_assert_cmpuint(written_back(fixture, 1), ==, 1);
    virtio_device_free(device);

    /* A desktop with fewer ports does not take it. */
    device = fixture->driver->device = virtio_console_new("console0", fixture->driver->memory, 3);
    virtio_device_attach(device, transport, fixture->driver);
    g_assert_false(state_load(&virtio_device_state, device, 1, bytes->data, bytes->len, &error));
    g_assert_error(error, STATE_ERROR, STATE_ERROR_FOREIGN);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*test)(Fixture *, gconstpointer);
    } tests[] = {
        {"announcement", test_announcement},
        {"answers-wait", test_answers_wait},
        {"guest-writes", test_guest_writes},
        {"guest-is-throttled", test_guest_is_throttled},
        {"reentry", test_reentry},
        {"host-writes", test_host_writes},
        {"long-write", test_long_write},
        {"no-room", test_no_room},
        {"small-buffers", test_small_buffers},
        {"without-ports", test_without_ports},
        {"reset", test_reset},
        {"hostile-control", test_hostile_control},
        {"small-control-buffer", test_small_control_buffer},
        {"saved-state", test_saved_state},
    };
    static const struct {
        const char *name;
        VirtioDriverFlags flags;
    } ways[] = {{"plain", 0}, {"split", VIRTIO_DRIVER_EVENT_INDEX}, {"packed", VIRTIO_DRIVER_ALL}};

    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
        for (size_t way = 0; way < G_N_ELEMENTS(ways); way++) {
            g_autofree char *path = g_strdup_printf("/virtio/console/%s/%s", tests[i].name, ways[way].name);
            g_test_add(path, Fixture, GUINT_TO_POINTER(ways[way].flags), set_up, tests[i].test, tear_down);
        }
    return g_test_run();
}
