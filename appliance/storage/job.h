/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call under way: what it was asked, what it claims, and the thread it runs on. Made and started in the owner's thread; what
 * goes wrong before it starts is its result all the same.
 */
#pragma once

#include "appliance/storage/inside.h"
#include "appliance/storage/work.h"

typedef struct Job Job;

/*
 * The work, on its thread. The job's arguments are its own; nothing else may touch them. What a job gives besides success is left
 * in .result.
 */
typedef bool (*JobRun)(Job *job, GError **error);

struct Job {
    Storage *storage;
    Work work;
    /* what it was asked; NULL or 0 where a call has no such argument */
    char *desktop, *from, *image, *snapshot_id, *name;
    unsigned place;
    uint64_t size;
    StorageImageType type;
    StorageSnapshot *snapshot;
    int fd; /* -1 */
    /* what it gives */
    gpointer result;
    GDestroyNotify free_result;
    /* the job's own */
    GAsyncReadyCallback callback;
    gpointer user;
    JobRun run;
    GTask *task;       /* from its start on */
    GPtrArray *claims; /* names */
    GError *refused;   /* what went wrong before it started */
};

Job *job_new(Storage *storage, GCancellable *cancellable, StorageProgress progress, gpointer progress_user,
             GAsyncReadyCallback callback, gpointer user);

/* All these do nothing once something is wrong. An id that is none is INVALID. */
void job_set_id(Job *job, char **argument, const char *what, const char *id);
void job_set_place(Job *job, unsigned place);
/* A desktop alone, or one of its disks alone beside others that do the same. */
void job_claim_desktop(Job *job, const char *desktop);
void job_claim_disk(Job *job, const char *desktop, unsigned place);
/* Together: to read it. */
void job_claim_image(Job *job, const char *image, bool alone);

/* Takes the job over. */
void job_start(Job *job, JobRun run);
/* The same on a thread of its own: for what waits for others. */
void job_start_apart(Job *job, JobRun run);
/* Gives up a job that was not started: no callback comes. Returns what was wrong, for the caller to free; NULL: nothing. */
GError *job_give_up(Job *job);

/* Leaves a descriptor as the result. */
void job_give_fd(Job *job, int fd);
int job_finish_fd(GAsyncResult *result, GError **error);
