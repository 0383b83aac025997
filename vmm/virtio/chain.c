/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request's buffers: built by the rings from checked descriptors, read and filled by devices through a cursor.
 *
 * Out buffers stand first in the store, in buffers right behind them, so one array serves both; it grows to the longest
 * chain seen and is kept, so a warm queue allocates nothing.
 */
#include "vmm/virtio/queue_private.h"

#include <string.h>

#define CHAIN_STORE_MIN 8

void
virt_chain_clear(VirtChain *chain)
{
    g_free(chain->store);
    *chain = (VirtChain)VIRT_CHAIN_INIT;
}

void
virt_chain_begin(VirtChain *chain)
{
    *chain = (VirtChain){.store = chain->store, .capacity = chain->capacity};
}

static void
chain_grow(VirtChain *chain)
{
    size_t capacity = MAX(chain->capacity * 2, CHAIN_STORE_MIN);
    chain->store = g_renew(struct iovec, chain->store, capacity);
    chain->capacity = capacity;
}

bool
virt_chain_add(VirtChain *chain, VirtQueue *queue, uint64_t address, uint32_t len, bool write)
{
    /* virtio 1.2, 2.7.4.2 and 2.8.17: all readable buffers come before the writable ones */
    if (!write && chain->n_in)
        return virtqueue_break(queue, "a readable buffer after a writable one");
    if (!len)
        return true;
    size_t n = chain->n_out + chain->n_in;
    if (n == VIRT_CHAIN_MAX)
        return virtqueue_break(queue, "a chain of more than %d buffers", VIRT_CHAIN_MAX);
    if (chain->out_len + chain->in_len + len > UINT32_MAX)
        return virtqueue_break(queue, "a chain of 4 GiB or more");
    uint8_t *host = guest_memory_at(queue->memory, address, len);
    if (!host)
        return virtqueue_break(queue, "a buffer at 0x%" G_GINT64_MODIFIER "x, %u bytes, is not in RAM", address, len);

    if (n == chain->capacity)
        chain_grow(chain);
    chain->store[n] = (struct iovec){.iov_base = host, .iov_len = len};
    if (write) {
        chain->n_in++;
        chain->in_len += len;
    } else {
        chain->n_out++;
        chain->out_len += len;
    }
    return true;
}

void
virt_chain_complete(VirtChain *chain)
{
    chain->out = chain->store;
    chain->in = chain->n_out ? chain->store + chain->n_out : chain->store; /* which may be NULL, and n_out 0 */
    chain->popped = true;
}

void
virt_chain_dirty(const VirtChain *chain, GuestMemory *memory, size_t written)
{
    for (size_t i = 0; i < chain->n_in && written; i++) {
        size_t len = MIN(chain->in[i].iov_len, written);
        guest_memory_dirty(memory, chain->in[i].iov_base, len);
        written -= len;
    }
}

size_t
virt_chain_readable(const VirtChain *chain)
{
    return chain->out_len - chain->out_cursor;
}

size_t
virt_chain_writable(const VirtChain *chain)
{
    return chain->in_len - chain->in_cursor;
}

/* The next piece of @buffers at the cursor (*at, *offset), at most @len bytes, and the cursor moved past it. */
static uint8_t *
cursor_take(const struct iovec *buffers, size_t *at, size_t *offset, size_t *len)
{
    const struct iovec *buffer = &buffers[*at];
    uint8_t *place = (uint8_t *)buffer->iov_base + *offset;

    *len = MIN(*len, buffer->iov_len - *offset);
    *offset += *len;
    if (*offset == buffer->iov_len) {
        *at += 1;
        *offset = 0;
    }
    return place;
}

size_t
virt_chain_read(VirtChain *chain, void *to, size_t len)
{
    len = MIN(len, virt_chain_readable(chain));
    for (size_t done = 0; done < len;) {
        size_t piece = len - done;
        const uint8_t *from = cursor_take(chain->out, &chain->out_at, &chain->out_at_off, &piece);
        memcpy((uint8_t *)to + done, from, piece);
        done += piece;
    }
    chain->out_cursor += len;
    return len;
}

size_t
virt_chain_write(VirtChain *chain, const void *from, size_t len)
{
    len = MIN(len, virt_chain_writable(chain));
    for (size_t done = 0; done < len;) {
        size_t piece = len - done;
        uint8_t *to = cursor_take(chain->in, &chain->in_at, &chain->in_at_off, &piece);
        memcpy(to, (const uint8_t *)from + done, piece);
        done += piece;
    }
    chain->in_cursor += len;
    return len;
}
