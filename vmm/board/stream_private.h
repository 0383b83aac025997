/* SPDX-License-Identifier: Apache-2.0 */
/* What a stream is made of: for stream.c, which moves its bytes, and stream_open.c, which opens what it reads and writes. */
#pragma once

#include "vmm/board/stream.h"

#include <termios.h>

/* One descriptor and what the source polls it for. */
typedef struct {
    int fd;       /* -1: none */
    gpointer tag; /* NULL: not polled */
    GIOCondition events;
} Watch;

struct Stream {
    GSource *source;
    const StreamOps *ops; /* NULL: no user */
    void *user;
    Watch listener, in, out; /* in and out may hold the same descriptor */
    bool terminal_changed;
    struct termios terminal;

    GMutex lock;   /* the rest */
    uint8_t *ring; /* STREAM_BUFFER_SIZE bytes */
    size_t head;   /* of the first byte to write out */
    size_t used;
    bool deaf;     /* nobody to write to: swallow */
    bool was_full; /* somebody may wait for room */
};
