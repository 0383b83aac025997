/* SPDX-License-Identifier: Apache-2.0 */
/* Errors of this folder, made; what each means says storage.h. */
#pragma once

#include "appliance/storage/storage.h"

/* All return false, for the caller to return. */
bool storage_fail(GError **error, StorageError code, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* errno, as the sentence "cannot WHAT: …": FULL where there is no room left, else FAILED. */
bool storage_fail_errno(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Too little room for @needed more bytes, while @free are free of which @kept must stay so. */
bool storage_fail_full(GError **error, const char *what, uint64_t needed, uint64_t free, uint64_t kept);
