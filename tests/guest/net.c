/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-net (virtio 1.2, 5.1). The harness holds the other end of the wire and sends every frame of the test's kind
 * back with its addresses exchanged.
 */
#include "clock.h"
#include "cpu.h"
#include "start.h"
#include "tap.h"
#include "text.h"
#include "virtqueue.h"

#define NET_F_MTU (1ull << 3)
#define NET_F_MAC (1ull << 5)
#define NET_F_MERGE (1ull << 15)
#define NET_F_STATUS (1ull << 16)
#define NET_F_CONTROL (1ull << 17)
#define NET_FEATURES (NET_F_MAC | NET_F_STATUS | NET_F_MTU)

#define CONFIG_MAC 0
#define CONFIG_STATUS 6

#define HEAD 12
#define FRAME_MAX 1514
#define TEST_TYPE 0xb588 /* 0x88b5 on the wire: for local experiments */

typedef struct Frame {
    uint8_t to[6], from[6];
    uint16_t type;
    uint32_t number;
    uint8_t data[FRAME_MAX - 18];
} __attribute__((packed)) Frame;

static VirtioDevice net;
static VirtQueue receive, transmit;
static uint8_t mac[6];

#define BUFFERS 16
static uint8_t buffers[BUFFERS][2048] __attribute__((aligned(64)));
static uint8_t *buffer_of[256]; /* by descriptor id */
static uint32_t buffer_size;

static void
post(uint8_t *buffer)
{
    VirtBuffer one = {buffer, buffer_size};
    int id = virtqueue_add(&receive, &one, 0, 1);

    if (id >= 0)
        buffer_of[id & 255] = buffer;
}

static bool
begin(uint64_t features, uint32_t size)
{
    if (!virtio_negotiate(&net, NET_FEATURES | features) || !virtqueue_init(&receive, &net, 0, 32, VIRTIO_NO_VECTOR) ||
        !virtqueue_init(&transmit, &net, 1, 32, VIRTIO_NO_VECTOR))
        return false;
    virtio_driver_ok(&net);
    buffer_size = size;
    for (unsigned i = 0; i < BUFFERS; i++)
        post(buffers[i]);
    virtqueue_kick(&receive);
    return true;
}

static void
make(Frame *frame, uint32_t number, uint32_t length)
{
    memset(frame->to, 0x02, 6);
    memcpy(frame->from, mac, 6);
    frame->type = TEST_TYPE;
    frame->number = number;
    for (uint32_t i = 0; i < length - 18; i++)
        frame->data[i] = number * 31 + i;
}

/* The frame is sent in three pieces after its header; true where it was taken. */
static bool
send(Frame *frame, uint32_t length)
{
    static uint8_t head[HEAD];
    uint8_t *bytes = (uint8_t *)frame;
    VirtBuffer chain[] = {{head, HEAD}, {bytes, 14}, {bytes + 14, 3}, {bytes + 17, length - 17}};

    return virtqueue_do(&transmit, chain, 4, 0) >= 0;
}

/* The next frame of the test's own kind into *frame; its length, or 0. Others (the host's own talk) are dropped. */
static uint32_t
receive_frame(Frame *frame)
{
    uint64_t deadline = clock_ns() + SECONDS(3);

    while (clock_ns() < deadline) {
        uint32_t length, total = 0, pieces = 1;
        for (uint32_t i = 0; i < pieces; i++) {
            int id = virtqueue_wait(&receive, &length, MILLISECONDS(100));
            if (id < 0)
                break;
            uint8_t *buffer = buffer_of[id & 255];
            uint32_t skip = i == 0 ? HEAD : 0;
            if (i == 0 && net.features & NET_F_MERGE)
                pieces = *(uint16_t *)(buffer + 10);
            if (length >= skip && total + length - skip <= sizeof(*frame))
                memcpy((uint8_t *)frame + total, buffer + skip, length - skip);
            total += length - skip;
            post(buffer);
        }
        virtqueue_kick(&receive);
        if (total >= 18 && frame->type == TEST_TYPE)
            return total;
    }
    return 0;
}

static bool
echoed(uint32_t number, uint32_t length)
{
    static Frame out, in;

    make(&out, number, length);
    if (!send(&out, length))
        return false;
    /* Before a reset more frames may have come than the card had taken; they wait in the tap, and come first. */
    uint32_t got = receive_frame(&in);
    for (unsigned old = 0; old < 64 && got && in.number != number; old++)
        got = receive_frame(&in);
    return got == length && in.number == number && memcmp(in.to, mac, 6) == 0 &&
           memcmp(in.data, out.data, length - 18) == 0;
}

static void
test_mode(const VirtMode *mode)
{
    if (!ok(begin(mode->features, 2048), "%s: card starts", mode->name))
        return;
    ok(echoed(1, 60), "%s: a small frame there and back", mode->name);
    ok(echoed(2, FRAME_MAX), "%s: a large one", mode->name);
    unsigned good = 0;
    for (uint32_t i = 0; i < 40; i++)
        good += echoed(100 + i, 64 + i);
    ok_equal(good, 40, "%s: forty in a row", mode->name);
}

static void
test_merged(void)
{
    if (!(virtio_offered(&net) & NET_F_MERGE)) {
        skip("not offered", "merged: a frame over several buffers");
        return;
    }
    ok(begin(NET_F_MERGE, 256), "merged: card starts with buffers of 256 bytes");
    ok(echoed(7, FRAME_MAX), "merged: a frame over several buffers");
    ok(echoed(8, 60), "merged: and one in a single one");
}

static void
test_no_room(void)
{
    virtio_negotiate(&net, NET_FEATURES);
    virtqueue_init(&receive, &net, 0, 32, VIRTIO_NO_VECTOR);
    virtqueue_init(&transmit, &net, 1, 32, VIRTIO_NO_VECTOR);
    virtio_driver_ok(&net);
    ask_harness("frames 200");
    for (unsigned i = 0; i < BUFFERS; i++)
        post(buffers[i]);
    virtqueue_kick(&receive);
    static Frame in;
    unsigned got = 0;
    while (receive_frame(&in) && got < 200)
        got++;
    note("%u of 200 frames sent while there was no room", got);
    ok(echoed(9, 100), "no room: frames go on once there is some");
}

/* Frames and buffers of sizes that make no sense, each followed by proof that the card works. */
static void
test_malformed(void)
{
    static uint8_t bytes[70000];
    static const uint32_t sizes[] = {0, 1, 11, 12, 13, 25, 26, 70000};

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        VirtBuffer one = {bytes, sizes[i]};
        virtqueue_do(&transmit, &one, 1, 0);
        if (virtio_needs_reset(&net) || sizes[i] < HEAD)
            begin(0, 2048);
    }
    ok(begin(0, 2048) && echoed(10, 60), "malformed: frames of no, few and too many bytes");

    memset(bytes, 0xff, HEAD);
    VirtBuffer odd_head = {bytes, 100};
    virtqueue_do(&transmit, &odd_head, 1, 0);
    ok(begin(0, 2048) && echoed(11, 60), "malformed: a header that asks for everything");

    VirtBuffer writable = {bytes, 100};
    virtqueue_do(&transmit, &writable, 0, 1);
    ok(begin(0, 2048) && echoed(12, 60), "malformed: a frame to send in writable memory");

    begin(0, 13);
    ask_harness("frames 20");
    clock_delay(MILLISECONDS(20));
    begin(0, 4);
    ask_harness("frames 20");
    clock_delay(MILLISECONDS(20));
    ok(begin(0, 2048) && echoed(13, 60), "malformed: room for less than a header and a byte");
}

static void
test_control(void)
{
    static VirtQueue control;
    static struct {
        uint8_t class, command;
        uint8_t data[64];
    } __attribute__((packed)) request;
    static uint8_t answer;
    static const struct {
        uint8_t class, command;
    } requests[] = {{0, 0}, {1, 0}, {1, 1}, {2, 0}, {3, 0}, {4, 0}, {4, 1}, {5, 0}, {77, 77}, {255, 255}};

    if (!(virtio_offered(&net) & NET_F_CONTROL)) {
        skip("not offered", "control: requests of every kind");
        return;
    }
    virtio_negotiate(&net, NET_FEATURES | NET_F_CONTROL);
    virtqueue_init(&receive, &net, 0, 32, VIRTIO_NO_VECTOR);
    virtqueue_init(&transmit, &net, 1, 32, VIRTIO_NO_VECTOR);
    ok(virtqueue_init(&control, &net, 2, 16, VIRTIO_NO_VECTOR), "control: the third queue");
    virtio_driver_ok(&net);
    for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        for (uint32_t length = 2; length <= sizeof(request); length += 31) {
            request.class = requests[i].class;
            request.command = requests[i].command;
            memset(request.data, 0xff, sizeof(request.data));
            answer = 0x55;
            VirtBuffer chain[] = {{&request, length}, {&answer, 1}};
            if (virtqueue_do(&control, chain, 1, 1) < 0)
                break;
        }
    }
    ok(answer == 1, "control: what nobody knows is refused");
}

void
guest_main(void)
{
    if (!ok(virtio_find(VIRTIO_NET, 0, &net) && begin(0, 2048), "network card starts"))
        return;
    ok(net.features & NET_F_MAC, "it has an address");
    for (unsigned i = 0; i < 6; i++)
        mac[i] = virtio_config8(&net, CONFIG_MAC + i);
    ok(mac[0] == 0x52 && mac[5] == 0x56, "the one configured");
    ok(net.features & NET_F_STATUS && virtio_config16(&net, CONFIG_STATUS) & 1, "the link is up");
    for (unsigned i = 0; i < VIRT_MODES; i++)
        test_mode(&virt_modes[i]);
    test_merged();
    test_no_room();
    test_malformed();
    test_control();
    ok(virtio_find(VIRTIO_NET, 0, &net) && begin(0, 2048) && echoed(14, 60), "and it works to the end");
    tap_done();
}
