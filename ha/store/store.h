/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: what Carrel's hosts keep of users, pools, desktops and all the rest, in one SQLite file.
 *
 *     bytes ──→ StoreCommand ──→ store_apply() ──→ one transaction: state, answer, changes, audit ──→ listeners
 *                                                                       │
 *                            any process ←── StoreReader (reader.h) ←───┘
 *
 * Nothing else ever writes to it. Applying is a function of state and command alone, so hosts that apply the same
 * commands in the same order have the same state, which store_snapshot() writes as equal bytes.
 *
 * A command that comes back has been on stable storage since; one that a crash interrupts is there whole or not. After a
 * failure (error.h) of store_apply() the state is as it was before that command, and this host is behind the others.
 *
 * Owner: one thread, and one process: whoever keeps the store.
 */
#pragma once

#include "ha/store/apply.h"

typedef struct Store Store;

/*
 * Opens the file, which is made if there is none, and upgraded if an earlier version of Carrel made it. One that is
 * something else, of a later version, or not whole is refused, and not touched.
 */
Store *store_open(const char *path, GError **error);
/* One without a file, for tests and simulations. */
Store *store_open_in_memory(GError **error);
void store_free(Store *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Store, store_free)

/* False: refused or failed (store_error_is_refusal()). *answer, to be cleared, is set only when it is true. */
bool store_apply(Store *store, const StoreCommand *command, StoreAnswer *answer, GError **error);

/* How many commands, done or refused, this state has seen. */
bool store_sequence(Store *store, int64_t *sequence, GError **error);

/*
 * Called after each commit, on the owner's thread, with what changed (StoreChange; empty for a refused command; NULL
 * after store_restore(): anything). It must not apply commands.
 */
typedef void (*StoreListener)(int64_t sequence, GPtrArray *changes, void *data);
void store_set_listener(Store *store, StoreListener listener, void *data);

/* For reader.c and snapshot.c. */
StoreDatabase *store_get_database(Store *store);
void store_tell_all(Store *store);
