/* SPDX-License-Identifier: Apache-2.0 */
/* A disk as a driver meets it: what it offers and says of itself, and that what is written is read. */
#include "disk_driver.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISK_BYTES (4u << 20)

#define BIT(n) (1ull << (n))

/* Bytes that tell where they were meant to go. */
static void
fill(uint8_t *bytes, size_t len, uint32_t seed)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (seed = seed * 1664525 + 1013904223) >> 24;
}

static void
expect_file(const DiskDriver *disk, uint64_t offset, const uint8_t *bytes, size_t len)
{
    g_autofree uint8_t *held = g_malloc(len);
    g_assert_cmpint(pread(disk->fd, held, len, offset), ==, len);
    g_assert_cmpmem(held, len, bytes, len);
}

static DiskDriver *
started(VirtioDriverFlags flags, DiskFileKind kind, const VirtioBlkOptions *options)
{
    int fd = disk_file_new(kind, DISK_BYTES);
    if (fd < 0)
        return NULL;
    DiskDriver *disk = disk_driver_new(flags, fd, options);
    disk_driver_start(disk, disk_driver_features(disk));
    return disk;
}

static void
read_config(DiskDriver *disk, struct virtio_blk_config *config)
{
    memset(config, 0xff, sizeof(*config));
    g_mutex_lock(&disk->device->lock);
    virtio_device_config_read(disk->device, 0, config, sizeof(*config));
    g_mutex_unlock(&disk->device->lock);
}

static void
write_wce(DiskDriver *disk, uint8_t value)
{
    g_mutex_lock(&disk->device->lock);
    virtio_device_config_write(disk->device, offsetof(struct virtio_blk_config, wce), &value, 1);
    g_mutex_unlock(&disk->device->lock);
}

static void
test_configuration(void)
{
    g_autoptr(DiskDriver) disk = started(0, DISK_FILE_MEMORY, &(VirtioBlkOptions){.discard = true, .n_queues = 3});
    struct virtio_blk_config config;

    read_config(disk, &config);
    g_assert_cmpuint(config.capacity, ==, DISK_BYTES / 512);
    g_assert_cmpuint(config.seg_max, ==, 254);
    g_assert_cmpuint(config.blk_size, ==, 512);
    g_assert_cmpuint(config.physical_block_exp, ==, 3); /* 4096 */
    g_assert_cmpuint(config.num_queues, ==, 3);
    g_assert_cmpuint(config.wce, ==, 1);
    g_assert_cmpuint(config.max_discard_seg, ==, 32);
    g_assert_cmpuint(config.max_discard_sectors, >=, 8);
    g_assert_cmpuint(config.max_write_zeroes_sectors, >=, 8);
    g_assert_cmpuint(config.write_zeroes_may_unmap, ==, 1);
    g_assert_cmpuint(config.secure_erase_sector_alignment, ==, 0); /* not offered */
    g_assert_cmphex(disk_driver_features(disk), ==,
                    BIT(VIRTIO_BLK_F_SIZE_MAX) | BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_BLK_SIZE) |
                        BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_TOPOLOGY) | BIT(VIRTIO_BLK_F_CONFIG_WCE) |
                        BIT(VIRTIO_BLK_F_MQ) | BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES));
    write_wce(disk, 0);
    read_config(disk, &config);
    g_assert_cmpuint(config.wce, ==, 0);
    write_wce(disk, 0xfe);
    read_config(disk, &config);
    g_assert_cmpuint(config.wce, ==, 0);
    write_wce(disk, 1);
    read_config(disk, &config);
    g_assert_cmpuint(config.wce, ==, 1);
    /* Nothing else can be written. */
    uint8_t junk[64];
    memset(junk, 0xa5, sizeof(junk));
    g_mutex_lock(&disk->device->lock);
    virtio_device_config_write(disk->device, 0, junk, 32);
    g_mutex_unlock(&disk->device->lock);
    read_config(disk, &config);
    g_assert_cmpuint(config.capacity, ==, DISK_BYTES / 512);
    g_assert_cmpuint(config.wce, ==, 1);
}

static void
test_read_only(void)
{
    uint8_t sector[512], wanted[512];
    int fd = disk_file_new(DISK_FILE_MEMORY, DISK_BYTES);
    fill(wanted, sizeof(wanted), 1);
    g_assert_cmpint(pwrite(fd, wanted, 512, 512), ==, 512);
    g_autoptr(DiskDriver) disk = disk_driver_new(0, fd, &(VirtioBlkOptions){.read_only = true, .discard = true});

    g_assert_cmphex(disk_driver_features(disk), ==,
                    BIT(VIRTIO_BLK_F_SIZE_MAX) | BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_BLK_SIZE) |
                        BIT(VIRTIO_BLK_F_TOPOLOGY) | BIT(VIRTIO_BLK_F_MQ) | BIT(VIRTIO_BLK_F_RO));
    disk_driver_start(disk, disk_driver_features(disk));
    g_assert_cmpuint(disk_driver_read(disk, 1, sector, 512), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpmem(sector, 512, wanted, 512);
    g_assert_cmpuint(disk_driver_write(disk, 0, wanted, 512), ==, VIRTIO_BLK_S_IOERR);
    g_assert_cmpuint(disk_driver_flush(disk), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpuint(disk_driver_range(disk, VIRTIO_BLK_T_DISCARD, 0, 8, 0), ==, VIRTIO_BLK_S_UNSUPP);
    g_assert_cmpuint(disk_driver_range(disk, VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0), ==, VIRTIO_BLK_S_IOERR);
    memset(wanted, 0, 512);
    expect_file(disk, 0, wanted, 512);
}

typedef struct {
    VirtioDriverFlags flags;
    DiskFileKind kind;
    bool direct;
} Way;

static void
test_round_trip(const void *data)
{
    const Way *way = data;
    g_autoptr(DiskDriver) disk = started(way->flags, way->kind, &(VirtioBlkOptions){.direct = way->direct});
    if (!disk)
        return;
    static const size_t lens[] = {512, 1024, 4096, 65536, 1536, 512 * 1024};
    uint64_t sector = 1;

    for (size_t i = 0; i < G_N_ELEMENTS(lens); i++) {
        /* A disk whose host wants larger blocks says so, and is asked for no smaller ones. */
        size_t block = 512, len = lens[i];
        struct virtio_blk_config config;
        read_config(disk, &config);
        block = config.blk_size;
        len = (len + block - 1) / block * block;
        sector = (sector * 512 + block - 1) / block * block / 512;
        g_autofree uint8_t *wanted = g_malloc(len), *got = g_malloc0(len);
        fill(wanted, len, i);
        g_assert_cmpuint(disk_driver_write(disk, sector, wanted, len), ==, VIRTIO_BLK_S_OK);
        expect_file(disk, sector * 512, wanted, len);
        g_assert_cmpuint(disk_driver_read(disk, sector, got, len), ==, VIRTIO_BLK_S_OK);
        g_assert_cmpmem(got, len, wanted, len);
        sector += len / 512 + 3;
    }
    g_assert_cmpuint(disk_driver_flush(disk), ==, VIRTIO_BLK_S_OK);

    VirtioBlkStats stats;
    virtio_blk_stats(disk->device, &stats);
    g_assert_cmpuint(stats.writes, ==, G_N_ELEMENTS(lens));
    g_assert_cmpuint(stats.reads, ==, G_N_ELEMENTS(lens));
    g_assert_cmpuint(stats.read_bytes, ==, stats.write_bytes);
    g_assert_cmpuint(stats.flushes, ==, 1);
    g_assert_cmpuint(stats.errors, ==, 0);
    g_assert_cmpuint(stats.in_flight, ==, 0);
}

/* Buffers at odd addresses, of odd lengths, with the header and the status cut in pieces. */
static void
test_scattered(const void *data)
{
    const Way *way = data;
    g_autoptr(DiskDriver) disk = started(way->flags, way->kind, &(VirtioBlkOptions){.direct = way->direct});
    if (!disk)
        return;
    VirtioDriver *driver = disk->driver;
    enum { LEN = 12288 };
    uint64_t ram = virtio_driver_alloc(driver, 1 << 16) + 1;
    uint8_t *at = virtio_driver_at(driver, ram, (1 << 16) - 1);
    VirtioUsed used;

    struct virtio_blk_outhdr header = {.type = VIRTIO_BLK_T_OUT, .sector = 16};
    memcpy(at, &header, 16);
    fill(at + 16, LEN, 3);
    /* header and the first data bytes; a gap in the ring order; two more */
    virtio_driver_add(driver, 0,
                      (VirtioBuffer[]){{ram, 5, false},
                                       {ram + 5, 100, false},
                                       {ram + 105, 4096, false},
                                       {ram + 4201, LEN + 16 - 4201, false},
                                       {ram + 20000, 1, true}},
                      5);
    virtio_driver_kick(driver, 0);
    virtio_driver_wait_used(driver, 0, &used);
    g_assert_cmpuint(at[20000], ==, VIRTIO_BLK_S_OK);
    expect_file(disk, 16 * 512, at + 16, LEN);

    header.type = VIRTIO_BLK_T_IN;
    memcpy(at, &header, 16);
    virtio_driver_add(
        driver, 0, (VirtioBuffer[]){{ram, 16, false}, {ram + 30001, 777, true}, {ram + 30778, LEN - 777 + 1, true}}, 3);
    virtio_driver_kick(driver, 0);
    virtio_driver_wait_used(driver, 0, &used);
    g_assert_cmpuint(used.len, ==, LEN + 1);
    g_assert_cmpuint(at[30001 + LEN], ==, VIRTIO_BLK_S_OK);
    g_assert_cmpmem(at + 30001, LEN, at + 16, LEN);
}

/* All queues kept full, in any order; each request is answered once, with its own data. */
static void
test_many(const void *data)
{
    const Way *way = data;
    enum { QUEUES = 4, DEPTH = 16, ROUNDS = 40, LEN = 4096 };
    g_autoptr(DiskDriver) disk =
        started(way->flags, way->kind, &(VirtioBlkOptions){.direct = way->direct, .n_queues = QUEUES});
    if (!disk)
        return;
    uint64_t first = disk->driver->next;
    g_autofree uint8_t *content = g_malloc(DISK_BYTES);
    guint32 seed = 5;

    fill(content, DISK_BYTES, 9);
    g_assert_cmpint(pwrite(disk->fd, content, DISK_BYTES, 0), ==, DISK_BYTES);
    for (int round = 0; round < ROUNDS; round++) {
        DiskPending pending[QUEUES][DEPTH];
        uint64_t offsets[QUEUES][DEPTH];
        disk->driver->next = first;
        for (int i = 0; i < DEPTH; i++) {
            for (unsigned q = 0; q < QUEUES; q++) {
                seed = seed * 1664525 + 1013904223;
                offsets[q][i] = (seed >> 8) % (DISK_BYTES / LEN) * LEN;
                uint64_t ram = virtio_driver_alloc(disk->driver, LEN);
                pending[q][i] = disk_driver_begin(disk, q, VIRTIO_BLK_T_IN, offsets[q][i] / 512, ram, LEN);
            }
        }
        for (unsigned q = 0; q < QUEUES; q++) {
            for (int i = 0; i < DEPTH; i++) {
                VirtioUsed used;
                virtio_driver_wait_used(disk->driver, q, &used);
                g_assert_cmpuint(used.len, ==, LEN + 1);
            }
            for (int i = 0; i < DEPTH; i++) {
                g_assert_cmpuint(disk_driver_status(disk, &pending[q][i]), ==, VIRTIO_BLK_S_OK);
                g_assert_cmpmem(virtio_driver_at(disk->driver, pending[q][i].data, LEN), LEN, content + offsets[q][i],
                                LEN);
            }
        }
    }
    VirtioBlkStats stats;
    virtio_blk_stats(disk->device, &stats);
    g_assert_cmpuint(stats.reads, ==, QUEUES * DEPTH * ROUNDS);
}

static uint64_t
space_of(int fd)
{
    struct stat st;
    g_assert_cmpint(fsync(fd), ==, 0); /* some file systems allocate late */
    g_assert_cmpint(fstat(fd, &st), ==, 0);
    return st.st_blocks * 512;
}

static void
test_discard_and_zeroes(const void *data)
{
    const Way *way = data;
    g_autoptr(DiskDriver) disk =
        started(way->flags, way->kind, &(VirtioBlkOptions){.direct = way->direct, .discard = true});
    if (!disk)
        return;
    enum { LEN = 1 << 20 };
    g_autofree uint8_t *bytes = g_malloc(LEN), *nought = g_malloc0(LEN);
    fill(bytes, LEN, 2);
    for (int i = 0; i < 4; i++)
        g_assert_cmpuint(disk_driver_write(disk, i * LEN / 512, bytes, LEN), ==, VIRTIO_BLK_S_OK);
    uint64_t full = space_of(disk->fd);

    g_assert_cmpuint(disk_driver_range(disk, VIRTIO_BLK_T_DISCARD, 0, LEN / 512, 0), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpuint(space_of(disk->fd), <=, full - LEN / 2);
    uint64_t less = space_of(disk->fd);
    g_assert_cmpuint(
        disk_driver_range(disk, VIRTIO_BLK_T_WRITE_ZEROES, LEN / 512, LEN / 512, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP),
        ==, VIRTIO_BLK_S_OK);
    expect_file(disk, LEN, nought, LEN);
    g_assert_cmpuint(space_of(disk->fd), <=, less - LEN / 2);
    less = space_of(disk->fd);
    /* Without leave to unmap the space stays. */
    g_assert_cmpuint(disk_driver_range(disk, VIRTIO_BLK_T_WRITE_ZEROES, 2 * LEN / 512 + 8, LEN / 512 - 16, 0), ==,
                     VIRTIO_BLK_S_OK);
    expect_file(disk, 2 * LEN, bytes, 4096);
    expect_file(disk, 2 * LEN + 4096, nought, LEN - 8192);
    expect_file(disk, 3 * LEN - 4096, bytes + LEN - 4096, 4096);
    g_assert_cmpuint(space_of(disk->fd), >=, less);
    expect_file(disk, 3 * LEN, bytes, LEN);
    VirtioBlkStats stats;
    virtio_blk_stats(disk->device, &stats);
    g_assert_cmpuint(stats.discards, ==, 3);
}

static void
test_serial(void)
{
    g_autoptr(DiskDriver) disk = started(0, DISK_FILE_MEMORY, &(VirtioBlkOptions){.serial = "CARREL-0001"});
    uint64_t ram = virtio_driver_alloc(disk->driver, 20);
    VirtioUsed used;

    DiskPending pending = disk_driver_begin(disk, 0, VIRTIO_BLK_T_GET_ID, 0, ram, 20);
    virtio_driver_wait_used(disk->driver, 0, &used);
    g_assert_cmpuint(disk_driver_status(disk, &pending), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpmem(virtio_driver_at(disk->driver, ram, 20), 20, "CARREL-0001\0\0\0\0\0\0\0\0\0", 20);
}

/* A driver that never flushes gets writes that last; one that turns the cache off too. */
static void
test_write_through(void)
{
    int fd = disk_file_new(DISK_FILE_REAL, DISK_BYTES);
    if (fd < 0)
        return;
    g_autoptr(DiskDriver) disk = disk_driver_new(0, fd, &(VirtioBlkOptions){0});
    uint8_t bytes[4096];

    fill(bytes, sizeof(bytes), 4);
    disk_driver_start(disk, 0); /* FLUSH not accepted */
    g_assert_cmpuint(disk_driver_write(disk, 0, bytes, sizeof(bytes)), ==, VIRTIO_BLK_S_OK);
    expect_file(disk, 0, bytes, sizeof(bytes));
    virtio_driver_reset(disk->driver);
    virtio_driver_start(disk->driver, disk->device, BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_CONFIG_WCE));
    write_wce(disk, 0);
    g_assert_cmpuint(disk_driver_write(disk, 8, bytes, sizeof(bytes)), ==, VIRTIO_BLK_S_OK);
    expect_file(disk, 4096, bytes, sizeof(bytes));
    /* A reset brings the cache back. */
    virtio_driver_reset(disk->driver);
    struct virtio_blk_config config;
    read_config(disk, &config);
    g_assert_cmpuint(config.wce, ==, 1);
}

static void
test_resize(void)
{
    g_autoptr(DiskDriver) disk = started(0, DISK_FILE_MEMORY, &(VirtioBlkOptions){0});
    struct virtio_blk_config config;
    uint8_t sector[512] = "s";
    uint64_t bytes;

    g_assert_cmpuint(disk_driver_write(disk, DISK_BYTES / 512, sector, 512), ==, VIRTIO_BLK_S_IOERR);
    g_assert_true(virtio_blk_resize(disk->device, &bytes, NULL)); /* nothing changed, nobody is told */
    g_assert_cmpuint(bytes, ==, DISK_BYTES);
    g_assert_cmpuint(disk->driver->config_interrupts, ==, 0);

    g_assert_cmpint(ftruncate(disk->fd, 2 * DISK_BYTES + 100), ==, 0);
    g_assert_true(virtio_blk_resize(disk->device, &bytes, NULL));
    g_assert_cmpuint(bytes, ==, 2 * DISK_BYTES);
    g_assert_cmpuint(disk->driver->config_interrupts, ==, 1);
    read_config(disk, &config);
    g_assert_cmpuint(config.capacity, ==, 2 * DISK_BYTES / 512);
    g_assert_cmpuint(disk_driver_write(disk, DISK_BYTES / 512, sector, 512), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpuint(disk_driver_write(disk, 2 * DISK_BYTES / 512, sector, 512), ==, VIRTIO_BLK_S_IOERR);

    g_autoptr(GError) error = NULL;
    g_assert_cmpint(ftruncate(disk->fd, 0), ==, 0);
    g_assert_false(virtio_blk_resize(disk->device, NULL, &error));
    g_assert_error(error, DISK_ERROR, DISK_ERROR_SIZE);
}

static void
expect_locked(void *transport)
{
    VirtioDriver *driver = transport;

    g_assert_false(g_mutex_trylock(&driver->device->lock));
    driver->config_interrupts++;
}

/*
 * A driver reads the capacity in two halves and the generation before and after, each under the lock: capacity and
 * generation must change together there, or it could take half of each size for one.
 */
static void
test_resize_is_whole(void)
{
    g_autoptr(DiskDriver) disk = started(0, DISK_FILE_MEMORY, &(VirtioBlkOptions){0});
    const VirtioTransportOps *before = disk->device->transport_ops;
    const VirtioTransportOps ops = {.notify_queue = before->notify_queue, .notify_config = expect_locked};

    disk->device->transport_ops = &ops;
    g_assert_cmpint(ftruncate(disk->fd, 2 * DISK_BYTES), ==, 0);
    g_assert_true(virtio_blk_resize(disk->device, NULL, NULL));
    g_assert_cmpuint(disk->driver->config_interrupts, ==, 1);
    disk->device->transport_ops = before;
}

/* The driver may reset at any moment: nothing of the old life is answered in the new one. */
static void
test_reset_under_load(const void *data)
{
    const Way *way = data;
    g_autoptr(DiskDriver) disk = started(way->flags, way->kind, &(VirtioBlkOptions){.direct = way->direct});
    if (!disk)
        return;
    VirtioDriver *driver = disk->driver;
    uint64_t first = driver->next;
    uint64_t features = disk_driver_features(disk);
    uint8_t sector[4096];

    for (int round = 0; round < 20; round++) {
        driver->next = first;
        uint64_t ram = virtio_driver_alloc(driver, 65536);
        for (int i = 0; i < 32; i++)
            disk_driver_begin(disk, 0, i % 4 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, i * 128, ram, 65536);
        virtio_driver_reset(driver);
        virtio_driver_start(driver, disk->device, features);
        g_assert_cmpuint(disk_driver_read(disk, 0, sector, sizeof(sector)), ==, VIRTIO_BLK_S_OK);
        VirtioUsed used;
        g_assert_false(virtio_driver_used(driver, 0, &used));
        first = 0x10000;
    }
}

/* A pause completes what is under way; what comes meanwhile waits, and is served afterwards without a kick. */
static void
test_pause(const void *data)
{
    const Way *way = data;
    g_autoptr(DiskDriver) disk = started(way->flags, way->kind, &(VirtioBlkOptions){.direct = way->direct});
    if (!disk)
        return;
    VirtioDriver *driver = disk->driver;
    uint64_t ram = virtio_driver_alloc(driver, 65536);
    VirtioBlkStats stats;
    VirtioUsed used;

    for (int round = 0; round < 20; round++) {
        uint64_t next = driver->next;
        for (int i = 0; i < 16; i++)
            disk_driver_begin(disk, 0, VIRTIO_BLK_T_IN, i * 8, ram, 65536);
        machine_pause(disk->machine, MACHINE_PAUSE_USER, NULL);
        virtio_blk_stats(disk->device, &stats);
        g_assert_cmpuint(stats.in_flight, ==, 0);
        disk_driver_begin(disk, 0, VIRTIO_BLK_T_IN, 0, ram, 4096);
        machine_resume(disk->machine, MACHINE_PAUSE_USER);
        for (int i = 0; i < 17; i++)
            virtio_driver_wait_used(driver, 0, &used);
        g_assert_false(virtio_driver_used(driver, 0, &used));
        driver->next = next;
    }
}

/* Saved at rest, loaded into another device on the same memory and file: the rings go on where they were. */
static void
test_save_and_load(const void *data)
{
    const Way *way = data;
    g_autoptr(DiskDriver) disk =
        started(way->flags, way->kind, &(VirtioBlkOptions){.n_queues = 2, .on_error = BLK_ON_ERROR_REPORT});
    if (!disk)
        return;
    uint8_t wanted[4096], got[4096];
    fill(wanted, sizeof(wanted), 6);
    g_assert_cmpuint(disk_driver_write(disk, 0, wanted, sizeof(wanted)), ==, VIRTIO_BLK_S_OK);
    write_wce(disk, 0);
    machine_pause(disk->machine, MACHINE_PAUSE_SAVE, NULL);
    g_autoptr(GByteArray) saved = disk_driver_save(disk);
    g_mutex_lock(&disk->device->lock);
    virtio_device_reset(disk->device); /* as after a fresh start */
    g_mutex_unlock(&disk->device->lock);
    g_assert_cmpint(ftruncate(disk->fd, 2 * DISK_BYTES), ==, 0);
    g_assert_true(virtio_blk_resize(disk->device, NULL, NULL));

    g_autoptr(GError) error = NULL;
    g_assert_true(disk_driver_load(disk, saved, &error));
    g_assert_no_error(error);
    struct virtio_blk_config config;
    read_config(disk, &config);
    g_assert_cmpuint(config.wce, ==, 0);
    unsigned told = disk->driver->config_interrupts;
    machine_resume(disk->machine, MACHINE_PAUSE_SAVE);
    g_assert_cmpuint(disk->driver->config_interrupts, ==, told + 1); /* it is larger than it was */
    g_assert_cmpuint(disk_driver_read(disk, 0, got, sizeof(got)), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpmem(got, sizeof(got), wanted, sizeof(wanted));
}

int
main(int argc, char **argv)
{
    static const Way ways[] = {
        {0, DISK_FILE_MEMORY, false},
        {VIRTIO_DRIVER_ALL, DISK_FILE_MEMORY, true},
        {0, DISK_FILE_REAL, false},
        {VIRTIO_DRIVER_EVENT_INDEX | VIRTIO_DRIVER_INDIRECT, DISK_FILE_REAL, true},
        {VIRTIO_DRIVER_PACKED | VIRTIO_DRIVER_EVENT_INDEX, DISK_FILE_REAL, true},
        {VIRTIO_DRIVER_ALL, DISK_FILE_REAL, false},
    };
    static const struct {
        const char *name;
        void (*test)(const void *way);
    } each[] = {
        {"round-trip", test_round_trip},
        {"scattered", test_scattered},
        {"many", test_many},
        {"discard-and-zeroes", test_discard_and_zeroes},
        {"reset", test_reset_under_load},
        {"pause", test_pause},
        {"save-and-load", test_save_and_load},
    };

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/blk/configuration", test_configuration);
    g_test_add_func("/block/blk/read-only", test_read_only);
    g_test_add_func("/block/blk/serial", test_serial);
    g_test_add_func("/block/blk/write-through", test_write_through);
    g_test_add_func("/block/blk/resize", test_resize);
    g_test_add_func("/block/blk/resize-is-whole", test_resize_is_whole);
    for (size_t i = 0; i < G_N_ELEMENTS(each); i++) {
        for (size_t w = 0; w < G_N_ELEMENTS(ways); w++) {
            g_autofree char *name = g_strdup_printf(
                "/block/blk/%s/%s%s%s%s%s", each[i].name, ways[w].kind == DISK_FILE_REAL ? "file" : "memory",
                ways[w].direct ? "-direct" : "", ways[w].flags & VIRTIO_DRIVER_PACKED ? "-packed" : "-split",
                ways[w].flags & VIRTIO_DRIVER_INDIRECT ? "-indirect" : "",
                ways[w].flags & VIRTIO_DRIVER_EVENT_INDEX ? "-event" : "");
            g_test_add_data_func(name, &ways[w], each[i].test);
        }
    }
    return g_test_run();
}
