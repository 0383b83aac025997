/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands behind a disk: an open raw file or block device, what it can do, and one step of work on it.
 *
 * A step is the smallest thing a request is made of: one read, write, sync or range operation. It is carried out either
 * at once, by a system call, or through an I/O thread's ring. Files that live in memory (tmpfs) are worked on at once:
 * there a copy is all there is to it, and the ring would only hand it to a kernel worker.
 *
 * Owner: the main thread until the disk is attached to an I/O thread, then that thread, but for disk_measure(), which the
 * main thread may call at any time.
 */
#pragma once

#include "vmm/block/io_thread.h"

#include <sys/uio.h>

#define DISK_SECTOR 512u /* bytes; what virtio-blk counts in, whatever the block size */
/* What a descriptor says of the alignment of direct I/O at most; larger would not fit in guests' blocks. */
#define DISK_BLOCK_MAX 4096u

typedef struct {
    int fd;
    char *path; /* for messages */
    bool read_only;
    bool direct;
    bool is_device;
    bool in_memory;          /* steps are carried out at once */
    uint32_t block_size;     /* bytes: offsets and lengths are multiples of it; 512 to DISK_BLOCK_MAX */
    uint32_t physical_size;  /* bytes: what the host handles best; a power of two times block_size */
    uint32_t memory_align;   /* bytes: of buffers; 1 unless direct */
    bool can_discard_device; /* these three: not yet found out that it cannot */
    bool can_punch;
    bool can_zero_range;
    IoThread *thread; /* where it is attached */
    int file_index;   /* registered there; -1 where not */
} Disk;

typedef enum {
    DISK_READ,
    DISK_WRITE,
    DISK_SYNC,           /* all that was written is on stable storage */
    DISK_DISCARD_DEVICE, /* block devices: the range may read as anything */
    DISK_PUNCH,          /* the range reads as zeroes and its space is given back */
    DISK_ZERO,           /* the range reads as zeroes and keeps its space */
} DiskStepKind;

typedef struct {
    DiskStepKind kind;
    bool durable; /* DISK_WRITE: on stable storage when it completes */
    uint64_t offset;
    uint64_t len;            /* the last three kinds */
    const struct iovec *iov; /* reads and writes; 1 to IOV_MAX; need not outlive the submission */
    unsigned n_iov;
} DiskStep;

/* Takes @fd, also on failure. Checks kind and size, and takes the lock. @path may be NULL. */
bool disk_init(Disk *disk, int fd, const char *path, bool read_only, bool direct, GError **error);
/* What it holds goes to stable storage first. Harmless on a zeroed disk. */
void disk_finish(Disk *disk);

/* Bytes it holds now, whole blocks. Any thread. */
bool disk_measure(const Disk *disk, uint64_t *bytes, GError **error);

/* On @thread: register with its ring, and the opposite. */
void disk_attach(Disk *disk, IoThread *thread);
void disk_detach(Disk *disk);

/* Bytes done (0 for kinds without a count), or a negative errno. */
int disk_step_now(Disk *disk, const DiskStep *step);
/* Through the ring of the thread it is attached to; the result is the same, given to @op->done. */
void disk_step_submit(Disk *disk, const DiskStep *step, IoOp *op);
