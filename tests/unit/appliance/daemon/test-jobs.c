/* SPDX-License-Identifier: Apache-2.0 */
/* What takes a while: what is told of it, and how long it is kept. */
#include "appliance/daemon/jobs.h"

static unsigned n_told;

static void
told(const Job *job, void *data)
{
    n_told++;
}

static void
test_life(void)
{
    g_autoptr(Jobs) jobs = jobs_new(told, NULL);
    g_autoptr(GError) error = g_error_new_literal(G_IO_ERROR, G_IO_ERROR_FAILED, "the disk is full");
    g_autofree char *id = g_strdup(jobs_begin(jobs, "anna", "image", "i", "An image comes", NULL));

    n_told = 0;
    jobs_progress(jobs, id, 0.5);
    g_assert_cmpuint(n_told, ==, 1);
    jobs_progress(jobs, id, 0.5001); /* no news */
    jobs_progress(jobs, id, 0.2);    /* never backwards */
    g_assert_cmpuint(n_told, ==, 1);
    jobs_end(jobs, id, error);
    jobs_end(jobs, id, NULL);
    jobs_progress(jobs, id, 0.9);
    g_assert_cmpuint(n_told, ==, 2);
    g_assert_cmpstr(jobs_find(jobs, id)->error, ==, "the disk is full");
    g_assert_null(jobs_find(jobs, "nothing"));
}

static void
test_cancel(void)
{
    g_autoptr(Jobs) jobs = jobs_new(told, NULL);
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autofree char *id = g_strdup(jobs_begin(jobs, "anna", "image", "i", "An image comes", cancellable));
    g_autofree char *other = g_strdup(jobs_begin(jobs, "anna", "image", "i", "An image comes", NULL));

    g_assert_true(jobs_cancel(jobs, id));
    g_assert_true(g_cancellable_is_cancelled(cancellable));
    g_assert_false(jobs_cancel(jobs, other)); /* nobody can */
    jobs_end(jobs, id, NULL);
    g_assert_false(jobs_cancel(jobs, id));
}

/* Those that run are all kept, of the others the last. */
static void
test_forgotten(void)
{
    g_autoptr(Jobs) jobs = jobs_new(told, NULL);
    g_autofree char *running = g_strdup(jobs_begin(jobs, "anna", "image", "i", "The first", NULL));
    g_autofree char *last = NULL;

    for (unsigned i = 0; i < 1000; i++) {
        g_free(last);
        last = g_strdup(jobs_begin(jobs, "anna", "image", "i", "Another", NULL));
        jobs_end(jobs, last, NULL);
    }
    g_autoptr(GPtrArray) list = jobs_list(jobs);
    g_assert_cmpuint(list->len, <, 300);
    g_assert_nonnull(jobs_find(jobs, running));
    g_assert_nonnull(jobs_find(jobs, last));
    g_assert_cmpstr(((const Job *)list->pdata[0])->id, ==, running);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/jobs/life", test_life);
    g_test_add_func("/jobs/cancel", test_cancel);
    g_test_add_func("/jobs/forgotten", test_forgotten);
    return g_test_run();
}
