/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packed rings (virtio 1.2, 2.8): one ring of descriptors that both sides write, and two small event structures.
 *
 * A slot's AVAIL and USED flags, compared with a wrap counter that flips each time an index passes the ring's end, say
 * whose it is. Kicks are asked for as in queue_split.c.
 */
#include "vmm/virtio/queue_private.h"

#define PACKED_AVAIL (1 << VRING_PACKED_DESC_F_AVAIL)
#define PACKED_USED (1 << VRING_PACKED_DESC_F_USED)
#define PACKED_SIZE_MAX 32768 /* virtio 1.2, 2.8.10.1 */

bool
virtqueue_packed_resolve(VirtQueue *queue)
{
    const VirtQueueSetup *setup = &queue->setup;

    G_STATIC_ASSERT(VIRTQUEUE_SIZE_MAX <= PACKED_SIZE_MAX);
    if (setup->descriptors % 16 || setup->driver % 4 || setup->device % 4)
        return virtqueue_break(queue, "its rings are not aligned");
    queue->packed_descriptors =
        (void *)guest_memory_at(queue->memory, setup->descriptors, sizeof(struct vring_packed_desc) * setup->size);
    queue->driver_event = (void *)guest_memory_at(queue->memory, setup->driver, sizeof(struct vring_packed_desc_event));
    queue->device_event = (void *)guest_memory_at(queue->memory, setup->device, sizeof(struct vring_packed_desc_event));
    if (!queue->packed_descriptors || !queue->driver_event || !queue->device_event)
        return virtqueue_break(queue, "its rings are not wholly in RAM");
    return true;
}

/* Both halves of an event structure, read and written as one: off_wrap in the low half, flags in the high one. */
static uint32_t
event_load(const struct vring_packed_desc_event *event)
{
    return ring_load((const uint32_t *)event);
}

static void
event_store(VirtQueue *queue, uint16_t off_wrap, uint16_t flags)
{
    ring_store((uint32_t *)queue->device_event, off_wrap | (uint32_t)flags << 16);
    guest_memory_dirty(queue->memory, queue->device_event, sizeof(uint32_t));
}

/* Moves an index @by slots, flipping its wrap counter at the ring's end. */
static void
packed_advance(const VirtQueue *queue, uint16_t *index, bool *wrap, uint16_t by)
{
    uint32_t next = (uint32_t)*index + by;
    if (next >= queue->setup.size) {
        next -= queue->setup.size;
        *wrap = !*wrap;
    }
    *index = next;
}

static bool
is_available(const VirtQueue *queue, uint16_t flags)
{
    return !!(flags & PACKED_AVAIL) == queue->avail_wrap && !!(flags & PACKED_USED) != queue->avail_wrap;
}

bool
virtqueue_packed_has_work(VirtQueue *queue)
{
    return is_available(queue, ring_load_acquire(&queue->packed_descriptors[queue->avail_index].flags));
}

void
virtqueue_packed_ask_kicks(VirtQueue *queue)
{
    if (!queue->kicks_wanted) {
        event_store(queue, 0, VRING_PACKED_EVENT_FLAG_DISABLE);
    } else if (queue->event_index) {
        event_store(queue, queue->avail_index | queue->avail_wrap << VRING_PACKED_EVENT_F_WRAP_CTR,
                    VRING_PACKED_EVENT_FLAG_DESC);
        queue->kicks_armed = true;
    } else {
        event_store(queue, 0, VRING_PACKED_EVENT_FLAG_ENABLE);
    }
}

/* The flags of the next slot, if it is the device's to take. Where not, the driver is told to kick for the next one. */
static bool
packed_next(VirtQueue *queue, uint16_t *flags)
{
    const uint16_t *place = &queue->packed_descriptors[queue->avail_index].flags;

    *flags = ring_load_acquire(place);
    if (is_available(queue, *flags))
        return true;
    if (!queue->event_index || !queue->kicks_wanted || queue->kicks_armed)
        return false;
    virtqueue_packed_ask_kicks(queue);
    ring_fence();
    *flags = ring_load_acquire(place);
    return is_available(queue, *flags);
}

/* A table of indirect descriptors: all of it, in order; only the WRITE flag means anything (virtio 1.2, 2.8.5). */
static bool
packed_walk_indirect(VirtQueue *queue, VirtChain *chain, uint64_t address, uint32_t len)
{
    uint32_t n;
    const uint8_t *table = virtqueue_indirect_table(queue, address, len, &n);
    if (!table)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        RingDescriptor descriptor = ring_descriptor(table + i * sizeof(struct vring_packed_desc), true);
        if (descriptor.flags & VRING_DESC_F_INDIRECT)
            return virtqueue_break(queue, "an indirect descriptor where none is allowed");
        if (!virt_chain_add(chain, queue, descriptor.address, descriptor.len, descriptor.flags & VRING_DESC_F_WRITE))
            return false;
    }
    return true;
}

/* Walks the list that starts at the next slot, whose flags were read already, and notes its length and its id. */
static bool
packed_walk(VirtQueue *queue, VirtChain *chain, uint16_t flags)
{
    uint16_t at = queue->avail_index;
    bool wrap = queue->avail_wrap;

    for (uint16_t walked = 1; walked <= queue->setup.size; walked++) {
        RingDescriptor descriptor = ring_descriptor(&queue->packed_descriptors[at], true);
        if (walked == 1)
            descriptor.flags = flags; /* those that were found available */
        chain->id = descriptor.link;  /* the last of a list carries it (virtio 1.2, 2.8.6) */
        chain->n_descriptors = walked;
        if (descriptor.flags & VRING_DESC_F_INDIRECT) {
            if (walked > 1 || !queue->indirect || (descriptor.flags & VRING_DESC_F_NEXT))
                return virtqueue_break(queue, "an indirect descriptor where none is allowed");
            return packed_walk_indirect(queue, chain, descriptor.address, descriptor.len);
        }
        if (!virt_chain_add(chain, queue, descriptor.address, descriptor.len, descriptor.flags & VRING_DESC_F_WRITE))
            return false;
        if (!(descriptor.flags & VRING_DESC_F_NEXT))
            return true;
        packed_advance(queue, &at, &wrap, 1);
    }
    return virtqueue_break(queue, "a chain longer than the ring's %u slots", queue->setup.size);
}

bool
virtqueue_packed_pop(VirtQueue *queue, VirtChain *chain)
{
    uint16_t flags;

    if (!packed_next(queue, &flags))
        return false;
    virt_chain_begin(chain);
    if (!packed_walk(queue, chain, flags))
        return false;
    if (queue->in_flight + chain->n_descriptors > queue->setup.size)
        return virtqueue_break(queue, "more than its %u slots are in flight", queue->setup.size);
    virt_chain_complete(chain);
    packed_advance(queue, &queue->avail_index, &queue->avail_wrap, chain->n_descriptors);
    queue->in_flight += chain->n_descriptors;
    queue->kicks_armed = false;
    return true;
}

void
virtqueue_packed_unpop(VirtQueue *queue, const VirtChain *chain)
{
    /* back by n is forward by size - n with the counter flipped once more */
    queue->avail_wrap = !queue->avail_wrap;
    packed_advance(queue, &queue->avail_index, &queue->avail_wrap, queue->setup.size - chain->n_descriptors);
    queue->in_flight -= chain->n_descriptors;
}

/* Writes a request's used descriptor but for its flags, which give it to the driver and are returned. */
static uint16_t
packed_give(VirtQueue *queue, const VirtChain *chain, uint32_t written, struct vring_packed_desc **place)
{
    uint16_t flags = queue->used_wrap ? PACKED_AVAIL | PACKED_USED : 0;

    if (written)
        flags |= VRING_DESC_F_WRITE; /* says that len means something (virtio 1.2, 2.8.4) */
    *place = &queue->packed_descriptors[queue->used_index];
    ring_store(&(*place)->id, chain->id);
    ring_store(&(*place)->len, written);
    packed_advance(queue, &queue->used_index, &queue->used_wrap, chain->n_descriptors);
    queue->in_flight -= chain->n_descriptors;
    queue->unnotified += chain->n_descriptors;
    return flags;
}

/* The driver reads used descriptors in order, so it sees none of them before the first one's flags. */
void
virtqueue_packed_push(VirtQueue *queue, const VirtChain *chains, const uint32_t *written, size_t n)
{
    struct vring_packed_desc *first, *place;
    uint16_t first_flags = packed_give(queue, &chains[0], written[0], &first);

    for (size_t i = 1; i < n; i++) {
        uint16_t flags = packed_give(queue, &chains[i], written[i], &place);
        ring_store(&place->flags, flags);
        guest_memory_dirty(queue->memory, place, sizeof(*place));
    }
    ring_store_release(&first->flags, first_flags);
    guest_memory_dirty(queue->memory, first, sizeof(*first));
}

bool
virtqueue_packed_wants_interrupt(VirtQueue *queue)
{
    uint32_t event = event_load(queue->driver_event);
    uint16_t flags = event >> 16;

    if (flags != VRING_PACKED_EVENT_FLAG_DESC || !queue->event_index)
        return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
    if (queue->unnotified >= queue->setup.size)
        return true; /* all slots were passed, the driver's among them */
    uint16_t at = event & ~(1 << VRING_PACKED_EVENT_F_WRAP_CTR);
    bool wrap = (event >> VRING_PACKED_EVENT_F_WRAP_CTR) & 1;
    if (wrap != queue->used_wrap)
        at -= queue->setup.size;
    return vring_need_event(at, queue->used_index, queue->used_index - queue->unnotified);
}
