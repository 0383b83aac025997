/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to be done next with a desktop: a pure function of how it is and what is wanted of it.
 */
#pragma once

#include "appliance/desktops/spec.h"

typedef enum {
    LIFE_STOPPED,
    LIFE_PREPARING, /* disks and cards are made ready */
    LIFE_STARTING,  /* there is a process; its guest does not run yet */
    LIFE_RUNNING,
    LIFE_PAUSED, /* by its storage, or by somebody at its control socket */
    LIFE_SUSPENDING,
    LIFE_SUSPENDED, /* in a file */
    LIFE_STOPPING,
    LIFE_FAILED, /* stopped, and not as it was wanted */
    LIFE_STATES,
} LifeState;

/* As GetLive of org.carrel.Host1 has it. */
const char *life_word(LifeState state);

typedef enum {
    LIFE_NOTHING,
    LIFE_BRING_UP,  /* from its disks, or from the file where it is suspended */
    LIFE_GIVE_UP,   /* leave off preparing */
    LIFE_SHUT_DOWN, /* ask the guest */
    LIFE_END,       /* at once */
    LIFE_SUSPEND,
    LIFE_DISCARD, /* a suspended desktop becomes a stopped one */
    LIFE_CLEAR,   /* a failure becomes a stopped desktop */
} LifeStep;

typedef struct {
    LifeState state;
    Wanted wanted;
    bool at_once; /* of a stop: do not ask the guest */
    bool held;    /* something is done with it that is not to be disturbed: a snapshot, a copy */
    bool retry;   /* of a failure: its wait is over */
} LifeFacts;

LifeStep life_next(const LifeFacts *facts);

/* How long to wait after so many failures in a row, µs. */
int64_t life_wait(unsigned failures);
