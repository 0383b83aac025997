/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a pool lacks and has too much of: a pure function of the pool and its desktops.
 *
 * There are always as many free desktops as the pool has spares, started, or where it has none, one that is not: who comes
 * takes one that is there. Nothing that somebody has sat at is given to somebody else: a disposable desktop is deleted when it is given
 * back, and another made.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    const char *id;
    const char *user; /* NULL: it is free */
    bool current; /* of a free one: as one would be that is made now, from the template that the pool has, as that is */
    bool wanted_running;
    bool over; /* of a disposable one: whoever has it has left it */
} PoolDesktop;

typedef struct {
    bool disposable;
    unsigned size, spares;
    const PoolDesktop *desktops; /* in the order in which the store gives them out */
    unsigned n_desktops;
} PoolFacts;

typedef enum {
    POOL_START,     /* .desktop */
    POOL_STOP,      /* .desktop */
    POOL_DELETE,    /* .desktop, which nobody has */
    POOL_TAKE_BACK, /* .desktop: from its user, and delete it, so that nothing comes between the two */
    POOL_MAKE,
} PoolStepKind;

typedef struct {
    PoolStepKind kind;
    const char *desktop; /* NULL: of POOL_MAKE */
} PoolStep;

/* PoolStep, in the order in which they are to be done. */
GArray *pool_plan(const PoolFacts *facts);

/* "Class 7": the first of a pool's names that is not in the set of @taken. Free it. */
char *pool_plan_name(const char *pool, GHashTable *taken);
