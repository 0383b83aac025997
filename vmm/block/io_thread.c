/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The I/O thread's loop.
 *
 * A round: completions are reaped (a kick is one too: a multishot poll of its eventfd), queues that are due are served,
 * deferred work runs (one notify per queue and round), and if nothing more is due the thread polls awhile or sleeps. The
 * eventfds' counters are never read: the poll is edge-triggered and fires for every signal.
 *
 * It polls only while the host works on nothing for it, and how long adapts. A short sleep, its wake-up included, says that
 * polling may pay off: it begins with a small window, which doubles each time it was not enough. Where the longest is not
 * enough either there is none for a number of sleeps that doubles too. A long sleep ends polling at once.
 *
 * What the kernel has finished (IORING_SETUP_DEFER_TASKRUN) it tells only when it is entered. Its flag for "enter me" is
 * not used: it may stay set with nothing behind it.
 */
#include "vmm/block/io_thread.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RING_ENTRIES 256
#define POLL_FIRST_NS 4000
#define POLL_MAX_NS 32000
#define SHORT_SLEEP_NS 200000 /* waking a thread takes up to half of it on a busy or virtual host */
#define POLL_PAUSE_FIRST 8    /* sleeps without polling after it failed */
#define POLL_PAUSE_MAX 1024
#define POLL_CLOCK_EVERY 32 /* turns of the polling loop between two looks at the clock */

/* In a submission's user data: a watch, not an op. Both are aligned to more than a byte. */
#define TAG_WATCH 1ull

/* All a ring may ever be asked for; see the header. */
static const uint8_t ring_ops[] = {
    IORING_OP_READ,      IORING_OP_READV,     IORING_OP_WRITE,    IORING_OP_WRITEV,       IORING_OP_FSYNC,
    IORING_OP_FALLOCATE, IORING_OP_URING_CMD, IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL,
};

typedef struct Call {
    void (*function)(void *data);
    void *data;
    struct Waiter *waiter; /* NULL for a post */
} Call;

typedef struct Waiter {
    GCond done;
    bool is_done;
} Waiter;

struct IoThread {
    struct io_uring ring;
    GThread *thread;
    bool ending;

    GMutex lock; /* of calls and their waiters */
    GArray *calls;
    int call_fd;
    IoWatch call_watch;
    bool calls_due;

    GPtrArray *queues; /* IoQueue *, NULL where one was detached */
    IoDefer *deferred;
    uint64_t files;       /* bits: indices taken */
    unsigned in_flight;   /* ops the ring holds */
    int64_t poll_ns;      /* the window; 0: none */
    unsigned poll_pause;  /* short sleeps until it is tried again … */
    unsigned poll_failed; /* … and as many as there were the last time */
};
G_STATIC_ASSERT(IO_THREAD_FILES_MAX == 64);

static int64_t
now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * (int64_t)1000000000 + now.tv_nsec;
}

/* --- the ring --- */

static struct io_uring_sqe *
take_sqe(IoThread *thread)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&thread->ring);
    while (!sqe) {
        int result = io_uring_submit(&thread->ring);
        g_assert(result >= 0 || result == -EBUSY || result == -EAGAIN || result == -EINTR);
        sqe = io_uring_get_sqe(&thread->ring);
    }
    memset(sqe, 0, sizeof(*sqe));
    return sqe;
}

struct io_uring_sqe *
io_thread_sqe(IoThread *thread, IoOp *op)
{
    struct io_uring_sqe *sqe = take_sqe(thread);
    sqe->user_data = (uintptr_t)op;
    thread->in_flight++;
    return sqe;
}

int
io_thread_add_file(IoThread *thread, int fd)
{
    if (~thread->files == 0)
        return -ENFILE;
    int index = __builtin_ctzll(~thread->files);
    int result = io_uring_register_files_update(&thread->ring, index, &fd, 1);
    if (result < 0)
        return result;
    thread->files |= 1ull << index;
    return index;
}

void
io_thread_remove_file(IoThread *thread, int index)
{
    int none = -1;
    io_uring_register_files_update(&thread->ring, index, &none, 1);
    thread->files &= ~(1ull << index);
}

/* --- watches --- */

static void
watch_arm(IoWatch *watch)
{
    struct io_uring_sqe *sqe = take_sqe(watch->thread);
    io_uring_prep_poll_multishot(sqe, watch->fd, watch->events);
    sqe->user_data = (uintptr_t)watch | TAG_WATCH;
    watch->armed = 1;
}

static void
watch_event(IoWatch *watch, const struct io_uring_cqe *cqe)
{
    watch->armed = !!(cqe->flags & IORING_CQE_F_MORE);
    if (!watch->thread)
        return; /* being taken away */
    /* A full completion queue ends a multishot poll, with an event or without. */
    if (!watch->armed)
        watch_arm(watch);
    if (cqe->res > 0)
        watch->ready(watch);
}

void
io_thread_watch(IoThread *thread, IoWatch *watch, int fd, uint32_t events)
{
    g_assert(!watch->thread && watch->ready);
    watch->thread = thread;
    watch->fd = fd;
    watch->events = events;
    watch_arm(watch);
}

void
io_thread_unwatch(IoWatch *watch)
{
    IoThread *thread = g_steal_pointer(&watch->thread);
    if (!thread)
        return;
    /* Not a removal of the poll: that is refused while an event is on its way. */
    struct io_uring_sqe *sqe = take_sqe(thread);
    io_uring_prep_cancel64(sqe, (uintptr_t)watch | TAG_WATCH, 0);
    sqe->user_data = 0;
    io_thread_drain(thread, &watch->armed);
}

/* --- completions --- */

static void
dispatch(IoThread *thread, const struct io_uring_cqe *cqe)
{
    if (cqe->user_data & TAG_WATCH) {
        watch_event((IoWatch *)(uintptr_t)(cqe->user_data & ~TAG_WATCH), cqe);
    } else if (cqe->user_data) {
        IoOp *op = (IoOp *)(uintptr_t)cqe->user_data;
        thread->in_flight--;
        op->done(op, cqe->res);
    }
}

/* Each completion is taken off the ring before its callback runs, so that a callback may reap too (drain). */
static void
reap(IoThread *thread)
{
    struct io_uring_cqe *cqe;
    while (io_uring_peek_cqe(&thread->ring, &cqe) == 0) {
        struct io_uring_cqe taken = *cqe;
        io_uring_cqe_seen(&thread->ring, cqe);
        dispatch(thread, &taken);
    }
}

/* Hands over what was prepared, and collects what is over; waits for something to be. */
static void
submit_and_wait(IoThread *thread)
{
    int result = io_uring_submit_and_wait(&thread->ring, 1);
    g_assert(result >= 0 || result == -EBUSY || result == -EAGAIN || result == -EINTR);
}

/* The same without waiting. */
static void
submit(IoThread *thread)
{
    int result = io_uring_submit_and_get_events(&thread->ring);
    g_assert(result >= 0 || result == -EBUSY || result == -EAGAIN || result == -EINTR);
}

void
io_thread_defer(IoThread *thread, IoDefer *defer)
{
    if (defer->queued)
        return;
    defer->queued = true;
    defer->next = thread->deferred;
    thread->deferred = defer;
}

static void
run_deferred(IoThread *thread)
{
    while (thread->deferred) {
        IoDefer *defer = thread->deferred;
        thread->deferred = defer->next;
        defer->queued = false;
        defer->run(defer);
    }
}

void
io_thread_drain(IoThread *thread, const unsigned *n)
{
    reap(thread);
    while (*n) {
        submit_and_wait(thread);
        reap(thread);
    }
}

/* --- queues --- */

static void
queue_kicked(IoWatch *watch)
{
    IoQueue *queue = (IoQueue *)((char *)watch - offsetof(IoQueue, kick));
    queue->ready = true;
}

void
io_thread_attach(IoThread *thread, IoQueue *queue, int kick_fd)
{
    queue->kick.ready = queue_kicked;
    queue->awake = false;
    queue->ready = true;
    g_ptr_array_add(thread->queues, queue);
    io_thread_watch(thread, &queue->kick, kick_fd, POLLIN);
}

void
io_thread_detach(IoThread *thread, IoQueue *queue)
{
    guint index;
    if (!g_ptr_array_find(thread->queues, queue, &index))
        return;
    thread->queues->pdata[index] = NULL; /* the array may be being walked: it closes up after the round */
    io_thread_unwatch(&queue->kick);
    if (queue->awake)
        queue->ops->set_kicks(queue, true);
    queue->awake = queue->ready = false;
}

void
io_thread_wake(IoThread *thread, IoQueue *queue)
{
    queue->ready = true;
}

static void
close_up(GPtrArray *queues)
{
    while (g_ptr_array_remove_fast(queues, NULL))
        ;
}

/* Serves once what is due. */
static void
serve_queues(IoThread *thread)
{
    for (guint i = 0; i < thread->queues->len; i++) {
        IoQueue *queue = thread->queues->pdata[i];
        if (!queue || !queue->ready)
            continue;
        if (!queue->awake) {
            queue->awake = true;
            queue->ops->set_kicks(queue, false);
        }
        queue->ready = false;
        if (queue->ops->serve(queue) && thread->queues->pdata[i] == queue)
            queue->ready = true;
    }
}

/* Marks the queues that have something as due; @awake_only: those that were not asked to kick. */
static bool
look_at_queues(IoThread *thread, bool awake_only)
{
    bool found = false;

    for (guint i = 0; i < thread->queues->len; i++) {
        IoQueue *queue = thread->queues->pdata[i];
        if ((queue->awake || !awake_only) && queue->ops->has_work(queue))
            found = queue->ready = true;
    }
    return found;
}

static bool
any_awake(const IoThread *thread)
{
    for (guint i = 0; i < thread->queues->len; i++)
        if (((IoQueue *)thread->queues->pdata[i])->awake)
            return true;
    return false;
}

/* Asks for kicks again everywhere. false where a queue is due after all. */
static bool
fall_asleep(IoThread *thread)
{
    bool quiet = true;

    for (guint i = 0; i < thread->queues->len; i++) {
        IoQueue *queue = thread->queues->pdata[i];
        if (!queue->awake)
            continue;
        queue->awake = false;
        if (queue->ops->set_kicks(queue, true)) {
            queue->ready = true;
            quiet = false;
        }
    }
    return quiet;
}

/* --- calls --- */

static void
calls_arrived(IoWatch *watch)
{
    IoThread *thread = (IoThread *)((char *)watch - offsetof(IoThread, call_watch));
    thread->calls_due = true;
}

static void
add_call(IoThread *thread, void (*function)(void *data), void *data, Waiter *waiter)
{
    Call call = {function, data, waiter};
    g_array_append_val(thread->calls, call);
    eventfd_write(thread->call_fd, 1);
}

void
io_thread_post(IoThread *thread, void (*function)(void *data), void *data)
{
    g_mutex_lock(&thread->lock);
    add_call(thread, function, data, NULL);
    g_mutex_unlock(&thread->lock);
}

void
io_thread_call(IoThread *thread, void (*function)(void *data), void *data)
{
    g_assert(g_thread_self() != thread->thread);
    Waiter waiter = {.is_done = false};
    g_cond_init(&waiter.done);
    g_mutex_lock(&thread->lock);
    add_call(thread, function, data, &waiter);
    while (!waiter.is_done)
        g_cond_wait(&waiter.done, &thread->lock);
    g_mutex_unlock(&thread->lock);
    g_cond_clear(&waiter.done);
}

static void
run_calls(IoThread *thread)
{
    thread->calls_due = false;
    g_mutex_lock(&thread->lock);
    while (thread->calls->len) {
        Call call = g_array_index(thread->calls, Call, 0);
        g_array_remove_index(thread->calls, 0);
        g_mutex_unlock(&thread->lock);
        call.function(call.data);
        run_deferred(thread);
        g_mutex_lock(&thread->lock);
        if (call.waiter) {
            call.waiter->is_done = true;
            g_cond_signal(&call.waiter->done);
        }
    }
    g_mutex_unlock(&thread->lock);
}

/* --- the loop --- */

static bool
look_for(IoThread *thread, int64_t window_ns)
{
    int64_t until = now_ns() + window_ns;

    do {
        for (int i = 0; i < POLL_CLOCK_EVERY; i++) {
            if (look_at_queues(thread, true))
                return true;
            __builtin_ia32_pause();
        }
    } while (now_ns() < until);
    return false;
}

/* Looks for work for as long as it has paid off lately; whether there is some. */
static bool
poll_awhile(IoThread *thread)
{
    /* While the host works on something its completion comes first, and the queues are looked at then. */
    if (!thread->poll_ns || thread->in_flight || !any_awake(thread))
        return false;
    if (look_for(thread, thread->poll_ns)) {
        thread->poll_failed = 0;
        return true;
    }
    thread->poll_ns *= 2;
    if (thread->poll_ns > POLL_MAX_NS) {
        thread->poll_ns = 0;
        thread->poll_failed = CLAMP(thread->poll_failed * 2, POLL_PAUSE_FIRST, POLL_PAUSE_MAX);
        thread->poll_pause = thread->poll_failed;
    }
    return false;
}

static void
note_sleep(IoThread *thread, int64_t slept_ns)
{
    if (slept_ns > SHORT_SLEEP_NS)
        thread->poll_ns = 0;
    else if (thread->poll_pause)
        thread->poll_pause--;
    else if (!thread->poll_ns)
        thread->poll_ns = POLL_FIRST_NS;
}

static void
rest(IoThread *thread)
{
    if (poll_awhile(thread) || !fall_asleep(thread))
        return;
    int64_t asleep = now_ns();
    bool worked = thread->in_flight;
    submit_and_wait(thread);
    if (!worked)
        note_sleep(thread, now_ns() - asleep);
    /* Completions make room: the driver has often queued more by now, before its kick arrives. */
    look_at_queues(thread, false);
}

/* Asked after each round, not gathered during it: a callback that drains makes things due at any point. */
static bool
anything_due(const IoThread *thread)
{
    if (thread->ending || thread->calls_due || io_uring_cq_ready(&thread->ring))
        return true;
    for (guint i = 0; i < thread->queues->len; i++)
        if (((IoQueue *)thread->queues->pdata[i])->ready)
            return true;
    return false;
}

static void *
io_thread_run(void *data)
{
    IoThread *thread = data;

    /* From here on the ring takes submissions, from this thread alone. */
    int result = io_uring_enable_rings(&thread->ring);
    g_assert_cmpint(result, ==, 0);
    io_thread_watch(thread, &thread->call_watch, thread->call_fd, POLLIN);
    while (!thread->ending) {
        reap(thread);
        if (thread->calls_due)
            run_calls(thread);
        serve_queues(thread);
        run_deferred(thread);
        close_up(thread->queues);
        if (anything_due(thread))
            submit(thread);
        else
            rest(thread);
    }
    io_thread_unwatch(&thread->call_watch);
    return NULL;
}

static void
end(void *data)
{
    IoThread *thread = data;
    thread->ending = true;
}

/* Errors of the three steps of making a ring, in words. */
static bool
ring_failed(int result, GError **error)
{
    if (result == -EPERM || result == -ENOSYS)
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_PERM,
                    "io_uring is not allowed here: set the sysctl kernel.io_uring_disabled to 0");
    else
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(-result),
                    "cannot make an io_uring (%s): Linux 6.1 or later is needed", g_strerror(-result));
    return false;
}

static bool
ring_init(struct io_uring *ring, GError **error)
{
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                              IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
                                     .cq_entries = 4 * RING_ENTRIES};
    struct io_uring_restriction restrictions[G_N_ELEMENTS(ring_ops) + 2] = {
        {.opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_REGISTER_FILES_UPDATE},
        {.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED, .sqe_flags = IOSQE_FIXED_FILE},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ring_ops); i++)
        restrictions[i + 2] = (struct io_uring_restriction){.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = ring_ops[i]};

    int result = io_uring_queue_init_params(RING_ENTRIES, ring, &params);
    if (result < 0)
        return ring_failed(result, error);
    result = io_uring_register_files_sparse(ring, IO_THREAD_FILES_MAX);
    if (result >= 0)
        result = io_uring_register_restrictions(ring, restrictions, G_N_ELEMENTS(restrictions));
    if (result >= 0)
        return true;
    io_uring_queue_exit(ring);
    return ring_failed(result, error);
}

IoThread *
io_thread_new(const char *name, GError **error)
{
    int call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (call_fd < 0) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "cannot make an eventfd: %s",
                    g_strerror(errno));
        return NULL;
    }
    IoThread *thread = g_new0(IoThread, 1);
    if (!ring_init(&thread->ring, error)) {
        close(call_fd);
        g_free(thread);
        return NULL;
    }
    thread->call_fd = call_fd;
    thread->call_watch.ready = calls_arrived;
    thread->calls = g_array_new(FALSE, FALSE, sizeof(Call));
    thread->queues = g_ptr_array_new();
    g_mutex_init(&thread->lock);
    thread->thread = g_thread_new(name, io_thread_run, thread);
    return thread;
}

void
io_thread_free(IoThread *thread)
{
    if (!thread)
        return;
    io_thread_post(thread, end, thread);
    g_thread_join(thread->thread);
    g_assert_cmpuint(thread->queues->len, ==, 0);
    io_uring_queue_exit(&thread->ring);
    close(thread->call_fd);
    g_array_unref(thread->calls);
    g_ptr_array_unref(thread->queues);
    g_mutex_clear(&thread->lock);
    g_free(thread);
}
