/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both back ends offer: named volumes of bytes. What a volume is for, and in which order things are done so that a crash
 * harms nothing, is decided above (disks.c, snapshots.c, images.c); here are single steps.
 *
 * Names are those of names.h. All calls block, on any thread, several at once; two for the same name are kept apart by claims.h.
 */
#pragma once

#include "appliance/storage/work.h"

typedef struct {
    char *name;
    uint64_t size;   /* bytes that it has */
    uint64_t bytes;  /* that it takes, shared ones included */
    int64_t changed; /* seconds since 1970 */
} Volume;

void volume_free(Volume *volume);

/* What is there, at one moment. */
typedef struct {
    GPtrArray *volumes; /* of Volume *, by name */
    uint64_t bytes, free;
} VolumesView;

void volumes_view_free(VolumesView *view);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VolumesView, volumes_view_free)

/* NULL: none of that name. */
const Volume *volumes_find(const VolumesView *view, const char *name);

typedef struct Volumes Volumes;

/* All are mandatory but those that say so. */
typedef struct {
    /* All that are ours, half made ones included. NULL with an error. */
    VolumesView *(*look)(Volumes *volumes, GError **error);
    /* An empty one that reads as zeros; there is none of that name. */
    bool (*make)(Volumes *volumes, const char *name, uint64_t size, GError **error);
    /* One with another's bytes and size, as they are at one moment if blocks are shared. On failure there is none. */
    bool (*clone)(Volumes *volumes, const char *from, const char *name, Work *work, GError **error);
    /* To more bytes than it has; what is new reads as zeros. */
    bool (*grow)(Volumes *volumes, const char *name, uint64_t size, GError **error);
    /* flags: O_RDONLY or O_RDWR. A descriptor, O_CLOEXEC; -1 with an error. */
    int (*open)(Volumes *volumes, const char *name, int flags, GError **error);
    /* Its bytes, and its being there, outlast a power cut from now on. */
    bool (*settle)(Volumes *volumes, const char *name, GError **error);
    /* There is none of the name @to. Outlasts a power cut. */
    bool (*rename)(Volumes *volumes, const char *name, const char *to, GError **error);
    /* Of one that is not there: done. */
    bool (*remove)(Volumes *volumes, const char *name, GError **error);
    /* Bytes of a snapshot's volume that only it keeps; NULL: what it takes is the nearest there is. */
    bool (*own_bytes)(Volumes *volumes, const char *name, uint64_t *bytes, GError **error);
    /* A file of the same file system becomes a volume. NULL: files cannot. */
    bool (*adopt)(Volumes *volumes, int folder, const char *file, const char *name, GError **error);
    void (*free)(Volumes *volumes);
} VolumesClass;

/* Each back end's struct begins with it. */
struct Volumes {
    const VolumesClass *class;
    bool shares_blocks; /* clones take no room and no time, and may be made of what is written to */
    bool clones_whole;  /* a clone is there whole and for good, or not at all, also after a crash */
    uint64_t grain;     /* bytes: sizes are multiples of it */
};

/* NULL: nothing. */
void volumes_free(Volumes *volumes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Volumes, volumes_free)

/* Rounded up to what the back end can have. */
uint64_t volumes_round_up(const Volumes *volumes, uint64_t size);
