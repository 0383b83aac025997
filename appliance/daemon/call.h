/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call over D-Bus, from its session to its answer.
 *
 *     peer ─▶ session ─▶ role ─▶ .run ─▶ call_return(), call_fail()
 *
 * Who may call what is one table, calls.c.
 *
 * Owner: the main thread. A call is answered exactly once, at once or later, and is gone then; its peer may be gone before.
 */
#pragma once

#include "appliance/daemon/caller.h"
#include "appliance/daemon/daemon.h"
#include "appliance/daemon/error.h"

typedef struct Call Call;

typedef enum {
    CALL_FOR_ANYBODY, /* before a session, or without one */
    CALL_FOR_USERS,   /* their own of it, where that is a question */
    CALL_FOR_OPERATORS,
    CALL_FOR_ADMINS,
} CallFor;

typedef struct {
    const char *method;
    CallFor for_whom;
    bool use; /* it counts as use of the session; what goes on by itself does not, and keeps nobody signed in */
    bool
        costs; /* it writes into the store, or takes as much work: nobody may do it any number of times (allowance.h) */
    /* Main thread; it answers the call, or has it answered later. */
    void (*run)(Call *call);
} CallKind;

struct Call {
    Daemon *daemon;
    const CallKind *kind;
    const Peer *peer; /* during .run alone */
    char *peer_name;
    Caller *caller; /* NULL where there is no session */
    GVariant *arguments;
    GDBusMethodInvocation *invocation;
    void *data; /* .run's own */
    GDestroyNotify data_free;
};

/* By the method's name; NULL: it is not offered. And all of them, until NULL. */
const CallKind *call_find(const char *method);
const CallKind *call_kind(unsigned i);

/* Takes the invocation. */
void call_begin(const Peer *peer, const char *method, GVariant *arguments, GDBusMethodInvocation *invocation);

/* A floating value is taken; NULL: nothing to say. */
void call_return(Call *call, GVariant *result);
/* With one descriptor, which is closed here; the result's handle is 0. */
void call_return_fd(Call *call, GVariant *result, int fd);
/* The error stays the caller's. */
void call_fail(Call *call, const GError *error);
void call_fail_with(Call *call, CarrelError code, const char *sentence);
/* "there is no such desktop" */
void call_fail_not_found(Call *call, const char *kind);

/* A list of a{sv}, as aa{sv}. */
GVariant *call_list(GPtrArray *things);
