/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of the whole house: each is a number that commands change and that is never missing. Whoever shows them to people
 * takes the words from here; a reader says them of each (as title, about, unit, min, max, default).
 *
 * Constant table: any thread.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef struct {
    const char *id;    /* "pools.left-minutes" */
    const char *title; /* "Time to come back", above a field */
    const char *about; /* a sentence or two: what it does */
    const char *unit;  /* "minutes" */
    int64_t min, max;
    int64_t usual; /* what it is by default: the value of its row in a new store */
} StoreSetting;

/* In order of their ids: NULL behind the last. */
const StoreSetting *store_setting(unsigned i);
/* NULL: there is none. */
const StoreSetting *store_setting_find(const char *id);
