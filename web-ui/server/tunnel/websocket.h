/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket frames (RFC 6455, 5) on the server's side of a tunnel of bytes: where messages begin and end means nothing,
 * so nothing is collected; payload is unmasked where it lies.
 *
 * Owner: the tunnel's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WEBSOCKET_HEADER_MAX 10
#define WEBSOCKET_CONTROL_MAX 125

/* Begins zeroed. */
typedef struct {
    uint8_t header[14];
    unsigned have; /* bytes of the header */
    uint64_t left; /* of the frame's payload */
    uint8_t mask[4];
    unsigned mask_at;
    bool in_payload;
    bool in_message; /* a fragment has come that was not the last */
    uint8_t opcode;
    uint8_t control[WEBSOCKET_CONTROL_MAX];
    unsigned control_len;
    bool pong_due; /* with .control as its payload; the owner clears it */
    bool closed;   /* the peer says good-bye: what comes after is nothing */
} WebsocketReader;

/* What a peer sent becomes its payload, from the beginning of the same bytes. -EPROTO: it broke the protocol. */
ssize_t websocket_read(WebsocketReader *reader, uint8_t *bytes, size_t len);

/* Writes the header of a binary frame with so much payload; returns its length. */
size_t websocket_header(uint8_t header[static WEBSOCKET_HEADER_MAX], size_t len);
/* Likewise a whole pong for the ping that was read, or the good-bye. */
size_t websocket_pong(WebsocketReader *reader, uint8_t frame[static 2 + WEBSOCKET_CONTROL_MAX]);
size_t websocket_goodbye(uint8_t frame[static 4]);
