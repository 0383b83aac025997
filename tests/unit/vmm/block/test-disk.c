/* SPDX-License-Identifier: Apache-2.0 */
/* The file behind a disk: what is accepted as one, whose it is, and what is known of it. */
#include "vmm/block/disk.h"

#include "disk_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static void
expect_refused(int fd, bool read_only, DiskError code, const char *words)
{
    g_autoptr(GError) error = NULL;
    Disk disk;

    g_assert_false(disk_init(&disk, fd, "/srv/a.raw", read_only, false, &error));
    g_assert_error(error, DISK_ERROR, (int)code);
    g_assert_true(g_str_has_prefix(error->message, "/srv/a.raw: "));
    g_assert_nonnull(strstr(error->message, words));
    g_assert_cmpint(fcntl(fd, F_GETFD), ==, -1); /* it was taken all the same */
    disk_finish(&disk);                          /* harmless */
}

static void
test_open(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(virtio_blk_open("/nowhere/a.raw", false, &error), ==, -1);
    g_assert_error(error, DISK_ERROR, DISK_ERROR_OPEN);
    g_assert_cmpstr(error->message, ==,
                    "cannot open /nowhere/a.raw for reading and writing: No such file or directory");

    g_autofree char *path = NULL;
    int fd = disk_file_named(DISK_FILE_MEMORY, 4096, &path);
    if (fd < 0)
        return;
    int again = virtio_blk_open(path, true, NULL);
    g_assert_cmpint(fcntl(again, F_GETFL) & O_ACCMODE, ==, O_RDONLY);
    g_assert_cmpint(fcntl(again, F_GETFD) & FD_CLOEXEC, !=, 0);
    close(again);
    close(fd);
    unlink(path);
}

static void
test_refused(void)
{
    int pipes[2];

    g_assert_cmpint(pipe(pipes), ==, 0);
    expect_refused(pipes[0], true, DISK_ERROR_KIND, "neither");
    close(pipes[1]);
    expect_refused(open("/dev/null", O_RDWR), false, DISK_ERROR_KIND, "neither");
    expect_refused(open("/", O_RDONLY), true, DISK_ERROR_KIND, "neither");
    expect_refused(disk_file_new(DISK_FILE_MEMORY, 0), false, DISK_ERROR_SIZE, "empty");
    expect_refused(disk_file_new(DISK_FILE_MEMORY, 511), false, DISK_ERROR_SIZE, "empty");
    expect_refused(open("/proc/self/exe", O_RDONLY), false, DISK_ERROR_OPEN, "writing");
}

static Disk *
disk_on(int fd, bool read_only, GError **error)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
    g_autofree Disk *disk = g_new(Disk, 1);
    int own = virtio_blk_open(path, read_only, error);
    g_assert_cmpint(own, >=, 0);
    return disk_init(disk, own, path, read_only, false, error) ? g_steal_pointer(&disk) : NULL;
}

static void
disk_free(Disk *disk)
{
    disk_finish(disk);
    g_free(disk);
}

static void
test_lock(void)
{
    int fd = disk_file_new(DISK_FILE_MEMORY, 8192);
    g_autoptr(GError) error = NULL;

    Disk *writer = disk_on(fd, false, NULL);
    g_assert_nonnull(writer);
    g_assert_null(disk_on(fd, false, &error));
    g_assert_error(error, DISK_ERROR, DISK_ERROR_IN_USE);
    g_clear_error(&error);
    g_assert_null(disk_on(fd, true, &error));
    g_assert_error(error, DISK_ERROR, DISK_ERROR_IN_USE);
    g_clear_error(&error);
    disk_free(writer);

    Disk *readers[2] = {disk_on(fd, true, NULL), disk_on(fd, true, NULL)};
    g_assert_true(readers[0] && readers[1]);
    g_assert_null(disk_on(fd, false, &error));
    g_assert_error(error, DISK_ERROR, DISK_ERROR_IN_USE);
    disk_free(readers[0]);
    disk_free(readers[1]);
    writer = disk_on(fd, false, NULL);
    g_assert_nonnull(writer);
    disk_free(writer);
    close(fd);
}

static void
test_measure(void)
{
    int fd = disk_file_new(DISK_FILE_MEMORY, 10000);
    Disk *disk = disk_on(fd, false, NULL);
    uint64_t bytes;

    g_assert_true(disk_measure(disk, &bytes, NULL));
    g_assert_cmpuint(bytes, ==, 9728); /* whole sectors */
    g_assert_true(disk->in_memory);
    g_assert_cmpuint(disk->block_size, ==, 512);
    g_assert_cmpint(fcntl(disk->fd, F_GETFL) & O_NONBLOCK, ==, 0);
    disk_free(disk);
    close(fd);
}

static void
test_direct(void)
{
    int fd = disk_file_new(DISK_FILE_REAL, 1 << 20);
    if (fd < 0)
        return;
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
    g_autoptr(GError) error = NULL;
    Disk disk;

    bool can = disk_init(&disk, virtio_blk_open(path, false, NULL), path, false, true, &error);
    close(fd);
    if (!can) {
        g_test_skip(error->message);
        return;
    }
    g_assert_false(disk.in_memory);
    g_assert_cmpint(fcntl(disk.fd, F_GETFL) & O_DIRECT, !=, 0);
    g_assert_true(disk.block_size >= 512 && disk.block_size <= 4096);
    g_assert_true(disk.memory_align >= 1 && disk.memory_align <= 4096);
    /* What it says of its alignment is true. */
    uint8_t *buffer = aligned_alloc(4096, 8192);
    struct iovec iov = {buffer + disk.memory_align % 4096, disk.block_size};
    DiskStep step = {.kind = DISK_READ, .offset = disk.block_size, .iov = &iov, .n_iov = 1};
    g_assert_cmpint(disk_step_now(&disk, &step), ==, disk.block_size);
    free(buffer);
    disk_finish(&disk);
}

/* --- block devices: a loop device with large sectors, where one may be made --- */

static int
loop_device(int file, uint32_t block_size, const char **why_not)
{
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    int number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
    if (control >= 0)
        close(control);
    g_autofree char *path = g_strdup_printf("/dev/loop%d", number);
    int loop = number < 0 ? -1 : open(path, O_RDWR | O_CLOEXEC);
    struct loop_config config = {.fd = file, .block_size = block_size, .info.lo_flags = LO_FLAGS_AUTOCLEAR};
    if (loop >= 0 && ioctl(loop, LOOP_CONFIGURE, &config) == 0)
        return loop;
    if (loop >= 0)
        close(loop);
    *why_not = "no loop device can be made here";
    return -1;
}

typedef struct {
    IoOp op;
    Disk *disk;
    IoThread *thread;
    DiskStep step;
    int result;
    unsigned pending;
} Submitted;

static void
submitted_done(IoOp *op, int result)
{
    Submitted *submitted = (Submitted *)op;
    submitted->result = result;
    submitted->pending--;
}

static void
submit_and_wait(void *data)
{
    Submitted *submitted = data;
    disk_attach(submitted->disk, submitted->thread);
    submitted->op.done = submitted_done;
    submitted->pending = 1;
    disk_step_submit(submitted->disk, &submitted->step, &submitted->op);
    io_thread_drain(submitted->thread, &submitted->pending);
    disk_detach(submitted->disk);
}

static int
through_ring(Disk *disk, IoThread *thread, DiskStep step)
{
    Submitted submitted = {.disk = disk, .thread = thread, .step = step};
    io_thread_call(thread, submit_and_wait, &submitted);
    return submitted.result;
}

static void
test_block_device(void)
{
    int file = disk_file_new(DISK_FILE_REAL, 1 << 20);
    if (file < 0)
        return;
    const char *why_not;
    int loop = loop_device(file, 4096, &why_not);
    if (loop < 0) {
        g_test_skip(why_not);
        close(file);
        return;
    }
    g_autoptr(IoThread) thread = io_thread_new("test", NULL);
    g_autofree uint8_t *bytes = g_malloc(65536), *held = g_malloc(65536);
    memset(bytes, 'x', 65536);
    struct iovec iov[2] = {{bytes, 4096}, {bytes + 4096, 65536 - 4096}};
    uint64_t size;
    Disk disk;

    g_assert_true(disk_init(&disk, loop, "/dev/loop", false, false, NULL));
    g_assert_true(disk.is_device);
    g_assert_false(disk.in_memory);
    g_assert_cmpuint(disk.block_size, ==, 4096);
    g_assert_true(disk_measure(&disk, &size, NULL));
    g_assert_cmpuint(size, ==, 1 << 20);
    g_assert_cmpint(through_ring(&disk, thread, (DiskStep){.kind = DISK_WRITE, .offset = 8192, .iov = iov, .n_iov = 2}),
                    ==, 65536);
    g_assert_cmpint(through_ring(&disk, thread, (DiskStep){.kind = DISK_SYNC}), ==, 0);
    g_assert_cmpint(pread(file, held, 65536, 8192), ==, 65536);
    g_assert_cmpmem(held, 65536, bytes, 65536);
    int discarded = through_ring(&disk, thread, (DiskStep){.kind = DISK_DISCARD_DEVICE, .offset = 8192, .len = 32768});
    g_assert_true(discarded == 0 || discarded == -EOPNOTSUPP || discarded == -EINVAL); /* as the kernel is old or new */
    g_assert_cmpint(through_ring(&disk, thread, (DiskStep){.kind = DISK_ZERO, .offset = 8192, .len = 65536}), ==, 0);
    g_assert_cmpint(through_ring(&disk, thread, (DiskStep){.kind = DISK_SYNC}), ==, 0);
    memset(bytes, 0, 65536);
    struct iovec back = {held, 65536};
    g_assert_cmpint(
        through_ring(&disk, thread, (DiskStep){.kind = DISK_READ, .offset = 8192, .iov = &back, .n_iov = 1}), ==,
        65536);
    g_assert_cmpmem(held, 65536, bytes, 65536);
    disk_finish(&disk);
    close(file);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/disk/open", test_open);
    g_test_add_func("/block/disk/refused", test_refused);
    g_test_add_func("/block/disk/lock", test_lock);
    g_test_add_func("/block/disk/measure", test_measure);
    g_test_add_func("/block/disk/direct", test_direct);
    g_test_add_func("/block/disk/block-device", test_block_device);
    return g_test_run();
}
