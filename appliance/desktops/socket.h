/* SPDX-License-Identifier: Apache-2.0 */
/* Unix sockets in a folder whose path may be longer than a socket's may. */
#pragma once

#include <glib.h>

/* Listens at @folder/@name, mode 0600; what is there already is replaced. Close-on-exec; -1 with an error. */
int socket_listen(const char *folder, const char *name, GError **error);
/*
 * Never waits: a full backlog is an error. Close-on-exec, non-blocking; -1 with an error. @as: what the other side is to know it
 * by: its own abstract name (unix(7)) is that, a hyphen, and what makes it one of its kind. NULL: it has none.
 */
int socket_connect(const char *folder, const char *name, const char *as, GError **error);
