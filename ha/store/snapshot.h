/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store's state as one file, for a host that joins or for keeping. Equal states give equal bytes, whatever the files
 * they come from have been through; the versions of Carrel being equal too.
 *
 * Owner's thread.
 */
#pragma once

#include "ha/store/store.h"

/* Writes it to @path, which is replaced when it is whole. Commands wait meanwhile; readers do not. */
bool store_snapshot(Store *store, const char *path, GError **error);

/*
 * Makes a store's state that of a snapshot, in one transaction: its readers see the one, then the other. A snapshot
 * comes from another host, and is checked as a store is when it is opened; where it is refused, nothing has changed.
 * One of an earlier version is upgraded.
 */
bool store_restore(Store *store, const char *path, GError **error);
