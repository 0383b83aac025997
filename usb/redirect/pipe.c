/* SPDX-License-Identifier: Apache-2.0 */
/* A ring under a lock that is held for a copy of at most its size. */
#include "usb/redirect/pipe.h"

#include <stdint.h>
#include <string.h>

struct Pipe {
    GMutex lock;
    size_t capacity;
    size_t start, used;
    bool reader_waits, writer_waits;
    uint8_t bytes[];
};

Pipe *
pipe_new(size_t capacity)
{
    Pipe *pipe = g_malloc0(sizeof *pipe + capacity);

    g_mutex_init(&pipe->lock);
    pipe->capacity = capacity;
    pipe->reader_waits = true;
    return pipe;
}

void
pipe_free(Pipe *pipe)
{
    if (!pipe)
        return;
    g_mutex_clear(&pipe->lock);
    g_free(pipe);
}

void
pipe_clear(Pipe *pipe)
{
    g_mutex_lock(&pipe->lock);
    pipe->start = pipe->used = 0;
    pipe->reader_waits = true;
    pipe->writer_waits = false;
    g_mutex_unlock(&pipe->lock);
}

/* Copies @len bytes in or out at ring position @at, which may pass the end. */
static void
copy(Pipe *pipe, size_t at, void *bytes, size_t len, bool in)
{
    at %= pipe->capacity;
    size_t first = MIN(len, pipe->capacity - at);

    if (in) {
        memcpy(pipe->bytes + at, bytes, first);
        memcpy(pipe->bytes, (uint8_t *)bytes + first, len - first);
    } else {
        memcpy(bytes, pipe->bytes + at, first);
        memcpy((uint8_t *)bytes + first, pipe->bytes, len - first);
    }
}

size_t
pipe_write(Pipe *pipe, const void *from, size_t len, bool *wake)
{
    g_mutex_lock(&pipe->lock);
    size_t n = MIN(len, pipe->capacity - pipe->used);
    copy(pipe, pipe->start + pipe->used, (void *)from, n, true);
    pipe->used += n;
    pipe->writer_waits = n < len;
    *wake = n > 0 && pipe->reader_waits;
    if (*wake)
        pipe->reader_waits = false;
    g_mutex_unlock(&pipe->lock);
    return n;
}

size_t
pipe_read(Pipe *pipe, void *to, size_t len, bool *wake)
{
    g_mutex_lock(&pipe->lock);
    size_t n = MIN(len, pipe->used);
    copy(pipe, pipe->start, to, n, false);
    pipe->start = (pipe->start + n) % pipe->capacity;
    pipe->used -= n;
    pipe->reader_waits = n < len;
    *wake = pipe->writer_waits && pipe->used <= pipe->capacity / 2;
    if (*wake)
        pipe->writer_waits = false;
    g_mutex_unlock(&pipe->lock);
    return n;
}
