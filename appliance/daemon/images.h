/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images: their bytes in the storage, their state in the store, kept in step; over a crash too.
 *
 * Owner: the main thread.
 */
#pragma once

#include "appliance/daemon/daemon.h"

/* At the start: what came whole is settled, what was deleted is gone from the storage too. */
void images_take_up(Daemon *daemon);
/* The store has it no more. */
void images_removed(Daemon *daemon, const char *image);

/*
 * A pipe for an image's bytes (0: not known how many), the caller's; -1 with an error. *job is its job's id. @actor: as commands
 * have it.
 */
int images_upload(Daemon *daemon, const char *actor, const char *image, uint64_t bytes, const char **job,
                  GError **error);

typedef void (*ImagesOrphans)(void *data, GVariant *orphans, const GError *error);
/* What in the storage belongs to nothing in the store: aa{sv} as ListOrphans says, floating. */
void images_find_orphans(Daemon *daemon, ImagesOrphans found, void *data);
