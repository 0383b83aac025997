/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices that stream: a camera (high speed, 24 Mbit/s in packets of 125 µs), a headset (full speed, 48 kHz of two
 * channels in and out, in packets of a millisecond), and a microphone, which is of USB Audio 1.0, so that operating systems have
 * a driver for it. Each packet begins with its number, so that whoever receives it sees what was lost; of the microphone's each
 * frame, 16 bits left and 16 bits right, is one. Packets leave by the clock, so many at a time as the other end asked for, as a
 * host's controller delivers them; with "jitter=MS" each of these bundles is up to so late, as a network delivers them.
 */
#include "device.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

#define CAMERA_BYTES 375 /* 8000 packets a second of these are 24 Mbit/s */
#define HEADSET_BYTES 192
#define IN 0x81
#define OUT 0x02

static struct {
    struct usbredirparser *parser;
    int64_t interval; /* ns */
    uint16_t bytes;   /* a packet */
    int64_t jitter;   /* ns */
    GRand *random;
    bool frames;             /* are numbered, not packets */
    bool in;                 /* streams */
    unsigned bundle;         /* packets that leave together */
    int64_t due, leaves;     /* of the next bundle */
    uint32_t sent, received; /* packets */
    uint32_t lost, expected; /* of those received: gaps in their numbers */
} app;

static const uint8_t camera_device[] = {18, 1, 0x00, 0x02, 0xff, 0, 0, 64, 0x09, 0x12, 0x02, 0x00, 0, 1, 0, 0, 0, 1};
static const uint8_t camera_configuration[] = {
    9, 2, 34, 0, 1, 1,    0, 0x80, 250, 9, 4, 0, 0, 0, 0xff, 0, 0, 0, /* silent */
    9, 4, 0,  1, 1, 0xff, 0, 0,    0,                                 /* streaming */
    7, 5, IN, 5, 0, 2,    1,                                          /* 512 bytes every 125 µs */
};
static const uint8_t headset_device[] = {18, 1, 0x10, 0x01, 0xff, 0, 0, 64, 0x09, 0x12, 0x03, 0x00, 0, 1, 0, 0, 0, 1};
static const uint8_t headset_configuration[] = {
    9,
    2,
    41,
    0,
    1,
    1,
    0,
    0x80,
    250,
    9,
    4,
    0,
    0,
    0,
    0xff,
    0,
    0,
    0,
    9,
    4,
    0,
    1,
    2,
    0xff,
    0,
    0,
    0,
    7,
    5,
    IN,
    5,
    HEADSET_BYTES,
    0,
    1, /* every millisecond */
    7,
    5,
    OUT,
    5,
    HEADSET_BYTES,
    0,
    1,
};

static const uint8_t microphone_device[] = {18, 1, 0x10, 0x01, 0, 0, 0, 64, 0x09, 0x12, 0x05, 0x00, 0, 1, 0, 1, 0, 1};
/* clang-format off */
static const uint8_t microphone_configuration[] = {
    9, 2, 100, 0, 2, 1, 0, 0x80, 50,                /* two interfaces (USB Audio 1.0, 3.2) */
    9, 4, 0, 0, 0, 1, 1, 0, 0,                      /* control … */
    9, 0x24, 1, 0, 1, 30, 0, 1, 1,                  /* … of the one stream */
    12, 0x24, 2, 1, 1, 2, 0, 2, 3, 0, 0, 0,         /* terminal 1: a microphone, left and right */
    9, 0x24, 3, 2, 1, 1, 0, 1, 0,                   /* terminal 2: from 1 to the host */
    9, 4, 1, 0, 0, 1, 2, 0, 0,                      /* silent */
    9, 4, 1, 1, 1, 1, 2, 0, 0,                      /* streaming … */
    7, 0x24, 1, 2, 1, 1, 0,                         /* … from terminal 2, PCM … */
    11, 0x24, 2, 1, 2, 2, 16, 1, 0x80, 0xbb, 0,     /* … two channels of 16 bits, 48 kHz … */
    9, 5, IN, 5, HEADSET_BYTES, 0, 1, 0, 0,         /* … every millisecond, by its own clock */
    7, 0x25, 1, 0, 0, 0, 0,
};
/* clang-format on */

static void
start_with(struct usbredirparser *parser, char **arguments, int64_t interval, uint16_t bytes)
{
    app.parser = parser;
    app.interval = interval;
    app.bytes = bytes;
    app.jitter = g_ascii_strtoll(peer_argument(arguments, "jitter", "0"), NULL, 10) * 1000000;
    app.random = g_rand_new_with_seed(1);
}

static void
start_camera(struct usbredirparser *parser, char **arguments)
{
    start_with(parser, arguments, 125000, CAMERA_BYTES);
}

static void
start_headset(struct usbredirparser *parser, char **arguments)
{
    start_with(parser, arguments, 1000000, HEADSET_BYTES);
}

static void
start_microphone(struct usbredirparser *parser, char **arguments)
{
    start_headset(parser, arguments);
    app.frames = true;
}

/* A bundle is whole when its last packet is; it leaves later still, but none before the one ahead of it. */
static void
next_bundle(void)
{
    app.due += app.interval * app.bundle;
    int64_t late = app.jitter ? (int64_t)(g_rand_double(app.random) * (double)app.jitter) : 0;
    app.leaves = MAX(app.leaves, app.due + late);
}

static void
stream(const struct usb_redir_start_iso_stream_header *header)
{
    if (!(header->endpoint & 0x80)) {
        app.expected = 0;
        return;
    }
    app.in = true;
    app.bundle = MAX(header->pkts_per_urb, 1);
    app.due = peer_clock();
    app.leaves = 0;
    app.sent = 0;
    next_bundle();
}

static void
end_stream(uint8_t endpoint)
{
    if (endpoint & 0x80)
        app.in = false;
}

static void
fill_packet(uint8_t *data)
{
    memcpy(data, &app.sent, sizeof app.sent);
    memset(data + sizeof app.sent, (int)(app.sent & 0xff), app.bytes - sizeof app.sent);
}

static void
fill_frames(uint8_t *data)
{
    uint32_t n = app.bytes / sizeof n, number = app.sent * n;

    for (uint32_t i = 0; i < n; i++, number++)
        memcpy(data + i * sizeof number, &number, sizeof number);
}

static void
send_packet(void)
{
    struct usb_redir_iso_packet_header header = {.endpoint = IN, .length = app.bytes};
    uint8_t data[CAMERA_BYTES];

    if (app.frames)
        fill_frames(data);
    else
        fill_packet(data);
    usbredirparser_send_iso_packet(app.parser, 0, &header, data, app.bytes);
    app.sent++;
}

static int64_t
work(int64_t now)
{
    while (app.in && app.leaves <= now) {
        for (unsigned i = 0; i < app.bundle; i++)
            send_packet();
        next_bundle();
    }
    return app.in ? app.leaves : NEVER;
}

static void
iso(const uint8_t *data, int len)
{
    uint32_t number;

    if (len < (int)sizeof number)
        return;
    memcpy(&number, data, sizeof number);
    app.lost += number - app.expected;
    app.expected = number + 1;
    app.received++;
}

static void
report(void)
{
    printf("sent %u received %u lost %u\n", app.sent, app.received, app.lost);
}

const PeerKind peer_camera = {
    .speed = usb_redir_speed_high,
    .device = camera_device,
    .configuration = camera_configuration,
    .start = start_camera,
    .stream = stream,
    .end_stream = end_stream,
    .iso = iso,
    .work = work,
    .report = report,
};

const PeerKind peer_headset = {
    .speed = usb_redir_speed_full,
    .device = headset_device,
    .configuration = headset_configuration,
    .start = start_headset,
    .stream = stream,
    .end_stream = end_stream,
    .iso = iso,
    .work = work,
    .report = report,
};

const PeerKind peer_microphone = {
    .speed = usb_redir_speed_full,
    .device = microphone_device,
    .configuration = microphone_configuration,
    .start = start_microphone,
    .stream = stream,
    .end_stream = end_stream,
    .work = work,
    .report = report,
};
