/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of one file or volume into another that is empty: shared where the file system can, else copied, holes left out.
 * Any thread.
 */
#pragma once

#include "appliance/storage/work.h"

/* Whether blocks can be shared between files of a folder; tried with two files that are gone again. */
bool copy_can_share(int folder);

/* Makes @to, an empty file, the same as @from, sharing blocks. false without an error: these two cannot. */
bool copy_share(int from, int to);

/*
 * Copies @size bytes, those that are not holes or zeros, into a file or volume that reads as zeros. The rest of @to is
 * untouched: its size is the caller's. What is copied is not yet on stable storage.
 */
bool copy_bytes(int from, int to, uint64_t size, Work *work, GError **error);

/* Whether all of it is zeros. */
bool copy_is_zero(const uint8_t *bytes, size_t length);
