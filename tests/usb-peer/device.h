/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the peer offers: a device of one of these kinds. Its descriptors say all that is said about it; packets are
 * libusbredirparser's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <usbredirparser.h>

#define NEVER INT64_MAX

typedef struct {
    uint8_t speed;                /* usb_redir_speed_… */
    const uint8_t *device;        /* descriptor */
    const uint8_t *configuration; /* with all that belongs to it */
    /* Arguments "KEY=VALUE" of the command line. */
    void (*start)(struct usbredirparser *parser, char **arguments);
    /* NULL where the kind has none. */
    void (*bulk)(uint64_t id, const struct usb_redir_bulk_packet_header *header, const uint8_t *data, int len);
    void (*cancel)(uint64_t id);
    void (*stream)(const struct usb_redir_start_iso_stream_header *header);
    void (*end_stream)(uint8_t endpoint);
    void (*iso)(const uint8_t *data, int len);
    /* Does what is due at @now (CLOCK_MONOTONIC, ns); returns when to be called again, or NEVER. */
    int64_t (*work)(int64_t now);
    /* The last words, on standard output. */
    void (*report)(void);
} PeerKind;

extern const PeerKind peer_disk, peer_camera, peer_headset, peer_microphone;

/* The value of "KEY=VALUE" among @arguments, or @fallback. */
const char *peer_argument(char **arguments, const char *key, const char *fallback);

/* CLOCK_MONOTONIC, ns: what work() is told. */
int64_t peer_clock(void);
