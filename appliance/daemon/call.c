/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/call.h"

#include <gio/gunixfdlist.h>
#include <string.h>
#include <unistd.h>

static void
call_free(Call *call)
{
    if (call->data_free)
        call->data_free(call->data);
    caller_free(call->caller);
    g_variant_unref(call->arguments);
    g_free(call->peer_name);
    g_free(call);
}

void
call_return(Call *call, GVariant *result)
{
    g_dbus_method_invocation_return_value(call->invocation, result);
    call_free(call);
}

void
call_return_fd(Call *call, GVariant *result, int fd)
{
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new_from_array(&fd, 1);

    g_dbus_method_invocation_return_value_with_unix_fd_list(call->invocation, result, fds);
    call_free(call);
}

/* What went wrong inside is the host's affair: its words are for those who run it. */
static bool
may_hear(const Call *call, const GError *error)
{
    return error->code != CARREL_ERROR_FAILED || (call->caller && call->caller->role >= STORE_ROLE_OPERATOR);
}

void
call_fail(Call *call, const GError *error)
{
    g_autoptr(GError) ours = carrel_error_from(error);

    if (ours->code == CARREL_ERROR_FAILED)
        g_warning("%s failed: %s", call->kind->method, ours->message);
    if (!may_hear(call, ours)) {
        g_free(ours->message);
        ours->message = g_strdup("This did not work. The host's log says why.");
    }
    g_dbus_method_invocation_return_gerror(call->invocation, ours);
    call_free(call);
}

void
call_fail_with(Call *call, CarrelError code, const char *sentence)
{
    g_autoptr(GError) error = g_error_new_literal(CARREL_ERROR, code, sentence);

    call_fail(call, error);
}

void
call_fail_not_found(Call *call, const char *kind)
{
    g_autoptr(GError) error = NULL;

    carrel_fail_not_found(&error, kind);
    call_fail(call, error);
}

GVariant *
call_list(GPtrArray *things)
{
    return g_variant_new_array(G_VARIANT_TYPE_VARDICT, (GVariant *const *)things->pdata, things->len);
}

/* The session is the first argument of every call that has one. */
static Caller *
find_caller(const Call *call)
{
    Daemon *daemon = call->daemon;
    const char *token;

    g_variant_get_child(call->arguments, 0, "&s", &token);
    if (!*token)
        return peer_may_be_console(call->peer) ? caller_new_console() : NULL;
    const Session *session =
        caller_find_session(people_sessions(daemon->people), token, call->kind->use, people_now(daemon->people));
    if (session && call->kind->use)
        daemon->sessions_used = true;
    return session ? caller_new(session) : NULL;
}

static bool
is_allowed(const Call *call)
{
    static const StoreRole needed[] = {
        [CALL_FOR_USERS] = STORE_ROLE_USER,
        [CALL_FOR_OPERATORS] = STORE_ROLE_OPERATOR,
        [CALL_FOR_ADMINS] = STORE_ROLE_ADMIN,
    };

    return call->caller->role >= needed[call->kind->for_whom];
}

/* Who runs the host does so with scripts, too; whoever is at its console is root there. */
static const AllowanceRate rates[] = {
    [STORE_ROLE_USER] = {.at_once = 120, .a_second = 2},
    [STORE_ROLE_OPERATOR] = {.at_once = 2000, .a_second = 50},
    [STORE_ROLE_ADMIN] = {.at_once = 2000, .a_second = 50},
};

/* Answers the call where it is too much. */
static bool
is_too_much(Call *call)
{
    const Caller *caller = call->caller;
    Daemon *daemon = call->daemon;

    if (!call->kind->costs || !caller || caller->console)
        return false;
    int64_t wait = allowance_take(daemon->allowance, caller->user, &rates[caller->role], people_now(daemon->people));
    if (!wait)
        return false;
    g_autofree char *sentence =
        g_strdup_printf("This is more than one person may do at once: go on in %" G_GINT64_FORMAT " s.",
                        (wait + G_USEC_PER_SEC - 1) / G_USEC_PER_SEC);
    call_fail_with(call, CARREL_ERROR_BUSY, sentence);
    return true;
}

void
call_begin(const Peer *peer, const char *method, GVariant *arguments, GDBusMethodInvocation *invocation)
{
    const CallKind *kind = call_find(method);

    if (!kind) {
        g_dbus_method_invocation_return_error(invocation, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD,
                                              "%s is not offered yet", method);
        return;
    }
    Call *call = g_new0(Call, 1);
    *call = (Call){
        .daemon = peer->daemon,
        .kind = kind,
        .peer = peer,
        .peer_name = g_strdup(peer->name),
        .arguments = g_variant_ref(arguments),
        .invocation = invocation,
    };
    if (kind->for_whom != CALL_FOR_ANYBODY && !(call->caller = find_caller(call)))
        call_fail_with(call, CARREL_ERROR_NOT_SIGNED_IN, "You are not signed in, or not any more.");
    else if (kind->for_whom != CALL_FOR_ANYBODY && !is_allowed(call))
        call_fail_with(call, CARREL_ERROR_FORBIDDEN, "This is not for you to do: ask an administrator.");
    else if (!is_too_much(call))
        kind->run(call);
}
