/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-console with named ports (virtio 1.2, 5.3). The harness opens the sockets of the ports and sends back what it
 * receives. Command line: port=NAME, of the port to talk through.
 */
#include "clock.h"
#include "console.h"
#include "cpu.h"
#include "start.h"
#include "tap.h"
#include "text.h"
#include "virtqueue.h"

#define CONSOLE_F_MULTIPORT (1ull << 1)
#define CONFIG_PORTS 4

#define DEVICE_READY 0
#define DEVICE_ADD 1
#define PORT_READY 3
#define CONSOLE_PORT 4
#define PORT_OPEN 6
#define PORT_NAME 7

typedef struct Control {
    uint32_t port;
    uint16_t event, value;
    char name[56];
} Control;

#define CONTROL_BYTES 8
#define PORTS_MAX 32
#define MESSAGES 16

static VirtioDevice device;
static VirtQueue control_in, control_out, in, out;
static Control messages[MESSAGES];
static Control *message_of[64];

static struct {
    bool added, host_open;
    char name[56];
} ports[PORTS_MAX];

static void
post_control(Control *message)
{
    VirtBuffer buffer = {message, sizeof(*message)};
    int id = virtqueue_add(&control_in, &buffer, 0, 1);

    if (id >= 0)
        message_of[id] = message;
}

static bool
tell(uint32_t port, uint16_t event, uint16_t value)
{
    Control message = {port, event, value, {0}};
    VirtBuffer buffer = {&message, CONTROL_BYTES};

    return virtqueue_do(&control_out, &buffer, 1, 0) >= 0;
}

/* Takes what the device says until it has been quiet for a while. */
static void
listen(void)
{
    uint32_t length;
    int id;

    while ((id = virtqueue_wait(&control_in, &length, MILLISECONDS(100))) >= 0) {
        Control *message = message_of[id];
        if (length >= CONTROL_BYTES && message->port < PORTS_MAX) {
            if (message->event == DEVICE_ADD) {
                ports[message->port].added = true;
                tell(message->port, PORT_READY, 1);
            } else if (message->event == PORT_NAME) {
                memcpy(ports[message->port].name, message->name, length - CONTROL_BYTES);
            } else if (message->event == PORT_OPEN) {
                ports[message->port].host_open = message->value;
            }
        }
        post_control(message);
        virtqueue_kick(&control_in);
    }
}

static bool
begin(void)
{
    if (!virtio_negotiate(&device, CONSOLE_F_MULTIPORT) ||
        !virtqueue_init(&control_in, &device, 2, 0, VIRTIO_NO_VECTOR) ||
        !virtqueue_init(&control_out, &device, 3, 0, VIRTIO_NO_VECTOR))
        return false;
    return true;
}

/* The queues of port n > 0 are pair n + 1 (virtio 1.2, 5.3.2); they are set up before DRIVER_OK, as Linux does. */
static bool
begin_port(unsigned port)
{
    return virtqueue_init(&in, &device, 2 * (port + 1), 16, VIRTIO_NO_VECTOR) &&
           virtqueue_init(&out, &device, 2 * (port + 1) + 1, 16, VIRTIO_NO_VECTOR);
}

static void
go(void)
{
    memset(ports, 0, sizeof(ports));
    virtio_driver_ok(&device);
    for (unsigned i = 0; i < MESSAGES && i < control_in.size; i++)
        post_control(&messages[i]);
    virtqueue_kick(&control_in);
    tell(0, DEVICE_READY, 1);
    listen();
}

static unsigned
port_named(const char *name)
{
    for (unsigned i = 1; i < PORTS_MAX; i++) {
        if (ports[i].added && strcmp(ports[i].name, name) == 0)
            return i;
    }
    return 0;
}

/* Bytes through the port and back, in pieces of the sizes they come in. */
static bool
echoed(const char *bytes, uint32_t length)
{
    static char back[4096];
    uint32_t got = 0;
    VirtBuffer buffer = {(void *)bytes, length};

    if (virtqueue_do(&out, &buffer, 1, 0) < 0)
        return false;
    while (got < length) {
        VirtBuffer room = {back + got, sizeof(back) - got};
        int64_t piece = virtqueue_do(&in, &room, 0, 1);
        if (piece <= 0)
            return false;
        got += piece;
    }
    return got == length && memcmp(back, bytes, length) == 0;
}

static void
test_ports(unsigned port)
{
    static char bytes[2000];

    tell(port, PORT_OPEN, 1);
    ask_harness("open");
    listen();
    ok(ports[port].host_open, "port: the other end's opening is told");
    ok(echoed("carrel", 6), "port: bytes there and back");
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = i * 7;
    ok(echoed(bytes, sizeof(bytes)), "port: more than a buffer's worth");
    ask_harness("close");
    listen();
    ok(!ports[port].host_open, "port: the other end's closing is told");
    ask_harness("open");
    listen();
    ok(ports[port].host_open && echoed("again", 5), "port: and it opens again");
}

static void
test_malformed(unsigned port)
{
    static const uint16_t events[] = {0, 1, 2, 3, 4, 5, 6, 7, 0xffff};

    for (unsigned i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        tell(31, events[i], 1);
        tell(0xffffffff, events[i], 0xffff);
        tell(port, events[i], 2);
        listen();
    }
    Control message = {0};
    static const uint32_t sizes[] = {0, 1, 7, 64};
    for (unsigned i = 0; i < 4; i++) {
        VirtBuffer buffer = {&message, sizes[i]};
        virtqueue_do(&control_out, &buffer, 1, 0);
        if (virtio_needs_reset(&device))
            break;
    }
    /* A flood of control messages with nobody reading the answers. */
    begin();
    virtio_driver_ok(&device);
    for (unsigned i = 0; i < 200; i++)
        tell(0, DEVICE_READY, 1);
    ok(begin() && begin_port(port), "malformed: control messages of every kind, and without end");
    go();
    ok(port_named(start_option("port", "")) == port, "malformed: after a reset the port is there");
    tell(port, PORT_OPEN, 1);
    ask_harness("open");
    listen();
    ok(echoed("still", 5), "malformed: and carries bytes");
}

void
guest_main(void)
{
    const char *name = start_option("port", "");

    if (!ok(virtio_find(VIRTIO_CONSOLE, 0, &device) && begin(), "console starts"))
        return;
    ok(device.features & CONSOLE_F_MULTIPORT, "it has ports");
    ok(virtio_config32(&device, CONFIG_PORTS) >= 2, "more than one");
    go();
    unsigned port = port_named(name);
    if (!ok(port > 0, "the port has its name"))
        return;
    ok(begin() && begin_port(port), "its queues");
    go();
    test_ports(port);
    test_malformed(port);
    tap_done();
}
