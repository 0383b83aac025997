/* SPDX-License-Identifier: Apache-2.0 */
/* A loop thread: prepared first, runs what is attached to its context, ends at once whatever it was doing. */
#include "vmm/board/loop_thread.h"

#include <stdbool.h>

static void
note_thread(void *user)
{
    *(GThread **)user = g_thread_self();
}

static gboolean
note_thread_once(void *user)
{
    g_atomic_pointer_set((GThread **)user, g_thread_self());
    return G_SOURCE_REMOVE;
}

static void
test_runs_its_context(void)
{
    GThread *prepared = NULL, *ran = NULL;
    g_autoptr(LoopThread) thread = loop_thread_new("loop", note_thread, &prepared);

    g_assert_nonnull(prepared); /* before the first source, and before new() returned */
    g_main_context_invoke(loop_thread_context(thread), note_thread_once, &ran);
    while (!g_atomic_pointer_get(&ran))
        g_thread_yield();
    g_assert_true(ran == prepared);
    g_assert_true(ran != g_thread_self());
}

/* Who holds its lock has the thread to itself: nothing is dispatched meanwhile, and all of it afterwards. */
static void
test_lock(void)
{
    g_autoptr(LoopThread) thread = loop_thread_new("loop", NULL, NULL);
    GMutex *lock = loop_thread_lock(thread);
    GThread *ran = NULL;

    g_mutex_lock(lock);
    g_main_context_invoke(loop_thread_context(thread), note_thread_once, &ran);
    g_usleep(20000);
    g_assert_null(g_atomic_pointer_get(&ran));
    g_mutex_unlock(lock);
    while (!g_atomic_pointer_get(&ran))
        g_thread_yield();
}

static gboolean
again(void *user)
{
    return G_SOURCE_CONTINUE;
}

static void
test_ends(void)
{
    for (unsigned i = 0; i < 200; i++) {
        LoopThread *thread = loop_thread_new("loop", NULL, NULL);
        if (i % 2) { /* never idle */
            g_autoptr(GSource) busy = g_idle_source_new();
            g_source_set_callback(busy, again, NULL, NULL);
            g_source_attach(busy, loop_thread_context(thread));
        }
        loop_thread_free(thread);
    }
    loop_thread_free(NULL);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/thread/runs", test_runs_its_context);
    g_test_add_func("/thread/lock", test_lock);
    g_test_add_func("/thread/ends", test_ends);
    return g_test_run();
}
