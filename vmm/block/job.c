/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cutting a command into steps and looking at how each went.
 */
#include "vmm/block/job.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Memory a request may take while it goes through a buffer of ours. */
#define BOUNCE_MAX (256u * 1024)
#define ZEROES_LEN (64u * 1024)
#define ZEROES_IOV 16

/* Never written, so it stays one page of the kernel's. Aligned for direct I/O. */
static uint8_t zeroes[ZEROES_LEN] __attribute__((aligned(4096)));

static void
finish(BlkJob *job, int error)
{
    g_clear_pointer(&job->slice, g_free);
    g_clear_pointer(&job->bounce, free);
    job->done(job, error);
}

static bool
is_transfer(const BlkCommand *command)
{
    return command->kind == BLK_READ || command->kind == BLK_WRITE;
}

static bool
buffers_are_aligned(const Disk *disk, const BlkCommand *command)
{
    for (size_t i = 0; i < command->n_data; i++)
        if ((uintptr_t)command->data[i].iov_base % disk->memory_align || command->data[i].iov_len % disk->block_size)
            return false;
    return true;
}

static bool
needs_bounce(const BlkJob *job)
{
    if (!is_transfer(job->command))
        return false;
    if (job->command->kind == BLK_READ && (job->flags & BLK_JOB_DRY))
        return true;
    return job->disk->direct && !job->disk->in_memory && !buffers_are_aligned(job->disk, job->command);
}

/* Copies @len bytes between the bounce buffer and the command's data at job->at. */
static void
copy_bounce(BlkJob *job, uint64_t len, bool to_guest)
{
    const BlkCommand *command = job->command;
    size_t n, at = 0;
    g_autofree struct iovec *slice = blk_iov_slice(command->data, command->n_data, job->at, len, command->n_data, &n);

    for (size_t i = 0; i < n; i++) {
        if (to_guest)
            memcpy(slice[i].iov_base, job->bounce + at, slice[i].iov_len);
        else
            memcpy(job->bounce + at, slice[i].iov_base, slice[i].iov_len);
        at += slice[i].iov_len;
    }
}

/* One buffer of the job's own as the step's. */
static void
step_own_buffer(BlkJob *job, DiskStep *step, void *base, size_t len, unsigned n)
{
    g_free(job->slice);
    job->slice = g_new(struct iovec, n);
    for (unsigned i = 0; i < n; i++)
        job->slice[i] = (struct iovec){.iov_base = base, .iov_len = len};
    step->iov = job->slice;
    step->n_iov = n;
}

static bool
next_transfer(BlkJob *job, DiskStep *step)
{
    const BlkCommand *command = job->command;
    uint64_t left = command->len - job->at;
    size_t n;

    if (!left)
        return false;
    step->kind = command->kind == BLK_READ ? DISK_READ : DISK_WRITE;
    step->offset = command->offset + job->at;
    step->len = left;
    if (job->bounce) {
        step->len = MIN(left, BOUNCE_MAX);
        if (command->kind == BLK_WRITE)
            copy_bounce(job, step->len, false);
        step_own_buffer(job, step, job->bounce, step->len, 1);
    } else if (!job->at && command->n_data <= IOV_MAX) {
        step->iov = command->data;
        step->n_iov = command->n_data;
    } else {
        g_free(job->slice);
        step->iov = job->slice = blk_iov_slice(command->data, command->n_data, job->at, left, IOV_MAX, &n);
        step->n_iov = n;
    }
    return true;
}

/* The best the disk is known to do for the current range. false: nothing at all, which is enough for a discard. */
static bool
range_kind(const BlkJob *job, const BlkRange *range, DiskStepKind *kind)
{
    const Disk *disk = job->disk;
    bool discard = job->command->kind == BLK_DISCARD;

    if (discard && disk->is_device && disk->can_discard_device)
        *kind = DISK_DISCARD_DEVICE;
    else if ((discard || (range->unmap && !(job->flags & BLK_JOB_KEEP_SPACE))) && disk->can_punch)
        *kind = DISK_PUNCH;
    else if (!discard)
        *kind = disk->can_zero_range ? DISK_ZERO : DISK_WRITE;
    else
        return false;
    return true;
}

static bool
next_range(BlkJob *job, DiskStep *step)
{
    const BlkCommand *command = job->command;

    for (; job->range < command->n_ranges; job->range++, job->at = 0) {
        const BlkRange *range = &command->ranges[job->range];
        uint64_t left = range->len - job->at;
        if (!left || !range_kind(job, range, &step->kind))
            continue;
        step->offset = range->offset + job->at;
        step->len = left;
        if (step->kind == DISK_WRITE) {
            /* Whole pieces, then what is left: both are whole blocks. */
            step->len = MIN(left, ZEROES_LEN);
            unsigned n = MIN(left / step->len, ZEROES_IOV);
            step_own_buffer(job, step, zeroes, step->len, n);
            step->len *= n;
        }
        return true;
    }
    return false;
}

static bool
next_step(BlkJob *job, DiskStep *step)
{
    *step = (DiskStep){.durable = job->flags & BLK_JOB_DURABLE};
    switch (job->command->kind) {
    case BLK_READ:
    case BLK_WRITE:
        return next_transfer(job, step);
    case BLK_FLUSH:
        step->kind = DISK_SYNC;
        return !job->at;
    case BLK_DISCARD:
    case BLK_WRITE_ZEROES:
        return next_range(job, step);
    case BLK_ANSWER:
        break;
    }
    g_assert_not_reached();
}

/* Whether an operation failed because there is no such operation here; if so it is not tried again. */
static bool
fell_back(BlkJob *job, int error)
{
    bool missing = error == -EOPNOTSUPP || error == -ENOSYS || error == -ENOTTY;

    switch (job->kind) {
    case DISK_DISCARD_DEVICE:
        missing |= error == -EINVAL; /* kernels before 6.12 */
        job->disk->can_discard_device &= !missing;
        return missing;
    case DISK_PUNCH:
        job->disk->can_punch &= !missing;
        return missing;
    case DISK_ZERO:
        job->disk->can_zero_range &= !missing;
        return missing;
    default:
        return false;
    }
}

/* Notes @moved bytes of a read or write. 0, or a negative errno where it makes no headway. */
static int
note_transfer(BlkJob *job, uint64_t moved)
{
    if (job->bounce && job->kind == DISK_READ && !(job->flags & BLK_JOB_DRY))
        copy_bounce(job, moved, true);
    if (moved < job->step_len && job->disk->direct)
        moved -= moved % job->disk->block_size;
    job->at += moved;
    if (moved)
        return 0;
    /* The file ends before the disk does, or would not grow. */
    return job->kind == DISK_READ ? -EIO : -ENOSPC;
}

/* A step gave @result. true: go on; false: the job is done. */
static bool
step_done(BlkJob *job, int result)
{
    if (result == -EINTR || result == -EAGAIN || (result < 0 && fell_back(job, result)))
        return true;
    if (result >= 0) {
        if (job->kind == DISK_READ || job->kind == DISK_WRITE)
            result = note_transfer(job, result);
        else
            job->at += job->step_len, result = 0;
    }
    if (!result)
        return true;
    finish(job, result);
    return false;
}

static void
go_on(BlkJob *job)
{
    DiskStep step;

    while (next_step(job, &step)) {
        job->kind = step.kind;
        job->step_len = step.kind == DISK_SYNC ? 1 : step.len;
        if (!job->disk->in_memory) {
            disk_step_submit(job->disk, &step, &job->op);
            return;
        }
        if (!step_done(job, disk_step_now(job->disk, &step)))
            return;
    }
    finish(job, 0);
}

static void
op_done(IoOp *op, int result)
{
    BlkJob *job = (BlkJob *)((char *)op - offsetof(BlkJob, op));
    if (step_done(job, result))
        go_on(job);
}

void
blk_job_start(BlkJob *job, Disk *disk, const BlkCommand *command, BlkJobFlags flags)
{
    g_assert(job->done && command->kind != BLK_ANSWER);
    job->op.done = op_done;
    job->disk = disk;
    job->command = command;
    job->flags = flags;
    job->at = 0;
    job->range = 0;
    if (needs_bounce(job)) {
        job->bounce = aligned_alloc(DISK_BLOCK_MAX, BOUNCE_MAX);
        if (!job->bounce) {
            finish(job, -ENOMEM);
            return;
        }
    }
    go_on(job);
}
