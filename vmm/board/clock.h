/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board's clock: what time it is for devices, and timers on it.
 *
 * Two readings, both in nanoseconds. clock_now() counts from the desktop's first start and never goes back; it runs on
 * while the desktop is paused and counts the time it lay saved, as its time stamp counter and kvmclock do, so a guest that
 * compares them finds them equal. clock_wall() is the host's UTC since 1970.
 *
 * Timers are one-shot and wake the loop only when one is due: a guest that arms nothing costs nothing. clock_now(),
 * clock_wall() and clock_timer_set(): any thread. The rest, and every timer's callback: the thread of the context.
 */
#pragma once

#include "vmm/board/device.h"

#include <glib.h>
#include <stdint.h>

#define CLOCK_NEVER INT64_MAX
#define CLOCK_SECOND INT64_C(1000000000)

typedef struct Clock Clock;
typedef struct ClockTimer ClockTimer;

/* @context NULL: the default main context. */
Clock *clock_new(GMainContext *context);
/* For tests: stands still at 0 and @wall until clock_advance(). */
Clock *clock_new_manual(int64_t wall);
void clock_free(Clock *clock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Clock, clock_free)

int64_t clock_now(Clock *clock);
int64_t clock_wall(Clock *clock);

/* A manual clock's time goes on by @ns, timers that come due firing one after the other at their own time. */
void clock_advance(Clock *clock, int64_t ns);
/* A manual clock's host is set to another time of day. */
void clock_set_wall(Clock *clock, int64_t wall);

/*
 * A timer, disarmed. @fire runs with no lock held and may find that it was set anew, or disarmed, a moment ago: it looks
 * at the clock, not at having been called. All timers are freed before the clock.
 */
ClockTimer *clock_timer_new(Clock *clock, void (*fire)(void *user), void *user);
void clock_timer_free(ClockTimer *timer);
/* @when: in clock_now()'s time, in the past for at once, CLOCK_NEVER to disarm. */
void clock_timer_set(ClockTimer *timer, int64_t when);

/* How the machine sees it: the first device of its table, so that those after it load with the time already right. */
extern const DeviceOps clock_device_ops;
