/* SPDX-License-Identifier: Apache-2.0 */
/* The store's file before it is used: made whole or not at all, and looked at without a trace. Any thread. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Makes an empty store of the newest schema where there is no file; leaves one that is there as it is. */
bool store_file_make(const char *path, GError **error);

/* Whether it is a store that is whole, of a version that is known: NOT_OURS, DAMAGED or NEWER where not. */
bool store_file_check(const char *path, GError **error);

/* Has a finished file and its name on stable storage. */
bool store_file_settle(const char *path, GError **error);
