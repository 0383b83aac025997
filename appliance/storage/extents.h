/* SPDX-License-Identifier: Apache-2.0 */
/* Which of a file's blocks are its own, by FIEMAP (the kernel's Documentation/filesystems/fiemap.rst). Any thread. */
#pragma once

#include "appliance/storage/storage.h"

/* Bytes of blocks that no other file shares. Where the file system does not tell, all that the file takes. */
bool extents_own_bytes(int fd, uint64_t *bytes, GError **error);
