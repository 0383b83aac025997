/* SPDX-License-Identifier: Apache-2.0 */
/* `carrel-vmm ctl`: the control interface for people and tests. */
#pragma once

#include <stdio.h>

/* @argv[0] is the socket, then the verb and its arguments. Prints to standard output and error; returns the exit status. */
int control_ctl(int argc, char **argv);
/* The verbs, a line each, for --help. */
void control_ctl_print_verbs(FILE *to);
