/* SPDX-License-Identifier: Apache-2.0 */
/* A main loop on a context of its own, started and ended from the main thread. */
#include "vmm/board/loop_thread.h"

#include <stdbool.h>

struct LoopThread {
    GMainContext *context;
    GMainLoop *loop;
    GThread *thread;
    void (*prepare)(void *user);
    void *user;
    GMutex lock;
    GCond begun;
    bool has_begun; /* under @lock */
    GMutex work;    /* held but in poll() */
};

static _Thread_local LoopThread *current; /* a GPollFunc is told nothing of whose it is */

static int
sleep_unlocked(GPollFD *fds, guint n, int timeout)
{
    g_mutex_unlock(&current->work);
    int ready = g_poll(fds, n, timeout);
    g_mutex_lock(&current->work);
    return ready;
}

static void *
run(void *data)
{
    LoopThread *thread = data;

    if (thread->prepare)
        thread->prepare(thread->user);
    current = thread;
    g_mutex_lock(&thread->work);
    g_main_context_set_poll_func(thread->context, sleep_unlocked);
    g_main_context_push_thread_default(thread->context); /* makes it the owner: nobody else may run it by mistake */
    g_mutex_lock(&thread->lock);
    thread->has_begun = true;
    g_cond_signal(&thread->begun);
    g_mutex_unlock(&thread->lock);
    g_main_loop_run(thread->loop);
    g_main_context_pop_thread_default(thread->context);
    g_main_context_set_poll_func(thread->context, NULL);
    g_mutex_unlock(&thread->work);
    return NULL;
}

LoopThread *
loop_thread_new(const char *name, void (*prepare)(void *user), void *user)
{
    LoopThread *thread = g_new0(LoopThread, 1);

    thread->context = g_main_context_new();
    thread->loop = g_main_loop_new(thread->context, FALSE);
    thread->prepare = prepare;
    thread->user = user;
    g_mutex_init(&thread->lock);
    g_mutex_init(&thread->work);
    g_cond_init(&thread->begun);
    thread->thread = g_thread_new(name, run, thread);
    g_mutex_lock(&thread->lock);
    while (!thread->has_begun)
        g_cond_wait(&thread->begun, &thread->lock);
    g_mutex_unlock(&thread->lock);
    return thread;
}

static gboolean
quit(void *data)
{
    g_main_loop_quit(data);
    return G_SOURCE_REMOVE;
}

void
loop_thread_free(LoopThread *thread)
{
    if (!thread)
        return;
    /* From inside the loop: a quit that came before it ran would be forgotten. */
    g_autoptr(GSource) source = g_idle_source_new();
    g_source_set_priority(source, G_PRIORITY_HIGH);
    g_source_set_callback(source, quit, thread->loop, NULL);
    g_source_attach(source, thread->context);
    g_thread_join(thread->thread);
    g_main_loop_unref(thread->loop);
    g_main_context_unref(thread->context);
    g_mutex_clear(&thread->lock);
    g_mutex_clear(&thread->work);
    g_cond_clear(&thread->begun);
    g_free(thread);
}

GMainContext *
loop_thread_context(const LoopThread *thread)
{
    return thread->context;
}

GMutex *
loop_thread_lock(LoopThread *thread)
{
    return &thread->work;
}
