/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/calls/desktop_of.h"

#include "appliance/daemon/sight.h"

const char *
desktop_of(Call *call)
{
    g_autoptr(GError) error = NULL;
    const char *id;

    g_variant_get_child(call->arguments, 1, "&s", &id);
    if (g_str_has_prefix(id, "name:"))
        call_fail_not_found(call, "desktop"); /* ids alone: what is called so may be another the next moment */
    else if (!sight_check(call->daemon->reader, call->caller, store_catalog_find_kind("desktop"), id, &error))
        call_fail(call, error);
    else
        return id;
    return NULL;
}
