/* SPDX-License-Identifier: Apache-2.0 */
/* Unix sockets in a folder whose path may be longer than a socket's may. */
#pragma once

#include <glib.h>

/* Listens at @folder/@name, mode 0600; what is there already is replaced. Close-on-exec; -1 with an error. */
int socket_listen(const char *folder, const char *name, GError **error);
/* Never waits: a full backlog is an error. Close-on-exec, non-blocking; -1 with an error. */
int socket_connect(const char *folder, const char *name, GError **error);
