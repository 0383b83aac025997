/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/storage/job.h"
#include "appliance/storage/error.h"
#include "appliance/storage/names.h"

#include <unistd.h>

Job *
job_new(Storage *storage, GCancellable *cancellable, StorageProgress progress, gpointer progress_user,
        GAsyncReadyCallback callback, gpointer user)
{
    Job *job = g_new0(Job, 1);

    job->storage = storage;
    job->fd = -1;
    job->claims = g_ptr_array_new_with_free_func(g_free);
    job->callback = callback;
    job->user = user;
    job->work = (Work){cancellable, g_main_context_get_thread_default(), progress, progress_user};
    if (cancellable)
        g_object_ref(cancellable);
    g_atomic_int_inc(&storage->jobs);
    return job;
}

static void
give_claims_back(Job *job)
{
    for (guint i = 0; i < job->claims->len; i++)
        claims_give_back(job->storage->claims, job->claims->pdata[i]);
    g_ptr_array_set_size(job->claims, 0);
}

static void
job_free(Job *job)
{
    give_claims_back(job);
    g_atomic_int_dec_and_test(&job->storage->jobs);
    g_free(job->desktop);
    g_free(job->from);
    g_free(job->image);
    g_free(job->snapshot_id);
    g_free(job->name);
    storage_snapshot_free(job->snapshot);
    if (job->fd >= 0)
        close(job->fd);
    g_ptr_array_unref(job->claims);
    g_clear_error(&job->refused);
    g_clear_object(&job->task);
    g_clear_object(&job->work.cancellable);
    g_free(job);
}

/* ---- what it is asked ---- */

void
job_set_id(Job *job, char **argument, const char *what, const char *id)
{
    if (job->refused)
        return;
    if (name_is_id(id))
        *argument = g_strdup(id);
    else
        storage_fail(&job->refused, STORAGE_ERROR_INVALID, "%s: this is no id", what);
}

void
job_set_place(Job *job, unsigned place)
{
    if (job->refused)
        return;
    if (place < STORAGE_PLACES_MAX)
        job->place = place;
    else
        storage_fail(&job->refused, STORAGE_ERROR_INVALID, "disks: a desktop has at most %d", STORAGE_PLACES_MAX);
}

/* Takes the name over. */
static void
claim(Job *job, char *name, bool alone)
{
    if (!job->refused && claims_take(job->storage->claims, name, alone, &job->refused))
        g_ptr_array_add(job->claims, name);
    else
        g_free(name);
}

void
job_claim_desktop(Job *job, const char *desktop)
{
    claim(job, g_strdup_printf("the desktop %s", desktop), true);
}

void
job_claim_disk(Job *job, const char *desktop, unsigned place)
{
    claim(job, g_strdup_printf("the desktop %s", desktop), false);
    claim(job, g_strdup_printf("the disk %u of the desktop %s", place, desktop), true);
}

void
job_claim_image(Job *job, const char *image, bool alone)
{
    claim(job, g_strdup_printf("the image %s", image), alone);
}

/* ---- its run ---- */

/* On any thread. Whoever hears of the result finds the claims given back. */
static void
end(Job *job, bool done, GError *error)
{
    g_autoptr(GTask) task = g_object_ref(job->task);
    gpointer result = g_steal_pointer(&job->result);
    GDestroyNotify free_result = job->free_result;

    job_free(job);
    if (!done) {
        g_assert(error && !result);
        g_task_return_error(task, error);
    } else if (free_result) {
        g_task_return_pointer(task, result, free_result);
    } else {
        g_task_return_boolean(task, TRUE);
    }
}

static gpointer
run_apart(gpointer data)
{
    Job *job = data;
    GError *error = NULL;
    bool done = work_goes_on(&job->work, &error) && job->run(job, &error);

    end(job, done, error);
    return NULL;
}

static void
run_in_pool(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    run_apart(data);
}

/* false: it is over already. */
static bool
begin(Job *job, JobRun run)
{
    GError *refused = g_steal_pointer(&job->refused);

    job->run = run;
    job->task = g_task_new(NULL, job->work.cancellable, job->callback, job->user);
    /* What was done is done: the result says so, whenever it was cancelled. */
    g_task_set_check_cancellable(job->task, FALSE);
    if (refused)
        end(job, false, refused);
    return !refused;
}

void
job_start(Job *job, JobRun run)
{
    if (!begin(job, run))
        return;
    g_task_set_task_data(job->task, job, NULL);
    g_task_run_in_thread(job->task, run_in_pool);
}

void
job_start_apart(Job *job, JobRun run)
{
    if (begin(job, run))
        g_thread_unref(g_thread_new("storage", run_apart, job));
}

GError *
job_give_up(Job *job)
{
    GError *refused = g_steal_pointer(&job->refused);

    job_free(job);
    return refused;
}

/* ---- descriptors ---- */

static void
free_fd(gpointer result)
{
    int *fd = result;

    if (*fd >= 0)
        close(*fd);
    g_free(fd);
}

void
job_give_fd(Job *job, int fd)
{
    job->result = g_memdup2(&fd, sizeof(fd));
    job->free_result = free_fd;
}

int
job_finish_fd(GAsyncResult *result, GError **error)
{
    int *given = g_task_propagate_pointer(G_TASK(result), error);
    int fd = given ? *given : -1;

    g_free(given);
    return fd;
}
