/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file or block device behind a disk.
 *
 * The lock is an open-file-description lock on the whole file: it is held by the descriptor, so it lives exactly as long as
 * the disk, also across a process that inherits it.
 */
#include "vmm/block/disk.h"

#include "vmm/block/blk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/blkdev.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LOCK_TRIES 50
#define LOCK_PAUSE_US 10000

G_DEFINE_QUARK(carrel - disk - error - quark, disk_error)

int
virtio_blk_open(const char *path, bool read_only, GError **error)
{
    /* Not blocking: a FIFO given by mistake must not hang the start. It means nothing to files and block devices. */
    int fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        g_set_error(error, DISK_ERROR, DISK_ERROR_OPEN, "cannot open %s for %s: %s", path,
                    read_only ? "reading" : "reading and writing", g_strerror(errno));
    return fd;
}

static bool
fail(GError **error, DiskError code, const Disk *disk, const char *what)
{
    g_set_error(error, DISK_ERROR, (int)code, "%s: %s", disk->path, what);
    return false;
}

static bool
check_kind(Disk *disk, GError **error)
{
    struct stat st;
    int flags = fcntl(disk->fd, F_GETFL);

    if (flags < 0 || fstat(disk->fd, &st) < 0)
        return fail(error, DISK_ERROR_OPEN, disk, g_strerror(errno));
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return fail(error, DISK_ERROR_KIND, disk, "a disk is a regular file or a block device, and this is neither");
    if ((flags & O_ACCMODE) == O_WRONLY || (!disk->read_only && (flags & O_ACCMODE) == O_RDONLY))
        return fail(error, DISK_ERROR_OPEN, disk, "the descriptor is not open for reading and writing");
    disk->is_device = S_ISBLK(st.st_mode);
    /* The kernel would take it for "fail rather than wait" on every operation of the ring. */
    if ((flags & O_NONBLOCK) && fcntl(disk->fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
        return fail(error, DISK_ERROR_OPEN, disk, g_strerror(errno));
    return true;
}

/*
 * The ring of a process that was killed lets go of its files some time after the process is gone, which may be now. A file
 * system without locks must be guarded by whoever set it up.
 */
static bool
take_lock(const Disk *disk, GError **error)
{
    struct flock lock = {.l_type = disk->read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};

    for (unsigned tries = 0; tries < LOCK_TRIES; tries++) {
        if (fcntl(disk->fd, F_OFD_SETLK, &lock) == 0 || (errno != EAGAIN && errno != EACCES))
            return true;
        g_usleep(LOCK_PAUSE_US);
    }
    return fail(error, DISK_ERROR_IN_USE, disk, "another process uses this disk: stop that desktop first");
}

static bool
lives_in_memory(int fd)
{
    struct statfs fs;
    return fstatfs(fd, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/* Whether a direct read of one sector works: what tells where the kernel cannot be asked. */
static bool
sector_reads_work(int fd)
{
    void *buffer = aligned_alloc(DISK_BLOCK_MAX, DISK_BLOCK_MAX);
    bool works = pread(fd, buffer, DISK_SECTOR, DISK_SECTOR) >= 0;
    free(buffer);
    return works;
}

static bool
set_direct(Disk *disk, GError **error)
{
    struct statx stx = {0};

    if (fcntl(disk->fd, F_SETFL, fcntl(disk->fd, F_GETFL) | O_DIRECT) < 0)
        return fail(error, DISK_ERROR_OPEN, disk, "its file system cannot bypass the page cache: use cache=writeback");
    if (statx(disk->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) == 0 && (stx.stx_mask & STATX_DIOALIGN) &&
        stx.stx_dio_offset_align) {
        disk->memory_align = MAX(stx.stx_dio_mem_align, 1);
        disk->block_size = MAX(stx.stx_dio_offset_align, disk->block_size);
    } else {
        disk->block_size = MAX(sector_reads_work(disk->fd) ? DISK_SECTOR : DISK_BLOCK_MAX, disk->block_size);
        disk->memory_align = disk->block_size;
    }
    if (disk->block_size > DISK_BLOCK_MAX || disk->memory_align > DISK_BLOCK_MAX)
        return fail(error, DISK_ERROR_OPEN, disk,
                    "direct I/O needs blocks of more than 4096 bytes: use "
                    "cache=writeback");
    return true;
}

static bool
find_geometry(Disk *disk, GError **error)
{
    disk->block_size = DISK_SECTOR;
    disk->memory_align = 1;
    disk->physical_size = DISK_BLOCK_MAX;
    if (disk->is_device) {
        int logical = 0;
        unsigned physical = 0;
        if (ioctl(disk->fd, BLKSSZGET, &logical) == 0 && logical > (int)DISK_SECTOR)
            disk->block_size = logical;
        if (ioctl(disk->fd, BLKPBSZGET, &physical) == 0 && physical)
            disk->physical_size = physical;
    }
    disk->in_memory = !disk->is_device && lives_in_memory(disk->fd);
    if (disk->direct && !disk->in_memory && !set_direct(disk, error))
        return false;
    if (disk->block_size > DISK_BLOCK_MAX)
        return fail(error, DISK_ERROR_KIND, disk, "its blocks are larger than 4096 bytes");
    disk->physical_size = MAX(disk->physical_size, disk->block_size);
    return true;
}

bool
disk_measure(const Disk *disk, uint64_t *bytes, GError **error)
{
    struct stat st;
    uint64_t size;

    if (fstat(disk->fd, &st) < 0 || (disk->is_device && ioctl(disk->fd, BLKGETSIZE64, &size) < 0))
        return fail(error, DISK_ERROR_SIZE, disk, g_strerror(errno));
    if (!disk->is_device)
        size = st.st_size;
    size -= size % disk->block_size;
    if (!size)
        return fail(error, DISK_ERROR_SIZE, disk, "it is empty: a disk has at least one sector");
    *bytes = size;
    return true;
}

bool
disk_init(Disk *disk, int fd, const char *path, bool read_only, bool direct, GError **error)
{
    uint64_t bytes;

    *disk = (Disk){
        .fd = fd,
        .path = g_strdup(path ? path : "the disk's file"),
        .read_only = read_only,
        .direct = direct,
        .can_discard_device = true,
        .can_punch = true,
        .can_zero_range = true,
        .file_index = -1,
    };
    if (check_kind(disk, error) && take_lock(disk, error) && find_geometry(disk, error) &&
        disk_measure(disk, &bytes, error))
        return true;
    close(fd);
    g_clear_pointer(&disk->path, g_free);
    return false;
}

void
disk_finish(Disk *disk)
{
    if (!disk->path)
        return;
    if (!disk->read_only)
        fdatasync(disk->fd);
    close(disk->fd);
    g_clear_pointer(&disk->path, g_free);
}

void
disk_attach(Disk *disk, IoThread *thread)
{
    disk->thread = thread;
    disk->file_index = disk->in_memory ? -1 : io_thread_add_file(thread, disk->fd);
}

void
disk_detach(Disk *disk)
{
    if (disk->file_index >= 0)
        io_thread_remove_file(disk->thread, disk->file_index);
    disk->file_index = -1;
    disk->thread = NULL;
}

static int
fallocate_mode(const DiskStep *step)
{
    return FALLOC_FL_KEEP_SIZE | (step->kind == DISK_PUNCH ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);
}

static ssize_t
transfer_now(const Disk *disk, const DiskStep *step)
{
    if (step->kind == DISK_READ)
        return step->n_iov == 1 ? pread(disk->fd, step->iov->iov_base, step->iov->iov_len, step->offset)
                                : preadv(disk->fd, step->iov, step->n_iov, step->offset);
    if (step->n_iov == 1 && !step->durable)
        return pwrite(disk->fd, step->iov->iov_base, step->iov->iov_len, step->offset);
    return pwritev2(disk->fd, step->iov, step->n_iov, step->offset, step->durable ? RWF_DSYNC : 0);
}

int
disk_step_now(Disk *disk, const DiskStep *step)
{
    ssize_t result = 0;

    switch (step->kind) {
    case DISK_READ:
    case DISK_WRITE:
        result = transfer_now(disk, step);
        break;
    case DISK_SYNC:
        result = fdatasync(disk->fd);
        break;
    case DISK_DISCARD_DEVICE:
        g_assert_not_reached(); /* no block device lives in memory */
    case DISK_PUNCH:
    case DISK_ZERO:
        result = fallocate(disk->fd, fallocate_mode(step), step->offset, step->len);
        break;
    }
    return result < 0 ? -errno : (int)result;
}

void
disk_step_submit(Disk *disk, const DiskStep *step, IoOp *op)
{
    struct io_uring_sqe *sqe = io_thread_sqe(disk->thread, op);
    bool fixed = disk->file_index >= 0;
    int fd = fixed ? disk->file_index : disk->fd;

    switch (step->kind) {
    case DISK_READ:
        if (step->n_iov == 1)
            io_uring_prep_read(sqe, fd, step->iov->iov_base, step->iov->iov_len, step->offset);
        else
            io_uring_prep_readv(sqe, fd, step->iov, step->n_iov, step->offset);
        break;
    case DISK_WRITE:
        if (step->n_iov == 1)
            io_uring_prep_write(sqe, fd, step->iov->iov_base, step->iov->iov_len, step->offset);
        else
            io_uring_prep_writev(sqe, fd, step->iov, step->n_iov, step->offset);
        sqe->rw_flags = step->durable ? RWF_DSYNC : 0;
        break;
    case DISK_SYNC:
        io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
        break;
    case DISK_DISCARD_DEVICE:
        sqe->opcode = IORING_OP_URING_CMD;
        sqe->fd = fd;
        sqe->cmd_op = BLOCK_URING_CMD_DISCARD;
        sqe->addr = step->offset;
        sqe->addr3 = step->len;
        break;
    case DISK_PUNCH:
    case DISK_ZERO:
        io_uring_prep_fallocate(sqe, fd, fallocate_mode(step), step->offset, step->len);
        break;
    }
    sqe->user_data = (uintptr_t)op; /* older liburing's prep functions clear it */
    if (fixed)
        sqe->flags |= IOSQE_FIXED_FILE;
}
