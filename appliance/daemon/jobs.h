/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What takes a while: that it began, how far it is, how it ended; kept for some minutes after that, so that whoever asked finds out.
 *
 * Owner: the main thread.
 */
#pragma once

#include <gio/gio.h>
#include <stdbool.h>

typedef struct Jobs Jobs;

typedef struct {
    char *id, *what; /* a UUID; a sentence */
    char *actor;     /* who began it, as commands have it */
    char *kind, *thing;
    int64_t began; /* µs since 1970 */
    double progress;
    bool ended;
    char *error; /* NULL: none so far */
} Job;

/* Called for each change of one. */
typedef void (*JobsChanged)(const Job *job, void *data);

Jobs *jobs_new(JobsChanged changed, void *data);
void jobs_free(Jobs *jobs);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Jobs, jobs_free)

/* Strings are copied, of the cancellable (NULL: it cannot be cancelled) a reference is taken. Its id, good until it is forgotten. */
const char *jobs_begin(Jobs *jobs, const char *actor, const char *kind, const char *thing, const char *what,
                       GCancellable *cancellable);
void jobs_progress(Jobs *jobs, const char *id, double progress);
/* @error NULL: done. */
void jobs_end(Jobs *jobs, const char *id, const GError *error);

const Job *jobs_find(Jobs *jobs, const char *id);
/* False: it has ended, or cannot be. */
bool jobs_cancel(Jobs *jobs, const char *id);
/* All that are known, the oldest first: Job *, the array is the caller's. */
GPtrArray *jobs_list(Jobs *jobs);
/* a{sv} as ListJobs says, floating. */
GVariant *job_describe(const Job *job);
