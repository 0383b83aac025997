/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio disk with a driver, an I/O thread and a machine around it, for the tests of block/.
 *
 * Files come in two kinds, since they are worked on in two ways: in memory (carried out at once), and on a real file
 * system (through the ring).
 */
#pragma once

#include "driver.h"
#include "vmm/block/blk.h"

#include <linux/virtio_blk.h>

typedef struct {
    VirtioDriver *driver;
    VirtioDevice *device; /* the driver's */
    IoThread *thread;
    Machine *machine;
    int fd;             /* the test's own view of the file; owned */
    const char *detail; /* of the last pause; static */
} DiskDriver;

typedef enum { DISK_FILE_MEMORY, DISK_FILE_REAL } DiskFileKind;

/* A file of @bytes zeroes without a name. -1 where there is no such file system: the test is marked skipped. */
int disk_file_new(DiskFileKind kind, uint64_t bytes);
/* The same with a name, to be freed and unlinked by the caller. */
int disk_file_named(DiskFileKind kind, uint64_t bytes, char **path);

/*
 * Makes the disk on a descriptor of its own for @fd's file (options->fd is set here; thread and machine too), and takes
 * @fd. The machine has the device in it and is started once the driver is (disk_driver_start()).
 */
DiskDriver *disk_driver_new(VirtioDriverFlags flags, int fd, const VirtioBlkOptions *options);
void disk_driver_start(DiskDriver *disk, uint64_t features);
void disk_driver_free(DiskDriver *disk);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DiskDriver, disk_driver_free)

/* What is offered, but for the ring's own features. */
uint64_t disk_driver_features(const DiskDriver *disk);

/* One request and its answer: VIRTIO_BLK_S_…. */
uint8_t disk_driver_read(DiskDriver *disk, uint64_t sector, void *to, size_t len);
uint8_t disk_driver_write(DiskDriver *disk, uint64_t sector, const void *from, size_t len);
uint8_t disk_driver_flush(DiskDriver *disk);
uint8_t disk_driver_range(DiskDriver *disk, uint32_t type, uint64_t sector, uint32_t sectors, uint32_t flags);

/* A request left under way: added and kicked. @data is a guest address. */
typedef struct {
    uint64_t header, data, status;
    unsigned queue;
    uint16_t id;
} DiskPending;
DiskPending disk_driver_begin(DiskDriver *disk, unsigned queue, uint32_t type, uint64_t sector, uint64_t data,
                              uint32_t len);
uint8_t disk_driver_status(DiskDriver *disk, const DiskPending *pending);

/* Runs the main loop until the machine's state and pause reasons are these; asserts that they become so. */
void disk_driver_wait_machine(DiskDriver *disk, MachineState state, unsigned reasons);

/* The whole saved state of the device, and into one. */
GByteArray *disk_driver_save(DiskDriver *disk);
bool disk_driver_load(DiskDriver *disk, const GByteArray *bytes, GError **error);
