/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A piece of work on a thread of its own: whether it is still wanted, and how far it is, which is told on the main context of
 * whoever asked for it, a few times a second.
 */
#pragma once

#include "appliance/storage/storage.h"

typedef struct {
    GCancellable *cancellable; /* borrowed; NULL: never cancelled */
    GMainContext *context;     /* borrowed: where progress is told; NULL: the default one */
    StorageProgress progress;  /* NULL: nobody listens */
    gpointer user;
    double from, to; /* what part of the whole work_tell() speaks of; 0 and 0: all of it */
    int64_t told_at; /* of the last word: µs */
    double told;
} Work;

/* The part of the whole that comes now: 0 ≤ from ≤ to ≤ 1. */
void work_part(Work *work, double from, double to);
/* done of all of that part. */
void work_tell(Work *work, uint64_t done, uint64_t all);
/* false with an error: not wanted any more. */
bool work_goes_on(const Work *work, GError **error);
