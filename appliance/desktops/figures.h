/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a running desktop costs and does: its processes by /proc, the rest as its VMM counts it. Taken every two seconds while
 * somebody looks. Owner: the main thread.
 */
#pragma once

#include "appliance/desktops/desktop.h"

typedef struct Figures Figures;

/* NULL is fine for all of these. */
void figures_free(Figures *figures);
/* Takes them anew; desktops are told of changes later. */
void figures_take(Desktop *desktop);
/* Adds what is known: cpu d, memory t, and what GetLive has behind them. */
void figures_describe(const Figures *figures, GVariantDict *what);
/* What the VMM counted when it was asked last; false: that was not after @since, monotonic µs. */
bool figures_quality(const Figures *figures, int64_t since, DesktopQuality *quality);

/* Whoever waits for desktops_refresh() waits no more. */
void figures_give_up(Desktops *desktops);

/* Of a process and its children: µs of processor time, and bytes of memory that is in RAM. False: it is gone. */
bool figures_of_process(pid_t pid, uint64_t *cpu_us, uint64_t *memory);
