/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/sight.h"

#include "appliance/daemon/error.h"
#include "ha/store/search.h"

#include <string.h>

static const char *const factors[] = {"totp_step", "recovery", NULL};
static const char *const inside[] = {"host", NULL}; /* names of the house that its guests need not know */

/* clang-format off */
static const struct {
    const char *kind;
    Sight sees[STORE_ROLE_ADMIN + 1];
    const char *const *hidden[STORE_ROLE_ADMIN + 1]; /* what of it, where it is seen at all */
} table[] = {
    /*               user        operator   admin          user    operator  */
    {"host",       {SIGHT_NONE, SIGHT_ALL, SIGHT_ALL}},
    {"setting",    {SIGHT_NONE, SIGHT_ALL, SIGHT_ALL}},
    {"user",       {SIGHT_OWN,  SIGHT_ALL, SIGHT_ALL}, {NULL, factors}},
    {"group",      {SIGHT_NONE, SIGHT_ALL, SIGHT_ALL}},
    {"network",    {SIGHT_NONE, SIGHT_ALL, SIGHT_ALL}},
    {"image",      {SIGHT_NONE, SIGHT_ALL, SIGHT_ALL}},
    {"policy",     {SIGHT_NONE, SIGHT_ALL, SIGHT_ALL}},
    {"template",   {SIGHT_NONE, SIGHT_ALL, SIGHT_ALL}},
    {"pool",       {SIGHT_OWN,  SIGHT_ALL, SIGHT_ALL}},
    {"desktop",    {SIGHT_OWN,  SIGHT_ALL, SIGHT_ALL}, {inside}},
    {"assignment", {SIGHT_NONE, SIGHT_ALL, SIGHT_ALL}},
};
/* clang-format on */

static unsigned
line_of(const StoreKind *kind)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(table); i++)
        if (!strcmp(table[i].kind, kind->name))
            return i;
    g_assert_not_reached(); /* a unit test holds the table against the catalog */
}

Sight
sight_of(const StoreKind *kind, StoreRole role)
{
    return table[line_of(kind)].sees[MIN(role, STORE_ROLE_ADMIN)];
}

GVariant *
sight_show(const StoreKind *kind, StoreRole role, GVariant *thing)
{
    const char *const *hidden = table[line_of(kind)].hidden[MIN(role, STORE_ROLE_ADMIN)];

    if (!hidden)
        return g_variant_ref(thing);
    g_auto(GVariantDict) shown = G_VARIANT_DICT_INIT(thing);
    for (; *hidden; hidden++)
        g_variant_dict_remove(&shown, *hidden);
    return g_variant_ref_sink(g_variant_dict_end(&shown));
}

static bool
is_kind(const StoreKind *kind, const char *name)
{
    return !strcmp(kind->name, name);
}

static const char *
id_of(GVariant *thing)
{
    const char *id = "";

    g_variant_lookup(thing, "id", "&s", &id);
    return id;
}

static bool
is_in(GPtrArray *things, const char *id)
{
    for (guint i = 0; i < things->len; i++)
        if (!strcmp(id_of(things->pdata[i]), id))
            return true;
    return false;
}

/* Whether a thing of a kind of which they see their own is that. */
static bool
is_own(StoreReader *reader, const Caller *caller, const StoreKind *kind, const char *id, bool *yes, GError **error)
{
    if (is_kind(kind, "desktop"))
        return store_reader_may_use(reader, caller->user, id, yes, error);
    if (is_kind(kind, "user")) {
        *yes = caller_is_user(caller, id);
        return true;
    }
    g_autoptr(GPtrArray) own = sight_own(reader, caller, kind, error);
    *yes = own && is_in(own, id);
    return own;
}

static bool
sees(StoreReader *reader, const Caller *caller, const StoreKind *kind, const char *id, bool *yes, GError **error)
{
    Sight sight = sight_of(kind, caller->role);

    *yes = sight == SIGHT_ALL;
    return sight != SIGHT_OWN || is_own(reader, caller, kind, id, yes, error);
}

bool
sight_get(StoreReader *reader, const Caller *caller, const StoreKind *kind, const char *id, GVariant **thing,
          GError **error)
{
    g_autoptr(GVariant) found = NULL;
    bool yes = false;

    if (!(g_str_has_prefix(id, "name:") ? store_reader_find(reader, kind, id + strlen("name:"), &found, error)
                                        : store_reader_get(reader, kind, id, &found, error)) ||
        (found && !sees(reader, caller, kind, id_of(found), &yes, error)))
        return false;
    *thing = yes ? sight_show(kind, caller->role, found) : NULL;
    return true;
}

bool
sight_check(StoreReader *reader, const Caller *caller, const StoreKind *kind, const char *id, GError **error)
{
    g_autoptr(GVariant) thing = NULL;

    return sight_get(reader, caller, kind, id, &thing, error) && (thing || carrel_fail_not_found(error, kind->name));
}

static void
unref_variant(void *variant)
{
    g_variant_unref(variant);
}

GPtrArray *
sight_own(StoreReader *reader, const Caller *caller, const StoreKind *kind, GError **error)
{
    if (is_kind(kind, "desktop"))
        return store_reader_desktops_of(reader, caller->user, error);
    if (is_kind(kind, "pool"))
        return store_reader_pools_of(reader, caller->user, error);
    g_autoptr(GPtrArray) themselves = g_ptr_array_new_with_free_func(unref_variant);
    g_autoptr(GVariant) user = NULL;
    if (!store_reader_get(reader, kind, caller->user, &user, error))
        return NULL;
    if (user)
        g_ptr_array_add(themselves, g_steal_pointer(&user));
    return g_steal_pointer(&themselves);
}

/* As a list in the store is narrowed: equal to the value, or without one; with the key in its name; one of those that were named. */
static bool
fits(const StoreQuery *query, const char *key, GVariant *thing)
{
    const char *has = NULL;

    if ((key && !store_search_fits(query->kind, key, thing)) ||
        (query->ids && !g_strv_contains(query->ids, id_of(thing))))
        return false;
    if (!query->filter)
        return true;
    g_variant_lookup(thing, query->filter, "&s", &has);
    return !g_strcmp0(has, query->value);
}

/* Their own are few: one page has them all. */
static bool
list_own(StoreReader *reader, const Caller *caller, const StoreQuery *query, StorePage *page, GError **error)
{
    g_autofree char *key = NULL;
    g_autoptr(GPtrArray) own = NULL;

    if (!store_search_read(query->kind, query->search, &key, error) ||
        !(own = sight_own(reader, caller, query->kind, error)))
        return false;
    for (guint i = 0; i < own->len; i++)
        if (fits(query, key, own->pdata[i]))
            g_ptr_array_add(page->rows, g_variant_ref(own->pdata[i]));
    return true;
}

static void
show_all(StorePage *page, const StoreKind *kind, StoreRole role)
{
    for (guint i = 0; i < page->rows->len; i++) {
        GVariant *thing = page->rows->pdata[i];
        page->rows->pdata[i] = sight_show(kind, role, thing);
        g_variant_unref(thing);
    }
}

bool
sight_list(StoreReader *reader, const Caller *caller, const StoreQuery *query, StorePage *page, int64_t *count,
           GError **error)
{
    g_auto(StorePage) seen = {.rows = g_ptr_array_new_with_free_func(unref_variant)};
    Sight sight = sight_of(query->kind, caller->role);

    if (sight == SIGHT_ALL) {
        store_page_clear(&seen);
        if (!store_reader_list(reader, query, &seen, error) || !store_reader_count(reader, query, count, error))
            return false;
    } else {
        if (sight == SIGHT_OWN && !list_own(reader, caller, query, &seen, error))
            return false;
        *count = seen.rows->len;
    }
    show_all(&seen, query->kind, caller->role);
    *page = seen;
    seen = (StorePage){0};
    return true;
}
