/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How good sessions at a desktop are, as its VMM counts it (GetStatistics of org.carrel.Vmm1). Functions without side effects.
 *
 * A VMM is not trusted: whatever names and numbers it tells become no more than the numbers here.
 */
#pragma once

#include "appliance/desktops/desktops.h"

/* From the VMM's counters, a{st}. What they do not have is 0. */
void quality_read(DesktopQuality *quality, GVariant *counters);
/* What came between two readings; where a number has become smaller, it began anew in between. Bounds are those of @after. */
void quality_between(const DesktopQuality *before, const DesktopQuality *after, DesktopQuality *between);
/* How long it took in the mean, µs; false: nothing was counted. */
bool quality_mean(const DesktopTiming *timing, uint64_t *us);
