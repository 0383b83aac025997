/* SPDX-License-Identifier: Apache-2.0 */
/* All desktops of the host, for this folder. Owner: the main thread. */
#pragma once

#include "appliance/desktops/desktop.h"
#include "appliance/desktops/pools.h"
#include "appliance/desktops/tunnels.h"
#include "appliance/desktops/visits.h"

struct Desktops {
    DesktopsSettings settings; /* with copies of its strings */
    DesktopsOps ops;
    void *owner;
    GHashTable *desktops; /* id → Desktop, of those that were ever looked at */
    unsigned calls;       /* of ours that others will answer: this must last as long */
    Tunnels *tunnels;
    Visits *visits;
    Pools *pools;
    unsigned followers; /* of figures */
    guint figures_source;
    GList *refreshes; /* Refresh: those who wait for fresh ones */
    GList *actions;   /* Action, under way */
    bool closing;
};

Desktop *desktops_find(Desktops *desktops, const char *id);
/* As find, and makes one. */
Desktop *desktops_need(Desktops *desktops, const char *id);
/* A connection to it, or a ticket for it, is no more: perhaps the last one. */
void desktops_left(Desktops *desktops, const char *desktop);
/* Bytes promised to all but @but (or NULL). */
uint64_t desktops_promised(Desktops *desktops, const Desktop *but);
/* A user id that no VMM has; 0: VMMs have none of their own here, or (false) all are taken. */
bool desktops_take_uid(Desktops *desktops, uid_t *uid, GError **error);
/* A setting of the store, as it is now; @otherwise where the store does not know it. */
int64_t desktops_setting(Desktops *desktops, const char *key, int64_t otherwise);
/* Of the memory for desktops, how many percent may be promised. */
unsigned desktops_overcommit(Desktops *desktops);
