/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtqueue: set-up by the transport, and the calls devices make, handed to the split or the packed ring.
 */
#include "vmm/virtio/queue_private.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

VirtQueue *
virtqueue_new(VirtioDevice *device, unsigned index, uint16_t size)
{
    g_assert(size && size <= VIRTQUEUE_SIZE_MAX && !(size & (size - 1)));

    VirtQueue *queue = g_new0(VirtQueue, 1);
    queue->device = device;
    queue->memory = device->memory;
    queue->index = index;
    queue->size_max = size;
    queue->call_fd = -1;
    queue->kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (queue->kick_fd < 0)
        g_error("virtqueue: eventfd: %s: raise the limit of open files", g_strerror(errno));
    virtqueue_reset(queue);
    return queue;
}

void
virtqueue_free(VirtQueue *queue)
{
    if (!queue)
        return;
    close(queue->kick_fd);
    g_free(queue);
}

void
virtqueue_reset(VirtQueue *queue)
{
    eventfd_t kicks;

    (void)!eventfd_read(queue->kick_fd, &kicks);
    queue->setup = (VirtQueueSetup){.size = queue->size_max};
    queue->enabled = queue->running = false;
    queue->split_descriptors = NULL;
    queue->avail = NULL;
    queue->used = NULL;
    queue->call_fd = -1;
}

const VirtQueueSetup *
virtqueue_setup(const VirtQueue *queue)
{
    return &queue->setup;
}

void
virtqueue_set_setup(VirtQueue *queue, const VirtQueueSetup *setup)
{
    if (!queue->enabled)
        queue->setup = *setup;
}

bool
virtqueue_enabled(const VirtQueue *queue)
{
    return queue->enabled;
}

bool
virtqueue_break(VirtQueue *queue, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *why = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    virtio_device_break(queue->device, "queue %u: %s", queue->index, why);
    return false;
}

/* Takes the rings' shape from the negotiated features and finds their host addresses. */
static bool
queue_resolve(VirtQueue *queue)
{
    VirtioDevice *device = queue->device;

    queue->packed = virtio_device_has(device, VIRTIO_F_RING_PACKED);
    queue->event_index = virtio_device_has(device, VIRTIO_RING_F_EVENT_IDX);
    queue->indirect = virtio_device_has(device, VIRTIO_RING_F_INDIRECT_DESC);
    if (!queue->setup.size || queue->setup.size > queue->size_max)
        return virtqueue_break(queue, "%u slots of at most %u", queue->setup.size, queue->size_max);
    return queue->packed ? virtqueue_packed_resolve(queue) : virtqueue_split_resolve(queue);
}

static void
queue_begin(VirtQueue *queue)
{
    queue->avail_index = queue->used_index = queue->avail_seen = 0;
    queue->avail_wrap = queue->used_wrap = true;
    queue->in_flight = 0;
    queue->unnotified = 0;
    queue->kicks_wanted = true;
    queue->kicks_armed = false;
}

void
virtqueue_enable(VirtQueue *queue)
{
    VirtioDevice *device = queue->device;

    if (queue->enabled || (device->status & VIRTIO_CONFIG_S_DRIVER_OK) || virtio_device_is_broken(device))
        return;
    if (!(device->status & VIRTIO_CONFIG_S_FEATURES_OK)) {
        virtqueue_break(queue, "enabled before the features are agreed");
        return;
    }
    queue_begin(queue);
    queue->enabled = queue_resolve(queue);
}

void
virtqueue_set_running(VirtQueue *queue, bool running)
{
    queue->running = running && queue->enabled;
    if (!queue->running)
        return;
    /* After a pause or a load the other side may have moved on unseen. */
    queue->kicks_armed = false;
    queue->avail_seen = queue->avail_index;
    if (queue->packed)
        virtqueue_packed_ask_kicks(queue);
    else
        virtqueue_split_ask_kicks(queue);
    queue->kicks_armed = false;
}

void
virtqueue_set_call_fd(VirtQueue *queue, int fd)
{
    queue->call_fd = fd;
}

const void *
virtqueue_indirect_table(VirtQueue *queue, uint64_t address, uint32_t len, uint32_t *n_descriptors)
{
    G_STATIC_ASSERT(sizeof(struct vring_desc) == sizeof(struct vring_packed_desc));
    uint32_t n = len / sizeof(struct vring_desc);

    if (!len || len % sizeof(struct vring_desc) || n > VIRT_CHAIN_MAX) {
        virtqueue_break(queue, "a table of indirect descriptors of %u bytes", len);
        return NULL;
    }
    const void *table = guest_memory_at(queue->memory, address, len);
    if (!table)
        virtqueue_break(queue, "a table of indirect descriptors at 0x%" G_GINT64_MODIFIER "x is not in RAM", address);
    *n_descriptors = n;
    return table;
}

static bool
queue_yields(const VirtQueue *queue)
{
    return queue->running && !virtio_device_is_broken(queue->device);
}

bool
virtqueue_pop(VirtQueue *queue, VirtChain *chain)
{
    g_assert(!chain->popped);
    if (!queue_yields(queue))
        return false;
    return queue->packed ? virtqueue_packed_pop(queue, chain) : virtqueue_split_pop(queue, chain);
}

void
virtqueue_push_many(VirtQueue *queue, VirtChain *chains, const uint32_t *written, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        g_assert(chains[i].popped && written[i] <= chains[i].in_len);
        chains[i].popped = false;
    }
    if (!n || virtio_device_is_broken(queue->device))
        return;
    g_assert(queue->running); /* a stopped device gave everything back, or the request would be lost */
    for (size_t i = 0; i < n; i++)
        virt_chain_dirty(&chains[i], queue->memory, written[i]);
    if (queue->packed)
        virtqueue_packed_push(queue, chains, written, n);
    else
        virtqueue_split_push(queue, chains, written, n);
}

void
virtqueue_push(VirtQueue *queue, VirtChain *chain, uint32_t written)
{
    virtqueue_push_many(queue, chain, &written, 1);
}

void
virtqueue_unpop(VirtQueue *queue, VirtChain *chain)
{
    g_assert(chain->popped);
    chain->popped = false;
    if (queue->packed)
        virtqueue_packed_unpop(queue, chain);
    else
        virtqueue_split_unpop(queue, chain);
}

void
virtqueue_notify(VirtQueue *queue)
{
    if (!queue->unnotified || !queue_yields(queue))
        return;
    ring_fence(); /* the used index before the question */
    bool wanted = queue->packed ? virtqueue_packed_wants_interrupt(queue) : virtqueue_split_wants_interrupt(queue);
    queue->unnotified = 0;
    if (wanted)
        queue->device->transport_ops->notify_queue(queue->device->transport, queue);
}

bool
virtqueue_set_kicks(VirtQueue *queue, bool wanted)
{
    if (!queue_yields(queue))
        return false;
    queue->kicks_wanted = wanted;
    queue->kicks_armed = false;
    if (queue->packed)
        virtqueue_packed_ask_kicks(queue);
    else
        virtqueue_split_ask_kicks(queue);
    if (!wanted)
        return false;
    ring_fence();
    return virtqueue_has_work(queue);
}

bool
virtqueue_has_work(VirtQueue *queue)
{
    if (!queue_yields(queue))
        return false;
    return queue->packed ? virtqueue_packed_has_work(queue) : virtqueue_split_has_work(queue);
}

unsigned
virtqueue_index(const VirtQueue *queue)
{
    return queue->index;
}

VirtioDevice *
virtqueue_device(const VirtQueue *queue)
{
    return queue->device;
}

bool
virtqueue_ready(const VirtQueue *queue)
{
    return queue_yields(queue);
}

int
virtqueue_kick_fd(const VirtQueue *queue)
{
    return queue->kick_fd;
}

int
virtqueue_call_fd(const VirtQueue *queue)
{
    return queue->call_fd;
}

void
virtqueue_get_rings(const VirtQueue *queue, VirtQueueRings *rings)
{
    *rings = (VirtQueueRings){
        .descriptors = queue->setup.descriptors,
        .driver = queue->setup.driver,
        .device = queue->setup.device,
        .size = queue->setup.size,
        .packed = queue->packed,
        .avail_index = queue->avail_index,
        .used_index = queue->used_index,
    };
    if (queue->packed) {
        rings->avail_index |= queue->avail_wrap << VRING_PACKED_EVENT_F_WRAP_CTR;
        rings->used_index |= queue->used_wrap << VRING_PACKED_EVENT_F_WRAP_CTR;
    }
}

/* Puts an index as VirtQueueRings has it into a packed queue's two fields. */
static void
packed_set_index(const VirtQueue *queue, uint16_t from, uint16_t *index, bool *wrap)
{
    *index = (from & ~(1 << VRING_PACKED_EVENT_F_WRAP_CTR)) % queue->setup.size;
    *wrap = from >> VRING_PACKED_EVENT_F_WRAP_CTR;
}

void
virtqueue_set_indices(VirtQueue *queue, uint16_t avail_index, uint16_t used_index)
{
    if (queue->packed) {
        packed_set_index(queue, avail_index, &queue->avail_index, &queue->avail_wrap);
        packed_set_index(queue, used_index, &queue->used_index, &queue->used_wrap);
    } else {
        queue->avail_index = avail_index;
        queue->used_index = used_index;
    }
    queue->avail_seen = queue->avail_index;
    queue->in_flight = 0;
    queue->kicks_armed = false;
}

/* --- saved state ------------------------------------------------------------------------------------------------ */

void
virtqueue_save(const VirtQueue *queue, VirtQueueState *state)
{
    VirtQueueRings rings;

    virtqueue_get_rings(queue, &rings);
    /* what is in flight stands in the class's state and is counted again as it is taken back */
    *state = (VirtQueueState){
        .descriptors = rings.descriptors,
        .driver = rings.driver,
        .device = rings.device,
        .size = rings.size,
        .enabled = queue->enabled,
        .avail_index = rings.avail_index,
        .used_index = rings.used_index,
        .unnotified = queue->unnotified,
    };
}

bool
virtqueue_load(VirtQueue *queue, const VirtQueueState *state)
{
    queue->setup = (VirtQueueSetup){
        .descriptors = state->descriptors,
        .driver = state->driver,
        .device = state->device,
        .size = state->size,
    };
    if (!state->enabled)
        return true;
    queue_begin(queue);
    if (!queue_resolve(queue))
        return false;
    virtqueue_set_indices(queue, state->avail_index, state->used_index);
    queue->unnotified = state->unnotified;
    queue->enabled = true;
    return true;
}

static const StateField virtqueue_fields[] = {
    STATE_UINT(VirtQueueState, descriptors, 1),
    STATE_UINT(VirtQueueState, driver, 1),
    STATE_UINT(VirtQueueState, device, 1),
    STATE_UINT(VirtQueueState, size, 1),
    STATE_BOOL(VirtQueueState, enabled, 1),
    STATE_UINT(VirtQueueState, avail_index, 1),
    STATE_UINT(VirtQueueState, used_index, 1),
    STATE_UINT(VirtQueueState, unnotified, 1),
    STATE_END,
};

static void *
virtqueue_state_create(void)
{
    return g_new0(VirtQueueState, 1);
}

const StateTable virtqueue_state = {
    .name = "virtqueue",
    .version = 1,
    .oldest = 1,
    .fields = virtqueue_fields,
    .create = virtqueue_state_create,
};
