/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is signed in. A session begins with a random token of 256 bits that only the client has: kept is its SHA-256, so that
 * nobody who reads the daemon's memory or its files can take a session over.
 *
 * A session belongs to one user in one role through one kind of client, and ends: by signing out, after a time without use
 * (idle), after a time altogether (absolute), when the user is disabled, changes the password or the role, when an admin says
 * so, or as the least recently used of a user with too many. Ended sessions are told to the owner's callback, which closes
 * what hangs on them.
 *
 * Against forged requests (CSRF) each request that changes something also carries a text derived from the token: who can
 * make a browser send a cookie cannot compute it.
 *
 * Time is injected: µs of a clock that goes on while the host sleeps and, where sessions are saved, over a restart.
 * Owner: one thread.
 */
#pragma once

#include "appliance/sign-in/role.h"
#include "appliance/sign-in/secret.h"

typedef enum {
    SESSION_CLIENT_WEB,     /* a browser: token in a cookie */
    SESSION_CLIENT_API,     /* a script: token in a header */
    SESSION_CLIENT_COMMAND, /* the carrel command */
} SessionClient;
#define SESSION_CLIENTS 3

typedef enum {
    SESSION_END_SIGNED_OUT,
    SESSION_END_IDLE,
    SESSION_END_EXPIRED,
    SESSION_END_REVOKED,      /* by an admin, or by the user from elsewhere */
    SESSION_END_USER_CHANGED, /* disabled, removed, another password or role */
    SESSION_END_TOO_MANY,
} SessionEnd;

typedef struct {
    const char *id; /* random, for lists and for revoking; it opens nothing */
    const char *user_id, *user_name;
    SignInRole role;
    SessionClient client;
    const char *source; /* the address it began from */
    int64_t began, used;
} Session;

typedef struct {
    unsigned per_user, total; /* sessions; beyond, the least recently used goes */
    int64_t idle[SESSION_CLIENTS], absolute[SESSION_CLIENTS];
} SessionSettings;

/* 16 a user, 20,000 in all; a browser's ends after 30 minutes idle or 12 hours, others' after 12 hours. */
extern const SessionSettings sessions_defaults;

typedef struct Sessions Sessions;
/* Called within whatever ended it; @session is gone after that. It may ask, and must not change any session. */
typedef void (*SessionEnded)(void *user, const Session *session, SessionEnd end);

Sessions *sessions_new(const SessionSettings *settings, SessionEnded ended, void *user);
void sessions_free(Sessions *sessions); /* nobody is told */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sessions, sessions_free)

/* The token, for the client alone. @who: user_id, user_name, role, client and source are copied. */
SecretText *sessions_begin(Sessions *sessions, const Session *who, int64_t now);

/*
 * Whose request it is that carries the token, through that kind of client; NULL: nobody's. It counts as use. What it points to
 * is good until the next call that is given a time, or ends sessions.
 */
const Session *sessions_use(Sessions *sessions, const char *token, SessionClient client, int64_t now);

/* The same for something that goes on by itself (a stream of events): it is no use, and does not keep a session alive. */
const Session *sessions_peek(Sessions *sessions, const char *token, SessionClient client, int64_t now);

/* What a request that changes something carries besides the token, and whether it is that. */
SecretText *sessions_csrf(const char *token);
bool sessions_csrf_is_right(const char *token, const char *csrf);

/* Each is how many ended. */
unsigned sessions_sign_out(Sessions *sessions, const char *token);
unsigned sessions_revoke(Sessions *sessions, const char *id);
/* All of a user but one (@except_id: NULL for all), because of @end. */
unsigned sessions_revoke_user(Sessions *sessions, const char *user_id, const char *except_id, SessionEnd end);

/* Ends what is over. The time when the next will be: INT64_MAX if nobody is signed in. */
int64_t sessions_sweep(Sessions *sessions, int64_t now);

/* Of one user (NULL: of all), the oldest first. The array is the caller's, what it points to is good as above. */
GPtrArray *sessions_list(const Sessions *sessions, const char *user_id);

/*
 * Everything, for a restart of the daemon: no token is in it. Loading takes what is whole and not over, in a Sessions that has
 * none yet; how many that were. What it is given is checked, since it comes from a file.
 */
GVariant *sessions_save(const Sessions *sessions);
unsigned sessions_load(Sessions *sessions, GVariant *saved, int64_t now);
