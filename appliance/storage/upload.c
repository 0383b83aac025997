/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An upload: what comes through the pipe into a file, that file looked at, and made an image: as it is if it is raw, by
 * conversion if it is not. The file is gone in the end, whatever came of it.
 */
#include "appliance/storage/convert.h"
#include "appliance/storage/copy.h"
#include "appliance/storage/error.h"
#include "appliance/storage/job.h"
#include "appliance/storage/names.h"
#include "appliance/storage/sink.h"

#include <glib/gstdio.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIPE_SIZE (1 << 20)

typedef struct {
    Job *job;
    Storage *storage;
    int file; /* what came */
    uint64_t size;
    Probe probe;
    StorageImage *image;
} Upload;

/* ---- looking ---- */

static bool
read_part(int fd, uint8_t *to, uint64_t length, uint64_t at, GError **error)
{
    return pread(fd, to, length, (off_t)at) == (ssize_t)length || storage_fail_errno(error, "read the upload");
}

static bool
look(Upload *upload, GError **error)
{
    uint64_t head_length = MIN(upload->size, PROBE_HEAD), tail_length = MIN(upload->size, PROBE_TAIL);
    g_autofree uint8_t *head = g_malloc0(PROBE_HEAD), *tail = g_malloc0(PROBE_TAIL);
    const ProbeInput input = {head, tail, upload->size};

    return read_part(upload->file, head, head_length, 0, error) &&
           read_part(upload->file, tail, tail_length, upload->size - tail_length, error) &&
           probe_image(&input, upload->job->type, &upload->probe, error);
}

/* ---- settling ---- */

/* A file that is an image as it is. Its rename is all there is to do; whole sectors, as disks have. */
static bool
adopt(Upload *upload, Volumes *volumes, const char *name, GError **error)
{
    uint64_t size = volumes_round_up(volumes, upload->size);

    if (size != upload->size && ftruncate(upload->file, (off_t)size) < 0)
        return storage_fail_errno(error, "keep the upload");
    if (fchown(upload->file, geteuid(), getegid()) < 0 || fchmod(upload->file, 0600) < 0 || fsync(upload->file) < 0)
        return storage_fail_errno(error, "keep the upload");
    upload->image->size = size;
    return volumes->class->adopt(volumes, upload->storage->uploads, upload->job->image, name, error) &&
           volumes->class->settle(volumes, name, error);
}

static bool
still_has_room(gpointer user, GError **error)
{
    Storage *storage = ((Upload *)user)->storage;
    g_autoptr(VolumesView) view = storage->volumes->class->look(storage->volumes, error);

    return view && storage_has_room(storage, view, 0, "the image", error);
}

/* The user that qemu-img runs as may write to a file of ours while it does. */
static bool
convert(Upload *upload, const Conversion *conversion, const char *made, uint64_t size, GError **error)
{
    Volumes *volumes = upload->storage->volumes;
    uid_t uid = upload->storage->config.import_uid;
    g_autofd int out = volumes->class->open(volumes, made, O_RDWR, error);
    struct stat is;

    if (out < 0 || fstat(out, &is) < 0)
        return false;
    bool is_file = S_ISREG(is.st_mode);
    if (is_file && fchown(out, uid, uid) < 0)
        return storage_fail_errno(error, "hand a file over for conversion");
    if (!convert_write(conversion, out, size, &upload->job->work, still_has_room, upload, error))
        return false;
    if ((is_file && fchown(out, geteuid(), getegid()) < 0) || fsync(out) < 0)
        return storage_fail_errno(error, "bring the image to stable storage");
    return true;
}

/* Raw bytes onto a volume. */
static bool
copy(Upload *upload, const char *made, GError **error)
{
    Volumes *volumes = upload->storage->volumes;
    g_autofd int out = volumes->class->open(volumes, made, O_RDWR, error);

    if (out < 0 || !copy_bytes(upload->file, out, upload->size, &upload->job->work, error))
        return false;
    return fsync(out) == 0 || storage_fail_errno(error, "bring the image to stable storage");
}

/* How many bytes a desktop will see of it. */
static bool
find_size(Upload *upload, const Conversion *conversion, uint64_t *size, GError **error)
{
    *size = upload->probe.size;
    if (upload->probe.format != PROBE_RAW &&
        !convert_look(conversion, upload->probe.format == PROBE_VPC ? 0 : upload->probe.size, &upload->job->work, size,
                      error))
        return false;
    uint64_t largest = upload->storage->config.largest_disk;
    if (*size <= largest)
        return true;
    g_autofree char *has = g_format_size_full(*size, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *may = g_format_size_full(largest, G_FORMAT_SIZE_IEC_UNITS);
    return storage_fail(error, STORAGE_ERROR_INVALID, "its disk has %s; disks may have %s", has, may);
}

static bool
make_volume(Upload *upload, const char *name, GError **error)
{
    Storage *storage = upload->storage;
    Volumes *volumes = storage->volumes;
    const Conversion conversion = {&storage->config, upload->file, upload->probe.format};
    g_autofree char *made = name_while_made(name);
    uint64_t size;

    if (!find_size(upload, &conversion, &size, error))
        return false;
    upload->image->size = volumes_round_up(volumes, size);
    work_part(&upload->job->work, 0.5, 1);
    if (!still_has_room(upload, error) || !volumes->class->make(volumes, made, upload->image->size, error))
        return false;
    bool done = upload->probe.format == PROBE_RAW ? copy(upload, made, error)
                                                  : convert(upload, &conversion, made, upload->image->size, error);
    if (done && volumes->class->settle(volumes, made, error))
        return storage_give_name(storage, name, error);
    volumes->class->remove(volumes, made, NULL);
    return false;
}

static bool
settle(Upload *upload, GError **error)
{
    Storage *storage = upload->storage;
    bool is_disc = upload->job->type == STORAGE_IMAGE_ISO;
    g_autofree char *name = is_disc ? name_of_iso(upload->job->image) : name_of_image(upload->job->image);
    Volumes *volumes = is_disc ? storage->discs : storage->volumes;
    bool as_it_is = (is_disc || upload->probe.format == PROBE_RAW) && volumes->class->adopt;

    if (as_it_is && upload->size > storage->config.largest_disk)
        return storage_fail(error, STORAGE_ERROR_INVALID, "no disk may be so large");
    return as_it_is ? adopt(upload, volumes, name, error) : make_volume(upload, name, error);
}

/* ---- receiving ---- */

static bool
has_room_for_more(gpointer storage, uint64_t more, GError **error)
{
    return storage_has_upload_room(storage, more, error);
}

static bool
receive(Upload *upload, GError **error)
{
    Job *job = upload->job;
    const SinkLimits limits = {job->size, upload->storage->config.largest_upload, has_room_for_more, upload->storage};
    g_autofree char *sha256 = NULL;

    work_part(&job->work, 0, 0.5);
    if (!sink_fill(job->fd, upload->file, &limits, &job->work, &upload->size, &sha256, error))
        return false;
    g_clear_fd(&job->fd, NULL);
    g_strlcpy(upload->image->sha256, sha256, sizeof(upload->image->sha256));
    return true;
}

static bool
is_free(Storage *storage, const char *image, GError **error)
{
    g_autoptr(VolumesView) disks = storage->volumes->class->look(storage->volumes, error);
    g_autoptr(VolumesView) discs = disks ? storage->discs->class->look(storage->discs, error) : NULL;
    g_autofree char *disk = name_of_image(image), *disc = name_of_iso(image);

    if (!discs)
        return false;
    return (!volumes_find(disks, disk) && !volumes_find(discs, disc)) ||
           storage_fail(error, STORAGE_ERROR_EXISTS, "there is an image of that id already");
}

static int
make_file(Storage *storage, const char *name, GError **error)
{
    uid_t uid = storage->config.import_uid;
    g_autofd int fd = openat(storage->uploads, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 || (geteuid() == 0 && fchown(fd, uid, uid) < 0)) {
        storage_fail_errno(error, "make a file for the upload");
        return -1;
    }
    return g_steal_fd(&fd);
}

static bool
upload_image(Job *job, GError **error)
{
    g_autoptr(StorageImage) image = g_new0(StorageImage, 1);
    Upload upload = {.job = job, .storage = job->storage, .image = image};
    g_autofd int file = is_free(job->storage, job->image, error) ? make_file(job->storage, job->image, error) : -1;

    if (file < 0)
        return false;
    upload.file = file;
    bool done = receive(&upload, error) && look(&upload, error) && settle(&upload, error);
    unlinkat(job->storage->uploads, job->image, 0); /* unless it became the image */
    if (!done)
        return false;
    image->format = g_strdup(probe_format_name(upload.probe.format));
    job->result = g_steal_pointer(&image);
    job->free_result = (GDestroyNotify)storage_image_free;
    return true;
}

static bool
may_begin(Storage *storage, uint64_t bytes, GError **error)
{
    if (bytes > storage->config.largest_upload)
        return storage_fail(error, STORAGE_ERROR_INVALID, "bytes: no upload may be so large");
    return storage_has_upload_room(storage, bytes, error);
}

static bool
make_pipe(Job *job, int *sink, GError **error)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return storage_fail_errno(error, "make a pipe for the upload");
    fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE); /* a small one will do */
    job->fd = ends[0];
    *sink = ends[1];
    return true;
}

int
storage_upload_async(Storage *storage, const char *image, StorageImageType type, uint64_t bytes,
                     GCancellable *cancellable, StorageProgress progress, gpointer progress_user,
                     GAsyncReadyCallback callback, gpointer user, GError **error)
{
    Job *job = job_new(storage, cancellable, progress, progress_user, callback, user);
    int sink = -1;

    job->type = type;
    job->size = bytes;
    job_set_id(job, &job->image, "image", image);
    job_claim_image(job, image, true);
    if (!job->refused && may_begin(storage, bytes, &job->refused) && make_pipe(job, &sink, &job->refused)) {
        job_start_apart(job, upload_image);
        return sink;
    }
    g_propagate_error(error, job_give_up(job));
    return -1;
}
