/* SPDX-License-Identifier: Apache-2.0 */
/*
 * USB devices as an operating system uses them, from user mode and by polling.
 *
 * mode=idle: keyboard and tablet are configured, each has a transfer waiting, and nothing else happens.
 * mode=read: a disk is read from its first block on for seconds=N, blocks=N at a time: command, data, status, one after the
 * other, as every driver of the bulk-only transport does. "read BYTES NANOSECONDS".
 * mode=sum: the same disk from its first block to its last, passes=N times: "sum CRC-32" each. It ends with "lost CODE" where the
 * disk goes in the middle.
 * mode=play: a sound card of USB Audio 1.0 is streamed to for seconds=N: each packet begins with its number.
 * mode=stream: a camera and a headset of tests/usb-peer stream for seconds=N, and the headset is streamed to. Of each
 * stream in: "camera RECEIVED LOST EMPTY WRONG": packets, numbers missing between them, intervals without a packet once
 * the first had come, and transfers that failed.
 */
#include "clock.h"
#include "console.h"
#include "cpu.h"
#include "interrupt.h"
#include "start.h"
#include "tap.h"
#include "text.h"
#include "user.h"
#include "xhci.h"

#define SIA (1u << 31) /* as soon as possible */
#define EVENTS_AT_A_TIME 64
#define BLOCK 512

#define DEVICES_MAX 8
#define ALWAYS_THERE 2 /* keyboard and tablet */

static XhciDevice devices[DEVICES_MAX];
static unsigned n_devices;
static uint8_t *buffer; /* a page */

static uint64_t
physical(const void *at)
{
    return (uint64_t)at;
}

/* Waits until so many are plugged in, and addresses all. */
static void
find_devices(unsigned n)
{
    uint64_t deadline = clock_ns() + SECONDS(20);
    unsigned connected;

    do {
        clock_delay(MILLISECONDS(50));
        connected = 0;
        for (unsigned port = 1; port <= xhci.n_ports; port++)
            connected += xhci_connected(port);
    } while (connected < n && clock_ns() < deadline);
    for (unsigned port = 1; port <= xhci.n_ports && n_devices < DEVICES_MAX; port++)
        if (xhci_connected(port) && !xhci_address(&devices[n_devices++], port))
            panic("a device without an address");
    if (n_devices < n)
        panic("%u devices where %u were to be", n_devices, n);
}

/* The device with an interface of this class and speed (0: any), its endpoints in buffer[]. */
static XhciDevice *
find_device(unsigned class, unsigned speed)
{
    for (unsigned i = 0; i < n_devices; i++) {
        if (speed && devices[i].speed != speed)
            continue;
        if (xhci_control(&devices[i], 0x80, 6, 0x200, 0, buffer, 255) != XHCI_SUCCESS)
            panic("no configuration");
        if (buffer[9 + 5] == class)
            return &devices[i];
    }
    panic("no device of class %x", class);
}

static void
configure(XhciDevice *device)
{
    if (xhci_control(device, 0, 9, 1, 0, 0, 0) != XHCI_SUCCESS)
        panic("not configured");
}

/* --- idle ------------------------------------------------------------------------------------------------------------- */

static void
idle(void)
{
    find_devices(ALWAYS_THERE);
    for (unsigned i = 0; i < n_devices; i++) {
        configure(&devices[i]);
        if (xhci_add_endpoint(&devices[i], 3, XHCI_INTERRUPT_IN, 8, 6) != XHCI_SUCCESS)
            panic("no endpoint");
        for (unsigned n = 0; n < 4; n++)
            xhci_ring_add(&devices[i].rings[3], physical(buffer), 8, XHCI_TYPE(XHCI_NORMAL) | XHCI_IOC | XHCI_ISP);
        xhci_doorbell(devices[i].slot, 3);
    }
    ask_harness("ready");
    for (;;)
        __asm__ volatile("cli; hlt");
}

/* --- read ------------------------------------------------------------------------------------------------------------- */

#define IN 3  /* device context indices of the peer's disk: 0x81 … */
#define OUT 4 /* … and 0x02 */

static XhciDevice *disk;
static uint8_t *data;
static uint64_t total, elapsed;

/* Returns the completion code; 0: it never came. */
static unsigned
transfer(unsigned index, void *bytes, uint32_t len)
{
    uint64_t deadline = clock_ns() + SECONDS(10);
    XhciTrb event;

    xhci_ring_add(&disk->rings[index], physical(bytes), len, XHCI_TYPE(XHCI_NORMAL) | XHCI_IOC | XHCI_ISP);
    xhci_doorbell(disk->slot, index);
    do
        while (!xhci_poll(&event)) {
            if (clock_ns() > deadline)
                return 0;
            cpu_pause();
        }
    while ((event.control >> 10 & 0x3f) != XHCI_TRANSFER_EVENT);
    return event.status >> 24;
}

static unsigned lost; /* how a transfer failed, where that is told and not the end */
static bool may_fail;

static bool
one_transfer(unsigned index, void *bytes, uint32_t len)
{
    unsigned code = transfer(index, bytes, len);

    if (code == XHCI_SUCCESS)
        return true;
    if (!may_fail)
        panic("transfer %u of %u bytes: code %u", index, len, code);
    lost = code;
    return false;
}

/* A command that brings @len bytes to @to, or none. Returns its status: 0 is good. */
static uint8_t
command(const uint8_t cdb[10], void *to, uint32_t len)
{
    static uint32_t tag;
    uint8_t wrapper[31] = {'U', 'S', 'B', 'C'};

    tag++;
    memcpy(wrapper + 4, &tag, 4);
    memcpy(wrapper + 8, &len, 4);
    wrapper[12] = 0x80;
    wrapper[14] = 10;
    memcpy(wrapper + 15, cdb, 10);
    memcpy(buffer, wrapper, sizeof(wrapper));
    if (!one_transfer(OUT, buffer, sizeof(wrapper)) || (len && !one_transfer(IN, to, len)) ||
        !one_transfer(IN, buffer, 13))
        return 1;
    if (memcmp(buffer + 4, &tag, 4))
        panic("the status of another command");
    if (tag % (EVENTS_AT_A_TIME / 3) == 0)
        xhci_events_taken();
    return buffer[12];
}

static bool
read_blocks(uint32_t first, uint32_t n)
{
    const uint8_t cdb[10] = {0x28, 0, first >> 24, first >> 16, first >> 8, first, 0, n >> 8, n};

    if (!command(cdb, data, n * BLOCK))
        return true;
    if (!lost)
        panic("a command failed");
    return false;
}

/* TEST UNIT READY: a disk that was reset tells its first command of it (SAM-5, 5.14), and fails it. */
static void
wait_until_ready(void)
{
    static const uint8_t cdb[10];

    for (unsigned i = 0; i < 10; i++)
        if (!command(cdb, 0, 0))
            return;
    panic("the disk is not ready");
}

static uint64_t
read_for(void *argument)
{
    uint64_t begin = clock_ns(), end = begin + (uint64_t)argument;
    uint32_t blocks = start_option_number("size", 64) << 11, n = start_option_number("blocks", 128), at = 0;

    for (total = 0; clock_ns() < end; total += n * BLOCK, at = at + 2 * n > blocks ? 0 : at + n)
        read_blocks(at, n);
    elapsed = clock_ns() - begin;
    return 0;
}

static void
find_disk(void)
{
    ask_harness("plug");
    find_devices(ALWAYS_THERE + 1);
    disk = find_device(8, 0);
    configure(disk);
    if (xhci_add_endpoint(disk, IN, XHCI_BULK_IN, BLOCK, 0) != XHCI_SUCCESS ||
        xhci_add_endpoint(disk, OUT, XHCI_BULK_OUT, BLOCK, 0) != XHCI_SUCCESS)
        panic("no endpoints");
    data = pages_allocate(start_option_number("blocks", 128) * BLOCK / PAGE_SIZE);
    wait_until_ready();
}

static uint32_t
crc32(uint32_t crc, const uint8_t *bytes, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return crc;
}

static void
sum_disk(void)
{
    uint32_t blocks = start_option_number("size", 64) << 11, n = start_option_number("blocks", 128);

    find_disk();
    may_fail = true;
    for (unsigned pass = start_option_number("passes", 1); pass && !lost; pass--) {
        uint32_t crc = ~0u, at = 0;
        for (; at < blocks && read_blocks(at, n); at += n)
            crc = crc32(crc, data, n * BLOCK);
        if (lost)
            console_printf("lost %u\n", lost);
        else
            console_printf("sum %x\n", ~crc);
    }
    ok(true, "summed");
    tap_done();
}

static void
read_disk(void)
{
    find_disk();
    user_run(read_for, (void *)MILLISECONDS(200)); /* warm */
    ask_harness("begin");
    user_run(read_for, (void *)SECONDS(start_option_number("seconds", 3)));
    ask_harness("end");
    console_printf("read %lu %lu\n", total, elapsed);
    ok(true, "read");
    tap_done();
}

/* --- stream ----------------------------------------------------------------------------------------------------------- */

#define AHEAD_MAX 240
#define AHEAD_MS 30 /* transfers that wait in a ring: drivers of cameras have 20 to 40 */

typedef struct Stream {
    const char *name;
    XhciDevice *device;
    unsigned index, packet, ahead, at, unannounced;
    uint8_t *packets; /* ahead of them, 512 bytes apart */
    bool in, begun;
    uint32_t next; /* the number of the next packet */
    uint64_t received, lost, empty, wrong;
} Stream;

static Stream streams[3];

static void
stream_add(Stream *stream)
{
    uint8_t *packet = stream->packets + stream->at * 512;

    if (!stream->in)
        memcpy(packet, &stream->next, 4);
    stream->next += !stream->in;
    stream->at = (stream->at + 1) % stream->ahead;
    xhci_ring_add(&stream->device->rings[stream->index], physical(packet), stream->packet,
                  XHCI_TYPE(XHCI_ISOCH) | SIA | XHCI_IOC | (stream->in ? XHCI_ISP : 0));
    if (++stream->unannounced >= stream->ahead / 4) {
        xhci_doorbell(stream->device->slot, stream->index);
        stream->unannounced = 0;
    }
}

static void
stream_take(Stream *stream, const XhciTrb *event)
{
    const XhciTrb *trb = (const XhciTrb *)event->parameter;
    unsigned code = event->status >> 24, left = event->status & 0xffffff;
    uint32_t number;

    if (code == 14 || code == 15) /* the ring ran dry: not of a packet */
        return;
    if (code != XHCI_SUCCESS && code != XHCI_SHORT_PACKET) {
        stream->wrong++;
    } else if (stream->in && left == stream->packet) {
        stream->empty += stream->begun;
    } else if (stream->in) {
        memcpy(&number, (const void *)trb->parameter, 4);
        stream->lost += stream->begun ? number - stream->next : 0;
        stream->next = number + 1;
        stream->begun = true;
        stream->received++;
    } else {
        stream->received++;
    }
    stream_add(stream);
}

static void
stream_begin(Stream *stream, const char *name, XhciDevice *device, unsigned index, unsigned packet, unsigned interval)
{
    *stream = (Stream){.name = name, .device = device, .index = index, .packet = packet, .in = index & 1};
    stream->ahead = AHEAD_MS * 8 >> interval;
    stream->packets = pages_allocate(AHEAD_MAX * 512 / PAGE_SIZE);
    if (xhci_add_endpoint(device, index, stream->in ? XHCI_ISOCH_IN : XHCI_ISOCH_OUT, packet, interval) != XHCI_SUCCESS)
        panic("%s: no endpoint", name);
}

static Stream *
stream_of(const XhciTrb *event)
{
    unsigned slot = event->control >> 24, index = event->control >> 16 & 0x1f;

    for (unsigned i = 0; i < 3; i++)
        if (streams[i].device && streams[i].device->slot == slot && streams[i].index == index)
            return &streams[i];
    return 0;
}

static uint64_t
stream_for(void *argument)
{
    uint64_t end = clock_ns() + (uint64_t)argument;
    unsigned taken = 0;
    XhciTrb event;

    for (unsigned i = 0; i < 3; i++)
        for (unsigned n = 0; n < streams[i].ahead; n++)
            stream_add(&streams[i]);
    while (clock_ns() < end) {
        if (!xhci_poll(&event)) {
            cpu_pause();
            continue;
        }
        Stream *stream = (event.control >> 10 & 0x3f) == XHCI_TRANSFER_EVENT ? stream_of(&event) : 0;
        if (stream)
            stream_take(stream, &event);
        if (++taken % EVENTS_AT_A_TIME == 0)
            xhci_events_taken();
    }
    return 0;
}

static void
stream_all(void)
{
    ask_harness("plug");
    find_devices(ALWAYS_THERE + 2);
    XhciDevice *camera = find_device(0xff, 3), *headset = find_device(0xff, 1);
    configure(camera);
    configure(headset);
    if (xhci_control(camera, 1, 11, 1, 0, 0, 0) != XHCI_SUCCESS ||
        xhci_control(headset, 1, 11, 1, 0, 0, 0) != XHCI_SUCCESS)
        panic("no setting with streams");
    stream_begin(&streams[0], "camera", camera, 3, 512, 0);
    stream_begin(&streams[1], "microphone", headset, 3, 192, 3);
    stream_begin(&streams[2], "speaker", headset, 4, 192, 3);
    user_run(stream_for, (void *)SECONDS(start_option_number("seconds", 10)));
    ask_harness("end");
    for (unsigned i = 0; i < 3; i++)
        console_printf("%s %lu %lu %lu %lu\n", streams[i].name, streams[i].received, streams[i].lost, streams[i].empty,
                       streams[i].wrong);
    ok(streams[0].begun && streams[1].begun, "both streamed");
    tap_done();
}

static void
play(void)
{
    ask_harness("plug");
    find_devices(ALWAYS_THERE + 1);
    XhciDevice *card = find_device(1, 0);
    configure(card);
    if (xhci_control(card, 1, 11, 1, 1, 0, 0) != XHCI_SUCCESS)
        panic("no setting with a stream");
    stream_begin(&streams[0], "speaker", card, 2, 192, 3);
    user_run(stream_for, (void *)SECONDS(start_option_number("seconds", 3)));
    ask_harness("end");
    ok(streams[0].received, "packets went");
    tap_done();
}

void
guest_main(void)
{
    const char *mode = start_option("mode", "idle");
    bool reads = !strcmp(mode, "read"), sums = !strcmp(mode, "sum"), streams_all = !strcmp(mode, "stream");
    bool plays = !strcmp(mode, "play");

    if (!xhci_find())
        panic("no controller");
    if (!xhci_start(false))
        panic("the controller does not start");
    buffer = pages_allocate(1);
    if (reads)
        read_disk();
    else if (sums)
        sum_disk();
    else if (plays)
        play();
    else if (streams_all)
        stream_all();
    else
        idle();
}
