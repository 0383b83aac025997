/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of volumes: what each is, in ids alone.
 *
 *     image-ID            a disk that desktops begin as
 *     iso-ID              a disc
 *     disk-ID-PLACE       of the desktop ID
 *     kept-ID-PLACE-ID    the same, as it was at a snapshot
 *     making-…            one of these, half made
 *
 * IDs are UUIDs in lower case; a place is a number without leading zeros. None has a character that a shell, a file system or
 * LVM reads anything into. No state, any thread.
 */
#pragma once

#include "appliance/storage/storage.h"

bool name_is_id(const char *text);

char *name_of_image(const char *image);
char *name_of_iso(const char *image);
char *name_of_disk(const char *desktop, unsigned place);
char *name_of_kept(const char *desktop, unsigned place, const char *snapshot);
/* Of a volume until it is finished. */
char *name_while_made(const char *name);
/* What it would have been called; NULL: it is not half made. Points into @name. */
const char *name_being_made(const char *name);

/* Fills in kind, id, place and snapshot; the rest stays. false, and nothing is changed: it is none of ours, or half made. */
bool name_read(const char *name, StorageThing *thing);
