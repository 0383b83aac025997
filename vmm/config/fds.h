/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors inherited from whoever started us, by name: systemd's protocol (sd_listen_fds(3)): LISTEN_PID,
 * LISTEN_FDS and LISTEN_FDNAMES. Taken once at start, before any thread; all become close-on-exec.
 */
#pragma once

#include <glib.h>

typedef struct InheritedFds InheritedFds;

/* Takes what the environment offers (nothing is fine) and removes the variables. NULL and an error where they are malformed. */
InheritedFds *inherited_fds_new(GError **error);
/*
 * Before anything is opened: closes all descriptors but the standard three and those offered, so that a desktop has what was
 * meant for it and nothing else, and puts /dev/null where one of the three is closed, lest a disk become standard error.
 */
void inherited_fds_close_others(const InheritedFds *fds);
/* Closes those nobody took. */
void inherited_fds_free(InheritedFds *fds);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(InheritedFds, inherited_fds_free)

/* Hands the next descriptor of that name over to the caller, or -1. */
int inherited_fds_take(InheritedFds *fds, const char *name);
/* The same, with an error that names what was offered. */
int inherited_fds_require(InheritedFds *fds, const char *name, GError **error);
/* A name that was offered and nobody took, or NULL: a mistake of the caller worth telling. */
const char *inherited_fds_left(const InheritedFds *fds);
