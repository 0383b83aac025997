/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether there is memory for one more desktop. What a desktop may touch is promised to it as a whole: one that is started
 * must never take the memory of those that run. Pure functions.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* What a VMM takes beside its guest's memory, bytes: promised with it. */
#define ADMISSION_OVERHEAD (UINT64_C(48) << 20)

/* Of a host's memory, what desktops may have: less an eighth, at least 1 GiB and at most 8 GiB, or half of a small host's. */
uint64_t admission_for_desktops(uint64_t host_memory);
/* The host's memory, bytes. */
uint64_t admission_host_memory(void);

/*
 * @memory: the desktop's; @promised: to others; @all: there is; @percent: of that may be promised (100: no more than there is). An
 * error has the numbers.
 */
bool admission_check(uint64_t memory, uint64_t promised, uint64_t all, unsigned percent, GError **error);
