/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's storage fills up, and is freed again: nothing is lost, nothing is done twice, nobody has to press a key.
 *
 * Full means really full: a tmpfs of one megabyte, mounted where only this process sees it, for files in memory; and the
 * limit of a process's file size for files that go through the ring.
 */
#include "disk_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL_FS "size=1m"
#define PIECE (256u * 1024)
#define DISK_BYTES (4u << 20)

static const char *small_folder; /* NULL where nothing may be mounted: why is in … */
static const char *no_folder_because;

/* --- what is full, and how it gets room again --- */

typedef struct Full Full;
struct Full {
    int (*open)(void);           /* a disk's file, or -1: skipped */
    void (*fill_up)(Full *full); /* it takes PIECE bytes and no more */
    void (*make_room)(Full *full);
    const char *words; /* what the reason of the pause ends in */
    char *ballast;
};

static int
open_on_small_fs(void)
{
    if (!small_folder) {
        g_test_skip(no_folder_because);
        return -1;
    }
    g_autofree char *path = g_build_filename(small_folder, "disk", NULL);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, DISK_BYTES), ==, 0);
    return fd;
}

static void
add_ballast(Full *full)
{
    g_autofree char *bytes = g_malloc0((1 << 20) - PIECE);
    full->ballast = g_build_filename(small_folder, "ballast", NULL);
    g_assert_true(g_file_set_contents(full->ballast, bytes, (1 << 20) - PIECE, NULL));
}

static void
remove_ballast(Full *full)
{
    unlink(full->ballast);
    g_clear_pointer(&full->ballast, g_free);
}

static int
open_real(void)
{
    return disk_file_new(DISK_FILE_REAL, DISK_BYTES);
}

static void
lower_limit(Full *full)
{
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){PIECE, RLIM_INFINITY});
}

static void
raise_limit(Full *full)
{
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
}

static const Full on_small_fs = {open_on_small_fs, add_ballast, remove_ballast, "No space left on device on ", NULL};
static const Full under_limit = {open_real, lower_limit, raise_limit, "File too large on ", NULL};

/* --- a disk with PIECE bytes written and more under way that do not fit --- */

typedef struct {
    Full full;
    DiskDriver *disk;
    uint8_t *bytes; /* DISK_BYTES of what was meant to be written */
} Story;

static void
fill(uint8_t *bytes, size_t len, uint32_t seed)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (seed = seed * 1664525 + 1013904223) >> 24;
}

static bool
story_begin(Story *story, const Full *full, VirtioDriverFlags flags, BlkOnError on_error)
{
    *story = (Story){.full = *full};
    int fd = story->full.open();
    if (fd < 0)
        return false;
    story->disk =
        disk_driver_new(flags, fd, &(VirtioBlkOptions){.on_error = on_error, .n_queues = 2, .path = "/srv/a.raw"});
    disk_driver_start(story->disk, disk_driver_features(story->disk));
    story->full.fill_up(&story->full);
    story->bytes = g_malloc(DISK_BYTES);
    fill(story->bytes, DISK_BYTES, 11);
    g_assert_cmpuint(disk_driver_write(story->disk, 0, story->bytes, PIECE), ==, VIRTIO_BLK_S_OK);
    return true;
}

static void
story_end(Story *story)
{
    if (story->full.ballast)
        remove_ballast(&story->full);
    raise_limit(NULL);
    disk_driver_free(story->disk);
    g_free(story->bytes);
}

static DiskPending
begin_write(Story *story, unsigned queue, uint64_t offset, uint32_t len)
{
    VirtioDriver *driver = story->disk->driver;
    uint64_t ram = virtio_driver_alloc(driver, len);
    memcpy(virtio_driver_at(driver, ram, len), story->bytes + offset, len);
    return disk_driver_begin(story->disk, queue, VIRTIO_BLK_T_OUT, offset / 512, ram, len);
}

static void
expect_file(Story *story, uint64_t offset, size_t len)
{
    g_autofree uint8_t *held = g_malloc(len);
    g_assert_cmpint(pread(story->disk->fd, held, len, offset), ==, len);
    g_assert_cmpmem(held, len, story->bytes + offset, len);
}

static void
expect_parked(Story *story, unsigned at_least)
{
    VirtioBlkStats stats;
    VirtioUsed used;

    disk_driver_wait_machine(story->disk, MACHINE_PAUSED, MACHINE_PAUSE_STORAGE);
    g_autofree char *words = g_strdup_printf("disk0: %s/srv/a.raw", story->full.words);
    g_assert_cmpstr(machine_pause_detail(story->disk->machine), ==, words);
    virtio_blk_stats(story->disk->device, &stats);
    g_assert_cmpuint(stats.parked, >=, at_least);
    g_assert_cmpuint(stats.in_flight, ==, stats.parked);
    g_assert_cmpuint(stats.errors, ==, 0);
    for (unsigned queue = 0; queue < 2; queue++)
        g_assert_false(virtio_driver_used(story->disk->driver, queue, &used));
}

/* Each of @pending is answered once and well, and its bytes are in the file. */
static void
expect_written(Story *story, const DiskPending *pending, size_t n)
{
    VirtioDriver *driver = story->disk->driver;
    VirtioUsed used;

    for (size_t i = 0; i < n; i++)
        virtio_driver_wait_used(driver, pending[i].queue, &used);
    for (size_t i = 0; i < n; i++)
        g_assert_cmpuint(disk_driver_status(story->disk, &pending[i]), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpuint(disk_driver_flush(story->disk), ==, VIRTIO_BLK_S_OK);
    for (unsigned queue = 0; queue < 2; queue++)
        g_assert_false(virtio_driver_used(driver, queue, &used));
    VirtioBlkStats stats;
    virtio_blk_stats(story->disk->device, &stats);
    g_assert_cmpuint(stats.writes, ==, 1 + n);
    g_assert_cmpuint(stats.in_flight, ==, 0);
    g_assert_cmpuint(stats.parked, ==, 0);
    expect_file(story, 0, PIECE + n * 4096);
}

enum { WRITES = 8 };

static void
begin_writes(Story *story, DiskPending pending[WRITES])
{
    for (int i = 0; i < WRITES; i++)
        pending[i] = begin_write(story, i % 2, PIECE + i * 4096, 4096);
}

typedef struct {
    const Full *full;
    VirtioDriverFlags flags;
} Case;

static void
test_resumes_by_itself(const void *data)
{
    const Case *c = data;
    DiskPending pending[WRITES];
    Story story;

    if (!story_begin(&story, c->full, c->flags, BLK_ON_ERROR_PAUSE))
        return;
    begin_writes(&story, pending);
    expect_parked(&story, 1);
    story.full.make_room(&story.full);
    disk_driver_wait_machine(story.disk, MACHINE_RUNNING, 0);
    expect_written(&story, pending, WRITES);
    story_end(&story);
}

/* A person resumes it: it is tried, pauses again while there is no room, and goes on once there is. */
static void
test_resumed_by_hand(const void *data)
{
    const Case *c = data;
    DiskPending pending[WRITES];
    Story story;

    if (!story_begin(&story, c->full, c->flags, BLK_ON_ERROR_PAUSE))
        return;
    begin_writes(&story, pending);
    expect_parked(&story, 1);
    for (int i = 0; i < 3; i++) {
        machine_resume(story.disk->machine, MACHINE_PAUSE_STORAGE);
        g_assert_cmpint(machine_state(story.disk->machine), ==, MACHINE_RUNNING);
        expect_parked(&story, 1);
    }
    story.full.make_room(&story.full);
    machine_resume(story.disk->machine, MACHINE_PAUSE_STORAGE);
    expect_written(&story, pending, WRITES);
    story_end(&story);
}

/* Paused by a person too, it waits for the person. */
static void
test_paused_twice(const void *data)
{
    const Case *c = data;
    DiskPending pending[WRITES];
    Story story;

    if (!story_begin(&story, c->full, c->flags, BLK_ON_ERROR_PAUSE))
        return;
    begin_writes(&story, pending);
    expect_parked(&story, 1);
    machine_pause(story.disk->machine, MACHINE_PAUSE_USER, NULL);
    story.full.make_room(&story.full);
    disk_driver_wait_machine(story.disk, MACHINE_PAUSED, MACHINE_PAUSE_USER);
    machine_resume(story.disk->machine, MACHINE_PAUSE_USER);
    expect_written(&story, pending, WRITES);
    story_end(&story);
}

/* Saved while it waits, and brought back where there is room: the writes are done there, once. */
static void
test_saved_while_parked(const void *data)
{
    const Case *c = data;
    DiskPending pending[WRITES];
    Story story;

    if (!story_begin(&story, c->full, c->flags, BLK_ON_ERROR_PAUSE))
        return;
    begin_writes(&story, pending);
    expect_parked(&story, 1);
    machine_pause(story.disk->machine, MACHINE_PAUSE_SAVE, NULL);
    g_autoptr(GByteArray) saved = disk_driver_save(story.disk);

    g_autoptr(GError) error = NULL;
    VirtioDevice *device = story.disk->device;
    g_mutex_lock(&device->lock);
    virtio_device_reset(device); /* as after a fresh start */
    g_mutex_unlock(&device->lock);
    VirtioBlkStats stats;
    virtio_blk_stats(device, &stats);
    g_assert_cmpuint(stats.in_flight, ==, 0);
    g_assert_true(disk_driver_load(story.disk, saved, &error));
    g_assert_no_error(error);
    g_autoptr(GByteArray) again = disk_driver_save(story.disk); /* loaded and not yet started, it saves the same */
    g_assert_cmpmem(again->data, again->len, saved->data, saved->len);
    machine_resume(story.disk->machine, MACHINE_PAUSE_SAVE);
    story.full.make_room(&story.full);
    machine_resume(story.disk->machine, MACHINE_PAUSE_STORAGE);
    expect_written(&story, pending, WRITES);
    story_end(&story);
}

/* A saved state that was tampered with is refused, wherever it was. */
static void
test_forged_state(const void *data)
{
    const Case *c = data;
    DiskPending pending[WRITES];
    Story story;

    if (!story_begin(&story, c->full, c->flags, BLK_ON_ERROR_PAUSE))
        return;
    begin_writes(&story, pending);
    expect_parked(&story, 1);
    machine_pause(story.disk->machine, MACHINE_PAUSE_SAVE, NULL);
    g_autoptr(GByteArray) saved = disk_driver_save(story.disk);
    VirtioDevice *device = story.disk->device;
    unsigned refused = 0;

    for (guint i = 0; i < saved->len; i++) {
        g_autoptr(GError) error = NULL;
        g_mutex_lock(&device->lock);
        virtio_device_reset(device);
        g_mutex_unlock(&device->lock);
        saved->data[i] ^= 0xff;
        refused += !disk_driver_load(story.disk, saved, &error); /* either way nothing breaks */
        saved->data[i] ^= 0xff;
    }
    g_assert_cmpuint(refused, >, 0);
    g_mutex_lock(&device->lock);
    virtio_device_reset(device);
    g_mutex_unlock(&device->lock);
    story_end(&story);
}

/* The guest gives up and resets the disk: what waited is forgotten, and the disk works on. */
static void
test_reset_while_parked(const void *data)
{
    const Case *c = data;
    DiskPending pending[WRITES];
    Story story;
    uint8_t got[4096];

    if (!story_begin(&story, c->full, c->flags, BLK_ON_ERROR_PAUSE))
        return;
    begin_writes(&story, pending);
    expect_parked(&story, 1);
    virtio_driver_reset(story.disk->driver);
    VirtioBlkStats stats;
    virtio_blk_stats(story.disk->device, &stats);
    g_assert_cmpuint(stats.in_flight, ==, 0);
    g_assert_cmpuint(stats.parked, ==, 0);
    disk_driver_wait_machine(story.disk, MACHINE_RUNNING, 0); /* there is nothing left to wait for */
    virtio_driver_start(story.disk->driver, story.disk->device, disk_driver_features(story.disk));
    g_assert_cmpuint(disk_driver_read(story.disk, 0, got, sizeof(got)), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpmem(got, sizeof(got), story.bytes, sizeof(got));
    story_end(&story);
}

static void
test_machine_ends_while_parked(const void *data)
{
    const Case *c = data;
    DiskPending pending[WRITES];
    Story story;

    if (!story_begin(&story, c->full, c->flags, BLK_ON_ERROR_PAUSE))
        return;
    begin_writes(&story, pending);
    expect_parked(&story, 1);
    story_end(&story); /* frees everything */
}

static void
test_reported(const void *data)
{
    const Case *c = data;
    Story story;

    if (!story_begin(&story, c->full, c->flags, BLK_ON_ERROR_REPORT))
        return;
    g_assert_cmpuint(disk_driver_write(story.disk, PIECE / 512, story.bytes, 4096), ==, VIRTIO_BLK_S_IOERR);
    g_assert_cmpint(machine_state(story.disk->machine), ==, MACHINE_RUNNING);
    story.full.make_room(&story.full);
    g_assert_cmpuint(disk_driver_write(story.disk, PIECE / 512, story.bytes + PIECE, 4096), ==, VIRTIO_BLK_S_OK);
    expect_file(&story, 0, PIECE + 4096);
    VirtioBlkStats stats;
    virtio_blk_stats(story.disk->device, &stats);
    g_assert_cmpuint(stats.errors, ==, 1);
    story_end(&story);
}

/* A file that lost its end: reads of what is gone wait too, and touch no memory of the paused guest. */
static void
test_read_waits(const void *data)
{
    const DiskFileKind *kind = data;
    int fd = disk_file_new(*kind, DISK_BYTES);
    if (fd < 0)
        return;
    g_autoptr(DiskDriver) disk = disk_driver_new(0, fd, &(VirtioBlkOptions){.on_error = BLK_ON_ERROR_PAUSE});
    uint8_t wanted[8192];
    VirtioUsed used;

    disk_driver_start(disk, disk_driver_features(disk));
    fill(wanted, sizeof(wanted), 5);
    g_assert_cmpint(ftruncate(fd, DISK_BYTES / 2 + 4096), ==, 0);
    g_assert_cmpint(pwrite(fd, wanted, 4096, DISK_BYTES / 2), ==, 4096);
    uint64_t ram = virtio_driver_alloc(disk->driver, 8192);
    DiskPending pending = disk_driver_begin(disk, 0, VIRTIO_BLK_T_IN, DISK_BYTES / 2 / 512, ram, 8192);
    disk_driver_wait_machine(disk, MACHINE_PAUSED, MACHINE_PAUSE_STORAGE);
    g_assert_cmpstr(disk->detail, ==, "disk0: Input/output error on the disk's file");

    uint8_t *guest = virtio_driver_at(disk->driver, ram, 8192);
    memset(guest, 0xcc, 8192);
    g_assert_cmpint(ftruncate(fd, DISK_BYTES), ==, 0);
    g_assert_cmpint(pwrite(fd, wanted + 4096, 4096, DISK_BYTES / 2 + 4096), ==, 4096);
    machine_pause(disk->machine, MACHINE_PAUSE_USER, NULL);
    disk_driver_wait_machine(disk, MACHINE_PAUSED, MACHINE_PAUSE_USER); /* tried, and found to work */
    for (int i = 0; i < 8192; i++)
        g_assert_cmphex(guest[i], ==, 0xcc);
    machine_resume(disk->machine, MACHINE_PAUSE_USER);
    virtio_driver_wait_used(disk->driver, 0, &used);
    g_assert_cmpuint(disk_driver_status(disk, &pending), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpmem(guest, 8192, wanted, 8192);
}

/* A file system of one megabyte that goes away with this process. */
static void
make_small_folder(void)
{
    static char folder[] = "/tmp/carrel-small-XXXXXX";

    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || !mkdtemp(folder)) {
        no_folder_because = "no mount namespace of its own is allowed here";
        return;
    }
    if (mount("carrel-small", folder, "tmpfs", 0, SMALL_FS) < 0)
        no_folder_because = "no tmpfs may be mounted here";
    else
        small_folder = folder;
}

int
main(int argc, char **argv)
{
    static const Case cases[] = {
        {&on_small_fs, 0}, {&on_small_fs, VIRTIO_DRIVER_PACKED}, {&on_small_fs, VIRTIO_DRIVER_ALL},
        {&under_limit, 0}, {&under_limit, VIRTIO_DRIVER_ALL},
    };
    static const struct {
        const char *name;
        void (*test)(const void *c);
    } each[] = {
        {"resumes-by-itself", test_resumes_by_itself},
        {"resumed-by-hand", test_resumed_by_hand},
        {"paused-twice", test_paused_twice},
        {"saved", test_saved_while_parked},
        {"forged-state", test_forged_state},
        {"reset", test_reset_while_parked},
        {"machine-ends", test_machine_ends_while_parked},
        {"reported", test_reported},
    };
    static const DiskFileKind kinds[] = {DISK_FILE_MEMORY, DISK_FILE_REAL};

    signal(SIGXFSZ, SIG_IGN);
    make_small_folder(); /* before there are threads */
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(each); i++) {
        for (size_t c = 0; c < G_N_ELEMENTS(cases); c++) {
            g_autofree char *name = g_strdup_printf("/block/park/%s/%s-%d", each[i].name,
                                                    cases[c].full == &on_small_fs ? "memory" : "file", cases[c].flags);
            g_test_add_data_func(name, &cases[c], each[i].test);
        }
    }
    g_test_add_data_func("/block/park/read-waits/memory", &kinds[0], test_read_waits);
    g_test_add_data_func("/block/park/read-waits/file", &kinds[1], test_read_waits);
    int result = g_test_run();
    if (small_folder) {
        umount2(small_folder, MNT_DETACH);
        rmdir(small_folder);
    }
    return result;
}
