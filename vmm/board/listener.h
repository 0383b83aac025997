/* SPDX-License-Identifier: Apache-2.0 */
/* Unix sockets made for peers on the host: control, serial port, console ports, SPICE. Any thread, before the sandbox. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * Makes a listening, close-on-exec stream socket at @path, mode 0600 from its first instant. One that somebody listens on is
 * an error; one left behind by a process that is gone is replaced; any other kind of file is an error. -1 with an error.
 */
int listener_new(const char *path, GError **error);
/* Whether @fd is a stream socket that is of use: one that listens, or is connected. */
bool listener_check(int fd, bool *listening);
