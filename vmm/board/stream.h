/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's end of a byte stream the guest talks over: a file, the terminal carrel-vmm was started from, or a Unix socket
 * that serves one peer at a time.
 *
 * Out: stream_write() puts bytes into a bounded buffer and the loop writes them out, so that no vCPU waits for a disk or a
 * reader. In: the loop reads only what the user has room for. With nothing to do, nothing is polled but a peer's arrival
 * and input. A stream without a peer swallows what is written, as an unplugged cable does; so does one whose file or
 * terminal failed. The process ignores SIGPIPE.
 *
 * stream_write(), stream_full() and stream_resume_input(): any thread. The rest, and every callback: the context's thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STREAM_BUFFER_SIZE (64 * 1024)

typedef struct Stream Stream;

/* Whoever uses the stream. Called with no lock of the stream held. */
typedef struct {
    /* How many bytes of input the user takes now. 0: none is read until stream_resume_input(). Mandatory. */
    size_t (*room)(void *user);
    /* @len bytes arrived, at least 1 and no more than room() said. Mandatory. */
    void (*input)(void *user, const uint8_t *bytes, size_t len);
    /* The buffer, full before, has room again. May be NULL. */
    void (*drained)(void *user);
    /* A peer came or went. Files and terminals are always there and never call it. May be NULL. */
    void (*connected)(void *user, bool connected);
} StreamOps;

/*
 * Opens what @where names: "stdio", or "file:PATH" (made if missing, emptied, written only). A terminal on standard input
 * is set so that keys reach the guest unchanged, except that Ctrl-C, Ctrl-\ and Ctrl-Z keep their meaning; stream_free()
 * puts it back.
 * @foreground: what stream_in_foreground() said; a terminal that belongs to others is left as it is, and gives no keys.
 */
Stream *stream_open(const char *where, bool foreground, GMainContext *context, GError **error);
/*
 * Whether standard input is a terminal and its keys are for us. To be asked before a PID namespace is entered, where nobody
 * can tell: the processes around the terminal have no numbers there.
 */
bool stream_in_foreground(void);
/* Takes over two descriptors; either may be -1, both may be the same. They become non-blocking. */
Stream *stream_new_fds(int in, int out, GMainContext *context);
/* Takes over a listening Unix socket (listener.h). Its path is left for who made it to remove. */
Stream *stream_new_listener(int listener, GMainContext *context);
/* Writes out what can be written without waiting, then closes everything. */
void stream_free(Stream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Stream, stream_free)

/* Before anything is read; @ops NULL: input is left unread from here on, and no callback comes any more. */
void stream_set_user(Stream *stream, const StreamOps *ops, void *user);

/* Takes up to @len bytes and returns how many: fewer than @len only where the buffer is now full. */
size_t stream_write(Stream *stream, const void *bytes, size_t len);
bool stream_full(Stream *stream);
/* room() would say more than before. */
void stream_resume_input(Stream *stream);
/* Writes out what can be written without waiting. */
void stream_flush(Stream *stream);
