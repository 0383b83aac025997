/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long things took: how many, all together, and how many of them no longer than a few fixed times, as Prometheus'
 * histograms have it. Such counters only grow, so whoever reads them twice knows what happened in between.
 *
 * Owner: whoever has one, under a lock of theirs where there are several.
 */
#pragma once

#include <stdint.h>

#define TIMING_BOUNDS 9

/* Microseconds, ascending: 2 ms to 1 s. */
extern const uint32_t timing_bounds_us[TIMING_BOUNDS];

typedef struct {
    uint64_t count;
    uint64_t total_us;
    uint64_t within[TIMING_BOUNDS]; /* those of no more than each bound; a higher bound's holds the lower ones' too */
} Timing;

/* One that took @us; below zero, from a clock that is not monotonic, is zero. */
void timing_add(Timing *timing, int64_t us);
/* Adds all of @other. */
void timing_merge(Timing *timing, const Timing *other);
