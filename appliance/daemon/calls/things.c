/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the store. */
#include "appliance/daemon/calls/calls.h"

#include "appliance/daemon/sight.h"

/* The kind that the second argument names; NULL: the call has failed. */
static const StoreKind *
kind_of(Call *call)
{
    const char *name;

    g_variant_get_child(call->arguments, 1, "&s", &name);
    const StoreKind *kind = store_catalog_find_kind(name);
    if (!kind)
        call_fail_with(call, CARREL_ERROR_INVALID, "kind: there is no such kind of things");
    return kind;
}

void
call_get(Call *call)
{
    const StoreKind *kind = kind_of(call);
    g_autoptr(GVariant) thing = NULL;
    g_autoptr(GError) error = NULL;
    const char *id;

    if (!kind)
        return;
    g_variant_get_child(call->arguments, 2, "&s", &id);
    if (!sight_get(call->daemon->reader, call->caller, kind, id, &thing, &error))
        call_fail(call, error);
    else if (!thing)
        call_fail_not_found(call, kind->name);
    else
        call_return(call, g_variant_new("(@a{sv})", thing));
}

#define PAGE_DEFAULT 100

void
call_list_kind(Call *call)
{
    const StoreKind *kind = kind_of(call);
    g_autoptr(GVariant) asked = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree const char **ids = NULL;
    g_auto(StorePage) page = {0};
    StoreQuery query = {.kind = kind, .limit = PAGE_DEFAULT};
    int64_t count;

    if (!kind)
        return;
    g_variant_get_child(call->arguments, 2, "@a{sv}", &asked);
    g_variant_lookup(asked, "filter", "&s", &query.filter);
    g_variant_lookup(asked, "value", "&s", &query.value);
    g_variant_lookup(asked, "after", "&s", &query.after);
    g_variant_lookup(asked, "limit", "u", &query.limit);
    g_variant_lookup(asked, "search", "&s", &query.search);
    g_variant_lookup(asked, "ids", "^a&s", &ids);
    query.ids = (const char *const *)ids;
    if (sight_list(call->daemon->reader, call->caller, &query, &page, &count, &error))
        call_return(call, g_variant_new("(@aa{sv}sx)", call_list(page.rows), page.next ? page.next : "", count));
    else
        call_fail(call, error);
}

void
call_list_audit(Call *call)
{
    g_autoptr(GVariant) asked = NULL;
    g_autoptr(GError) error = NULL;
    StoreAuditQuery query = {.limit = PAGE_DEFAULT};
    gint64 before = 0;

    g_variant_get_child(call->arguments, 1, "@a{sv}", &asked);
    g_variant_lookup(asked, "column", "&s", &query.column);
    g_variant_lookup(asked, "value", "&s", &query.value);
    g_variant_lookup(asked, "before", "x", &before);
    g_variant_lookup(asked, "limit", "u", &query.limit);
    query.before = before;
    g_autoptr(GPtrArray) lines = store_reader_audit(call->daemon->reader, &query, &error);
    if (lines)
        call_return(call, g_variant_new("(@aa{sv})", call_list(lines)));
    else
        call_fail(call, error);
}
