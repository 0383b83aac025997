/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is written down beside the volumes, in a folder of small key files: each snapshot's name and time, and what is about to
 * be given its name. A file is there whole or not at all, also after a power cut. Any thread.
 *
 *     snapshot-DESKTOP-SNAPSHOT   that the snapshot is whole
 *     naming-ID                   these volumes are made, and are to have their names, replacing what has them now
 */
#pragma once

#include "appliance/storage/storage.h"

typedef struct Records Records;

Records *records_new(const char *folder, GError **error);
void records_free(Records *records);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Records, records_free)

bool records_put_snapshot(Records *records, const char *desktop, const StorageSnapshot *snapshot, GError **error);
bool records_has_snapshot(Records *records, const char *desktop, const char *snapshot);
/* Of one that is not there: done. */
bool records_drop_snapshot(Records *records, const char *desktop, const char *snapshot, GError **error);
/* The oldest first; of StorageSnapshot *, bytes 0. What cannot be read is left out. */
GPtrArray *records_list_snapshots(Records *records, const char *desktop, GError **error);

/* @id: a UUID of the caller's making. */
bool records_put_naming(Records *records, const char *id, const char *const *names, GError **error);
bool records_drop_naming(Records *records, const char *id, GError **error);
/* Their ids; and of one its names. */
GStrv records_list_namings(Records *records, GError **error);
GStrv records_get_naming(Records *records, const char *id, GError **error);
