/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing in and the store brought together: sign-in asks here for users (SignInOps), its changes become commands, and every attempt
 * a line of the audit trail.
 *
 * A session ends when what it was begun with changes: the user's role, password or second factor, or that they are disabled or
 * gone. The store's news say only that a user changed, so what was the case at the sign-in is remembered, as digests.
 *
 * Owner: the main thread.
 */
#pragma once

#include "appliance/daemon/commands.h"
#include "appliance/daemon/config.h"
#include "appliance/sign-in/sign_in.h"
#include "ha/store/reader.h"

typedef struct People People;

/* @ended is called with @data for each session that ends. The reader and the commands outlive it. */
People *people_new(const DaemonConfig *config, Commands *commands, StoreReader *reader, SessionEnded ended, void *data);
/* After commands_finish(), and before another: attempts under way end, and are written down. */
void people_free(People *people);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(People, people_free)

SignIn *people_sign_in(People *people);
Sessions *people_sessions(People *people);
/* The clock of sessions: µs, goes on while the host sleeps and over a restart, and not backwards in between. */
int64_t people_now(const People *people);

/* Those who sign in from now on are asked of the directory that the configuration describes, if any. */
bool people_set_directory(People *people, const DaemonConfig *config, GError **error);

/* A session has just begun: what it depends on is remembered. */
void people_session_began(People *people, const char *user_id);
/* The store says that a user has changed, or is gone. */
void people_changed(People *people, const char *user_id);
/* After a snapshot was taken over: anybody may have. */
void people_changed_all(People *people);
/* The user changes their own password or second factor in this session, which is to go on; until people_let_go(). */
void people_keep(People *people, const char *user_id, const char *session_id);
void people_let_go(People *people, const char *user_id);

/* The sessions, for the daemon's next start; and those of a file, which may hold anything. How many were taken. */
GVariant *people_save(People *people);
unsigned people_load(People *people, GVariant *saved);
#define PEOPLE_SAVED_TYPE "(va{s(ss)})"
