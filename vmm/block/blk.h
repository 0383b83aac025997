/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-blk (virtio 1.2, 5.2): a disk of the guest's, on a raw image file or a block device of the host's.
 *
 * Its queues run on an I/O thread (block/io_thread.h). A disk of the host that is full or fails does not reach the guest:
 * the request is parked, the machine pauses and says why, and when the cause is gone the request is carried out and the
 * machine resumes. Parked requests are part of the saved state.
 *
 * Owner: the main thread, unless a comment says otherwise.
 */
#pragma once

#include "vmm/block/io_thread.h"
#include "vmm/board/machine.h"
#include "vmm/virtio/device.h"

#define VIRTIO_BLK_SERIAL_MAX 20 /* bytes; virtio 1.2, 5.2.6.1 */
#define VIRTIO_BLK_QUEUES_MAX 64

#define DISK_ERROR (disk_error_quark())
GQuark disk_error_quark(void);
typedef enum {
    DISK_ERROR_OPEN,   /* missing, not allowed, or cannot be used as asked */
    DISK_ERROR_KIND,   /* neither a file nor a block device */
    DISK_ERROR_SIZE,   /* empty, or not a whole number of sectors */
    DISK_ERROR_IN_USE, /* somebody else holds its lock */
} DiskError;

typedef enum {
    BLK_ON_ERROR_PAUSE,  /* ENOSPC, EIO and the like: park the request and pause the machine */
    BLK_ON_ERROR_REPORT, /* the guest sees an I/O error */
} BlkOnError;

typedef struct {
    int fd;             /* a regular file or block device open for reading, and writing unless read_only; becomes the
                           device's, also when virtio_blk_new() fails */
    const char *path;   /* for messages; NULL: "its file" */
    const char *serial; /* at most VIRTIO_BLK_SERIAL_MAX bytes are shown; NULL: none */
    bool read_only;
    bool direct;       /* cache=none: past the host's page cache (sets O_DIRECT on the open file) */
    bool discard;      /* offer discard, and let write-zeroes free space when the guest allows it */
    unsigned n_queues; /* 1 to VIRTIO_BLK_QUEUES_MAX; 0: 1 */
    BlkOnError on_error;
    IoThread *thread; /* not owned; outlives the device */
    Machine *machine; /* not owned; asked to pause and resume; may be NULL with BLK_ON_ERROR_REPORT */
} VirtioBlkOptions;

/* Opens @path for virtio_blk_new(): a close-on-exec descriptor, or -1 and an error that names the path. */
int virtio_blk_open(const char *path, bool read_only, GError **error);

/*
 * Takes the lock (of the open file: shared where read_only, else exclusive) and measures the disk. Free it with
 * virtio_device_free().
 */
VirtioDevice *virtio_blk_new(const char *id, GuestMemory *memory, const VirtioBlkOptions *options, GError **error);

/* The file or device behind it has another size now: tells the guest. @bytes, if not NULL, is set to the new size. */
bool virtio_blk_resize(VirtioDevice *device, uint64_t *bytes, GError **error);

/* What the disk did since it was made. */
typedef struct {
    uint64_t reads, writes;           /* requests completed */
    uint64_t read_bytes, write_bytes; /* of those that succeeded */
    uint64_t flushes, discards;       /* discards: and write-zeroes */
    uint64_t errors;                  /* answered with an error */
    uint32_t in_flight;               /* requests taken and not yet answered … */
    uint32_t parked;                  /* … of which wait for the host's storage */
} VirtioBlkStats;
/* Any thread. Each figure is right by itself; together they are a moment's apart. */
void virtio_blk_stats(VirtioDevice *device, VirtioBlkStats *stats);
