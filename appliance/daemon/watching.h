/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking on at somebody's desktop, when they agree: who asks waits for their answer, and may then see its picture for a while, until either
 * is gone or has enough. Whoever sits there is told who looks on, as long as they do: event "watching". Who sits at which desktop is
 * known here for that.
 *
 * Owner: the main thread.
 */
#pragma once

#include "appliance/daemon/caller.h"
#include "appliance/daemon/events.h"

typedef struct Watching Watching;

/* How long somebody may take to answer, and how long one may then look on. */
#define WATCHING_ANSWER_SECONDS 60
#define WATCHING_LIFETIME ((int64_t)30 * 60 * G_USEC_PER_SEC)
/* Who takes no picture for so long looks on no more: nobody is said to watch who does not. */
#define WATCHING_IDLE ((int64_t)15 * G_USEC_PER_SEC)

Watching *watching_new(Events *events);
/* Who waits for an answer is told that there will be none. */
void watching_free(Watching *watching);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Watching, watching_free)

/* A client came to a desktop, or left; @user NULL: it is no user's. When the last of a user's left, nobody looks on any more. */
void watching_client(Watching *watching, const char *desktop, bool here, const char *user);
/* What its session was let see, it sees no more. */
void watching_session_ended(Watching *watching, const char *session);

typedef void (*WatchingAnswered)(void *data, bool agreed);

/* Whether a question of the caller's waits for an answer: nobody is asked the same twice at a time. */
bool watching_asks(const Watching *watching, const Caller *caller, const char *desktop);
/* Asks those who sit there. False: there is nobody; nothing will be called. */
bool watching_ask(Watching *watching, const Caller *caller, const char *desktop, WatchingAnswered answered, void *data);
/* False: they were not asked that. */
bool watching_answer(Watching *watching, const Caller *caller, const char *request, bool agreed);

/* By whoever asked, or sits there; a question is taken back. False: there is no such thing for them. */
bool watching_end(Watching *watching, const Caller *caller, const char *request);
/* Tells a user who looks on at the desktops where they sit: they may have missed it. */
void watching_tell(Watching *watching, const char *user);

/* Whether the caller was let see that desktop, which they now do. */
bool watching_may_look(Watching *watching, const Caller *caller, const char *desktop);
/* By which request, NULL: none; until when, µs since 1970. */
const char *watching_leave(Watching *watching, const Caller *caller, const char *desktop, int64_t *until);
