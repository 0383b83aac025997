/* SPDX-License-Identifier: Apache-2.0 */
/* Another program, run to its end on the thread that calls; it gets no input, and no descriptors but those given. */
#pragma once

#include "appliance/storage/work.h"

/* What it says on its standard output, as it comes; lines end at LF or CR. false with an error ends it. */
typedef bool (*ProgramLine)(const char *line, gpointer user, GError **error);

typedef struct {
    const char *const *words;       /* NULL-terminated; the first is a path, or is found in PATH */
    const char *const *environment; /* NULL-terminated pairs of name and value, besides our own; NULL: none */
    const int *fds;                 /* what it has as 3, 4, …; they stay ours */
    unsigned n_fds;
    ProgramLine line; /* NULL: *output is wanted, or nothing */
    gpointer user;
    char **output; /* NULL: not wanted */
    int also_fine; /* an exit status that is a success too; 0: none but 0 */
} Program;

/*
 * Waits for its end. FAILED with the end of what it said on its standard error, if it exits with anything else than it may; when the
 * work is cancelled it is killed.
 */
bool program_run(const Program *program, const Work *work, GError **error);
