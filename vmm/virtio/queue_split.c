/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Split rings (virtio 1.2, 2.7): a descriptor table, the driver's avail ring, the device's used ring.
 *
 * With the event index the driver is asked for a kick only once the device finds the ring empty: while a batch is being
 * worked through, new requests cost the guest no exit.
 */
#include "vmm/virtio/queue_private.h"

/* virtio 1.2, 2.7: bytes of each area; the last two hold the event index. */
#define SPLIT_AVAIL_SIZE(n) (6 + 2 * (uint64_t)(n))
#define SPLIT_USED_SIZE(n) (6 + 8 * (uint64_t)(n))

/* Where the driver says at which used index it wants an interrupt, and the device at which avail index a kick. */
static uint16_t *
used_event(const VirtQueue *queue)
{
    return &queue->avail->ring[queue->setup.size];
}

static uint16_t *
avail_event(const VirtQueue *queue)
{
    return (uint16_t *)&queue->used->ring[queue->setup.size];
}

bool
virtqueue_split_resolve(VirtQueue *queue)
{
    const VirtQueueSetup *setup = &queue->setup;

    if (setup->size & (setup->size - 1))
        return virtqueue_break(queue, "%u slots, not a power of two", setup->size);
    if (setup->descriptors % 16 || setup->driver % 2 || setup->device % 4)
        return virtqueue_break(queue, "its rings are not aligned");
    queue->split_descriptors =
        (void *)guest_memory_at(queue->memory, setup->descriptors, sizeof(struct vring_desc) * setup->size);
    queue->avail = (void *)guest_memory_at(queue->memory, setup->driver, SPLIT_AVAIL_SIZE(setup->size));
    queue->used = (void *)guest_memory_at(queue->memory, setup->device, SPLIT_USED_SIZE(setup->size));
    if (!queue->split_descriptors || !queue->avail || !queue->used)
        return virtqueue_break(queue, "its rings are not wholly in RAM");
    return true;
}

/* How many requests the driver has made available; negative where it cannot be, and then none of them counts. */
static int
split_ahead(VirtQueue *queue)
{
    uint16_t index = ring_load_acquire(&queue->avail->idx);
    uint16_t ahead = index - queue->avail_index;
    if (ahead > queue->setup.size)
        return -1;
    queue->avail_seen = index;
    return ahead;
}

void
virtqueue_split_ask_kicks(VirtQueue *queue)
{
    if (queue->event_index) {
        /* none wanted: an index the driver is past already */
        ring_store(avail_event(queue), queue->avail_index - !queue->kicks_wanted);
        guest_memory_dirty(queue->memory, avail_event(queue), sizeof(uint16_t));
        queue->kicks_armed = queue->kicks_wanted;
    } else {
        ring_store(&queue->used->flags, queue->kicks_wanted ? 0 : VRING_USED_F_NO_NOTIFY);
        guest_memory_dirty(queue->memory, &queue->used->flags, sizeof(uint16_t));
    }
}

/* Whether there is a request to take. Where not, the driver is told to kick for the next one. */
static bool
split_refill(VirtQueue *queue)
{
    int ahead = split_ahead(queue);
    if (ahead == 0 && queue->event_index && queue->kicks_wanted && !queue->kicks_armed) {
        virtqueue_split_ask_kicks(queue);
        ring_fence();
        ahead = split_ahead(queue);
    }
    if (ahead < 0)
        return virtqueue_break(queue, "the driver's index is more than its %u slots ahead of %u", queue->setup.size,
                               queue->avail_index);
    return ahead > 0;
}

bool
virtqueue_split_has_work(VirtQueue *queue)
{
    return queue->avail_seen != queue->avail_index || split_ahead(queue) != 0;
}

/*
 * Walks the chain that starts at @head of a table of @n descriptors. A chain longer than its table is a loop. Descends
 * once: a table of indirect descriptors may not refer to another.
 */
static bool
split_walk(VirtQueue *queue, VirtChain *chain, const uint8_t *table, uint32_t n, uint16_t head, bool nested)
{
    uint32_t at = head;

    for (uint32_t walked = 0; walked < n; walked++) {
        if (at >= n)
            return virtqueue_break(queue, "descriptor %u of %u", at, n);
        RingDescriptor descriptor = ring_descriptor(table + at * sizeof(struct vring_desc), false);
        if (descriptor.flags & VRING_DESC_F_INDIRECT) {
            if (nested || !queue->indirect || (descriptor.flags & VRING_DESC_F_NEXT))
                return virtqueue_break(queue, "an indirect descriptor where none is allowed");
            uint32_t n_indirect;
            const uint8_t *indirect = virtqueue_indirect_table(queue, descriptor.address, descriptor.len, &n_indirect);
            return indirect && split_walk(queue, chain, indirect, n_indirect, 0, true);
        }
        if (!virt_chain_add(chain, queue, descriptor.address, descriptor.len, descriptor.flags & VRING_DESC_F_WRITE))
            return false;
        if (!(descriptor.flags & VRING_DESC_F_NEXT))
            return true;
        at = descriptor.link;
    }
    return virtqueue_break(queue, "a chain that loops, or is longer than its table of %u", n);
}

bool
virtqueue_split_pop(VirtQueue *queue, VirtChain *chain)
{
    uint16_t size = queue->setup.size;

    if (queue->avail_seen == queue->avail_index && !split_refill(queue))
        return false;
    if (queue->in_flight >= size)
        return virtqueue_break(queue, "more than its %u slots are in flight", size);
    uint16_t head = ring_load(&queue->avail->ring[queue->avail_index & (size - 1)]);
    virt_chain_begin(chain);
    if (!split_walk(queue, chain, (const uint8_t *)queue->split_descriptors, size, head, false))
        return false;
    chain->id = head;
    virt_chain_complete(chain);
    queue->avail_index++;
    queue->in_flight++;
    queue->kicks_armed = false;
    return true;
}

void
virtqueue_split_unpop(VirtQueue *queue, const VirtChain *chain)
{
    queue->avail_index--;
    queue->in_flight--;
}

void
virtqueue_split_push(VirtQueue *queue, const VirtChain *chains, const uint32_t *written, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct vring_used_elem *element = &queue->used->ring[queue->used_index & (queue->setup.size - 1)];
        ring_store(&element->id, chains[i].id);
        ring_store(&element->len, written[i]);
        guest_memory_dirty(queue->memory, element, sizeof(*element));
        queue->used_index++;
    }
    ring_store_release(&queue->used->idx, queue->used_index);
    guest_memory_dirty(queue->memory, &queue->used->idx, sizeof(uint16_t));
    queue->in_flight -= n;
    queue->unnotified += n;
}

bool
virtqueue_split_wants_interrupt(VirtQueue *queue)
{
    if (!queue->event_index)
        return !(ring_load(&queue->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
    if (queue->unnotified > UINT16_MAX)
        return true;
    uint16_t old = queue->used_index - queue->unnotified;
    return vring_need_event(ring_load(used_event(queue)), queue->used_index, old);
}
