/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of storage.h share: the storage itself. For this folder. */
#pragma once

#include "appliance/storage/claims.h"
#include "appliance/storage/records.h"
#include "appliance/storage/storage.h"
#include "appliance/storage/volumes.h"

struct Storage {
    StorageConfig config; /* strings owned */
    int lock;             /* of the folder; LVM's commands hold it too */
    Volumes *volumes;     /* disks, images, snapshots */
    Volumes *discs;       /* files */
    Records *records;
    int uploads; /* folder of what comes in */
    Claims *claims;
    gint jobs; /* atomic: under way */
};

/*
 * Has @needed more bytes of room, and leaves what is to stay free? @view: of where they are to be. @what begins the message.
 */
bool storage_has_room(const Storage *storage, const VolumesView *view, uint64_t needed, const char *what,
                      GError **error);
/* Of the folder that uploads come into. */
bool storage_has_upload_room(const Storage *storage, uint64_t needed, GError **error);

/* How many bytes cloning a volume takes now. */
uint64_t storage_clone_needs(const Storage *storage, const Volume *volume);

/* IN_USE if somebody has the volume open. A volume that is not there is not open. */
bool storage_is_closed(Volumes *volumes, const VolumesView *view, const char *name, GError **error);

/* UNAVAILABLE if one of these (as storage_disks_of() gives) is written to and cannot be copied at one moment. */
bool storage_may_copy(Storage *storage, const VolumesView *view, GPtrArray *disks, GError **error);

/*
 * Makes a volume under the name that it has until it is finished: of at least @size bytes, with @from's if that is not NULL, on
 * stable storage. On failure there is none.
 */
bool storage_build(Storage *storage, const VolumesView *view, const char *from, const char *name, uint64_t size,
                   Work *work, GError **error);
/* Gives what was built for a name that nothing has its name. On failure there is neither. */
bool storage_give_name(Storage *storage, const char *name, GError **error);
/* Both, of a name that nothing has. */
bool storage_make(Storage *storage, const VolumesView *view, const char *from, const char *name, uint64_t size,
                  Work *work, GError **error);
/*
 * Gives volumes that were built for these names (NULL-terminated) their names, all or none of them, also when a crash comes
 * between; what had the names before is gone then.
 */
bool storage_give_names(Storage *storage, const char *const *names, GError **error);
/* Takes away what was built for these names. */
void storage_unbuild(Storage *storage, const char *const *names);

/*
 * The disks of a desktop, or what a snapshot of it keeps of them: their names. Elements: StorageThing with name, place and size,
 * freed with the array.
 */
GPtrArray *storage_disks_of(const VolumesView *view, const char *desktop, const char *snapshot);

/* storage_open()'s second half: removes or finishes what was left half made, and says of each what. */
bool storage_mend(Storage *storage, GStrvBuilder *mended, GError **error);
