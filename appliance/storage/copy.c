/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/storage/copy.h"
#include "appliance/storage/error.h"

#include <glib/gstdio.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define STRIDE (UINT64_C(16) << 20) /* between looks at whether we are still wanted */
#define BUFFER_SIZE (UINT64_C(1) << 20)
#define GRAIN (UINT64_C(64) << 10) /* zeros of that length are left out */
#define TRY_NAME "making-a-try"

bool
copy_share(int from, int to)
{
    return ioctl(to, FICLONE, from) == 0;
}

static int
try_file(int folder, const char *name)
{
    int fd = openat(folder, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    unlinkat(folder, name, 0);
    return fd;
}

/* Empty files will do, and need no room where there is none. */
bool
copy_can_share(int folder)
{
    g_autofd int from = try_file(folder, TRY_NAME);
    g_autofd int to = try_file(folder, TRY_NAME);

    return from >= 0 && to >= 0 && copy_share(from, to);
}

bool
copy_is_zero(const uint8_t *bytes, size_t length)
{
    return length == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0);
}

static bool
write_all(int to, const uint8_t *bytes, size_t length, uint64_t at, GError **error)
{
    while (length) {
        ssize_t written = pwrite(to, bytes, length, (off_t)at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return storage_fail_errno(error, "write a copy");
        bytes += written;
        length -= (size_t)written;
        at += (uint64_t)written;
    }
    return true;
}

/* Leaves out grains of zeros. */
static bool
write_sparse(int to, const uint8_t *bytes, size_t length, uint64_t at, GError **error)
{
    for (size_t done = 0; done < length;) {
        size_t part = MIN(length - done, GRAIN - (at + done) % GRAIN);
        if (!copy_is_zero(bytes + done, part) && !write_all(to, bytes + done, part, at + done, error))
            return false;
        done += part;
    }
    return true;
}

/* Through memory: between file systems, and onto volumes. */
static bool
copy_by_hand(int from, int to, uint64_t at, uint64_t end, GError **error)
{
    g_autofree uint8_t *buffer = g_malloc(BUFFER_SIZE);

    while (at < end) {
        ssize_t got = pread(from, buffer, MIN(BUFFER_SIZE, end - at), (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return storage_fail_errno(error, "read what is to be copied");
        if (got == 0)
            return storage_fail(error, STORAGE_ERROR_FAILED, "what is to be copied became shorter meanwhile");
        if (!write_sparse(to, buffer, (size_t)got, at, error))
            return false;
        at += (uint64_t)got;
    }
    return true;
}

/* By the kernel, which some pairs of files have; *by_hand says that these have not. */
static bool
copy_by_kernel(int from, int to, uint64_t at, uint64_t end, bool *by_hand, GError **error)
{
    while (at < end) {
        loff_t source = (loff_t)at, target = (loff_t)at;
        ssize_t copied = copy_file_range(from, &source, to, &target, end - at, 0);
        if (copied < 0 && errno == EINTR)
            continue;
        if (copied < 0 && (errno == ENOSPC || errno == EIO || errno == EDQUOT))
            return storage_fail_errno(error, "write a copy");
        *by_hand = copied <= 0;
        if (*by_hand)
            return copy_by_hand(from, to, at, end, error);
        at += (uint64_t)copied;
    }
    return true;
}

/* One run of data, in strides. */
static bool
copy_run(int from, int to, uint64_t at, uint64_t end, uint64_t size, bool *by_hand, Work *work, GError **error)
{
    while (at < end) {
        uint64_t stop = MIN(end, at + STRIDE);
        if (!work_goes_on(work, error))
            return false;
        if (!(*by_hand ? copy_by_hand(from, to, at, stop, error) : copy_by_kernel(from, to, at, stop, by_hand, error)))
            return false;
        at = stop;
        work_tell(work, at, size);
    }
    return true;
}

bool
copy_bytes(int from, int to, uint64_t size, Work *work, GError **error)
{
    bool by_hand = false;

    for (uint64_t at = 0; at < size;) {
        off_t data = lseek(from, (off_t)at, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            break; /* nothing but a hole from here on */
        off_t hole = data < 0 ? -1 : lseek(from, data, SEEK_HOLE);
        uint64_t begin = data < 0 ? at : (uint64_t)data; /* a volume knows of no holes */
        uint64_t end = hole < 0 ? size : MIN(size, (uint64_t)hole);
        if (!copy_run(from, to, begin, end, size, &by_hand, work, error))
            return false;
        at = end;
    }
    return work_goes_on(work, error);
}
