/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside a virtqueue: shared by queue.c (set-up, dispatch), queue_split.c, queue_packed.c and chain.c only.
 *
 * Ring fields are little endian, as this host is. Each is read or written by exactly one atomic access: the driver may
 * change any of them at any time.
 */
#pragma once

#include "vmm/virtio/device.h"
#include "vmm/virtio/transport.h"

#include <linux/virtio_ring.h>

G_STATIC_ASSERT(G_BYTE_ORDER == G_LITTLE_ENDIAN);

#define ring_load(place) __atomic_load_n((place), __ATOMIC_RELAXED)
#define ring_load_acquire(place) __atomic_load_n((place), __ATOMIC_ACQUIRE)
#define ring_store(place, value) __atomic_store_n((place), (value), __ATOMIC_RELAXED)
#define ring_store_release(place, value) __atomic_store_n((place), (value), __ATOMIC_RELEASE)
/* Between a store the driver must see and a load of what the driver may have stored meanwhile. */
#define ring_fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)

/* A descriptor of either ring, copied: the two differ in the order of their last two fields. */
typedef struct {
    uint64_t address;
    uint32_t len;
    uint16_t flags;
    uint16_t link; /* split: the next descriptor; packed: the buffer id */
} RingDescriptor;

/* Reads all of it, once, in two words. A table of indirect descriptors may lie at any address. */
static inline RingDescriptor
ring_descriptor(const void *place, bool packed)
{
    typedef uint64_t Word __attribute__((aligned(1), may_alias));
    const volatile Word *words = place;
    uint64_t address = words[0], rest = words[1];

    return (RingDescriptor){
        .address = address,
        .len = rest,
        .flags = rest >> (packed ? 48 : 32),
        .link = rest >> (packed ? 32 : 48),
    };
}

struct VirtQueue {
    VirtioDevice *device;
    GuestMemory *memory;
    unsigned index;
    uint16_t size_max;
    int kick_fd;
    int call_fd;

    VirtQueueSetup setup;
    bool enabled; /* the pointers below are valid */
    bool running; /* between the device's start and stop: pop yields */
    bool packed;
    bool event_index;
    bool indirect;

    union {
        struct vring_desc *split_descriptors;
        struct vring_packed_desc *packed_descriptors;
    };
    union {
        struct vring_avail *avail;
        struct vring_packed_desc_event *driver_event; /* when the driver wants interrupts */
    };
    union {
        struct vring_used *used;
        struct vring_packed_desc_event *device_event; /* when the device wants kicks */
    };

    /* Split: free-running. Packed: below size, with the wrap counters beside. */
    uint16_t avail_index;
    uint16_t used_index;
    bool avail_wrap;
    bool used_wrap;
    uint16_t
        avail_seen; /* split: the driver's index when last read and found possible, so that a batch costs one read */
    uint16_t in_flight; /* split: chains, packed: slots, taken and not yet given back; never above size */

    uint32_t
        unnotified; /* split: chains, packed: slots, pushed since the driver was last considered for an interrupt */
    bool kicks_wanted;
    bool kicks_armed; /* event index: the driver knows to kick at avail_index */
};

/* A queue's part of the saved state; the device gathers one for each. */
typedef struct {
    uint64_t descriptors, driver, device;
    uint16_t size;
    bool enabled;
    uint16_t avail_index, used_index; /* as VirtQueueRings has them */
    uint32_t unnotified;
} VirtQueueState;

extern const StateTable virtqueue_state;
void virtqueue_save(const VirtQueue *queue, VirtQueueState *state);
/* Into a reset queue, after the features. false where the state cannot be. */
bool virtqueue_load(VirtQueue *queue, const VirtQueueState *state);

/* Back to what it is before the driver's first access; called while the device is stopped. */
void virtqueue_reset(VirtQueue *queue);
/* The device starts or stops: pops yield from here on, or nothing. */
void virtqueue_set_running(VirtQueue *queue, bool running);

static inline bool
virtio_device_is_broken(const VirtioDevice *device)
{
    return __atomic_load_n(&device->broken, __ATOMIC_RELAXED);
}

/* The driver broke the rules of this queue: breaks the device. Returns false, for returning. */
bool virtqueue_break(VirtQueue *queue, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Begins a chain anew, keeping its store. */
void virt_chain_begin(VirtChain *chain);
/* Adds a buffer as its descriptor says; false where it is not allowed, and the device is broken. */
bool virt_chain_add(VirtChain *chain, VirtQueue *queue, uint64_t address, uint32_t len, bool write);
/* All buffers are there: the chain may be handed out. */
void virt_chain_complete(VirtChain *chain);
/* Marks the first @written bytes of the in buffers dirty. */
void virt_chain_dirty(const VirtChain *chain, GuestMemory *memory, size_t written);

/*
 * The table an indirect descriptor refers to, @n_descriptors long; NULL, and the device broken, where it is not allowed
 * (virtio 1.2, 2.7.5.3.1 and 2.8.5).
 */
const void *virtqueue_indirect_table(VirtQueue *queue, uint64_t address, uint32_t len, uint32_t *n_descriptors);

bool virtqueue_split_resolve(VirtQueue *queue);
bool virtqueue_split_pop(VirtQueue *queue, VirtChain *chain);
void virtqueue_split_push(VirtQueue *queue, const VirtChain *chains, const uint32_t *written, size_t n);
void virtqueue_split_unpop(VirtQueue *queue, const VirtChain *chain);
bool virtqueue_split_wants_interrupt(VirtQueue *queue);
void virtqueue_split_ask_kicks(VirtQueue *queue);
bool virtqueue_split_has_work(VirtQueue *queue);

bool virtqueue_packed_resolve(VirtQueue *queue);
bool virtqueue_packed_pop(VirtQueue *queue, VirtChain *chain);
void virtqueue_packed_push(VirtQueue *queue, const VirtChain *chains, const uint32_t *written, size_t n);
void virtqueue_packed_unpop(VirtQueue *queue, const VirtChain *chain);
bool virtqueue_packed_wants_interrupt(VirtQueue *queue);
void virtqueue_packed_ask_kicks(VirtQueue *queue);
bool virtqueue_packed_has_work(VirtQueue *queue);
