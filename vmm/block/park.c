/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that wait for the host's storage.
 *
 * A request that the host could not carry out is kept, with its chain, and the machine is asked to pause. When the device
 * starts again every such request is carried out anew from its chain; all of them may be repeated, since to the driver they
 * are still under way. While the machine is paused the first of them is tried once a second: reads into a buffer that is
 * thrown away, the others for good. Once it succeeds the machine is asked to resume.
 */
#include "vmm/block/blk_private.h"

#include <errno.h>

#define RETRY_SECONDS 1

bool
blk_error_parks(const VirtioBlk *blk, BlkKind kind, int error)
{
    if (blk->on_error != BLK_ON_ERROR_PAUSE)
        return false;
    switch (-error) {
    case EINVAL:
    case EOPNOTSUPP:
    case EBADF:
    case EFAULT:
        return false; /* time does not mend these */
    }
    /* What a flush could not write the page cache has let go of: a second one would succeed, and lie. */
    return kind != BLK_FLUSH || blk->disk.direct || blk->disk.in_memory;
}

static void
parked_add(VirtioBlk *blk, BlkRequest *request)
{
    BlkRequest **end = &blk->parked;

    while (*end)
        end = &(*end)->next;
    *end = request;
    request->next = NULL;
    blk_count(blk, parked, 1);
}

static BlkRequest *
parked_take(VirtioBlk *blk)
{
    BlkRequest *request = blk->parked;

    if (request) {
        blk->parked = request->next;
        blk_count(blk, parked, -1);
    }
    return request;
}

void
blk_park(BlkRequest *request, int error)
{
    VirtioBlk *blk = request->queue->blk;

    parked_add(blk, request);
    if (blk->pause_asked)
        return;
    blk->pause_asked = true;
    g_autofree char *detail = g_strdup_printf("%s: %s on %s", blk->device.id, g_strerror(-error), blk->disk.path);
    machine_request(blk->machine, MACHINE_REQUEST_PAUSE_STORAGE, detail);
}

void
blk_unpark(VirtioBlk *blk)
{
    unsigned n = blk->stats.parked; /* one that fails again parks behind the others */

    blk->pause_asked = false;
    while (n--) {
        BlkRequest *request = parked_take(blk);
        blk_command_clear(&request->command);
        blk_request_begin(request);
    }
}

/* --- trying again while paused ---------------------------------------------------------------------------------- */

static void
probe_done(BlkJob *job, int error)
{
    VirtioBlk *blk = (VirtioBlk *)((char *)job - offsetof(VirtioBlk, probe));

    blk->active--;
    disk_detach(&blk->disk);
    __atomic_store_n(&blk->probing, false, __ATOMIC_RELEASE);
    if (!error)
        machine_request(blk->machine, MACHINE_REQUEST_RESUME_STORAGE, NULL);
}

static void
probe_start(void *data)
{
    VirtioBlk *blk = data;

    if (!blk->parked || blk->disk.thread) { /* the device started, or was reset, meanwhile */
        __atomic_store_n(&blk->probing, false, __ATOMIC_RELEASE);
        return;
    }
    disk_attach(&blk->disk, blk->thread);
    blk->active++;
    blk->probe.done = probe_done;
    blk_job_start(&blk->probe, &blk->disk, &blk->parked->command, BLK_JOB_DRY | (blk->durable ? BLK_JOB_DURABLE : 0));
}

/* Main thread. A machine that is paused has its devices at rest, so that parked may be looked at. */
static gboolean
retry_tick(void *data)
{
    VirtioBlk *blk = data;
    unsigned reasons = machine_pause_reasons(blk->machine);

    if (reasons & MACHINE_PAUSE_SAVE)
        return G_SOURCE_CONTINUE;
    if ((reasons & MACHINE_PAUSE_STORAGE) && blk->parked) {
        if (!__atomic_exchange_n(&blk->probing, true, __ATOMIC_ACQUIRE))
            io_thread_post(blk->thread, probe_start, blk);
        return G_SOURCE_CONTINUE;
    }
    /* The driver reset the device before the machine paused: there is nothing to wait for. */
    if (reasons & MACHINE_PAUSE_STORAGE)
        machine_request(blk->machine, MACHINE_REQUEST_RESUME_STORAGE, NULL);
    g_mutex_lock(&blk->device.lock);
    g_clear_pointer(&blk->retry, g_source_unref);
    g_mutex_unlock(&blk->device.lock);
    return G_SOURCE_REMOVE;
}

void
blk_watch_storage(VirtioBlk *blk)
{
    if (!blk->pause_asked || blk->retry)
        return;
    blk->retry = g_timeout_source_new_seconds(RETRY_SECONDS);
    g_source_set_static_name(blk->retry, "disk retry");
    g_source_set_callback(blk->retry, retry_tick, blk, NULL);
    g_source_attach(blk->retry, blk->device.context);
}

static void
settle(void *data)
{
    VirtioBlk *blk = data;
    io_thread_drain(blk->thread, &blk->active);
}

void
blk_forget_parked(VirtioBlk *blk)
{
    BlkRequest *request;

    if (!blk->parked)
        return;
    io_thread_call(blk->thread, settle, blk);
    while ((request = parked_take(blk))) {
        blk_count(blk, in_flight, -1);
        blk_request_drop(request);
    }
}

void
blk_park_finish(VirtioBlk *blk)
{
    if (blk->retry) {
        g_source_destroy(blk->retry);
        g_clear_pointer(&blk->retry, g_source_unref);
    }
    io_thread_call(blk->thread, settle, blk);
    blk_forget_parked(blk);
}

/* --- saved state ------------------------------------------------------------------------------------------------ */

void
blk_save_parked(VirtioBlk *blk)
{
    if (blk->parked)
        io_thread_call(blk->thread, settle, blk);
    g_ptr_array_set_size(blk->saved_parked, 0);
    for (BlkRequest *request = blk->parked; request; request = request->next)
        g_ptr_array_add(blk->saved_parked, virtqueue_hold(request->queue->queue, &request->chain));
}

static bool
load_one(VirtioBlk *blk, const VirtChainState *state)
{
    if (state->queue >= blk->device.n_queues)
        return false;
    BlkQueue *queue = &blk->queues[state->queue];
    BlkRequest *request = blk_request_take(queue);
    if (!virtqueue_take_back(queue->queue, state, &request->chain)) {
        blk_request_drop(request);
        return false;
    }
    blk_count(blk, in_flight, 1);
    parked_add(blk, request);
    return true;
}

bool
blk_load_parked(VirtioBlk *blk)
{
    for (guint i = 0; i < blk->saved_parked->len; i++)
        if (!load_one(blk, blk->saved_parked->pdata[i]))
            return false;
    g_ptr_array_set_size(blk->saved_parked, 0);
    return true;
}
