/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver's side of a virtio device, for unit tests: drives a VirtioDevice in this process with no PCI and no KVM.
 *
 *     g_autoptr(VirtioDriver) driver = virtio_driver_new(0);         // 16 MiB of guest RAM; split rings
 *     VirtioDevice *device = virtio_rng_new("rng0", driver->memory);
 *     virtio_driver_start(driver, device, 0);                         // takes it over; all queues, DRIVER_OK
 *     uint64_t buffer = virtio_driver_alloc(driver, 64);
 *     uint16_t id = virtio_driver_add(driver, 0, (VirtioBuffer[]){{buffer, 64, true}}, 1);
 *     virtio_driver_kick(driver, 0);                                  // and lets the device's context run dry
 *     g_assert_true(virtio_driver_used(driver, 0, &used));            // used.id == id, used.len bytes written
 *
 * Every mistake a hostile driver can make is made by writing into the rings directly: virtio_driver_at().
 * Owner: the test's one thread; devices with threads of their own are waited for with virtio_driver_wait_used().
 */
#pragma once

#include "vmm/virtio/device.h"
#include "vmm/virtio/transport.h"

/* How the rings are to be used; or them together. */
typedef enum {
    VIRTIO_DRIVER_PACKED = 1 << 0,
    VIRTIO_DRIVER_INDIRECT = 1 << 1, /* chains of more than one buffer go into a table */
    VIRTIO_DRIVER_EVENT_INDEX = 1 << 2,
    VIRTIO_DRIVER_ALL = 7,
} VirtioDriverFlags;

/* One buffer of a request, at a guest physical address. */
typedef struct {
    uint64_t address;
    uint32_t len;
    bool write; /* the device writes */
} VirtioBuffer;

typedef struct {
    uint16_t id; /* as virtio_driver_add() returned it */
    uint32_t len;
} VirtioUsed;

typedef struct {
    VirtQueueSetup setup;
    uint16_t next;           /* split: next descriptor to use; packed: next slot */
    bool wrap;               /* packed */
    uint16_t added;          /* split: avail index */
    uint16_t seen;           /* split: used index; packed: slot */
    bool seen_wrap;          /* packed */
    uint16_t *n_descriptors; /* by id: slots the request took; 0: not in use */
    uint16_t n_free;         /* slots */
    unsigned interrupts;     /* notifications by the device so far; atomic */
} VirtioDriverQueue;

typedef struct {
    VirtioDriverFlags flags;
    GuestMemory *memory; /* owned */
    uint64_t next;       /* bump allocator */
    VirtioDevice *device;
    unsigned n_queues;
    VirtioDriverQueue *queues;
    unsigned config_interrupts; /* atomic */
} VirtioDriver;

VirtioDriver *virtio_driver_new(VirtioDriverFlags flags);
/* Frees the device too. */
void virtio_driver_free(VirtioDriver *driver);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VirtioDriver, virtio_driver_free)

/* Guest RAM, zeroed, aligned to 4096, and a pointer to it. Asserts that it is RAM. */
uint64_t virtio_driver_alloc(VirtioDriver *driver, size_t len);
void *virtio_driver_at(VirtioDriver *driver, uint64_t address, size_t len);

/*
 * Takes @device over. Negotiates VERSION_1, what the driver's flags ask for, and @features; sets every queue up at its
 * full size; sets DRIVER_OK. Asserts that the device agrees.
 */
void virtio_driver_start(VirtioDriver *driver, VirtioDevice *device, uint64_t features);
/* The steps of it, for tests of what goes wrong in between. */
void virtio_driver_attach(VirtioDriver *driver, VirtioDevice *device);
void virtio_driver_negotiate(VirtioDriver *driver, uint64_t features);
void virtio_driver_setup_queue(VirtioDriver *driver, unsigned queue, uint16_t size);
void virtio_driver_set_status(VirtioDriver *driver, uint8_t bits);
/* Resets the device by its status register; virtio_driver_negotiate() begins anew. */
void virtio_driver_reset(VirtioDriver *driver);

/* Makes a request available without a kick; returns its id. Asserts that the ring has room. */
uint16_t virtio_driver_add(VirtioDriver *driver, unsigned queue, const VirtioBuffer *buffers, size_t n);
/* Whether the device asked for a kick for what was added since @added_before requests… the driver's own question. */
bool virtio_driver_wants_kick(VirtioDriver *driver, unsigned queue, uint16_t n_new);
/* Kicks, and lets the device's context run until nothing is ready. */
void virtio_driver_kick(VirtioDriver *driver, unsigned queue);
void virtio_driver_run(VirtioDriver *driver);
/* The next request given back; false: none. */
bool virtio_driver_used(VirtioDriver *driver, unsigned queue, VirtioUsed *used);
/* Waits for it, running the default context; asserts that it comes within ten seconds. */
void virtio_driver_wait_used(VirtioDriver *driver, unsigned queue, VirtioUsed *used);
/* The driver wants its next interrupt only once @n more requests (split) or slots (packed) were given back. */
void virtio_driver_set_used_event(VirtioDriver *driver, unsigned queue, uint16_t n);
/* Without the event index: interrupts wanted or not. */
void virtio_driver_set_interrupts(VirtioDriver *driver, unsigned queue, bool wanted);
unsigned virtio_driver_interrupts(VirtioDriver *driver, unsigned queue);
bool virtio_driver_needs_reset(VirtioDriver *driver);

/* One request of @n_out bytes out and room for @n_in bytes in; kicks, waits, returns what the device wrote. */
uint32_t virtio_driver_call(VirtioDriver *driver, unsigned queue, const void *out, size_t n_out, void *in, size_t n_in);

/*
 * A driver that makes one and the same request available again and again, from a thread of its own, as fast as it is given
 * back: @n times at the most, up to 60000. A fresh queue, split rings. virtio_driver_flooded() tells how often the request was
 * given back so far. End the flood before the driver.
 */
typedef struct VirtioFlood VirtioFlood;
VirtioFlood *virtio_driver_flood(VirtioDriver *driver, unsigned queue, VirtioBuffer buffer, uint16_t n);
uint16_t virtio_driver_flooded(const VirtioFlood *flood);
void virtio_driver_flood_end(VirtioFlood *flood);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VirtioFlood, virtio_driver_flood_end)
