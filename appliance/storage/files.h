/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes that are sparse raw files in a folder, mode 0600. Clones share their blocks where the file system can; else bytes are
 * copied, holes left out.
 */
#pragma once

#include "appliance/storage/volumes.h"

/* The folder is made if it is not there, below one that is. @reserve_blocks: empty ones, and what is grown, have their blocks. */
Volumes *files_new(const char *folder, bool reserve_blocks, GError **error);
