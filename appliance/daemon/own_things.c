/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/own_things.h"

#include "appliance/daemon/sight.h"

#include <string.h>

struct OwnThings {
    GHashTable *kinds; /* id → the kind's name */
};

static const char *
id_of(GVariant *thing)
{
    const char *id = "";

    g_variant_lookup(thing, "id", "&s", &id);
    return id;
}

static void
collect(GHashTable *kinds, StoreReader *reader, const Caller *caller)
{
    const StoreKind *kind;

    for (unsigned i = 0; (kind = store_catalog_kind(i)); i++) {
        if (sight_of(kind, caller->role) != SIGHT_OWN)
            continue;
        g_autoptr(GPtrArray) things = sight_own(reader, caller, kind, NULL);
        for (guint j = 0; things && j < things->len; j++)
            g_hash_table_insert(kinds, g_strdup(id_of(things->pdata[j])), (void *)kind->name);
    }
}

static GHashTable *
table_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

OwnThings *
own_things_new(StoreReader *reader, const Caller *caller)
{
    OwnThings *own = g_new(OwnThings, 1);

    own->kinds = table_new();
    collect(own->kinds, reader, caller);
    return own;
}

void
own_things_free(OwnThings *own)
{
    if (!own)
        return;
    g_hash_table_unref(own->kinds);
    g_free(own);
}

bool
own_things_has(const OwnThings *own, const char *id)
{
    return g_hash_table_contains(own->kinds, id);
}

static void
tell(GVariantBuilder *told, const char *kind, const char *id, const char *what)
{
    g_variant_builder_add(told, "(sss)", kind, id, what);
}

/* One of theirs: still there, still theirs? */
static void
follow_one(OwnThings *own, StoreReader *reader, const Caller *caller, const StoreChange *change, GVariantBuilder *told)
{
    bool theirs = change->type != STORE_CHANGE_REMOVED &&
                  sight_check(reader, caller, store_catalog_find_kind(change->kind), change->thing, NULL);

    tell(told, change->kind, change->thing, theirs ? "changed" : "removed");
    if (!theirs)
        g_hash_table_remove(own->kinds, change->thing);
}

/* Whether it may give a right to somebody, or take one. */
static bool
is_about_rights(const StoreChange *change, const Caller *caller)
{
    return !strcmp(change->kind, "assignment") || !strcmp(change->kind, "group") ||
           (!strcmp(change->kind, "user") && caller_is_user(caller, change->thing));
}

/* A desktop taken from a pool is theirs by its own row. */
static bool
is_new(StoreReader *reader, const Caller *caller, const StoreChange *change, GHashTable *takers)
{
    return caller_is_user(caller, g_hash_table_lookup(takers, change->thing)) &&
           sight_check(reader, caller, store_catalog_find_kind("desktop"), change->thing, NULL);
}

bool
own_things_follow(OwnThings *own, StoreReader *reader, const Caller *caller, GPtrArray *changes, GHashTable *takers,
                  GVariantBuilder *told)
{
    bool rights = false;

    for (guint i = 0; i < changes->len; i++) {
        const StoreChange *change = changes->pdata[i];
        rights = rights || is_about_rights(change, caller);
        if (own_things_has(own, change->thing)) {
            follow_one(own, reader, caller, change, told);
        } else if (is_new(reader, caller, change, takers)) {
            g_hash_table_insert(own->kinds, g_strdup(change->thing), (void *)change->kind);
            tell(told, change->kind, change->thing, "made");
        }
    }
    return rights;
}

/* Of those in @a and not in @b. */
static void
tell_difference(GHashTable *a, GHashTable *b, const char *what, GVariantBuilder *told)
{
    GHashTableIter iter;
    void *id, *kind;

    g_hash_table_iter_init(&iter, a);
    while (g_hash_table_iter_next(&iter, &id, &kind))
        if (!g_hash_table_contains(b, id))
            tell(told, kind, id, what);
}

void
own_things_look(OwnThings *own, StoreReader *reader, const Caller *caller, GVariantBuilder *told)
{
    GHashTable *now = table_new();

    collect(now, reader, caller);
    tell_difference(own->kinds, now, "removed", told);
    tell_difference(now, own->kinds, "made", told);
    g_hash_table_unref(own->kinds);
    own->kinds = now;
}
