/* SPDX-License-Identifier: Apache-2.0 */
/* Threads for what takes long: two queues of jobs to do, one of those done, which a source of the owner's context empties. */
#include "appliance/sign-in/worker.h"

#include <signal.h>

typedef struct {
    WorkerJob job;
    WorkerDone done;
    void *data;
    bool ran;
} Job;

struct Worker {
    GThread **threads;
    unsigned n_threads, waiting_max;
    GSource *source; /* made ready by the threads */

    GMutex lock; /* over all that follows */
    GCond more;
    GQueue urgent, waiting, finished; /* of Job */
    bool ending;
};

static void *
run_jobs(void *data)
{
    Worker *worker = data;

    g_mutex_lock(&worker->lock);
    for (;;) {
        Job *job;

        while (!worker->ending && !worker->urgent.length && !worker->waiting.length)
            g_cond_wait(&worker->more, &worker->lock);
        if (worker->ending)
            break;
        job = g_queue_pop_head(worker->urgent.length ? &worker->urgent : &worker->waiting);
        g_mutex_unlock(&worker->lock);
        job->job(job->data);
        job->ran = true;
        g_mutex_lock(&worker->lock);
        g_queue_push_tail(&worker->finished, job);
        g_source_set_ready_time(worker->source, 0);
    }
    g_mutex_unlock(&worker->lock);
    return NULL;
}

static Job *
take(Worker *worker, GQueue *queue)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&worker->lock);

    return g_queue_pop_head(queue);
}

/* One at a time, since who is told may hand over the next, or end the loop. */
static void
tell(Worker *worker, GQueue *queue)
{
    Job *job;

    while ((job = take(worker, queue))) {
        job->done(job->data, job->ran);
        g_free(job);
    }
}

static gboolean
deliver(GSource *source, GSourceFunc callback, void *data)
{
    g_source_set_ready_time(source, -1);
    callback(data);
    return G_SOURCE_CONTINUE;
}

static gboolean
tell_finished(void *data)
{
    Worker *worker = data;

    tell(worker, &worker->finished);
    return G_SOURCE_CONTINUE;
}

static void
start_threads(Worker *worker, const char *name)
{
    sigset_t all, before;

    /* A new thread inherits what its maker blocks. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (unsigned i = 0; i < worker->n_threads; i++)
        worker->threads[i] = g_thread_new(name, run_jobs, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

Worker *
worker_new(const char *name, unsigned threads, unsigned waiting_max)
{
    static GSourceFuncs functions = {.dispatch = deliver};
    Worker *worker = g_new0(Worker, 1);

    g_mutex_init(&worker->lock);
    g_cond_init(&worker->more);
    worker->waiting_max = waiting_max;
    worker->source = g_source_new(&functions, sizeof(GSource));
    g_source_set_static_name(worker->source, "sign-in worker");
    g_source_set_callback(worker->source, tell_finished, worker, NULL);
    g_source_attach(worker->source, g_main_context_get_thread_default());
    worker->n_threads = threads;
    worker->threads = g_new0(GThread *, threads);
    start_threads(worker, name);
    return worker;
}

void
worker_free(Worker *worker)
{
    if (!worker)
        return;
    g_mutex_lock(&worker->lock);
    worker->ending = true;
    g_cond_broadcast(&worker->more);
    g_mutex_unlock(&worker->lock);
    for (unsigned i = 0; i < worker->n_threads; i++)
        g_thread_join(worker->threads[i]);
    g_source_destroy(worker->source);
    g_source_unref(worker->source);
    tell(worker, &worker->finished);
    tell(worker, &worker->urgent);
    tell(worker, &worker->waiting);
    g_free(worker->threads);
    g_cond_clear(&worker->more);
    g_mutex_clear(&worker->lock);
    g_free(worker);
}

bool
worker_run(Worker *worker, bool urgent, WorkerJob job, WorkerDone done, void *data)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&worker->lock);
    Job *made;

    if (worker->ending || (!urgent && worker->waiting.length >= worker->waiting_max))
        return false;
    made = g_new0(Job, 1);
    *made = (Job){job, done, data, false};
    g_queue_push_tail(urgent ? &worker->urgent : &worker->waiting, made);
    g_cond_signal(&worker->more);
    return true;
}
