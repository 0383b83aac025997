/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread that runs one main context: the display thread, which carries out virtio-gpu's commands, and the USB thread.
 *
 * It sleeps in poll() until something is ready; with nothing to do it never wakes. Owner: the main thread, which frees it
 * before the devices that are served on its context.
 */
#pragma once

#include <glib.h>

typedef struct LoopThread LoopThread;

/*
 * Starts it. @name: at most 15 bytes. @prepare(@user) runs on it before anything else (its sandbox), and has returned when
 * this returns; NULL: nothing to prepare.
 */
LoopThread *loop_thread_new(const char *name, void (*prepare)(void *user), void *user);
/* Ends what is being served, then the thread, and waits for that. */
void loop_thread_free(LoopThread *thread);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LoopThread, loop_thread_free)

/* Owned by the thread; take a reference to keep it. */
GMainContext *loop_thread_context(const LoopThread *thread);
/*
 * Everything on the thread happens under this lock, which is free while it sleeps. Whoever holds it may do what is the thread's
 * to do, without waking it; but must not wait for it meanwhile.
 */
GMutex *loop_thread_lock(LoopThread *thread);
