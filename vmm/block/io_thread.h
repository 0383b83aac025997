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
 * io_thread_new(), io_thread_free() and io_thread_call() are for other threads; everything else is for the thread itself
 * (from a call, or from one of its callbacks).
 */
#pragma once

#include <glib.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

/* Descriptors a thread can hold registered: a ring operation may act on those only. */
#define IO_THREAD_FILES_MAX 32

typedef struct IoThread IoThread;
typedef struct IoOp IoOp;
typedef struct IoWatch IoWatch;
typedef struct IoQueue IoQueue;

/* Something submitted to the ring: embed it, give its address with io_thread_sqe(). */
struct IoOp {
    /* It is over: @result is the operation's, or a negative errno. The op may be freed or submitted anew here. */
    void (*done)(IoOp *op, int result);
};

/* A descriptor watched for as long as it is attached; told once each time more arrives (edge-triggered). */
struct IoWatch {
    void (*ready)(IoWatch *watch); /* mandatory */
    /* private */
    IoOp op;
    IoThread *thread;
    int fd;
    uint32_t events;
    bool attached;
    bool armed;
};

typedef struct {
    /* Takes and carries out some requests, all there are or a fair batch. true: more may be waiting. */
    bool (*serve)(IoQueue *queue);
    /* Whether serve would find something. Cheap: asked in a tight loop. */
    bool (*has_work)(IoQueue *queue);
    /* Asks the driver for kicks or for none; true where something slipped in meanwhile. */
    bool (*set_kicks)(IoQueue *queue, bool wanted);
} IoQueueOps;

/* A queue served by the thread; all ops are mandatory. */
struct IoQueue {
    const IoQueueOps *ops;
    /* private */
    IoWatch kick;
    bool awake; /* no kicks are asked for: the thread looks by itself */
    bool ready; /* serve is due */
};

/* Once something was done in this round of the loop and before it sleeps or polls: time to notify. Embed it. */
typedef struct IoIdle IoIdle;
struct IoIdle {
    void (*run)(IoIdle *idle);
    /* private */
    IoIdle *next;
    bool queued;
};

/* @name: of the thread, at most 15 bytes. NULL and an error that names the remedy where there is no io_uring. */
IoThread *io_thread_new(const char *name, GError **error);
/* Nothing may be attached any more. */
void io_thread_free(IoThread *thread);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IoThread, io_thread_free)

/* Runs @function on the thread, between two rounds of its loop, and waits for it. Any thread but itself. */
void io_thread_call(IoThread *thread, void (*function)(void *data), void *data);
/* The same without waiting. @data must live until it ran; calls run in order. Any thread. */
void io_thread_post(IoThread *thread, void (*function)(void *data), void *data);

/* A cleared submission whose completion calls @op->done; never NULL. Fill it in at once: the next call may submit it. */
struct io_uring_sqe *io_thread_sqe(IoThread *thread, IoOp *op);
/* Registers @fd; returns its index for IOSQE_FIXED_FILE, or a negative errno. */
int io_thread_add_file(IoThread *thread, int fd);
void io_thread_remove_file(IoThread *thread, int index);

/* Waits for completions and runs their callbacks, but serves no queue, until *@n is 0. */
void io_thread_drain(IoThread *thread, const unsigned *n);

/* @events: POLLIN, POLLOUT. What is there already is told of too. */
void io_thread_watch(IoThread *thread, IoWatch *watch, int fd, uint32_t events);
/* When it returns, ready is not called any more. Harmless on one that is not attached. */
void io_thread_unwatch(IoWatch *watch);

/* @kick_fd: readable when the driver kicked. Serves it once, whether kicked or not. */
void io_thread_attach(IoThread *thread, IoQueue *queue, int kick_fd);
void io_thread_detach(IoThread *thread, IoQueue *queue);
/* Serve @queue soon, as if kicked. */
void io_thread_wake(IoThread *thread, IoQueue *queue);

/* Runs @idle->run once, at the end of this round. */
void io_thread_when_idle(IoThread *thread, IoIdle *idle);
