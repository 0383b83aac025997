/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/jobs.h"

#include <string.h>

/* Of those that ended, so many are kept, and so long. */
#define ENDED_MAX 200
#define ENDED_LIFETIME ((int64_t)15 * 60 * G_USEC_PER_SEC)

/* Less is no news. */
#define PROGRESS_STEP 0.01

typedef struct {
    Job job; /* first: what callers see */
    GCancellable *cancellable;
    int64_t ended_at; /* monotonic µs */
} Entry;

struct Jobs {
    GPtrArray *entries; /* the oldest first */
    JobsChanged changed;
    void *data;
};

static void
entry_free(void *data)
{
    Entry *entry = data;

    g_free(entry->job.id);
    g_free(entry->job.what);
    g_free(entry->job.actor);
    g_free(entry->job.kind);
    g_free(entry->job.thing);
    g_free(entry->job.error);
    g_clear_object(&entry->cancellable);
    g_free(entry);
}

Jobs *
jobs_new(JobsChanged changed, void *data)
{
    Jobs *jobs = g_new(Jobs, 1);

    *jobs = (Jobs){.entries = g_ptr_array_new_with_free_func(entry_free), .changed = changed, .data = data};
    return jobs;
}

void
jobs_free(Jobs *jobs)
{
    if (!jobs)
        return;
    g_ptr_array_unref(jobs->entries);
    g_free(jobs);
}

static Entry *
find(Jobs *jobs, const char *id)
{
    for (guint i = 0; i < jobs->entries->len; i++) {
        Entry *entry = jobs->entries->pdata[i];
        if (!strcmp(entry->job.id, id))
            return entry;
    }
    return NULL;
}

static void
forget_old(Jobs *jobs)
{
    int64_t since = g_get_monotonic_time() - ENDED_LIFETIME;
    unsigned kept = 0;

    for (guint i = jobs->entries->len; i-- > 0;) {
        const Entry *entry = jobs->entries->pdata[i];
        if (entry->job.ended && (entry->ended_at < since || ++kept > ENDED_MAX))
            g_ptr_array_remove_index(jobs->entries, i);
    }
}

const char *
jobs_begin(Jobs *jobs, const char *actor, const char *kind, const char *thing, const char *what,
           GCancellable *cancellable)
{
    Entry *entry = g_new0(Entry, 1);

    forget_old(jobs);
    entry->job = (Job){
        .id = g_uuid_string_random(),
        .what = g_strdup(what),
        .actor = g_strdup(actor),
        .kind = g_strdup(kind),
        .thing = g_strdup(thing),
        .began = g_get_real_time(),
    };
    entry->cancellable = cancellable ? g_object_ref(cancellable) : NULL;
    g_ptr_array_add(jobs->entries, entry);
    jobs->changed(&entry->job, jobs->data);
    return entry->job.id;
}

void
jobs_progress(Jobs *jobs, const char *id, double progress)
{
    Entry *entry = find(jobs, id);

    if (!entry || entry->job.ended || progress < entry->job.progress + PROGRESS_STEP)
        return;
    entry->job.progress = MIN(progress, 1);
    jobs->changed(&entry->job, jobs->data);
}

void
jobs_end(Jobs *jobs, const char *id, const GError *error)
{
    Entry *entry = find(jobs, id);

    if (!entry || entry->job.ended)
        return;
    entry->job.ended = true;
    entry->ended_at = g_get_monotonic_time();
    entry->job.error = error ? g_strdup(error->message) : NULL;
    if (!error)
        entry->job.progress = 1;
    g_clear_object(&entry->cancellable);
    jobs->changed(&entry->job, jobs->data);
}

const Job *
jobs_find(Jobs *jobs, const char *id)
{
    const Entry *entry = find(jobs, id);

    return entry ? &entry->job : NULL;
}

bool
jobs_cancel(Jobs *jobs, const char *id)
{
    const Entry *entry = find(jobs, id);

    if (!entry || !entry->cancellable)
        return false;
    g_autoptr(GCancellable) cancellable = g_object_ref(entry->cancellable); /* it may end within the call */
    g_cancellable_cancel(cancellable);
    return true;
}

GPtrArray *
jobs_list(Jobs *jobs)
{
    GPtrArray *list = g_ptr_array_new();

    forget_old(jobs);
    g_ptr_array_extend(list, jobs->entries, NULL, NULL);
    return list;
}

GVariant *
job_describe(const Job *job)
{
    g_auto(GVariantDict) line = G_VARIANT_DICT_INIT(NULL);

    g_variant_dict_insert(&line, "id", "s", job->id);
    g_variant_dict_insert(&line, "what", "s", job->what);
    g_variant_dict_insert(&line, "state", "s", !job->ended ? "running" : job->error ? "failed" : "done");
    g_variant_dict_insert(&line, "progress", "d", job->progress);
    g_variant_dict_insert(&line, "kind", "s", job->kind);
    g_variant_dict_insert(&line, "thing", "s", job->thing);
    g_variant_dict_insert(&line, "began", "x", job->began);
    if (job->error)
        g_variant_dict_insert(&line, "error", "s", job->error);
    return g_variant_dict_end(&line);
}
