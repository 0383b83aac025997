/* SPDX-License-Identifier: Apache-2.0 */
/* The I/O thread: calls, watches, queues and the one rule of all of them, that nothing is missed and nothing wakes it idly. */
#include "vmm/block/io_thread.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static IoThread *
thread_new(void)
{
    g_autoptr(GError) error = NULL;
    IoThread *thread = io_thread_new("test", &error);
    g_assert_no_error(error);
    return thread;
}

/* --- calls --- */

typedef struct {
    GString *story;
    GThread *on;
} Calls;

static void
say_a(void *data)
{
    Calls *calls = data;
    g_usleep(1000);
    calls->on = g_thread_self();
    g_string_append_c(calls->story, 'a');
}

static void
say_b(void *data)
{
    Calls *calls = data;
    g_assert_true(calls->on == g_thread_self());
    g_string_append_c(calls->story, 'b');
}

static void
test_calls(void)
{
    g_autoptr(IoThread) thread = thread_new();
    g_autoptr(GString) story = g_string_new(NULL);
    Calls calls = {story, NULL};

    io_thread_post(thread, say_a, &calls);
    io_thread_post(thread, say_b, &calls);
    io_thread_post(thread, say_a, &calls);
    io_thread_call(thread, say_b, &calls); /* returns only after all before it */
    g_assert_cmpstr(story->str, ==, "abab");
    g_assert_true(calls.on != g_thread_self());
}

static void *
call_many(void *data)
{
    IoThread *thread = data;
    for (int i = 0; i < 200; i++) {
        g_autoptr(GString) story = g_string_new(NULL);
        Calls calls = {story, NULL};
        io_thread_post(thread, say_a, &calls);
        io_thread_call(thread, say_b, &calls);
        g_assert_cmpstr(story->str, ==, "ab");
    }
    return NULL;
}

static void
test_callers_at_once(void)
{
    g_autoptr(IoThread) thread = thread_new();
    GThread *callers[4];

    for (size_t i = 0; i < G_N_ELEMENTS(callers); i++)
        callers[i] = g_thread_new("caller", call_many, thread);
    for (size_t i = 0; i < G_N_ELEMENTS(callers); i++)
        g_thread_join(callers[i]);
}

/* --- watches --- */

typedef struct {
    IoWatch watch;
    IoThread *thread;
    int fd;
    unsigned told; /* atomic */
    bool once;     /* unwatches itself when told */
    bool enough;   /* atomic */
} Watched;

static void
watched_ready(IoWatch *watch)
{
    Watched *watched = (Watched *)watch;
    __atomic_add_fetch(&watched->told, 1, __ATOMIC_SEQ_CST);
    if (watched->once)
        io_thread_unwatch(watch);
}

static void
watch_it(void *data)
{
    Watched *watched = data;
    watched->watch.ready = watched_ready;
    io_thread_watch(watched->thread, &watched->watch, watched->fd, POLLIN);
}

static void
unwatch_it(void *data)
{
    io_thread_unwatch(&((Watched *)data)->watch);
}

static void
nothing(void *data)
{
}

static void
wait_for(const unsigned *counter, unsigned at_least)
{
    for (int i = 0; i < 100000 && __atomic_load_n(counter, __ATOMIC_SEQ_CST) < at_least; i++)
        g_usleep(100);
    g_assert_cmpuint(__atomic_load_n(counter, __ATOMIC_SEQ_CST), >=, at_least);
}

static void
test_watch(void)
{
    g_autoptr(IoThread) thread = thread_new();
    Watched watched = {.thread = thread, .fd = eventfd(1, EFD_NONBLOCK)};

    io_thread_call(thread, watch_it, &watched); /* what is there already is told of */
    wait_for(&watched.told, 1);
    for (unsigned i = 2; i < 100; i++) { /* nobody reads the counter: each signal is told of all the same */
        eventfd_write(watched.fd, 1);
        wait_for(&watched.told, i);
    }
    io_thread_call(thread, unwatch_it, &watched);
    io_thread_call(thread, unwatch_it, &watched); /* harmless */
    unsigned told = watched.told;
    eventfd_write(watched.fd, 1);
    io_thread_call(thread, nothing, NULL);
    g_assert_cmpuint(watched.told, ==, told);
    close(watched.fd);
}

static void
test_unwatch_when_told(void)
{
    g_autoptr(IoThread) thread = thread_new();
    Watched watched = {.thread = thread, .fd = eventfd(0, EFD_NONBLOCK), .once = true};

    for (unsigned i = 1; i < 10; i++) {
        io_thread_call(thread, watch_it, &watched);
        eventfd_write(watched.fd, 1);
        wait_for(&watched.told, i);
        eventfd_t value;
        g_assert_cmpint(eventfd_read(watched.fd, &value), ==, 0);
    }
    close(watched.fd);
}

static void
signal_and_unwatch(void *data)
{
    Watched *watched = data;
    eventfd_write(watched->fd, 1); /* the event is on its way … */
    io_thread_unwatch(&watched->watch);
}

static void *
signal_often(void *data)
{
    Watched *watched = data;
    while (!__atomic_load_n(&watched->enough, __ATOMIC_SEQ_CST))
        eventfd_write(watched->fd, 1);
    return NULL;
}

static void
test_unwatch_in_a_hurry(void)
{
    g_autoptr(IoThread) thread = thread_new();
    Watched watched = {.thread = thread, .fd = eventfd(0, EFD_NONBLOCK)};

    for (int i = 0; i < 1000; i++) {
        io_thread_call(thread, watch_it, &watched);
        io_thread_call(thread, signal_and_unwatch, &watched);
    }
    GThread *signaller = g_thread_new("signal", signal_often, &watched);
    for (int i = 0; i < 1000; i++) {
        io_thread_call(thread, watch_it, &watched);
        io_thread_call(thread, unwatch_it, &watched);
    }
    __atomic_store_n(&watched.enough, true, __ATOMIC_SEQ_CST);
    g_thread_join(signaller);
    close(watched.fd);
}

/* More watches signalled at once than the completion queue holds: every one is told, and goes on being told. */
static void
test_watches_overflow(void)
{
    enum { N = 300, SIGNALS = 8 };
    g_autoptr(IoThread) thread = thread_new();
    g_autofree Watched *watched = g_new0(Watched, N);

    for (int i = 0; i < N; i++) {
        watched[i] = (Watched){.thread = thread, .fd = eventfd(0, EFD_NONBLOCK)};
        io_thread_call(thread, watch_it, &watched[i]);
    }
    for (int signal = 0; signal < SIGNALS; signal++)
        for (int i = 0; i < N; i++)
            eventfd_write(watched[i].fd, 1);
    for (int i = 0; i < N; i++) {
        wait_for(&watched[i].told, 1);
        unsigned told = __atomic_load_n(&watched[i].told, __ATOMIC_SEQ_CST);
        io_thread_call(thread, nothing, NULL);
        eventfd_write(watched[i].fd, 1);
        wait_for(&watched[i].told, told + 1);
        io_thread_call(thread, unwatch_it, &watched[i]);
        close(watched[i].fd);
    }
}

/* --- operations --- */

typedef struct {
    IoOp op;
    IoThread *thread;
    int fds[2];
    int file;
    char byte;
    int result;
    unsigned pending;
} Read;

static void
read_done(IoOp *op, int result)
{
    Read *read = (Read *)op;
    read->result = result;
    read->pending--;
}

static void
read_start(void *data)
{
    Read *read = data;
    read->op.done = read_done;
    read->pending = 1;
    struct io_uring_sqe *sqe = io_thread_sqe(read->thread, &read->op);
    io_uring_prep_read(sqe, read->file >= 0 ? read->file : read->fds[0], &read->byte, 1, -1);
    sqe->user_data = (uintptr_t)&read->op;
    if (read->file >= 0)
        sqe->flags |= IOSQE_FIXED_FILE;
}

static void
read_drain(void *data)
{
    Read *read = data;
    io_thread_drain(read->thread, &read->pending);
}

static void
add_file(void *data)
{
    Read *read = data;
    read->file = io_thread_add_file(read->thread, read->fds[0]);
}

static void
remove_file(void *data)
{
    Read *read = data;
    io_thread_remove_file(read->thread, read->file);
    read->file = -1;
}

static void
test_operation(void)
{
    g_autoptr(IoThread) thread = thread_new();
    Read read = {.thread = thread, .file = -1};

    g_assert_cmpint(pipe(read.fds), ==, 0);
    for (int fixed = 0; fixed < 2; fixed++) {
        if (fixed)
            io_thread_call(thread, add_file, &read);
        g_assert_cmpint(read.file >= 0, ==, fixed);
        io_thread_call(thread, read_start, &read);
        g_assert_cmpint(write(read.fds[1], "x", 1), ==, 1);
        io_thread_call(thread, read_drain, &read); /* waits for it */
        g_assert_cmpint(read.result, ==, 1);
        g_assert_cmpint(read.byte, ==, 'x');
    }
    io_thread_call(thread, remove_file, &read);
    close(read.fds[0]);
    close(read.fds[1]);
}

static void
open_start(void *data)
{
    Read *read = data;
    read->op.done = read_done;
    read->pending = 1;
    struct io_uring_sqe *sqe = io_thread_sqe(read->thread, &read->op);
    io_uring_prep_openat(sqe, AT_FDCWD, "/dev/null", O_RDONLY, 0);
    sqe->user_data = (uintptr_t)&read->op;
}

/* The ring does not do what no device needs. */
static void
test_restricted(void)
{
    g_autoptr(IoThread) thread = thread_new();
    Read read = {.thread = thread, .file = -1};

    io_thread_call(thread, open_start, &read);
    io_thread_call(thread, read_drain, &read);
    g_assert_cmpint(read.result, ==, -EACCES);
}

static void
fill_files(void *data)
{
    Read *read = data;
    int files[IO_THREAD_FILES_MAX];

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < IO_THREAD_FILES_MAX; i++) {
            files[i] = io_thread_add_file(read->thread, read->fds[0]);
            g_assert_cmpint(files[i], >=, 0);
        }
        g_assert_cmpint(io_thread_add_file(read->thread, read->fds[0]), <, 0);
        for (int i = 0; i < IO_THREAD_FILES_MAX; i++)
            io_thread_remove_file(read->thread, files[i]);
    }
}

static void
test_files(void)
{
    g_autoptr(IoThread) thread = thread_new();
    Read read = {.thread = thread};

    g_assert_cmpint(pipe(read.fds), ==, 0);
    io_thread_call(thread, fill_files, &read);
    close(read.fds[0]);
    close(read.fds[1]);
}

/* --- queues --- */

/* A queue whose requests are a number: the test adds, the thread takes; kicks are asked for as virtqueues ask for them. */
typedef struct {
    IoQueue io;
    IoDefer defer;
    IoThread *thread;
    int kick_fd;
    unsigned added, taken; /* atomic */
    bool kicks;            /* atomic */
    unsigned batch;        /* of one serve */
    unsigned notified;     /* atomic */
} Queue;

static bool
fake_has_work(IoQueue *io)
{
    Queue *queue = (Queue *)io;
    return __atomic_load_n(&queue->added, __ATOMIC_SEQ_CST) != queue->taken;
}

static bool
fake_serve(IoQueue *io)
{
    Queue *queue = (Queue *)io;
    for (unsigned i = 0; i < queue->batch && fake_has_work(io); i++) {
        __atomic_add_fetch(&queue->taken, 1, __ATOMIC_SEQ_CST);
        io_thread_defer(queue->thread, &queue->defer);
    }
    return fake_has_work(io);
}

static bool
fake_set_kicks(IoQueue *io, bool wanted)
{
    Queue *queue = (Queue *)io;
    __atomic_store_n(&queue->kicks, wanted, __ATOMIC_SEQ_CST);
    return wanted && fake_has_work(io);
}

static void
fake_notify(IoDefer *defer)
{
    Queue *queue = (Queue *)((char *)defer - offsetof(Queue, defer));
    __atomic_store_n(&queue->notified, queue->taken, __ATOMIC_SEQ_CST);
}

static const IoQueueOps fake_ops = {.serve = fake_serve, .has_work = fake_has_work, .set_kicks = fake_set_kicks};

static void
queue_init(Queue *queue, IoThread *thread, unsigned batch)
{
    *queue = (Queue){.io.ops = &fake_ops,
                     .defer.run = fake_notify,
                     .thread = thread,
                     .kick_fd = eventfd(0, EFD_NONBLOCK),
                     .kicks = true,
                     .batch = batch};
}

static void
attach_it(void *data)
{
    Queue *queue = data;
    io_thread_attach(queue->thread, &queue->io, queue->kick_fd);
}

static void
detach_it(void *data)
{
    Queue *queue = data;
    io_thread_detach(queue->thread, &queue->io);
}

/* As a driver does: make it available, then kick if asked to. */
static void
queue_add(Queue *queue)
{
    __atomic_add_fetch(&queue->added, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&queue->kicks, __ATOMIC_SEQ_CST))
        eventfd_write(queue->kick_fd, 1);
}

/* Nothing is ever left lying, whatever the moment it is added at: the thread is polling, falling asleep or asleep. */
static void
test_queues(void)
{
    enum { QUEUES = 3, REQUESTS = 20000 };
    g_autoptr(IoThread) thread = thread_new();
    Queue queues[QUEUES];
    guint32 seed = 7;

    for (int i = 0; i < QUEUES; i++) {
        queue_init(&queues[i], thread, 1 + i * 5);
        queues[i].added = i; /* there before it is attached, and not kicked for */
        io_thread_call(thread, attach_it, &queues[i]);
    }
    for (int i = 0; i < REQUESTS; i++) {
        seed = seed * 1664525 + 1013904223;
        Queue *queue = &queues[(seed >> 20) % QUEUES];
        queue_add(queue);
        if ((seed >> 8) % 4 == 0)
            wait_for(&queue->notified, queue->added);
    }
    for (int i = 0; i < QUEUES; i++) {
        wait_for(&queues[i].notified, queues[i].added);
        io_thread_call(thread, detach_it, &queues[i]);
        g_assert_true(queues[i].kicks);
        unsigned taken = queues[i].taken;
        queue_add(&queues[i]);
        io_thread_call(thread, nothing, NULL);
        g_assert_cmpuint(queues[i].taken, ==, taken);
        io_thread_call(thread, detach_it, &queues[i]); /* harmless */
        close(queues[i].kick_fd);
    }
}

typedef struct {
    IoDefer defer;
    Watched watched;
} Drainer;

static void
drain_deferred(IoDefer *defer)
{
    Drainer *drainer = (Drainer *)defer;
    watch_it(&drainer->watched);
    io_thread_unwatch(&drainer->watched.watch);
}

static void
defer_drain(void *data)
{
    Drainer *drainer = data;
    io_thread_defer(drainer->watched.thread, &drainer->defer);
}

/* What arrives while something deferred drains the ring is not forgotten when the round ends. */
static void
test_drain_at_the_end_of_a_round(void)
{
    g_autoptr(IoThread) thread = thread_new();
    Drainer drainer = {.defer.run = drain_deferred, .watched = {.thread = thread, .fd = eventfd(1, EFD_NONBLOCK)}};
    Queue queue;

    queue_init(&queue, thread, 4);
    io_thread_call(thread, attach_it, &queue);
    for (unsigned i = 1; i <= 3000; i++) {
        io_thread_post(thread, defer_drain, &drainer);
        queue_add(&queue);
        io_thread_call(thread, nothing, NULL);
        wait_for(&queue.notified, i);
    }
    io_thread_call(thread, detach_it, &queue);
    close(queue.kick_fd);
    close(drainer.watched.fd);
}

static void
own_id(void *data)
{
    *(pid_t *)data = gettid();
}

/* How often the thread gave the processor up by itself: once for each time it went to sleep. */
static unsigned long
sleeps_of(pid_t id)
{
    g_autofree char *path = g_strdup_printf("/proc/self/task/%d/status", id);
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    const char *line = strstr(text, "\nvoluntary_ctxt_switches:");
    g_assert_nonnull(line);
    return strtoul(strchr(line, ':') + 1, NULL, 10);
}

static void
test_idle_thread_sleeps(void)
{
    g_autoptr(IoThread) thread = thread_new();
    Queue queue;
    pid_t id;

    queue_init(&queue, thread, 64);
    io_thread_call(thread, attach_it, &queue);
    io_thread_call(thread, own_id, &id);
    for (int i = 0; i < 1000; i++) /* get it used to polling */
        queue_add(&queue);
    wait_for(&queue.notified, 1000);
    g_usleep(50000); /* whatever it still had to do */
    unsigned long before = sleeps_of(id);
    g_usleep(300000);
    g_assert_cmpuint(sleeps_of(id), ==, before);
    io_thread_call(thread, detach_it, &queue);
    close(queue.kick_fd);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/io-thread/calls", test_calls);
    g_test_add_func("/block/io-thread/callers-at-once", test_callers_at_once);
    g_test_add_func("/block/io-thread/watch", test_watch);
    g_test_add_func("/block/io-thread/unwatch-when-told", test_unwatch_when_told);
    g_test_add_func("/block/io-thread/unwatch-in-a-hurry", test_unwatch_in_a_hurry);
    g_test_add_func("/block/io-thread/watches-overflow", test_watches_overflow);
    g_test_add_func("/block/io-thread/operation", test_operation);
    g_test_add_func("/block/io-thread/restricted", test_restricted);
    g_test_add_func("/block/io-thread/files", test_files);
    g_test_add_func("/block/io-thread/queues", test_queues);
    g_test_add_func("/block/io-thread/drain-at-the-end-of-a-round", test_drain_at_the_end_of_a_round);
    g_test_add_func("/block/io-thread/idle", test_idle_thread_sleeps);
    return g_test_run();
}
