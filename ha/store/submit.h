/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handing in commands without knowing how they reach the store: alone, a host applies its own; in a pair, they will be
 * put in one order with the peer's first. Either way the answer comes when the command is on stable storage, or
 * refused.
 *
 * Owner: one main context, on which answers come and the listener is called. Commands are applied in the order they
 * were handed in.
 */
#pragma once

#include "ha/store/store.h"

#include <gio/gio.h>

typedef struct StoreSubmitter StoreSubmitter;

/* How a way to the store is made; only submit.c and such ways need it. */
typedef struct {
    /* Takes the command and the task; the task returns a StoreAnswer (store_answer_free()) or an error. Not NULL. */
    void (*submit)(StoreSubmitter *submitter, StoreCommand *command, GTask *task);
    /* Waits for what was handed in, and ends. Not NULL. */
    void (*free)(StoreSubmitter *submitter);
} StoreSubmitterClass;

struct StoreSubmitter {
    const StoreSubmitterClass *class;
};

/* For a host on its own: the store, which is taken, is kept by a thread of the submitter's. */
StoreSubmitter *store_submitter_new_alone(Store *store, StoreListener listener, void *data);
/* Waits until what was handed in is applied; those answers still come. No news does. */
void store_submitter_free(StoreSubmitter *submitter);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StoreSubmitter, store_submitter_free)

/* The callback's source object is NULL. Cancelling only ends the waiting: what was handed in is applied. */
void store_submit(StoreSubmitter *submitter, StoreCommand *command, GCancellable *cancellable,
                  GAsyncReadyCallback callback, void *data);
/* As store_apply() says. */
bool store_submit_finish(GAsyncResult *result, StoreAnswer *answer, GError **error);

void store_answer_free(StoreAnswer *answer);
