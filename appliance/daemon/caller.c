/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/caller.h"

#include <string.h>

const char *const caller_client_words[SESSION_CLIENTS] = {
    [SESSION_CLIENT_WEB] = "web",
    [SESSION_CLIENT_API] = "api",
    [SESSION_CLIENT_COMMAND] = "command",
};

Caller *
caller_new_console(void)
{
    Caller *caller = g_new0(Caller, 1);

    caller->console = true;
    caller->actor = g_strdup(STORE_ACTOR_CONSOLE);
    caller->name = g_strdup(STORE_ACTOR_CONSOLE);
    caller->role = STORE_ROLE_ADMIN;
    caller->client = SESSION_CLIENT_COMMAND;
    return caller;
}

Caller *
caller_new(const Session *session)
{
    static const StoreRole roles[SIGN_IN_ROLES] = {
        [SIGN_IN_ROLE_USER] = STORE_ROLE_USER,
        [SIGN_IN_ROLE_OPERATOR] = STORE_ROLE_OPERATOR,
        [SIGN_IN_ROLE_ADMIN] = STORE_ROLE_ADMIN,
    };
    Caller *caller = g_new0(Caller, 1);

    caller->actor = g_strdup(session->user_id);
    caller->user = g_strdup(session->user_id);
    caller->name = g_strdup(session->user_name);
    caller->session = g_strdup(session->id);
    caller->role = roles[session->role];
    caller->client = session->client;
    caller->source = g_strdup(session->source);
    return caller;
}

void
caller_free(Caller *caller)
{
    if (!caller)
        return;
    g_free(caller->actor);
    g_free(caller->user);
    g_free(caller->name);
    g_free(caller->session);
    g_free(caller->source);
    g_free(caller);
}

bool
caller_is_user(const Caller *caller, const char *user)
{
    return caller->user && user && !strcmp(caller->user, user);
}

const Session *
caller_find_session(Sessions *sessions, const char *token, bool use, int64_t now)
{
    const Session *session = NULL;

    for (int client = 0; !session && client < SESSION_CLIENTS; client++)
        session = use ? sessions_use(sessions, token, client, now) : sessions_peek(sessions, token, client, now);
    return session;
}
