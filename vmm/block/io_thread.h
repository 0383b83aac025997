/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An I/O thread: one io_uring, and a loop around it that serves queues.
 *
 * Disks and network cards attach to a thread and from then on run there: kicks, completions and back-end descriptors all
 * arrive through the ring, so one system call submits a batch, sleeps, and wakes. Several devices may share a thread. While
 * there is nothing to do it sleeps without a timer: an idle desktop costs no wake-up.
 *
 * A queue on an I/O thread is an IoQueue. After a kick the thread asks the driver for no more kicks, serves the queue until
 * it is empty, and watches it for some microseconds longer where that has paid off lately, before it asks for kicks again
 * and sleeps.
 *
 * The ring is restricted to the operations block/ and net/ use, for good: it is no way around a seccomp filter.
 *
 * io_thread_new(), io_thread_free(), io_thread_call() and io_thread_post() are for other threads; everything else is for the
 * thread itself (from a call, or from one of its callbacks).
 */
#pragma once

#include <glib.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

/* Files a thread can hold registered. */
#define IO_THREAD_FILES_MAX 64

typedef struct IoThread IoThread;
typedef struct IoOp IoOp;
typedef struct IoWatch IoWatch;
typedef struct IoQueue IoQueue;
typedef struct IoDefer IoDefer;

/* Something submitted to the ring: embed it, give its address to io_thread_sqe(). */
struct IoOp {
    /* It is over: @result is the operation's, or a negative errno. The op may be freed or submitted anew here. */
    void (*done)(IoOp *op, int result);
};

/* A descriptor watched for as long as it is attached; told once each time more arrives (edge-triggered). */
struct IoWatch {
    void (*ready)(IoWatch *watch); /* mandatory; may unwatch it */
    /* private */
    IoThread *thread; /* NULL while not attached */
    int fd;
    uint32_t events;
    unsigned armed; /* 1 while the ring holds it */
};

/* Something to run once at the end of a round of the loop or of a call: a notify for all that the round completed. Embed it. */
struct IoDefer {
    void (*run)(IoDefer *defer);
    /* private */
    IoDefer *next;
    bool queued;
};

/* How a queue is served. All mandatory. */
typedef struct {
    /* Takes and carries out some requests, all there are or a fair batch. true: more are waiting. */
    bool (*serve)(IoQueue *queue);
    /* Whether serve would find something. Cheap: asked in a tight loop. */
    bool (*has_work)(IoQueue *queue);
    /* Asks the driver for kicks or for none; true where something slipped in meanwhile. */
    bool (*set_kicks)(IoQueue *queue, bool wanted);
} IoQueueOps;

struct IoQueue {
    const IoQueueOps *ops;
    /* private */
    IoWatch kick;
    bool awake; /* no kicks are asked for: the thread looks by itself */
    bool ready; /* serve is due */
};

/* @name: of the thread, at most 15 bytes. NULL and an error that names the remedy where there is no io_uring. */
IoThread *io_thread_new(const char *name, GError **error);
/* Nothing may be attached any more. */
void io_thread_free(IoThread *thread);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IoThread, io_thread_free)

/* Runs @function on the thread, between two rounds of its loop, and waits for it. */
void io_thread_call(IoThread *thread, void (*function)(void *data), void *data);
/* The same without waiting. Posts and calls run in the order they were made. */
void io_thread_post(IoThread *thread, void (*function)(void *data), void *data);

/* A cleared submission whose completion calls @op->done; never NULL. Fill it in at once: the next one may submit it. */
struct io_uring_sqe *io_thread_sqe(IoThread *thread, IoOp *op);
/* Registers @fd; returns its index for IOSQE_FIXED_FILE, or a negative errno. */
int io_thread_add_file(IoThread *thread, int fd);
void io_thread_remove_file(IoThread *thread, int index);

/* Waits for completions and runs their callbacks, but serves no queue, no calls and nothing deferred, until *@n is 0. */
void io_thread_drain(IoThread *thread, const unsigned *n);

/* Runs @defer->run once, at the end of this round or call. */
void io_thread_defer(IoThread *thread, IoDefer *defer);

/* @events: POLLIN, POLLOUT. What is there already is told of too. */
void io_thread_watch(IoThread *thread, IoWatch *watch, int fd, uint32_t events);
/* When it returns, ready is not called any more. Harmless on one that is not attached. */
void io_thread_unwatch(IoWatch *watch);

/* @kick_fd: an eventfd the driver's kicks signal. Serves the queue once, kicked or not. */
void io_thread_attach(IoThread *thread, IoQueue *queue, int kick_fd);
/* Harmless on one that is not attached. */
void io_thread_detach(IoThread *thread, IoQueue *queue);
/* Serves @queue soon, as if kicked. */
void io_thread_wake(IoThread *thread, IoQueue *queue);
