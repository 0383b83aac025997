/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is whose to use: a desktop that is assigned to the user or to a group of theirs, and one they have taken from a pool
 * that is assigned so. Taking an assignment back takes the desktop back with it, at once. One who is disabled has nothing.
 */
#pragma once

#include "ha/store/database.h"

bool store_ownership_of_desktop(StoreDatabase *database, const char *user, const char *desktop, bool *yes,
                                GError **error);
bool store_ownership_of_pool(StoreDatabase *database, const char *user, const char *pool, bool *yes, GError **error);

/* The end of a SELECT from the table desktops, or pools: " WHERE id IN (…)", those of the user ?1. */
extern const char store_ownership_desktops[];
extern const char store_ownership_pools[];
