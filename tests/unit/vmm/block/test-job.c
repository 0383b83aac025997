/* SPDX-License-Identifier: Apache-2.0 */
/* Commands carried out step by step: around what the disk cannot do, and up to what fails. */
#include "vmm/block/job.h"

#include "disk_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define DISK_BYTES (4u << 20)

typedef struct {
    IoThread *thread;
    Disk disk;
    int fd;
} Bench;

typedef struct {
    BlkJob job;
    Bench *bench;
    const BlkCommand *command;
    BlkJobFlags flags;
    unsigned pending, finished;
    int error;
} Run;

static bool
bench_init(Bench *bench, DiskFileKind kind, bool direct)
{
    bench->fd = disk_file_new(kind, DISK_BYTES);
    if (bench->fd < 0)
        return false;
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", bench->fd);
    g_autoptr(GError) error = NULL;
    if (!disk_init(&bench->disk, virtio_blk_open(path, false, NULL), path, false, direct, &error)) {
        g_test_skip(error->message);
        close(bench->fd);
        return false;
    }
    bench->thread = io_thread_new("test", NULL);
    return true;
}

static void
bench_finish(Bench *bench)
{
    io_thread_free(bench->thread);
    disk_finish(&bench->disk);
    close(bench->fd);
}

static void
run_done(BlkJob *job, int error)
{
    Run *run = (Run *)job;
    run->error = error;
    run->pending--;
    run->finished++;
}

static void
run_on_thread(void *data)
{
    Run *run = data;
    disk_attach(&run->bench->disk, run->bench->thread);
    run->pending = 1;
    run->job.done = run_done;
    blk_job_start(&run->job, &run->bench->disk, run->command, run->flags);
    io_thread_drain(run->bench->thread, &run->pending);
    disk_detach(&run->bench->disk);
}

static int
carry_out(Bench *bench, const BlkCommand *command, BlkJobFlags flags)
{
    Run run = {.bench = bench, .command = command, .flags = flags};
    io_thread_call(bench->thread, run_on_thread, &run);
    g_assert_cmpuint(run.finished, ==, 1);
    return run.error;
}

static void
fill(uint8_t *bytes, size_t len, uint32_t seed)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (seed = seed * 1664525 + 1013904223) >> 24;
}

typedef struct {
    DiskFileKind kind;
    bool direct;
} Way;

/* More buffers than one system call takes, and a length that takes several bounce buffers. */
static void
test_transfers(const void *data)
{
    const Way *way = data;
    Bench bench;
    if (!bench_init(&bench, way->kind, way->direct))
        return;
    static const struct {
        size_t piece, shift;
    } cuts[] = {{4096, 0}, {4096, 1}, {512, 0}, {513, 3}, {1 << 20, 0}, {700000, 7}};
    enum { LEN = 1 << 20 };
    uint8_t *ram = aligned_alloc(4096, 2 * LEN), *back = aligned_alloc(4096, 2 * LEN);

    for (size_t i = 0; i < G_N_ELEMENTS(cuts); i++) {
        size_t n = (LEN + cuts[i].piece - 1) / cuts[i].piece;
        g_autofree struct iovec *iov = g_new(struct iovec, n), *iov_back = g_new(struct iovec, n);
        for (size_t p = 0; p < n; p++) {
            size_t len = MIN(cuts[i].piece, LEN - p * cuts[i].piece);
            iov[p] = (struct iovec){ram + cuts[i].shift + p * cuts[i].piece, len};
            iov_back[p] = (struct iovec){back + cuts[i].shift + p * cuts[i].piece, len};
        }
        fill(ram, 2 * LEN, i);
        memset(back, 0, 2 * LEN);
        BlkCommand write = {.kind = BLK_WRITE, .offset = 8192, .len = LEN, .data = iov, .n_data = n};
        BlkCommand read = {.kind = BLK_READ, .offset = 8192, .len = LEN, .data = iov_back, .n_data = n};
        g_assert_cmpint(carry_out(&bench, &write, i % 2 ? BLK_JOB_DURABLE : 0), ==, 0);
        g_assert_cmpint(carry_out(&bench, &read, BLK_JOB_DRY), ==, 0); /* leaves memory alone */
        for (size_t b = 0; b < LEN; b += 511)
            g_assert_cmpuint(back[cuts[i].shift + b], ==, 0);
        g_assert_cmpint(carry_out(&bench, &read, 0), ==, 0);
        g_assert_cmpmem(back + cuts[i].shift, LEN, ram + cuts[i].shift, LEN);
    }
    free(ram);
    free(back);
    BlkCommand flush = {.kind = BLK_FLUSH};
    g_assert_cmpint(carry_out(&bench, &flush, 0), ==, 0);
    bench_finish(&bench);
}

static void
test_past_the_end(const void *data)
{
    const Way *way = data;
    Bench bench;
    if (!bench_init(&bench, way->kind, way->direct))
        return;
    uint8_t *ram = aligned_alloc(4096, 16384);
    struct iovec iov = {ram, 16384};
    BlkCommand read = {.kind = BLK_READ, .offset = 0, .len = 16384, .data = &iov, .n_data = 1};

    g_assert_cmpint(ftruncate(bench.fd, 8192), ==, 0);
    g_assert_cmpint(carry_out(&bench, &read, 0), ==, -EIO);
    g_assert_cmpint(ftruncate(bench.fd, 0), ==, 0);
    g_assert_cmpint(carry_out(&bench, &read, 0), ==, -EIO);
    g_assert_cmpint(ftruncate(bench.fd, 16384), ==, 0);
    g_assert_cmpint(carry_out(&bench, &read, 0), ==, 0);
    free(ram);
    bench_finish(&bench);
}

/* Whatever the disk is found not to do, zeroes come to be where they should and nowhere else. */
static void
test_ranges(const void *data)
{
    const Way *way = data;
    Bench bench;
    if (!bench_init(&bench, way->kind, way->direct))
        return;
    g_autofree uint8_t *bytes = g_malloc(DISK_BYTES), *held = g_malloc(DISK_BYTES);
    fill(bytes, DISK_BYTES, 8);

    for (int without = 0; without < 8; without++) {
        g_assert_cmpint(pwrite(bench.fd, bytes, DISK_BYTES, 0), ==, DISK_BYTES);
        fsync(bench.fd);
        bench.disk.can_punch = !(without & 1);
        bench.disk.can_zero_range = !(without & 2);
        BlkRange ranges[] = {{4096, 4096, false},
                             {16384, 1 << 20, true},
                             {2 << 20, (1 << 20) + 4096, false},
                             {DISK_BYTES - 4096, 4096, true}};
        BlkCommand zero = {.kind = BLK_WRITE_ZEROES, .ranges = ranges, .n_ranges = G_N_ELEMENTS(ranges)};
        g_assert_cmpint(carry_out(&bench, &zero, without & 4 ? BLK_JOB_KEEP_SPACE : 0), ==, 0);
        g_autofree uint8_t *wanted = g_memdup2(bytes, DISK_BYTES);
        for (size_t i = 0; i < G_N_ELEMENTS(ranges); i++)
            memset(wanted + ranges[i].offset, 0, ranges[i].len);
        g_assert_cmpint(pread(bench.fd, held, DISK_BYTES, 0), ==, DISK_BYTES);
        g_assert_cmpmem(held, DISK_BYTES, wanted, DISK_BYTES);

        BlkCommand discard = {.kind = BLK_DISCARD, .ranges = ranges, .n_ranges = G_N_ELEMENTS(ranges)};
        g_assert_cmpint(carry_out(&bench, &discard, 0), ==, 0); /* it is only advice */
    }
    bench_finish(&bench);
}

/* A file that cannot be written: every kind of command that writes says so. */
static void
test_failures(void)
{
    Bench bench;
    if (!bench_init(&bench, DISK_FILE_MEMORY, false))
        return;
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", bench.fd);
    int protected = open(path, O_RDONLY | O_CLOEXEC);
    int writable = bench.disk.fd;
    uint8_t ram[4096] = {0};
    struct iovec iov = {ram, sizeof(ram)};
    BlkRange range = {0, 4096, true};
    BlkCommand commands[] = {
        {.kind = BLK_WRITE, .len = 4096, .data = &iov, .n_data = 1},
        {.kind = BLK_DISCARD, .ranges = &range, .n_ranges = 1},
        {.kind = BLK_WRITE_ZEROES, .ranges = &range, .n_ranges = 1},
    };

    bench.disk.fd = protected;
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
        g_assert_cmpint(carry_out(&bench, &commands[i], 0), ==, -EBADF);
    bench.disk.fd = writable;
    close(protected);
    bench_finish(&bench);
}

int
main(int argc, char **argv)
{
    static const Way ways[] = {{DISK_FILE_MEMORY, false}, {DISK_FILE_REAL, false}, {DISK_FILE_REAL, true}};
    static const char *const names[] = {"memory", "file", "direct"};

    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
        g_autofree char *transfers = g_strdup_printf("/block/job/transfers/%s", names[i]);
        g_autofree char *end = g_strdup_printf("/block/job/past-the-end/%s", names[i]);
        g_autofree char *ranges = g_strdup_printf("/block/job/ranges/%s", names[i]);
        g_test_add_data_func(transfers, &ways[i], test_transfers);
        g_test_add_data_func(end, &ways[i], test_past_the_end);
        g_test_add_data_func(ranges, &ways[i], test_ranges);
    }
    g_test_add_func("/block/job/failures", test_failures);
    return g_test_run();
}
