/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A medium: the image behind a drive, read and written on an I/O thread.
 *
 * Work crosses twice: from the USB thread to the I/O thread that carries it out, and back with its outcome. While it is
 * away the machine does not come to rest (usb_bus_hold()), and the medium is not let go.
 *
 * Owner: the USB thread, but for making one: any thread.
 */
#pragma once

#include "usb/bus.h"
#include "vmm/block/io_thread.h"

typedef struct Medium Medium;

/*
 * Takes @fd, also on failure: a regular file or block device. @cd: it must hold an ISO 9660 or UDF file system, and is read
 * only. Takes a lock of the file, shared where read only. @path is for messages.
 */
Medium *medium_new(int fd, const char *path, bool cd, bool read_only, IoThread *thread, GError **error);
Medium *medium_ref(Medium *medium);
/* On the last: what was written goes to stable storage first, and the file is closed. Any thread but the I/O thread. */
void medium_unref(Medium *medium);

uint64_t medium_bytes(const Medium *medium);
bool medium_is_read_only(const Medium *medium);
const char *medium_path(const Medium *medium);

/* One piece of work; of whoever asks for it, until .done. */
typedef struct MediumWork MediumWork;
struct MediumWork {
    /* On the USB thread. 0, or a negative errno after any part of it. */
    void (*done)(MediumWork *work, int error);
    /* private */
    Medium *medium;
    UsbBus *bus;
    void *job;
};

typedef enum { MEDIUM_READ, MEDIUM_WRITE, MEDIUM_SYNC } MediumKind;

/* @iov holds @len bytes and is copied; what it points to is the work's until it is done. @len 0 for MEDIUM_SYNC. */
void medium_work(MediumWork *work, Medium *medium, UsbBus *bus, MediumKind kind, uint64_t offset,
                 const struct iovec *iov, unsigned n_iov, uint32_t len);
