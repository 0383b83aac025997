/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver's side of split and packed virtqueues (virtio 1.2, 2.7 and 2.8), with indirect descriptors and event
 * index where they were negotiated. The rings are open to view: hostile tests write them by hand.
 * Set up in kernel mode; everything after works in any mode. One processor at a time for each queue.
 */
#ifndef GUEST_VIRTQUEUE_H
#define GUEST_VIRTQUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "virtio.h"

#define VIRT_NEXT 1
#define VIRT_WRITE 2
#define VIRT_INDIRECT 4
#define VIRT_PACKED_AVAILABLE (1u << 7)
#define VIRT_PACKED_USED (1u << 15)

#define VIRTQUEUE_INDIRECT_MAX 16 /* buffers in one chain through an indirect table */

typedef struct VirtDescriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
} VirtDescriptor;

typedef struct VirtPackedDescriptor {
    uint64_t address;
    uint32_t length;
    uint16_t id, flags;
} VirtPackedDescriptor;

typedef struct VirtAvailable {
    uint16_t flags, index;
    uint16_t ring[]; /* after it: used_event */
} VirtAvailable;

typedef struct VirtUsed {
    uint16_t flags, index;
    struct {
        uint32_t id, length;
    } ring[]; /* after it: avail_event */
} VirtUsed;

/* Packed rings' event suppression: flags 0 always, 1 never, 2 at the position in offset (its top bit: wrap). */
typedef struct VirtEvent {
    uint16_t offset, flags;
} VirtEvent;

typedef struct VirtBuffer {
    void *data;
    uint32_t length; /* bytes */
} VirtBuffer;

typedef struct VirtQueue {
    VirtioDevice *device;
    uint16_t index, size;
    bool packed, event_index, indirect;
    uint64_t notify; /* address */

    union {
        volatile VirtDescriptor *descriptors;
        volatile VirtPackedDescriptor *ring;
    };
    union {
        volatile VirtAvailable *available;
        volatile VirtEvent *driver_event;
    };
    union {
        volatile VirtUsed *used;
        volatile VirtEvent *device_event;
    };
    void *indirect_tables; /* VIRTQUEUE_INDIRECT_MAX descriptors for each id */

    uint16_t n_free, next_available, next_used, kicked;
    uint16_t free_head;   /* ids, as a list */
    bool wrap, used_wrap; /* packed: both counters start true */
    uint16_t *next_free;  /* by id */
    uint16_t *lengths;    /* by id: descriptors a chain takes */
} VirtQueue;

/* Every combination of ring features a driver may choose, for tests that go through them all. */
#define VIRT_MODES 8
typedef struct VirtMode {
    const char *name;
    uint64_t features;
} VirtMode;
extern const VirtMode virt_modes[VIRT_MODES];

/*
 * Allocates the rings, tells the device and enables the queue. size 0: as many as the device takes. vector: the MSI-X
 * entry, or VIRTIO_NO_VECTOR. false where the device has no such queue or refuses the vector.
 * A queue of a device that was reset is set up again with a fresh VirtQueue.
 */
bool virtqueue_init(VirtQueue *queue, VirtioDevice *device, uint16_t index, uint16_t size, uint16_t vector);

/* Makes a chain available: readable buffers first, then writable ones. Returns its id, or -1 when the ring is full. */
int virtqueue_add(VirtQueue *queue, const VirtBuffer *buffers, unsigned n_readable, unsigned n_writable);

/* Notifies the device if it wants to be for what was added since the last kick; true where it did. */
bool virtqueue_kick(VirtQueue *queue);
void virtqueue_kick_always(VirtQueue *queue);

/* The id of the next used chain, its written length in *length (may be NULL); -1 where there is none. */
int virtqueue_used(VirtQueue *queue, uint32_t *length);

/* The same, polling until timeout_ns has passed. */
int virtqueue_wait(VirtQueue *queue, uint32_t *length, uint64_t timeout_ns);

/*
 * The same, halting between interrupts instead of polling: the queue must have a vector. Never gives up. Kernel mode,
 * interrupts off.
 */
int virtqueue_sleep(VirtQueue *queue, uint32_t *length);

/*
 * Adds one chain, kicks, and waits: the written length, or -1 after two seconds or where the device needs a reset.
 * Nothing else may be in flight.
 */
int64_t virtqueue_do(VirtQueue *queue, const VirtBuffer *buffers, unsigned n_readable, unsigned n_writable);

/* Whether the device should interrupt for used chains; on after virtqueue_init(). */
void virtqueue_interrupts(VirtQueue *queue, bool on);

#endif
