/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands into the store, as this host hands them in: with its name, its clock, and a count of those under way, so that the
 * daemon ends when all are answered.
 *
 * Owner: the main thread.
 */
#pragma once

#include "ha/store/submit.h"

typedef struct Commands Commands;

/* @store is taken. The listener is called as submit.h says. */
Commands *commands_new(Store *store, const char *host, StoreListener listener, void *data);
/* Waits for the answers of all that was handed in, which come meanwhile. */
void commands_finish(Commands *commands);
void commands_free(Commands *commands);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Commands, commands_free)

/*
 * Hands one in. @request: its UUID; NULL: a new one. @actor: as command.h says. @fields: a{sv}, a floating one is taken.
 * The callback ends it with store_submit_finish().
 */
void commands_submit(Commands *commands, const char *request, const char *name, const char *actor, int64_t seen,
                     GVariant *fields, GAsyncReadyCallback callback, void *data);

/* By the daemon itself; that it fails is only logged. */
void commands_submit_own(Commands *commands, const char *name, GVariant *fields);

/* A line of the audit trail for what is no change (audit.note). Texts that do not fit there are left out. */
typedef struct {
    const char *event;                                    /* one of audit.note's words */
    const char *name, *user, *desktop, *address, *detail; /* each may be NULL */
} CommandsNote;
void commands_note(Commands *commands, const CommandsNote *note);
