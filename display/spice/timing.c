/* SPDX-License-Identifier: Apache-2.0 */
#include "display/spice/timing.h"

#include <glib.h>

const uint32_t timing_bounds_us[TIMING_BOUNDS] = {2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000, 1000000};

void
timing_add(Timing *timing, int64_t us)
{
    uint64_t took = (uint64_t)MAX(us, 0);

    timing->count++;
    timing->total_us += took;
    for (unsigned i = 0; i < TIMING_BOUNDS; i++)
        timing->within[i] += took <= timing_bounds_us[i];
}

void
timing_merge(Timing *timing, const Timing *other)
{
    timing->count += other->count;
    timing->total_us += other->total_us;
    for (unsigned i = 0; i < TIMING_BOUNDS; i++)
        timing->within[i] += other->within[i];
}
