/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who sees what of the store: one table, kind by role, which reading, lists and events all go by. What somebody does not see is
 * not there for them.
 *
 * Owner: the main thread.
 */
#pragma once

#include "appliance/daemon/caller.h"
#include "ha/store/reader.h"

typedef enum {
    SIGHT_NONE,
    SIGHT_OWN, /* themselves, the desktops they may use, the pools they may take from */
    SIGHT_ALL,
} Sight;

Sight sight_of(const StoreKind *kind, StoreRole role);

/* A thing as the role is shown it: without what of it is not theirs to know. A new reference. */
GVariant *sight_show(const StoreKind *kind, StoreRole role, GVariant *thing);

/* One thing, by its id, or by "name:" and its name; *thing NULL: there is none that they see. */
bool sight_get(StoreReader *reader, const Caller *caller, const StoreKind *kind, const char *id, GVariant **thing,
               GError **error);

/* Whether they see it: CARREL_ERROR_NOT_FOUND where not, whether it is there or not. */
bool sight_check(StoreReader *reader, const Caller *caller, const StoreKind *kind, const char *id, GError **error);

/* One page as they see it, and how many there are on all. @page is to be cleared. */
bool sight_list(StoreReader *reader, const Caller *caller, const StoreQuery *query, StorePage *page, int64_t *count,
                GError **error);

/* What is theirs where they see their own alone: things of the kind, unpaged. */
GPtrArray *sight_own(StoreReader *reader, const Caller *caller, const StoreKind *kind, GError **error);
