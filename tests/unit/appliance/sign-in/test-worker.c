/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs in other threads: told in the owner's, refused when too many, each told once whatever happens. */
#include "appliance/sign-in/worker.h"

#include <signal.h>
#include <stdatomic.h>

typedef struct {
    GThread *owner;
    GMutex gate; /* jobs wait here */
    _Atomic unsigned ran;
    unsigned told, told_not_run, urgent_told_at;
    bool sigpipe_blocked;
} Fixture;

static void
pass_gate(void *data)
{
    Fixture *fixture = data;

    g_assert_true(g_thread_self() != fixture->owner);
    g_mutex_lock(&fixture->gate);
    g_mutex_unlock(&fixture->gate);
    fixture->ran++;
}

static void
told(void *data, bool ran)
{
    Fixture *fixture = data;

    g_assert_true(g_thread_self() == fixture->owner);
    fixture->told++;
    fixture->told_not_run += !ran;
}

static void
urgent_told(void *data, bool ran)
{
    Fixture *fixture = data;

    told(data, ran);
    fixture->urgent_told_at = fixture->told;
}

static void
fixture_init(Fixture *fixture)
{
    *fixture = (Fixture){.owner = g_thread_self()};
    g_mutex_init(&fixture->gate);
}

static void
test_runs(void)
{
    g_autoptr(Worker) worker = worker_new("test", 2, 100);
    Fixture fixture;

    fixture_init(&fixture);
    for (unsigned i = 0; i < 100; i++)
        g_assert_true(worker_run(worker, false, pass_gate, told, &fixture));
    while (fixture.told < 100)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpuint(fixture.ran, ==, 100);
    g_assert_cmpuint(fixture.told_not_run, ==, 0);
}

static void
test_bounded_but_for_urgent(void)
{
    g_autoptr(Worker) worker = worker_new("test", 1, 3);
    Fixture fixture;
    unsigned taken = 0, refused = 0;

    fixture_init(&fixture);
    g_mutex_lock(&fixture.gate);
    for (unsigned i = 0; i < 100; i++)
        worker_run(worker, false, pass_gate, told, &fixture) ? taken++ : refused++;
    g_assert_true(taken == 3 || taken == 4); /* one may have been at the gate by then */
    g_assert_true(worker_run(worker, true, pass_gate, urgent_told, &fixture));
    g_mutex_unlock(&fixture.gate);
    while (fixture.told < taken + 1)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpuint(fixture.urgent_told_at, <=, 2); /* behind the one that ran already */
    g_assert_cmpuint(refused, ==, 100 - taken);
}

/* What is waiting when it ends is told too. */
static void
test_ends(void)
{
    Worker *worker = worker_new("test", 1, 100);
    Fixture fixture;

    fixture_init(&fixture);
    for (unsigned i = 0; i < 50; i++)
        g_assert_true(worker_run(worker, i % 2, pass_gate, told, &fixture));
    worker_free(worker);
    g_assert_cmpuint(fixture.told, ==, 50);
    g_assert_cmpuint(fixture.ran + fixture.told_not_run, ==, 50);
}

static void
look_at_signals(void *data)
{
    Fixture *fixture = data;
    sigset_t blocked;

    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    fixture->sigpipe_blocked = sigismember(&blocked, SIGPIPE) && sigismember(&blocked, SIGTERM);
}

static void
test_signals(void)
{
    Worker *worker = worker_new("test", 1, 1);
    Fixture fixture;
    sigset_t blocked;

    fixture_init(&fixture);
    g_assert_true(worker_run(worker, true, look_at_signals, told, &fixture));
    while (!fixture.told)
        g_main_context_iteration(NULL, TRUE);
    worker_free(worker);
    g_assert_true(fixture.sigpipe_blocked);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    g_assert_false(sigismember(&blocked, SIGTERM)); /* not in the owner's thread */
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sign-in/worker/runs", test_runs);
    g_test_add_func("/sign-in/worker/bounded", test_bounded_but_for_urgent);
    g_test_add_func("/sign-in/worker/ends", test_ends);
    g_test_add_func("/sign-in/worker/signals", test_signals);
    return g_test_run();
}
