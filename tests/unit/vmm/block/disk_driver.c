/* SPDX-License-Identifier: Apache-2.0 */
/* A disk with a driver and a machine around it: see disk_driver.h. */
#include "disk_driver.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WAIT_US (20 * G_USEC_PER_SEC)
#define NO_ANSWER 0xee /* what a status is before the device wrote it */

/* --- files --- */

static bool
is_in_memory(const char *folder)
{
    struct statfs fs;
    return statfs(folder, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/* A folder whose file system has a device below it, or NULL. */
static const char *
real_folder(void)
{
    static const char *const folders[] = {"/var/tmp", "/tmp", "."};

    for (size_t i = 0; i < G_N_ELEMENTS(folders); i++)
        if (!is_in_memory(folders[i]) && access(folders[i], W_OK) == 0)
            return folders[i];
    return NULL;
}

int
disk_file_named(DiskFileKind kind, uint64_t bytes, char **path)
{
    const char *folder = kind == DISK_FILE_REAL ? real_folder() : is_in_memory("/dev/shm") ? "/dev/shm" : NULL;

    if (!folder) {
        g_test_skip(kind == DISK_FILE_REAL ? "every folder here is in memory" : "/dev/shm is not in memory");
        return -1;
    }
    *path = g_strdup_printf("%s/carrel-disk-XXXXXX", folder);
    int fd = g_mkstemp_full(*path, O_RDWR | O_CLOEXEC, 0600);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, bytes), ==, 0);
    return fd;
}

int
disk_file_new(DiskFileKind kind, uint64_t bytes)
{
    if (kind == DISK_FILE_MEMORY) {
        int fd = memfd_create("disk", MFD_CLOEXEC);
        g_assert_cmpint(ftruncate(fd, bytes), ==, 0);
        return fd;
    }
    g_autofree char *path = NULL;
    int fd = disk_file_named(kind, bytes, &path);
    if (fd >= 0)
        unlink(path);
    return fd;
}

/* --- the machine around it --- */

static void
cpus_nothing(void *cpus)
{
}

static void
device_reset(void *device)
{
    VirtioDevice *virtio = device;
    g_mutex_lock(&virtio->lock);
    virtio_device_reset(virtio);
    g_mutex_unlock(&virtio->lock);
}

static void
device_quiesce(void *device)
{
    VirtioDevice *virtio = device;
    g_mutex_lock(&virtio->lock);
    virtio_device_quiesce(virtio);
    g_mutex_unlock(&virtio->lock);
}

static void
device_resume(void *device)
{
    VirtioDevice *virtio = device;
    g_mutex_lock(&virtio->lock);
    virtio_device_resume(virtio);
    g_mutex_unlock(&virtio->lock);
}

static void
machine_told(void *user, MachineState state, unsigned reasons, const char *detail)
{
    DiskDriver *disk = user;
    if (detail)
        disk->detail = g_intern_string(detail);
}

DiskDriver *
disk_driver_new(VirtioDriverFlags flags, int fd, const VirtioBlkOptions *given)
{
    static const MachineCpuOps cpu_ops = {.run = cpus_nothing, .pause = cpus_nothing, .reset = cpus_nothing};
    static const DeviceOps device_ops = {
        .name = "virtio-blk", .reset = device_reset, .quiesce = device_quiesce, .resume = device_resume};
    g_autoptr(GError) error = NULL;
    DiskDriver *disk = g_new0(DiskDriver, 1);
    VirtioBlkOptions options = *given;

    disk->fd = fd;
    disk->thread = io_thread_new("io", &error);
    g_assert_no_error(error);
    disk->machine = machine_new();
    disk->driver = virtio_driver_new(flags);
    g_autofree char *self = g_strdup_printf("/proc/self/fd/%d", fd);
    options.fd = virtio_blk_open(self, options.read_only, &error);
    g_assert_no_error(error);
    options.thread = disk->thread;
    options.machine = disk->machine;
    disk->device = virtio_blk_new("disk0", disk->driver->memory, &options, &error);
    g_assert_no_error(error);
    virtio_driver_attach(disk->driver, disk->device);
    machine_set_cpus(disk->machine, &cpu_ops, NULL);
    machine_add(disk->machine, "disk0", &device_ops, disk->device);
    machine_listen(disk->machine, machine_told, disk);
    return disk;
}

uint64_t
disk_driver_features(const DiskDriver *disk)
{
    return disk->device->offered & 0xffffff;
}

void
disk_driver_start(DiskDriver *disk, uint64_t features)
{
    virtio_driver_start(disk->driver, disk->device, features);
    machine_start(disk->machine, false);
}

void
disk_driver_free(DiskDriver *disk)
{
    if (!disk)
        return;
    machine_free(disk->machine);
    virtio_driver_free(disk->driver);
    io_thread_free(disk->thread);
    close(disk->fd);
    g_free(disk);
}

/* --- requests --- */

DiskPending
disk_driver_begin(DiskDriver *disk, unsigned queue, uint32_t type, uint64_t sector, uint64_t data, uint32_t len)
{
    VirtioDriver *driver = disk->driver;
    DiskPending pending = {.queue = queue, .data = data, .header = virtio_driver_alloc(driver, 32)};
    pending.status = pending.header + 16;
    struct virtio_blk_outhdr *header = virtio_driver_at(driver, pending.header, 16);
    *header = (struct virtio_blk_outhdr){.type = GUINT32_TO_LE(type), .sector = GUINT64_TO_LE(sector)};
    *(uint8_t *)virtio_driver_at(driver, pending.status, 1) = NO_ANSWER;

    bool in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
    VirtioBuffer buffers[3] = {{pending.header, 16, false}, {data, len, in}, {pending.status, 1, true}};
    if (!len)
        buffers[1] = buffers[2];
    pending.id = virtio_driver_add(driver, queue, buffers, len ? 3 : 2);
    bool slots = (driver->flags & VIRTIO_DRIVER_PACKED) && !(driver->flags & VIRTIO_DRIVER_INDIRECT);
    if (virtio_driver_wants_kick(driver, queue, !slots ? 1 : len ? 3 : 2))
        eventfd_write(virtqueue_kick_fd(disk->device->queues[queue]), 1);
    return pending;
}

uint8_t
disk_driver_status(DiskDriver *disk, const DiskPending *pending)
{
    return *(uint8_t *)virtio_driver_at(disk->driver, pending->status, 1);
}

/* One request from start to end; what it took of the guest's RAM is given back. */
static uint8_t
request(DiskDriver *disk, uint32_t type, uint64_t sector, void *data, size_t len)
{
    VirtioDriver *driver = disk->driver;
    uint64_t before = driver->next;
    uint64_t address = len ? virtio_driver_alloc(driver, len) : 0;
    VirtioUsed used;

    if (len && type != VIRTIO_BLK_T_IN)
        memcpy(virtio_driver_at(driver, address, len), data, len);
    DiskPending pending = disk_driver_begin(disk, 0, type, sector, address, len);
    virtio_driver_wait_used(driver, 0, &used);
    g_assert_cmpuint(used.id, ==, pending.id);
    g_assert_cmpuint(used.len, ==, type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID ? len + 1 : 1);
    if (len && (type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID))
        memcpy(data, virtio_driver_at(driver, address, len), len);
    uint8_t status = disk_driver_status(disk, &pending);
    g_assert_cmpuint(status, !=, NO_ANSWER);
    driver->next = before;
    return status;
}

uint8_t
disk_driver_read(DiskDriver *disk, uint64_t sector, void *to, size_t len)
{
    return request(disk, VIRTIO_BLK_T_IN, sector, to, len);
}

uint8_t
disk_driver_write(DiskDriver *disk, uint64_t sector, const void *from, size_t len)
{
    return request(disk, VIRTIO_BLK_T_OUT, sector, (void *)from, len);
}

uint8_t
disk_driver_flush(DiskDriver *disk)
{
    return request(disk, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
}

uint8_t
disk_driver_range(DiskDriver *disk, uint32_t type, uint64_t sector, uint32_t sectors, uint32_t flags)
{
    struct virtio_blk_discard_write_zeroes segment = {
        .sector = GUINT64_TO_LE(sector), .num_sectors = GUINT32_TO_LE(sectors), .flags = GUINT32_TO_LE(flags)};
    return request(disk, type, 0, &segment, sizeof(segment));
}

void
disk_driver_wait_machine(DiskDriver *disk, MachineState state, unsigned reasons)
{
    int64_t end = g_get_monotonic_time() + WAIT_US;

    while (machine_state(disk->machine) != state || machine_pause_reasons(disk->machine) != reasons) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        if (!g_main_context_iteration(NULL, FALSE))
            g_usleep(1000);
    }
}

GByteArray *
disk_driver_save(DiskDriver *disk)
{
    GByteArray *bytes = g_byte_array_new();
    state_save(&virtio_device_state, disk->device, bytes);
    return bytes;
}

bool
disk_driver_load(DiskDriver *disk, const GByteArray *bytes, GError **error)
{
    return state_load(&virtio_device_state, disk->device, virtio_device_state.version, bytes->data, bytes->len, error);
}
