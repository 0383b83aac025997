/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who calls: the user of the session that a call carries, or the host's own console.
 *
 * The role is that of the session, which ends when the user's role changes; the store looks once more, in each command's own
 * transaction.
 */
#pragma once

#include "appliance/sign-in/sessions.h"
#include "ha/store/catalog.h"

#include <stdbool.h>

/* "web", "api", "command". */
extern const char *const caller_client_words[SESSION_CLIENTS];

typedef struct {
    bool console;
    char *actor;   /* as commands have it */
    char *user;    /* its id; NULL at the console */
    char *name;    /* the user's */
    char *session; /* its id; NULL at the console */
    StoreRole role;
    SessionClient client;
    char *source; /* the address it began from */
} Caller;

Caller *caller_new_console(void);
Caller *caller_new(const Session *session);
void caller_free(Caller *caller);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Caller, caller_free)

/* Whether that is who calls; false at the console. */
bool caller_is_user(const Caller *caller, const char *user);

/*
 * The session that a token opens, whatever kind of client it is through; NULL: none. Which way tokens of which kind come in, the
 * web server sees to. @use: whether it counts as use.
 */
const Session *caller_find_session(Sessions *sessions, const char *token, bool use, int64_t now);
