/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests in flight across a save: host addresses become guest physical ones, and back.
 *
 * A packed ring may have overwritten the descriptors of a request in flight, so its buffers are kept, not its place.
 */
#include "vmm/virtio/queue_private.h"

#include <string.h>

/* One buffer, little endian as the state tables' integers are. */
typedef struct {
    uint64_t address;
    uint32_t len;
    uint32_t write; /* 0 or 1 */
} HeldBuffer;

G_STATIC_ASSERT(sizeof(HeldBuffer) == 16);

static const StateField chain_fields[] = {
    STATE_UINT(VirtChainState, queue, 1),
    STATE_UINT(VirtChainState, id, 1),
    STATE_UINT(VirtChainState, n_descriptors, 1),
    STATE_BUFFER(VirtChainState, buffers, 1, VIRT_CHAIN_MAX * sizeof(HeldBuffer)),
    STATE_END,
};

static void *
chain_state_create(void)
{
    return g_new0(VirtChainState, 1);
}

const StateTable virt_chain_state = {
    .name = "request",
    .version = 1,
    .oldest = 1,
    .fields = chain_fields,
    .create = chain_state_create,
};

void
virt_chain_state_free(VirtChainState *state)
{
    if (!state)
        return;
    g_clear_pointer(&state->buffers, g_byte_array_unref);
    g_free(state);
}

VirtChainState *
virtqueue_hold(const VirtQueue *queue, const VirtChain *chain)
{
    VirtChainState *state = chain_state_create();

    g_assert(chain->popped);
    state->queue = queue->index;
    state->id = chain->id;
    state->n_descriptors = chain->n_descriptors;
    state->buffers = g_byte_array_new();
    for (size_t i = 0; i < chain->n_out + chain->n_in; i++) {
        HeldBuffer buffer = {
            .address = guest_memory_address(queue->memory, chain->store[i].iov_base),
            .len = chain->store[i].iov_len,
            .write = i >= chain->n_out,
        };
        g_byte_array_append(state->buffers, (const uint8_t *)&buffer, sizeof(buffer));
    }
    return state;
}

bool
virtqueue_take_back(VirtQueue *queue, const VirtChainState *state, VirtChain *chain)
{
    uint32_t slots = queue->packed ? state->n_descriptors : 1;
    size_t len = state->buffers ? state->buffers->len : 0;

    bool started = queue->device->status & VIRTIO_CONFIG_S_DRIVER_OK;

    g_assert(!chain->popped);
    if (!started || !queue->enabled || !slots || queue->in_flight + slots > queue->setup.size)
        return false;
    if (!queue->packed && state->id >= queue->setup.size) /* a packed ring's ids are whatever the driver likes */
        return false;
    virt_chain_begin(chain);
    for (size_t at = 0; at < len; at += sizeof(HeldBuffer)) {
        HeldBuffer buffer;
        if (len - at < sizeof(buffer))
            return false;
        memcpy(&buffer, state->buffers->data + at, sizeof(buffer));
        if (!virt_chain_add(chain, queue, buffer.address, buffer.len, buffer.write))
            return false;
    }
    chain->id = state->id;
    chain->n_descriptors = state->n_descriptors;
    virt_chain_complete(chain);
    queue->in_flight += slots;
    return true;
}
