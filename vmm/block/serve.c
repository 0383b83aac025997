/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk's queues at work, on the I/O thread.
 *
 * serve takes requests off a queue and starts a job for each. Jobs on a file in memory are over at once; others go to the
 * ring, all of a round in one system call, and come back in any order. Either way the request is pushed, and the driver is
 * notified once for all that a round completed.
 */
#include "vmm/block/blk_private.h"

/* Requests and bytes of one round, so that completions are told of in time and queues get their turns. */
#define ROUND_REQUESTS 64
#define ROUND_BYTES (1u << 20)

BlkRequest *
blk_request_take(BlkQueue *queue)
{
    BlkRequest *request = queue->spare;

    if (request) {
        queue->spare = request->next;
    } else {
        request = g_new0(BlkRequest, 1);
        request->queue = queue;
    }
    return request;
}

void
blk_request_drop(BlkRequest *request)
{
    blk_command_clear(&request->command);
    if (request->chain.popped) /* never to be pushed: the driver broke the rules, or forgot it */
        virt_chain_clear(&request->chain);
    request->next = request->queue->spare;
    request->queue->spare = request;
}

static void
count_done(VirtioBlk *blk, const BlkCommand *command, uint8_t status)
{
    bool good = status == VIRTIO_BLK_S_OK;

    if (!good)
        blk_count(blk, errors, 1);
    switch (command->kind) {
    case BLK_READ:
        blk_count(blk, reads, 1);
        blk_count(blk, read_bytes, good ? command->len : 0);
        break;
    case BLK_WRITE:
        blk_count(blk, writes, 1);
        blk_count(blk, write_bytes, good ? command->len : 0);
        break;
    case BLK_FLUSH:
        blk_count(blk, flushes, 1);
        break;
    case BLK_DISCARD:
    case BLK_WRITE_ZEROES:
        blk_count(blk, discards, 1);
        break;
    case BLK_ANSWER:
        break;
    }
}

static void
request_answer(BlkRequest *request, uint8_t status)
{
    BlkQueue *queue = request->queue;

    count_done(queue->blk, &request->command, status);
    *request->command.status = status;
    /* The status is the last byte, so all before it counts as written. */
    virtqueue_push(queue->queue, &request->chain, request->chain.in_len);
    blk_count(queue->blk, in_flight, -1);
    blk_request_drop(request);
    io_thread_defer(queue->blk->thread, &queue->notify);
}

static void
job_done(BlkJob *job, int error)
{
    BlkRequest *request = (BlkRequest *)((char *)job - offsetof(BlkRequest, job));
    VirtioBlk *blk = request->queue->blk;

    blk->active--;
    if (!error)
        request_answer(request, VIRTIO_BLK_S_OK);
    else if (blk_error_parks(blk, request->command.kind, error))
        blk_park(request, error);
    else
        request_answer(request, VIRTIO_BLK_S_IOERR);
}

void
blk_request_begin(BlkRequest *request)
{
    VirtioBlk *blk = request->queue->blk;
    BlkCommand *command = &request->command;
    BlkLimits limits = {
        .bytes = __atomic_load_n(&blk->capacity, __ATOMIC_RELAXED),
        .block_size = blk->disk.block_size,
        .read_only = blk->disk.read_only,
        .discard = blk->discard,
        .serial = blk->serial,
    };

    if (!blk_command_parse(command, &request->chain, &limits)) {
        virtio_device_break(&blk->device, "queue %u: a request without room for header and status",
                            virtqueue_index(request->queue->queue));
        blk_count(blk, in_flight, -1);
        blk_request_drop(request);
    } else if (command->kind == BLK_ANSWER) {
        request_answer(request, command->answer);
    } else {
        bool durable = __atomic_load_n(&blk->durable, __ATOMIC_RELAXED);
        blk->active++;
        request->job.done = job_done;
        blk_job_start(&request->job, &blk->disk, command,
                      (durable ? BLK_JOB_DURABLE : 0) | (blk->discard ? 0 : BLK_JOB_KEEP_SPACE));
    }
}

static BlkQueue *
from_io(IoQueue *io)
{
    return (BlkQueue *)((char *)io - offsetof(BlkQueue, io));
}

static bool
queue_serve(IoQueue *io)
{
    BlkQueue *queue = from_io(io);
    uint64_t bytes = 0;

    /* While something is parked the machine is about to pause: what comes now waits in the ring. */
    for (int n = 0; n < ROUND_REQUESTS && bytes < ROUND_BYTES && !queue->blk->parked; n++) {
        BlkRequest *request = blk_request_take(queue);
        if (!virtqueue_pop(queue->queue, &request->chain)) {
            blk_request_drop(request);
            return false;
        }
        blk_count(queue->blk, in_flight, 1);
        bytes += request->chain.out_len + request->chain.in_len;
        blk_request_begin(request);
    }
    return !queue->blk->parked && virtqueue_has_work(queue->queue);
}

static bool
queue_has_work(IoQueue *io)
{
    BlkQueue *queue = from_io(io);
    return !queue->blk->parked && virtqueue_has_work(queue->queue);
}

static bool
queue_set_kicks(IoQueue *io, bool wanted)
{
    BlkQueue *queue = from_io(io);
    return virtqueue_set_kicks(queue->queue, wanted) && !queue->blk->parked;
}

static void
queue_notify(IoDefer *defer)
{
    virtqueue_notify(((BlkQueue *)((char *)defer - offsetof(BlkQueue, notify)))->queue);
}

void
blk_queue_init(BlkQueue *queue, VirtioBlk *blk, VirtQueue *virt_queue)
{
    static const IoQueueOps ops = {.serve = queue_serve, .has_work = queue_has_work, .set_kicks = queue_set_kicks};

    queue->io.ops = &ops;
    queue->notify.run = queue_notify;
    queue->blk = blk;
    queue->queue = virt_queue;
}

void
blk_queue_finish(BlkQueue *queue)
{
    while (queue->spare) {
        BlkRequest *request = queue->spare;
        queue->spare = request->next;
        virt_chain_clear(&request->chain);
        g_free(request);
    }
}

void
blk_attach(void *data)
{
    VirtioBlk *blk = data;

    io_thread_drain(blk->thread, &blk->active); /* a probe that is still under way */
    disk_attach(&blk->disk, blk->thread);
    blk_unpark(blk);
    for (unsigned i = 0; i < blk->device.n_queues; i++)
        if (virtqueue_ready(blk->queues[i].queue))
            io_thread_attach(blk->thread, &blk->queues[i].io, virtqueue_kick_fd(blk->queues[i].queue));
}

void
blk_detach(void *data)
{
    VirtioBlk *blk = data;

    for (unsigned i = 0; i < blk->device.n_queues; i++)
        io_thread_detach(blk->thread, &blk->queues[i].io);
    io_thread_drain(blk->thread, &blk->active);
    disk_detach(&blk->disk);
}
