/* SPDX-License-Identifier: Apache-2.0 */
/* Reading files into guest memory. */
#include "vmm/firmware/boot_file.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

G_DEFINE_QUARK(carrel - boot - error - quark, boot_error)

bool
boot_file_init(BootFile *file, int fd, const char *name, GError **error)
{
    struct stat status;
    if (fstat(fd, &status) < 0) {
        g_set_error(error, BOOT_ERROR, BOOT_ERROR_IO, "%s: %s", name, g_strerror(errno));
        return false;
    }
    off_t size = S_ISREG(status.st_mode) || S_ISBLK(status.st_mode) ? lseek(fd, 0, SEEK_END) : -1;
    if (size < 0) {
        g_set_error(error, BOOT_ERROR, BOOT_ERROR_IO, "%s is not a regular file", name);
        return false;
    }
    if (size == 0) {
        g_set_error(error, BOOT_ERROR, BOOT_ERROR_TRUNCATED, "%s is empty", name);
        return false;
    }
    *file = (BootFile){.fd = fd, .name = name, .size = size};
    return true;
}

bool
boot_file_read(const BootFile *file, uint64_t offset, void *to, size_t len, GError **error)
{
    if (offset > file->size || len > file->size - offset)
        goto truncated;
    for (size_t done = 0; done < len;) {
        ssize_t got = pread(file->fd, (uint8_t *)to + done, len - done, offset + done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            g_set_error(error, BOOT_ERROR, BOOT_ERROR_IO, "cannot read %s: %s", file->name, g_strerror(errno));
            return false;
        }
        if (got == 0) /* cut shorter since its size was asked for */
            goto truncated;
        done += got;
    }
    return true;

truncated:
    g_set_error(error, BOOT_ERROR, BOOT_ERROR_TRUNCATED,
                "%s is truncated: it refers to %zu bytes at %" G_GUINT64_FORMAT ", but has only %" G_GUINT64_FORMAT,
                file->name, len, offset, file->size);
    return false;
}

bool
boot_file_load(const BootFile *file, uint64_t offset, uint64_t len, GuestMemory *memory, uint64_t gpa, GError **error)
{
    if (!len)
        return true;
    uint8_t *to = guest_memory_at(memory, gpa, len);
    if (!to) {
        g_set_error(error, BOOT_ERROR, BOOT_ERROR_NO_ROOM,
                    "%s does not fit: it wants %" G_GUINT64_FORMAT " bytes at 0x%" G_GINT64_MODIFIER
                    "x, where this desktop has no memory",
                    file->name, len, gpa);
        return false;
    }
    if (!boot_file_read(file, offset, to, len, error))
        return false;
    guest_memory_dirty(memory, to, len);
    return true;
}
