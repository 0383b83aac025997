/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtqueue, split or packed (virtio 1.2, 2.7 and 2.8), from the device's side.
 *
 * A device pops chains of buffers, fills or reads them, pushes them back in any order and notifies. Each descriptor is
 * copied from guest memory once; addresses become host iovecs checked against RAM; loops, overlong chains, and ring
 * indices out of range mark the device broken (NEEDS_RESET) and the queue yields nothing more until reset.
 *
 * Owner: the one thread that serves the queue. Setting up, enabling and resetting is done by the transport while the
 * device is stopped, under the device's lock.
 */
#pragma once

#include "vmm/kvm/memory.h"
#include "vmm/state/state.h"

#include <sys/uio.h>

#define VIRTQUEUE_SIZE_MAX 1024
/* Buffers in one chain, direct and indirect together: virtio 1.2, 2.7.5.3.1 forbids chains longer than the queue. */
#define VIRT_CHAIN_MAX VIRTQUEUE_SIZE_MAX

typedef struct VirtioDevice VirtioDevice;
typedef struct VirtQueue VirtQueue;

/*
 * One request: device-readable buffers (out of the driver), then device-writable ones (in to the driver). The arrays are
 * the chain's own and are kept from one pop to the next; keep a chain as long as its request is in flight. Zero-length
 * buffers are dropped. Lengths add up to less than 4 GiB.
 */
typedef struct {
    struct iovec *out;
    struct iovec *in;
    size_t n_out;
    size_t n_in;
    size_t out_len; /* bytes in all out buffers */
    size_t in_len;
    /* private to the queue and the cursor functions below */
    size_t out_cursor, in_cursor; /* bytes already consumed */
    size_t out_at, in_at;         /* buffer the cursor stands in … */
    size_t out_at_off, in_at_off; /* … and how far inside it */
    size_t capacity;              /* iovecs allocated at @store */
    struct iovec *store;
    uint16_t id;            /* head index (split) or buffer id (packed) */
    uint16_t n_descriptors; /* ring slots it takes (packed) */
    bool popped;
} VirtChain;

#define VIRT_CHAIN_INIT {0}
void virt_chain_clear(VirtChain *chain);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VirtChain, virt_chain_clear)

/*
 * Takes the next request. false when there is none now, or the device is broken; the driver then kicks for the next one. A
 * device that stops earlier, with requests left, is not kicked: it comes back by itself, or calls virtqueue_set_kicks().
 */
bool virtqueue_pop(VirtQueue *queue, VirtChain *chain);
/* Gives a request back with @written bytes put into its in buffers (from their start), marking them dirty. */
void virtqueue_push(VirtQueue *queue, VirtChain *chain, uint32_t written);
/* The same for @n requests that belong together: the driver sees all of them or none. */
void virtqueue_push_many(VirtQueue *queue, VirtChain *chains, const uint32_t *written, size_t n);
/*
 * Undoes the last pop, so that the next pop gives the same request again. Only right after that pop; several pops in a row
 * are undone from the last to the first.
 */
void virtqueue_unpop(VirtQueue *queue, VirtChain *chain);
/* Interrupts the guest if it asked to be (event index or flags) for what was pushed since the last call. */
void virtqueue_notify(VirtQueue *queue);
/*
 * Asks the driver for kicks, or for none while the device polls. Turning them on returns true where a request slipped in
 * meanwhile: pop again before sleeping.
 */
bool virtqueue_set_kicks(VirtQueue *queue, bool wanted);
/* Whether a pop would find something. */
bool virtqueue_has_work(VirtQueue *queue);

/*
 * The cursor: sequential, bounds-checked copies. Returns the bytes copied, less than @len only at the end of the chain.
 * virt_chain_read consumes out buffers, virt_chain_write fills in buffers.
 */
size_t virt_chain_read(VirtChain *chain, void *to, size_t len);
size_t virt_chain_write(VirtChain *chain, const void *from, size_t len);
/* Bytes left at either cursor. */
size_t virt_chain_readable(const VirtChain *chain);
size_t virt_chain_writable(const VirtChain *chain);

unsigned virtqueue_index(const VirtQueue *queue);
VirtioDevice *virtqueue_device(const VirtQueue *queue);
bool virtqueue_ready(const VirtQueue *queue);
/* Whether the driver has set it up, though the machine may be at rest. With the device's lock held. */
bool virtqueue_enabled(const VirtQueue *queue);
/* Readable when the driver kicked; non-blocking; owned by the queue. For classes that watch it themselves. */
int virtqueue_kick_fd(const VirtQueue *queue);
/* Signal it to interrupt the guest for this queue without asking whether it wants it; -1 before DRIVER_OK or without
 * MSI-X. For vhost. Owned by the transport. */
int virtqueue_call_fd(const VirtQueue *queue);

/* Where the rings are, for a vhost back end. Valid between start and stop. */
typedef struct {
    uint64_t descriptors, driver, device; /* guest physical addresses */
    uint16_t size;
    uint16_t avail_index, used_index; /* next to be taken and to be given; packed: bit 15 is the wrap counter */
    bool packed;
} VirtQueueRings;
void virtqueue_get_rings(const VirtQueue *queue, VirtQueueRings *rings);
/* After a vhost back end stopped: where it came to. */
void virtqueue_set_indices(VirtQueue *queue, uint16_t avail_index, uint16_t used_index);

/*
 * A request held across a save. A class that popped a request and cannot give it back before it stops (its disk is full)
 * puts this into its own saved state, as an element of a STATE_LIST with the table virt_chain_state; after a load, in its
 * after_load, it takes the request back as if it had just been popped.
 */
typedef struct {
    uint16_t queue; /* index */
    /* private */
    uint16_t id, n_descriptors;
    GByteArray *buffers;
} VirtChainState;

extern const StateTable virt_chain_state;
void virt_chain_state_free(VirtChainState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VirtChainState, virt_chain_state_free)
VirtChainState *virtqueue_hold(const VirtQueue *queue, const VirtChain *chain);
/* false where the request cannot be of this queue (a forged state); @state.queue is the caller's to check. */
bool virtqueue_take_back(VirtQueue *queue, const VirtChainState *state, VirtChain *chain);
