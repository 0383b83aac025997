/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Desktops whose disks are made before the store knows them: clones. One is noted in the folder of what lasts until the store has
 * answered, so that a daemon that dies meanwhile leaves nothing that somebody would have to clear away: desktops_clear_begun(). The note does not wait for the
 * disk: what a power cut leaves is found as an orphan.
 *
 * Owner: the main thread.
 */
#pragma once

#include "appliance/desktops/private.h"

/* Before there is a disk. */
bool begun_note(Desktops *desktops, const char *id, GError **error);
/* The store has it, or its disks are gone again. */
void begun_strike(Desktops *desktops, const char *id);
