/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rooms that know neither store nor callers (storage, networks, desktops), opened with what the configuration says of them, and told
 * what the store says.
 *
 * Owner: the main thread.
 */
#pragma once

#include "appliance/desktops/desktops.h"
#include "appliance/network/network.h"
#include "appliance/storage/storage.h"

#include <stdbool.h>

typedef struct Daemon Daemon;

typedef struct {
    Storage *storage;
    Networks *networks;
    Desktops *desktops;
    GCancellable *ending; /* of what storage does for no job */
    unsigned under_way;   /* such calls */
    guint following;      /* a source that ends it; 0: nobody looks at figures */
} Rooms;

bool rooms_open(Daemon *daemon, GError **error);
/* Desktops run on. Jobs are cancelled, and waited for. */
void rooms_close(Daemon *daemon);

/* The store's news: StoreChange, or NULL for anything. */
void rooms_store_changed(Daemon *daemon, GPtrArray *changes);

/* Somebody asks for figures, which are taken for a while now. */
void rooms_follow_figures(Daemon *daemon);
