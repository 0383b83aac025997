/* SPDX-License-Identifier: Apache-2.0 */
/* Both ring layouts behind one interface; what differs is in a pair of small functions each. */
#include "virtqueue.h"
#include "clock.h"
#include "cpu.h"
#include "start.h"
#include "text.h"

#define EVENT_ALWAYS 0
#define EVENT_NEVER 1
#define EVENT_AT 2
#define SPLIT_NO_INTERRUPT 1
#define SPLIT_NO_NOTIFY 1
#define WRAP (1u << 15)

const VirtMode virt_modes[] = {
    {"split", 0},
    {"split, event index", VIRTIO_F_EVENT_INDEX},
    {"split, indirect", VIRTIO_F_INDIRECT},
    {"split, indirect, event index", VIRTIO_F_INDIRECT | VIRTIO_F_EVENT_INDEX},
    {"packed", VIRTIO_F_PACKED},
    {"packed, event index", VIRTIO_F_PACKED | VIRTIO_F_EVENT_INDEX},
    {"packed, indirect", VIRTIO_F_PACKED | VIRTIO_F_INDIRECT},
    {"packed, indirect, event index", VIRTIO_F_PACKED | VIRTIO_F_INDIRECT | VIRTIO_F_EVENT_INDEX},
};

static volatile uint16_t *
used_event(VirtQueue *queue)
{
    return &queue->available->ring[queue->size];
}

static volatile uint16_t *
available_event(VirtQueue *queue)
{
    return (volatile uint16_t *)&queue->used->ring[queue->size];
}

static uint64_t
pages_for(uint64_t bytes)
{
    return (bytes + PAGE_SIZE - 1) / PAGE_SIZE;
}

static void
allocate_rings(VirtQueue *queue)
{
    uint64_t n = queue->size;

    queue->descriptors = pages_allocate(pages_for(16 * n));
    queue->available = pages_allocate(pages_for(6 + 2 * n));
    queue->used = pages_allocate(pages_for(6 + 8 * n));
    queue->next_free = pages_allocate(pages_for(4 * n));
    queue->lengths = queue->next_free + n;
    /* Not so after a reset: memory is as the last life left it. */
    memset((void *)queue->descriptors, 0, 16 * n);
    memset((void *)queue->available, 0, 6 + 2 * n);
    memset((void *)queue->used, 0, 6 + 8 * n);
    if (queue->indirect)
        queue->indirect_tables = pages_allocate(pages_for(16 * n * VIRTQUEUE_INDIRECT_MAX));
    for (uint16_t i = 0; i < n; i++)
        queue->next_free[i] = i + 1;
}

static void
write_address(uint64_t at, const volatile void *ring)
{
    mmio_write32(at, (uint64_t)ring);
    mmio_write32(at + 4, (uint64_t)ring >> 32);
}

bool
virtqueue_init(VirtQueue *queue, VirtioDevice *device, uint16_t index, uint16_t size, uint16_t vector)
{
    uint16_t most = virtio_queue_size(device, index);

    if (!most)
        return false;
    *queue = (VirtQueue){
        .device = device,
        .index = index,
        .size = size ? size : most,
        .packed = device->features & VIRTIO_F_PACKED,
        .event_index = device->features & VIRTIO_F_EVENT_INDEX,
        .indirect = device->features & VIRTIO_F_INDIRECT,
        .notify = virtio_notify_address(device, index),
        .wrap = true,
        .used_wrap = true,
    };
    queue->n_free = queue->size;
    allocate_rings(queue);

    uint64_t common = device->common;
    mmio_write16(common + VIRTIO_COMMON_QUEUE_SELECT, index);
    mmio_write16(common + VIRTIO_COMMON_QUEUE_SIZE, queue->size);
    write_address(common + VIRTIO_COMMON_QUEUE_DESCRIPTORS, queue->descriptors);
    write_address(common + VIRTIO_COMMON_QUEUE_DRIVER, queue->available);
    write_address(common + VIRTIO_COMMON_QUEUE_DEVICE, queue->used);
    mmio_write16(common + VIRTIO_COMMON_QUEUE_VECTOR, vector);
    if (mmio_read16(common + VIRTIO_COMMON_QUEUE_VECTOR) != vector)
        return false;
    mmio_write16(common + VIRTIO_COMMON_QUEUE_ENABLE, 1);
    return true;
}

static void
add_split(VirtQueue *queue, unsigned id, const VirtDescriptor *chain, unsigned n)
{
    for (unsigned i = 0, at = id; i < n; i++, at = queue->next_free[at]) {
        queue->descriptors[at].address = chain[i].address;
        queue->descriptors[at].length = chain[i].length;
        queue->descriptors[at].flags = chain[i].flags | (i + 1 < n ? VIRT_NEXT : 0);
        queue->descriptors[at].next = queue->next_free[at];
        queue->free_head = queue->next_free[at];
    }
    queue->available->ring[queue->next_available % queue->size] = id;
    barrier_write();
    queue->available->index = ++queue->next_available;
}

static void
add_packed(VirtQueue *queue, unsigned id, const VirtDescriptor *chain, unsigned n)
{
    uint16_t first = queue->next_available, first_flags = 0;

    for (unsigned i = 0; i < n; i++) {
        volatile VirtPackedDescriptor *descriptor = &queue->ring[queue->next_available];
        uint16_t flags = chain[i].flags | (i + 1 < n ? VIRT_NEXT : 0);
        flags |= queue->wrap ? VIRT_PACKED_AVAILABLE : VIRT_PACKED_USED;
        descriptor->address = chain[i].address;
        descriptor->length = chain[i].length;
        descriptor->id = id;
        if (i == 0)
            first_flags = flags;
        else
            descriptor->flags = flags;
        if (++queue->next_available == queue->size) {
            queue->next_available = 0;
            queue->wrap = !queue->wrap;
        }
    }
    queue->free_head = queue->next_free[id];
    /* The first descriptor last: only then does the device see the chain, and whole. */
    barrier_write();
    queue->ring[first].flags = first_flags;
}

/* An indirect table of the id's own; one descriptor points to it. */
static VirtDescriptor
fill_indirect(VirtQueue *queue, unsigned id, const VirtDescriptor *chain, unsigned n)
{
    VirtDescriptor *table = (VirtDescriptor *)queue->indirect_tables + id * VIRTQUEUE_INDIRECT_MAX;

    for (unsigned i = 0; i < n; i++) {
        table[i] = chain[i];
        if (queue->packed) {
            VirtPackedDescriptor *packed = (VirtPackedDescriptor *)&table[i];
            packed->id = 0;
            packed->flags = chain[i].flags;
        } else if (i + 1 < n) {
            table[i].flags |= VIRT_NEXT;
            table[i].next = i + 1;
        }
    }
    return (VirtDescriptor){(uint64_t)table, n * sizeof(*table), VIRT_INDIRECT, 0};
}

int
virtqueue_add(VirtQueue *queue, const VirtBuffer *buffers, unsigned n_readable, unsigned n_writable)
{
    VirtDescriptor chain[VIRTQUEUE_INDIRECT_MAX];
    unsigned n = n_readable + n_writable, id = queue->free_head;
    bool indirect = queue->indirect && n > 1;

    if (n > VIRTQUEUE_INDIRECT_MAX || queue->n_free < (indirect ? 1 : n))
        return -1;
    for (unsigned i = 0; i < n; i++) {
        uint16_t flags = i < n_readable ? 0 : VIRT_WRITE;
        chain[i] = (VirtDescriptor){(uint64_t)buffers[i].data, buffers[i].length, flags, 0};
    }
    if (indirect) {
        chain[0] = fill_indirect(queue, id, chain, n);
        n = 1;
    }
    queue->lengths[id] = n;
    queue->n_free -= n;
    if (queue->packed)
        add_packed(queue, id, chain, n);
    else
        add_split(queue, id, chain, n);
    queue->kicked += queue->packed ? n : 1; /* in the unit its event index counts */
    return id;
}

static bool
wants_kick_split(VirtQueue *queue)
{
    if (!queue->event_index)
        return !(queue->used->flags & SPLIT_NO_NOTIFY);
    /* virtio 1.2, 2.7.10: whether the event lies in what was added. */
    uint16_t now = queue->next_available, event = *available_event(queue);
    return (uint16_t)(now - event - 1) < queue->kicked;
}

static bool
wants_kick_packed(VirtQueue *queue)
{
    uint16_t flags = queue->device_event->flags, offset = queue->device_event->offset;

    if (flags != EVENT_AT)
        return flags == EVENT_ALWAYS;
    uint16_t event = offset & (WRAP - 1);
    if ((offset >> 15) != queue->wrap)
        event -= queue->size;
    return (uint16_t)(queue->next_available - event - 1) < queue->kicked;
}

void
virtqueue_kick_always(VirtQueue *queue)
{
    queue->kicked = 0;
    mmio_write16(queue->notify, queue->index);
}

bool
virtqueue_kick(VirtQueue *queue)
{
    barrier_full();
    bool wanted = queue->packed ? wants_kick_packed(queue) : wants_kick_split(queue);
    queue->kicked = 0;
    if (wanted)
        virtqueue_kick_always(queue);
    return wanted;
}

static int
used_split(VirtQueue *queue, uint32_t *length)
{
    if (queue->used->index == queue->next_used)
        return -1;
    barrier_write();
    unsigned id = queue->used->ring[queue->next_used % queue->size].id;
    if (length)
        *length = queue->used->ring[queue->next_used % queue->size].length;
    queue->next_used++;
    if (id >= queue->size)
        return -1;

    unsigned last = id;
    for (unsigned i = 1; i < queue->lengths[id]; i++)
        last = queue->next_free[last];
    queue->next_free[last] = queue->free_head;
    return id;
}

static int
used_packed(VirtQueue *queue, uint32_t *length)
{
    volatile VirtPackedDescriptor *descriptor = &queue->ring[queue->next_used];
    uint16_t flags = descriptor->flags;
    bool available = flags & VIRT_PACKED_AVAILABLE, used = flags & VIRT_PACKED_USED;

    if (available != used || used != queue->used_wrap)
        return -1;
    barrier_write();
    unsigned id = descriptor->id;
    if (length)
        *length = descriptor->length;
    if (id >= queue->size)
        return -1;

    queue->next_used += queue->lengths[id];
    if (queue->next_used >= queue->size) {
        queue->next_used -= queue->size;
        queue->used_wrap = !queue->used_wrap;
    }
    queue->next_free[id] = queue->free_head;
    return id;
}

int
virtqueue_used(VirtQueue *queue, uint32_t *length)
{
    int id = queue->packed ? used_packed(queue, length) : used_split(queue, length);

    if (id < 0)
        return -1;
    queue->free_head = id;
    queue->n_free += queue->lengths[id];
    if (queue->event_index && queue->packed)
        queue->driver_event->offset = queue->next_used | (queue->used_wrap ? WRAP : 0);
    else if (queue->event_index)
        *used_event(queue) = queue->next_used;
    return id;
}

int
virtqueue_wait(VirtQueue *queue, uint32_t *length, uint64_t timeout_ns)
{
    int id = virtqueue_used(queue, length);

    if (id >= 0)
        return id;
    uint64_t deadline = clock_ns() + timeout_ns;
    while ((id = virtqueue_used(queue, length)) < 0 && clock_ns() < deadline)
        cpu_pause();
    return id;
}

int
virtqueue_sleep(VirtQueue *queue, uint32_t *length)
{
    int id;

    /* Interrupts are off between the look and the halt, so none is missed. */
    while ((id = virtqueue_used(queue, length)) < 0)
        cpu_wait_interrupt();
    return id;
}

int64_t
virtqueue_do(VirtQueue *queue, const VirtBuffer *buffers, unsigned n_readable, unsigned n_writable)
{
    uint32_t length = 0;
    int id = virtqueue_add(queue, buffers, n_readable, n_writable);

    if (id < 0)
        return -1;
    virtqueue_kick(queue);
    for (unsigned i = 0; i < 200; i++) {
        int used = virtqueue_wait(queue, &length, MILLISECONDS(10));
        if (used >= 0)
            return used == id ? (int64_t)length : -1;
        if (virtio_needs_reset(queue->device))
            return -1;
    }
    return -1;
}

void
virtqueue_interrupts(VirtQueue *queue, bool on)
{
    if (queue->packed) {
        queue->driver_event->offset = queue->next_used | (queue->used_wrap ? WRAP : 0);
        queue->driver_event->flags = !on ? EVENT_NEVER : queue->event_index ? EVENT_AT : EVENT_ALWAYS;
    } else if (queue->event_index) {
        /* Off: an index the device will not pass for a whole turn. */
        *used_event(queue) = on ? queue->next_used : queue->next_used - 1;
    } else {
        queue->available->flags = on ? 0 : SPLIT_NO_INTERRUPT;
    }
}
