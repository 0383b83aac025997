/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one user sees of the store, as they were last told: so that a right given or taken becomes something made or removed.
 *
 * Owner: the main thread.
 */
#pragma once

#include "appliance/daemon/caller.h"
#include "ha/store/reader.h"

typedef struct OwnThings OwnThings;

/* As it is now. */
OwnThings *own_things_new(StoreReader *reader, const Caller *caller);
void own_things_free(OwnThings *own);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OwnThings, own_things_free)

bool own_things_has(const OwnThings *own, const char *id);

/*
 * What @changes (StoreChange) are to them, added to @told, a(sss). @takers: of desktops that changed, whose they are now (id → user's
 * id). True: rights may have changed, and all is to be looked at.
 */
bool own_things_follow(OwnThings *own, StoreReader *reader, const Caller *caller, GPtrArray *changes,
                       GHashTable *takers, GVariantBuilder *told);
/* Looks at all: what they have got and lost. */
void own_things_look(OwnThings *own, StoreReader *reader, const Caller *caller, GVariantBuilder *told);
