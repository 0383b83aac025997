/* SPDX-License-Identifier: Apache-2.0 */
/* `carrel-vmm ctl`: the control interface for people and tests. */
#pragma once

#include <glib.h>
#include <stdio.h>

/* The host's USB devices, which are seen and opened here, with the rights of whoever calls. */
typedef struct {
    GPtrArray *(*list)(void); /* of char *, a line each */
    /* @which: as a person says it. The open node, and its *@name for people (free it); -1 with an error. */
    int (*open)(const char *which, char **name, GError **error);
} CtlHostUsb;

/* @argv[0] is the socket, then the verb and its arguments. Prints to standard output and error; returns the exit status. */
int control_ctl(int argc, char **argv, const CtlHostUsb *host_usb);
/* The verbs, a line each, for --help. */
void control_ctl_print_verbs(FILE *to);
