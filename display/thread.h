/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The display thread: runs one main context, on which virtio-gpu's commands are carried out and the Screen is drawn.
 *
 * It sleeps in poll() until the guest kicks a queue; with nothing to do it never wakes. Owner: the main thread, which
 * frees it before the devices that are served on its context.
 */
#pragma once

#include <glib.h>

typedef struct DisplayThread DisplayThread;

/*
 * Starts it. @prepare(@user) runs on it before anything else (its sandbox), and has returned when this returns; NULL:
 * nothing to prepare.
 */
DisplayThread *display_thread_new(void (*prepare)(void *user), void *user);
/* Ends what is being served, then the thread, and waits for that. */
void display_thread_free(DisplayThread *thread);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DisplayThread, display_thread_free)

/* Owned by the thread; take a reference to keep it. */
GMainContext *display_thread_context(const DisplayThread *thread);
