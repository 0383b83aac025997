/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to the store of a host on its own: one thread keeps it and applies what comes, so that the main loop never
 * waits for a disk. What the store tells its listener is passed on to the submitter's main context.
 */
#include "ha/store/submit.h"

typedef struct {
    StoreSubmitter submitter;
    Store *store; /* the thread's */
    GThreadPool *thread;
    GMainContext *context;
    StoreListener listener;
    void *listener_data;
    gatomicrefcount refs; /* the owner's, and each news' on its way */
    gint ended;           /* atomic: no more news */
} Alone;

typedef struct {
    StoreCommand *command;
    GTask *task;
} Order;

typedef struct {
    Alone *alone;
    int64_t sequence;
    GPtrArray *changes; /* or NULL */
} News;

static void
alone_unref(Alone *alone)
{
    if (!g_atomic_ref_count_dec(&alone->refs))
        return;
    g_main_context_unref(alone->context);
    g_free(alone);
}

static void
news_free(void *data)
{
    News *news = data;

    if (news->changes)
        g_ptr_array_unref(news->changes);
    alone_unref(news->alone);
    g_free(news);
}

static gboolean
tell(void *data)
{
    News *news = data;

    if (!g_atomic_int_get(&news->alone->ended))
        news->alone->listener(news->sequence, news->changes, news->alone->listener_data);
    return G_SOURCE_REMOVE;
}

/* On the store's thread. Ahead of the answer, in the order they are sent: same priority, same context. */
static void
pass_on(int64_t sequence, GPtrArray *changes, void *data)
{
    Alone *alone = data;
    News *news = g_new(News, 1);

    g_atomic_ref_count_inc(&alone->refs);
    *news = (News){.alone = alone, .sequence = sequence, .changes = changes ? g_ptr_array_ref(changes) : NULL};
    g_main_context_invoke_full(alone->context, G_PRIORITY_DEFAULT, tell, news, news_free);
}

static void
carry_out(void *data, void *user_data)
{
    Order *order = data;
    Alone *alone = user_data;
    StoreAnswer *answer = g_new0(StoreAnswer, 1);
    GError *error = NULL;

    if (store_apply(alone->store, order->command, answer, &error)) {
        g_task_return_pointer(order->task, answer, (GDestroyNotify)store_answer_free);
    } else {
        g_free(answer);
        g_task_return_error(order->task, error);
    }
    g_object_unref(order->task);
    store_command_unref(order->command);
    g_free(order);
}

static void
alone_submit(StoreSubmitter *submitter, StoreCommand *command, GTask *task)
{
    Alone *alone = (Alone *)submitter;
    Order *order = g_new(Order, 1);

    *order = (Order){.command = command, .task = task};
    g_thread_pool_push(alone->thread, order, NULL);
}

static void
alone_free(StoreSubmitter *submitter)
{
    Alone *alone = (Alone *)submitter;

    g_thread_pool_free(alone->thread, FALSE, TRUE);
    store_free(alone->store);
    g_atomic_int_set(&alone->ended, 1);
    alone_unref(alone);
}

static const StoreSubmitterClass alone_class = {.submit = alone_submit, .free = alone_free};

StoreSubmitter *
store_submitter_new_alone(Store *store, StoreListener listener, void *data)
{
    Alone *alone = g_new0(Alone, 1);

    *alone = (Alone){
        .submitter.class = &alone_class,
        .store = store,
        .context = g_main_context_ref_thread_default(),
        .listener = listener,
        .listener_data = data,
    };
    g_atomic_ref_count_init(&alone->refs);
    if (listener)
        store_set_listener(store, pass_on, alone);
    /* One thread of its own: orders are carried out as they come. */
    alone->thread = g_thread_pool_new(carry_out, alone, 1, TRUE, NULL);
    return &alone->submitter;
}
