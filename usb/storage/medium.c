/* SPDX-License-Identifier: Apache-2.0 */
/* Work that goes to the I/O thread and comes back. */
#include "usb/storage/medium.h"
#include "vmm/block/blk.h"
#include "vmm/block/job.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define CD_SECTOR 2048
#define CD_FIRST_DESCRIPTOR 16 /* ECMA-119, 6.2.1; ECMA-167 part 2, 8.3.1 */

struct Medium {
    gatomicrefcount refs;
    Disk disk;
    uint64_t bytes;
    char *path;
    IoThread *thread;
};

/* Away on the I/O thread. */
typedef struct {
    BlkJob blk; /* first */
    BlkCommand command;
    MediumWork *work;
    int error;
} Job;

/* --- opening ------------------------------------------------------------------------------------------------------ */

/* Whether a volume descriptor of ISO 9660 or UDF is where one has to be. */
static bool
is_disc(int fd)
{
    static const char *const marks[] = {"CD001", "BEA01", "NSR02", "NSR03"};
    uint8_t sector[6];

    if (pread(fd, sector, sizeof(sector), CD_FIRST_DESCRIPTOR * CD_SECTOR) != sizeof(sector))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(marks); i++)
        if (!memcmp(sector + 1, marks[i], 5))
            return true;
    return false;
}

static void
attach(void *data)
{
    Medium *medium = data;
    disk_attach(&medium->disk, medium->thread);
}

static void
detach(void *data)
{
    Medium *medium = data;
    disk_detach(&medium->disk);
}

Medium *
medium_new(int fd, const char *path, bool cd, bool read_only, IoThread *thread, GError **error)
{
    g_autofree Medium *medium = g_new0(Medium, 1);

    g_atomic_ref_count_init(&medium->refs);
    if (!disk_init(&medium->disk, fd, path, cd || read_only, false, error))
        return NULL;
    if (cd && !is_disc(fd)) {
        g_set_error(error, USB_ERROR, USB_ERROR_MEDIUM,
                    "%s: this is no CD or DVD image: it holds neither an ISO 9660 nor a UDF file system", path);
        disk_finish(&medium->disk);
        return NULL;
    }
    if (!disk_measure(&medium->disk, &medium->bytes, error)) {
        disk_finish(&medium->disk);
        return NULL;
    }
    medium->path = g_strdup(path);
    medium->thread = thread;
    io_thread_call(thread, attach, medium);
    return g_steal_pointer(&medium);
}

Medium *
medium_ref(Medium *medium)
{
    g_atomic_ref_count_inc(&medium->refs);
    return medium;
}

void
medium_unref(Medium *medium)
{
    if (!medium || !g_atomic_ref_count_dec(&medium->refs))
        return;
    io_thread_call(medium->thread, detach, medium);
    disk_finish(&medium->disk);
    g_free(medium->path);
    g_free(medium);
}

uint64_t
medium_bytes(const Medium *medium)
{
    return medium->bytes;
}

bool
medium_is_read_only(const Medium *medium)
{
    return medium->disk.read_only;
}

const char *
medium_path(const Medium *medium)
{
    return medium->path;
}

/* --- work ----------------------------------------------------------------------------------------------------------- */

static void
come_back(void *data)
{
    Job *job = data;
    MediumWork *work = job->work;
    UsbBus *bus = work->bus;
    Medium *medium = g_steal_pointer(&work->medium);
    int error = job->error;

    g_free(job->command.own_data);
    g_free(job);
    work->job = NULL;
    work->done(work, error);
    medium_unref(medium);
    usb_bus_release(bus);
}

static void
job_done(BlkJob *blk, int error)
{
    Job *job = (Job *)blk;

    job->error = error;
    usb_bus_post(job->work->bus, come_back, job);
}

static void
start_job(void *data)
{
    Job *job = data;

    job->blk.done = job_done;
    blk_job_start(&job->blk, &job->work->medium->disk, &job->command, 0);
}

void
medium_work(MediumWork *work, Medium *medium, UsbBus *bus, MediumKind kind, uint64_t offset, const struct iovec *iov,
            unsigned n_iov, uint32_t len)
{
    static const BlkKind kinds[] = {[MEDIUM_READ] = BLK_READ, [MEDIUM_WRITE] = BLK_WRITE, [MEDIUM_SYNC] = BLK_FLUSH};
    Job *job = g_new0(Job, 1);

    work->medium = medium_ref(medium);
    work->bus = bus;
    work->job = job;
    job->work = work;
    job->command = (BlkCommand){
        .kind = kinds[kind],
        .offset = offset,
        .len = len,
        .own_data = g_memdup2(iov, n_iov * sizeof(*iov)),
        .n_data = n_iov,
    };
    job->command.data = job->command.own_data;
    usb_bus_hold(bus);
    io_thread_post(medium->thread, start_job, job);
}
