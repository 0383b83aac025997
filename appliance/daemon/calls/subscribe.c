/* SPDX-License-Identifier: Apache-2.0 */
/* Listening to events. */
#include "appliance/daemon/calls/calls.h"

void
call_subscribe(Call *call)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *user = g_strdup(call->caller->user);
    gint64 since;

    g_variant_get_child(call->arguments, 1, "x", &since);
    guint32 id = events_subscribe(call->daemon->events, call->peer, g_steal_pointer(&call->caller), &error);
    Events *events = call->daemon->events;
    Watching *watching = call->daemon->watching;
    if (!id) {
        call_fail(call, error);
        return;
    }
    call_return(call, g_variant_new("(u)", id));
    events_catch_up(events, id, since);
    if (user)
        watching_tell(watching, user);
}

void
call_unsubscribe(Call *call)
{
    guint32 id;

    g_variant_get_child(call->arguments, 0, "u", &id);
    events_unsubscribe(call->daemon->events, call->peer, id);
    call_return(call, NULL);
}
