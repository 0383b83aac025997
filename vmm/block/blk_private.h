/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside a virtio-blk device: shared by blk.c (the device as the driver sees it), serve.c (its queues at work) and park.c
 * (requests that wait for the host's storage).
 *
 * Owners. The device's lock: writeback. The I/O thread, from attach to detach: queues, requests, parked, active; between
 * them whoever holds the device at rest. Atomic: capacity and the statistics.
 */
#pragma once

#include "vmm/block/blk.h"
#include "vmm/block/disk.h"
#include "vmm/block/job.h"
#include "vmm/block/request.h"

typedef struct VirtioBlk VirtioBlk;
typedef struct BlkRequest BlkRequest;

typedef struct {
    IoQueue io;
    IoDefer notify;
    VirtioBlk *blk;
    VirtQueue *queue;
    BlkRequest *spare; /* requests not in use, with the memory they have grown */
} BlkQueue;

struct BlkRequest {
    BlkRequest *next; /* in the list it is on: spare or parked */
    BlkQueue *queue;
    VirtChain chain;
    BlkCommand command;
    BlkJob job;
};

struct VirtioBlk {
    VirtioDevice device;
    Disk disk;
    char serial[VIRTIO_BLK_SERIAL_MAX + 1];
    bool discard;
    BlkOnError on_error;
    IoThread *thread;
    Machine *machine;
    BlkQueue *queues; /* device.n_queues of them */

    uint64_t capacity; /* bytes */
    bool writeback;    /* the driver's choice, where CONFIG_WCE was negotiated */
    bool durable;      /* writes reach stable storage before they complete; atomic */
    unsigned active;   /* jobs under way, the probe's too */
    VirtioBlkStats stats;

    /* park.c */
    BlkRequest *parked; /* in the order they failed */
    bool pause_asked;   /* since the device started last */
    BlkJob probe;
    bool probing;   /* atomic */
    GSource *retry; /* once a second while the machine is paused for storage; owned reference; with the device's lock */

    /* what only a stream holds */
    GPtrArray *saved_parked; /* VirtChainState */
    uint64_t saved_capacity;
};

/* One thread at a time counts, others read: no locked instruction is needed. */
#define blk_count(blk, field, by) __atomic_store_n(&(blk)->stats.field, (blk)->stats.field + (by), __ATOMIC_RELAXED)

/* --- serve.c --- */

void blk_queue_init(BlkQueue *queue, VirtioBlk *blk, VirtQueue *virt_queue);
void blk_queue_finish(BlkQueue *queue);
/* The device starts or stops; on the I/O thread. Stopping completes, or parks, what is under way. */
void blk_attach(void *blk);
void blk_detach(void *blk);
/* A request of @queue's to be filled, and one given back. */
BlkRequest *blk_request_take(BlkQueue *queue);
void blk_request_drop(BlkRequest *request);
/* Carries out the request in request->chain, from the start. */
void blk_request_begin(BlkRequest *request);

/* --- park.c --- */

/* Whether a command that failed so should wait rather than be answered. */
bool blk_error_parks(const VirtioBlk *blk, BlkKind kind, int error);
/* On the I/O thread: keeps @request, and has the machine pause. */
void blk_park(BlkRequest *request, int error);
/* On the I/O thread, attached: begins what is parked anew. */
void blk_unpark(VirtioBlk *blk);
/* The device came to rest: from here on looks whether the cause is gone. With the device's lock. */
void blk_watch_storage(VirtioBlk *blk);
/* Forgets what is parked: the driver has. At rest. */
void blk_forget_parked(VirtioBlk *blk);
/* Nothing of park.c is under way any more when it returns. At rest, not on the I/O thread. */
void blk_park_finish(VirtioBlk *blk);
/* Between saved_parked and parked. At rest, not on the I/O thread. */
void blk_save_parked(VirtioBlk *blk);
bool blk_load_parked(VirtioBlk *blk);
