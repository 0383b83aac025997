/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/storage/volumes.h"

#include <string.h>

void
volume_free(Volume *volume)
{
    if (!volume)
        return;
    g_free(volume->name);
    g_free(volume);
}

void
volumes_view_free(VolumesView *view)
{
    if (!view)
        return;
    g_ptr_array_unref(view->volumes);
    g_free(view);
}

const Volume *
volumes_find(const VolumesView *view, const char *name)
{
    for (guint i = 0; i < view->volumes->len; i++) {
        const Volume *volume = view->volumes->pdata[i];
        if (!strcmp(volume->name, name))
            return volume;
    }
    return NULL;
}

void
volumes_free(Volumes *volumes)
{
    if (volumes)
        volumes->class->free(volumes);
}

uint64_t
volumes_round_up(const Volumes *volumes, uint64_t size)
{
    uint64_t over = size % volumes->grain;

    return over ? size + volumes->grain - over : size;
}
