/* SPDX-License-Identifier: Apache-2.0 */
/* Sitting down at a desktop: a ticket, a stream by it; and looking on at somebody's. */
#include "appliance/daemon/calls/calls.h"
#include "appliance/daemon/calls/client.h"
#include "appliance/daemon/calls/desktop_of.h"
#include "appliance/daemon/rights.h"

static void
connected(void *data, const DesktopsTicket *ticket, const GError *error)
{
    if (error)
        call_fail(data, error);
    else
        call_return(data, g_variant_new("(ssx)", ticket->ticket, ticket->password, ticket->expires));
}

/* --- looking on --- */

static void
note_answer(Call *call, const char *desktop, bool agreed)
{
    commands_note(call->daemon->commands, &(CommandsNote){
                                              .event = agreed ? "watching" : "watching-refused",
                                              .name = call->caller->name,
                                              .user = call->caller->user,
                                              .desktop = desktop,
                                              .address = call->caller->source,
                                          });
}

/* No ticket: who looks on has the pictures, and neither keys nor pointer. */
static void
answered(void *data, bool agreed)
{
    Call *call = data;
    const char *desktop;
    int64_t until = 0;

    g_variant_get_child(call->arguments, 1, "&s", &desktop);
    note_answer(call, desktop, agreed);
    const char *request = agreed ? watching_leave(call->daemon->watching, call->caller, desktop, &until) : NULL;
    if (request)
        call_return(call, g_variant_new("(ssx)", request, "", until));
    else
        call_fail_with(call, CARREL_ERROR_FORBIDDEN, "They did not agree that you look on.");
}

static void
watch(Call *call, const char *desktop)
{
    if (call->caller->role < STORE_ROLE_OPERATOR)
        call_fail_with(call, CARREL_ERROR_FORBIDDEN, "Only those who run desktops look on.");
    else if (watching_asks(call->daemon->watching, call->caller, desktop))
        call_fail_with(call, CARREL_ERROR_BUSY, "They have been asked, and have not answered yet.");
    else if (!watching_ask(call->daemon->watching, call->caller, desktop, answered, call))
        call_fail_with(call, CARREL_ERROR_UNAVAILABLE, "Nobody sits there who could agree.");
}

/* --- sitting down --- */

void
call_connect(Call *call)
{
    const char *desktop = desktop_of(call);
    g_autoptr(GVariant) options = NULL;
    gboolean looks_on = FALSE;

    if (!desktop)
        return;
    g_variant_get_child(call->arguments, 2, "@a{sv}", &options);
    g_variant_lookup(options, "watch", "b", &looks_on);
    if (looks_on)
        watch(call, desktop);
    else if (!rights_may_use(call->daemon, call->caller->actor, desktop))
        call_fail_with(call, CARREL_ERROR_FORBIDDEN, "It is somebody's: ask them whether you may look on.");
    else
        desktops_connect(call->daemon->rooms.desktops, call->caller->actor,
                         call->caller->session ? call->caller->session : STORE_ACTOR_CONSOLE, call->caller->actor,
                         desktop, connected, call);
}

static void
opened(void *data, int fd, const GError *error)
{
    if (error)
        call_fail(data, error);
    else
        call_return_fd(data, g_variant_new("(h)", 0), fd);
}

void
call_open_tunnel(Call *call)
{
    g_autoptr(GVariant) client = NULL;
    SignInAttempt attempt = {0};
    const char *ticket;

    g_variant_get(call->arguments, "(&s@a{sv})", &ticket, &client);
    client_read(client, call->peer, &attempt);
    desktops_open_tunnel(call->daemon->rooms.desktops, ticket, attempt.source, call->peer_name, opened, call);
}

void
call_answer_watch(Call *call)
{
    const char *request;
    gboolean agreed;

    g_variant_get(call->arguments, "(&s&sb)", NULL, &request, &agreed);
    if (watching_answer(call->daemon->watching, call->caller, request, agreed))
        call_return(call, NULL);
    else
        call_fail_not_found(call, "question");
}

void
call_end_watch(Call *call)
{
    const char *request;

    g_variant_get(call->arguments, "(&s&s)", NULL, &request);
    if (watching_end(call->daemon->watching, call->caller, request))
        call_return(call, NULL);
    else
        call_fail_not_found(call, "question");
}
