/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/storage/extents.h"
#include "appliance/storage/error.h"

#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define EXTENTS_A_CALL 512
#define NO_BLOCKS (FIEMAP_EXTENT_SHARED | FIEMAP_EXTENT_UNKNOWN)

static bool
own_by_blocks(int fd, uint64_t *bytes, GError **error)
{
    struct stat is;

    if (fstat(fd, &is) < 0)
        return storage_fail_errno(error, "look at a file");
    *bytes = (uint64_t)is.st_blocks * 512;
    return true;
}

/* Adds up a batch; returns whether it was the last. */
static bool
add_up(const struct fiemap *map, uint64_t *own)
{
    for (uint32_t i = 0; i < map->fm_mapped_extents; i++)
        if (!(map->fm_extents[i].fe_flags & NO_BLOCKS))
            *own += map->fm_extents[i].fe_length;
    return map->fm_mapped_extents == 0 || (map->fm_extents[map->fm_mapped_extents - 1].fe_flags & FIEMAP_EXTENT_LAST);
}

bool
extents_own_bytes(int fd, uint64_t *bytes, GError **error)
{
    g_autofree struct fiemap *map = g_malloc0(sizeof(*map) + EXTENTS_A_CALL * sizeof(map->fm_extents[0]));
    uint64_t from = 0, own = 0;

    for (;;) {
        *map = (struct fiemap){.fm_start = from, .fm_length = ~UINT64_C(0) - from, .fm_extent_count = EXTENTS_A_CALL};
        if (ioctl(fd, FS_IOC_FIEMAP, map) < 0)
            return errno == EOPNOTSUPP || errno == ENOTTY ? own_by_blocks(fd, bytes, error)
                                                          : storage_fail_errno(error, "see which blocks a file has");
        if (add_up(map, &own))
            break;
        const struct fiemap_extent *last = &map->fm_extents[map->fm_mapped_extents - 1];
        from = last->fe_logical + last->fe_length;
    }
    *bytes = own;
    return true;
}
