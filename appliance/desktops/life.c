/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/life.h"

#define WAIT_FIRST G_USEC_PER_SEC
#define WAIT_MAX (300 * G_USEC_PER_SEC)

static const char *const words[LIFE_STATES] = {
    [LIFE_STOPPED] = "stopped", [LIFE_PREPARING] = "preparing", [LIFE_STARTING] = "starting",
    [LIFE_RUNNING] = "running", [LIFE_PAUSED] = "paused",       [LIFE_SUSPENDING] = "suspending",
    [LIFE_FAILED] = "failed",   [LIFE_SUSPENDED] = "suspended", [LIFE_STOPPING] = "stopping",
};

const char *
life_word(LifeState state)
{
    return words[state];
}

static LifeStep
end(const LifeFacts *facts)
{
    return facts->at_once ? LIFE_END : LIFE_SHUT_DOWN;
}

static LifeStep
next_of_running(const LifeFacts *facts)
{
    if (facts->wanted == WANTED_RUNNING)
        return LIFE_NOTHING;
    return facts->wanted == WANTED_SUSPENDED ? LIFE_SUSPEND : end(facts);
}

LifeStep
life_next(const LifeFacts *facts)
{
    Wanted wanted = facts->wanted;

    if (facts->held)
        return LIFE_NOTHING;
    switch (facts->state) {
    case LIFE_STOPPED:
        return wanted == WANTED_RUNNING ? LIFE_BRING_UP : LIFE_NOTHING;
    case LIFE_SUSPENDED:
        return wanted == WANTED_RUNNING ? LIFE_BRING_UP : wanted == WANTED_STOPPED ? LIFE_DISCARD : LIFE_NOTHING;
    case LIFE_FAILED:
        if (wanted == WANTED_RUNNING)
            return facts->retry ? LIFE_BRING_UP : LIFE_NOTHING;
        return LIFE_CLEAR;
    case LIFE_PREPARING:
        return wanted == WANTED_RUNNING ? LIFE_NOTHING : LIFE_GIVE_UP;
    case LIFE_STARTING:
        /* It cannot be asked anything yet; what would be suspended is, once it runs. */
        return wanted == WANTED_STOPPED ? LIFE_END : LIFE_NOTHING;
    case LIFE_RUNNING:
        return next_of_running(facts);
    case LIFE_PAUSED:
        /* No guest of a paused desktop can shut down. */
        return wanted == WANTED_STOPPED ? LIFE_END : next_of_running(facts);
    case LIFE_STOPPING:
        return wanted == WANTED_STOPPED && facts->at_once ? LIFE_END : LIFE_NOTHING;
    case LIFE_SUSPENDING:
    case LIFE_STATES:
        break;
    }
    return LIFE_NOTHING;
}

int64_t
life_wait(unsigned failures)
{
    int64_t wait = WAIT_FIRST;

    for (unsigned i = 1; i < failures && wait < WAIT_MAX; i++)
        wait *= 2;
    return MIN(wait, WAIT_MAX);
}
