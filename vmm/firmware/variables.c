/* SPDX-License-Identifier: Apache-2.0 */
/* The file of UEFI variables: see variables.h. */
#include "vmm/firmware/variables.h"

#include "vmm/firmware/boot_file.h"
#include "vmm/firmware/flash.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* EFI_FIRMWARE_VOLUME_HEADER */
#define HEADER_MIN 0x48
#define HEADER_GUID 16
#define HEADER_VOLUME_LENGTH 32
#define HEADER_SIGNATURE 40
#define HEADER_LENGTH 48

/* EFI_SYSTEM_NV_DATA_FV_GUID, fff12b8d-7696-4c8b-a985-2747075b4f50 */
static const uint8_t variables_guid[16] = {0x8d, 0x2b, 0xf1, 0xff, 0x96, 0x76, 0x8b, 0x4c,
                                           0xa9, 0x85, 0x27, 0x47, 0x07, 0x5b, 0x4f, 0x50};

static bool
refuse(GError **error, int code, const char *name, const char *why)
{
    g_set_error(error, BOOT_ERROR, code, "%s: %s", name, why);
    return false;
}

static uint64_t
number(const uint8_t *bytes, unsigned size)
{
    uint64_t value = 0;
    memcpy(&value, bytes, size);
    return GUINT64_FROM_LE(value);
}

static bool
header_is_whole(const uint8_t *bytes, uint64_t size)
{
    uint64_t length = number(bytes + HEADER_LENGTH, 2);
    uint16_t sum = 0;

    if (memcmp(bytes + HEADER_SIGNATURE, "_FVH", 4) || memcmp(bytes + HEADER_GUID, variables_guid, 16) ||
        number(bytes + HEADER_VOLUME_LENGTH, 8) > size || length < HEADER_MIN || length > FLASH_BLOCK_SIZE ||
        length % 2)
        return false;
    for (uint64_t i = 0; i < length; i += 2)
        sum += number(bytes + i, 2);
    return sum == 0;
}

bool
variables_check(int fd, const char *name, GError **error)
{
    BootFile file;
    uint8_t first[FLASH_BLOCK_SIZE];

    if (!boot_file_init(&file, fd, name, error))
        return false;
    if (!flash_size_is_valid(file.size))
        return refuse(error, BOOT_ERROR_MALFORMED, name,
                      "not a store of UEFI variables: its size is not 8 KiB to 8 MiB in steps of 4 KiB");
    if (!boot_file_read(&file, 0, first, sizeof(first), error))
        return false;
    return header_is_whole(first, file.size) ||
           refuse(error, BOOT_ERROR_MALFORMED, name,
                  "not a store of UEFI variables, or a damaged one: remove it to begin with fresh variables");
}

/* The copy has another name until it is on stable storage; a link, unlike a new name, is never put over another's file. */
static bool
make_from(const char *path, const char *template, GError **error)
{
    g_autofree char *bytes = NULL;
    gsize len;
    g_autofree char *partial = g_strconcat(path, ".XXXXXX", NULL);
    g_autofd int source = open(template, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (source < 0)
        return refuse(error, BOOT_ERROR_IO, template, g_strerror(errno));
    if (!variables_check(source, template, error) || !g_file_get_contents(template, &bytes, &len, error))
        return false;
    g_autofd int fd = g_mkstemp_full(partial, O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return refuse(error, BOOT_ERROR_IO, path, g_strerror(errno));
    bool made = write(fd, bytes, len) == (gssize)len && fsync(fd) == 0 && (link(partial, path) == 0 || errno == EEXIST);
    int code = errno;
    unlink(partial);
    return made || refuse(error, BOOT_ERROR_IO, path, g_strerror(code));
}

static bool
lock(int fd, const char *path, GError **error)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl(fd, F_OFD_SETLK, &whole) == 0)
        return true;
    if (errno != EAGAIN && errno != EACCES)
        return refuse(error, BOOT_ERROR_IO, path, g_strerror(errno));
    return refuse(error, BOOT_ERROR_IO, path, "in use by another desktop: give each a file of its own");
}

int
variables_open(const char *path, const char *template, GError **error)
{
    g_autofd int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT) {
        if (!make_from(path, template, error))
            return -1;
        fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    }
    if (fd < 0) {
        refuse(error, BOOT_ERROR_IO, path, g_strerror(errno));
        return -1;
    }
    return variables_check(fd, path, error) && lock(fd, path, error) ? g_steal_fd(&fd) : -1;
}
