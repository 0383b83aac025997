/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command being carried out on a disk, step by step.
 *
 * What the disk cannot do is replaced by what it can: a write of zeroes for a range operation, an aligned buffer in between
 * for direct I/O on guest memory that is not aligned, another step for the rest of a short transfer.
 *
 * Owner: the I/O thread.
 */
#pragma once

#include "vmm/block/disk.h"
#include "vmm/block/request.h"

typedef struct BlkJob BlkJob;

typedef enum {
    BLK_JOB_DURABLE = 1 << 0,    /* a write is on stable storage when done */
    BLK_JOB_DRY = 1 << 1,        /* a read touches no guest memory: only its outcome counts */
    BLK_JOB_KEEP_SPACE = 1 << 2, /* zeroes never give space back */
} BlkJobFlags;

struct BlkJob {
    /* All of it is done (0), or it failed (a negative errno) after any part of it. The job may be started anew here. */
    void (*done)(BlkJob *job, int error);
    /* private */
    IoOp op;
    Disk *disk;
    const BlkCommand *command;
    BlkJobFlags flags;
    DiskStepKind kind; /* of the step under way … */
    uint64_t step_len; /* … and its length */
    uint64_t at;       /* bytes done, of the command or of its current range */
    unsigned range;
    struct iovec *slice; /* of the step's buffers, where they are not the command's */
    uint8_t *bounce;
};

/* Carries @command (anything but BLK_ANSWER) out; it must live until done, which may come before this returns. */
void blk_job_start(BlkJob *job, Disk *disk, const BlkCommand *command, BlkJobFlags flags);
