/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded queue of bytes from one thread to another, one direction of a redirection channel. Neither end waits: the writer
 * writes what fits, the reader reads what is there, and each is told when the other has to be woken. Each end is one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct Pipe Pipe;

Pipe *pipe_new(size_t capacity);
void pipe_free(Pipe *pipe);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pipe, pipe_free)

/* Forgets what is in it. While the other thread stays away. */
void pipe_clear(Pipe *pipe);

/* Returns how much fitted. *@wake: the reader has found it empty before, and is to be woken. */
size_t pipe_write(Pipe *pipe, const void *from, size_t len, bool *wake);
/* Returns how much there was, 0: nothing. *@wake: the writer has found it full before, and half of it is free now. */
size_t pipe_read(Pipe *pipe, void *to, size_t len, bool *wake);
