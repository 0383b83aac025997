/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's own figures, from /proc.
 *
 * Owner: one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    unsigned cpus;
    char *cpu_model;
    double cpu;                   /* in use since the last look, 1: one processor; at the first look since the boot */
    uint64_t memory, memory_free; /* bytes; what could be had at once counts as free */
    bool kvm;                     /* there is a /dev/kvm that may be opened */
    uint64_t busy, idle;          /* of the last look, for the next */
} HostFigures;

/* Zero at first. */
void host_figures_look(HostFigures *figures);
void host_figures_finish(HostFigures *figures);

/* The daemon's own: bytes of memory, seconds of processors. */
bool host_figures_self(uint64_t *memory, double *seconds);
