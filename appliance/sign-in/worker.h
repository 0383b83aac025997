/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads for what takes long: hashing, asking a directory. The main loop hands a job over and is told when it is done.
 *
 * A few threads, and a bounded queue before them: beyond that a job is refused at once, so that a flood of sign-ins costs
 * neither memory nor an answer that comes too late. Urgent jobs have a queue of their own, which goes first and is not
 * bounded: those of people who cannot be a flood, such as an admin at the console.
 *
 * The threads take no signals (SIGPIPE too: a connection that is gone is an error to the job).
 * Owner: the thread that made it, whose main context delivers what is done.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Worker Worker;

typedef void (*WorkerJob)(void *data); /* in one of the worker's threads */
/* In the owner's thread: exactly once for each job that was taken, at the latest within worker_free(). @ran: it was done.
 * It may hand over the next, and must not free the worker. */
typedef void (*WorkerDone)(void *data, bool ran);

Worker *worker_new(const char *name, unsigned threads, unsigned waiting_max);

/* Waits for the jobs that are running; those that wait are not run any more. */
void worker_free(Worker *worker);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Worker, worker_free)

/* False: too many wait; nothing will be called. */
bool worker_run(Worker *worker, bool urgent, WorkerJob job, WorkerDone done, void *data);
