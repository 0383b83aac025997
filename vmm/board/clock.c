/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board's clock: the host's, moved by an offset that makes it continue over save and restore.
 *
 * All timers share one GSource whose ready time is the earliest of them. A manual clock has no source: clock_advance()
 * does what the loop would.
 */
#include "vmm/board/clock.h"

#include <time.h>

/* Far enough from the end of the count, 146 years, for devices to add to it without a thought. */
#define CLOCK_LATEST (INT64_MAX / 2)

struct ClockTimer {
    Clock *clock;
    void (*fire)(void *user);
    void *user;
    int64_t when; /* under the clock's lock */
};

struct Clock {
    GMutex lock;
    GPtrArray *timers; /* ClockTimer *, not owned */
    GSource *source;   /* NULL: manual */
    int64_t offset;    /* clock_now() less the host's clock */
    int64_t manual_now, manual_wall;
    int64_t saved_now, saved_wall; /* saved state: both clocks at the same moment */
};

static int64_t
host_clock(clockid_t id)
{
    struct timespec time;
    clock_gettime(id, &time);
    return time.tv_sec * CLOCK_SECOND + time.tv_nsec;
}

static int64_t
host_now(Clock *clock)
{
    return clock->source ? host_clock(CLOCK_MONOTONIC) : clock->manual_now;
}

int64_t
clock_now(Clock *clock)
{
    return host_now(clock) + clock->offset;
}

int64_t
clock_wall(Clock *clock)
{
    return clock->source ? host_clock(CLOCK_REALTIME) : clock->manual_wall;
}

/* Under the lock: the timer that is due first, or NULL. */
static ClockTimer *
first_timer(Clock *clock)
{
    ClockTimer *first = NULL;
    for (guint i = 0; i < clock->timers->len; i++) {
        ClockTimer *timer = clock->timers->pdata[i];
        if (timer->when != CLOCK_NEVER && (!first || timer->when < first->when))
            first = timer;
    }
    return first;
}

/* Under the lock. */
static void
arm_source(Clock *clock)
{
    if (!clock->source)
        return;
    ClockTimer *first = first_timer(clock);
    if (!first) {
        g_source_set_ready_time(clock->source, -1);
        return;
    }
    /* GLib counts whole microseconds: round up, or the loop would wake too early and spin until it is time. */
    int64_t host = MAX(first->when - clock->offset, 0);
    g_source_set_ready_time(clock->source, host / 1000 + (host % 1000 != 0));
}

/* The first timer that is due, disarmed and ready to fire; NULL when none is left. */
static ClockTimer *
take_due(Clock *clock)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&clock->lock);
    ClockTimer *timer = first_timer(clock);
    if (!timer || timer->when > clock_now(clock))
        return NULL;
    timer->when = CLOCK_NEVER;
    return timer;
}

static void
fire_due(Clock *clock)
{
    ClockTimer *timer;
    while ((timer = take_due(clock)))
        timer->fire(timer->user);
}

typedef struct {
    GSource source;
    Clock *clock;
} ClockSource;

static gboolean
source_dispatch(GSource *source, GSourceFunc callback, gpointer user)
{
    Clock *clock = ((ClockSource *)source)->clock;

    fire_due(clock);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&clock->lock);
    arm_source(clock);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {.dispatch = source_dispatch};

Clock *
clock_new_manual(int64_t wall)
{
    Clock *clock = g_new0(Clock, 1);
    g_mutex_init(&clock->lock);
    clock->timers = g_ptr_array_new();
    clock->manual_wall = wall;
    return clock;
}

Clock *
clock_new(GMainContext *context)
{
    Clock *clock = clock_new_manual(0);
    clock->source = g_source_new(&source_funcs, sizeof(ClockSource));
    ((ClockSource *)clock->source)->clock = clock;
    g_source_set_static_name(clock->source, "clock");
    clock->offset = -host_now(clock);
    g_source_attach(clock->source, context);
    return clock;
}

void
clock_free(Clock *clock)
{
    if (!clock)
        return;
    g_assert(clock->timers->len == 0);
    if (clock->source) {
        g_source_destroy(clock->source);
        g_source_unref(clock->source);
    }
    g_ptr_array_unref(clock->timers);
    g_mutex_clear(&clock->lock);
    g_free(clock);
}

void
clock_advance(Clock *clock, int64_t ns)
{
    g_assert(!clock->source && ns >= 0);
    int64_t end = clock->manual_now + ns;

    for (;;) {
        g_mutex_lock(&clock->lock);
        ClockTimer *first = first_timer(clock);
        int64_t next = first ? first->when - clock->offset : CLOCK_NEVER;
        int64_t step = MAX(MIN(next, end) - clock->manual_now, 0);
        clock->manual_now += step;
        clock->manual_wall += step;
        g_mutex_unlock(&clock->lock);
        if (next > end)
            return;
        fire_due(clock);
    }
}

void
clock_set_wall(Clock *clock, int64_t wall)
{
    g_assert(!clock->source);
    clock->manual_wall = wall;
}

ClockTimer *
clock_timer_new(Clock *clock, void (*fire)(void *user), void *user)
{
    ClockTimer *timer = g_new(ClockTimer, 1);
    *timer = (ClockTimer){clock, fire, user, CLOCK_NEVER};
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&clock->lock);
    g_ptr_array_add(clock->timers, timer);
    return timer;
}

void
clock_timer_free(ClockTimer *timer)
{
    if (!timer)
        return;
    g_mutex_lock(&timer->clock->lock);
    g_ptr_array_remove_fast(timer->clock->timers, timer);
    arm_source(timer->clock);
    g_mutex_unlock(&timer->clock->lock);
    g_free(timer);
}

void
clock_timer_set(ClockTimer *timer, int64_t when)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&timer->clock->lock);
    if (timer->when == when)
        return;
    timer->when = when;
    arm_source(timer->clock);
}

static void
clock_before_save(void *object)
{
    Clock *clock = object;
    clock->saved_now = clock_now(clock);
    clock->saved_wall = clock_wall(clock);
}

static bool
clock_after_load(void *object, GError **error)
{
    Clock *clock = object;
    int64_t now;

    /* Where the host's time of day lies before that of the save, no time has passed: the clock cannot go back. */
    int64_t away = 0;
    if (__builtin_sub_overflow(clock_wall(clock), clock->saved_wall, &away))
        away = clock->saved_wall < 0 ? INT64_MAX : 0;
    if (clock->saved_now < 0 || __builtin_add_overflow(clock->saved_now, MAX(away, 0), &now) || now > CLOCK_LATEST) {
        g_set_error(error, STATE_ERROR, STATE_ERROR_MALFORMED, "state of clock: no such time");
        return false;
    }
    clock->offset = now - host_now(clock);
    return true;
}

static const StateField clock_fields[] = {
    STATE_UINT(Clock, saved_now, 1),
    STATE_UINT(Clock, saved_wall, 1),
    STATE_END,
};

static const StateTable clock_state = {
    .name = "clock",
    .version = 1,
    .oldest = 1,
    .fields = clock_fields,
    .before_save = clock_before_save,
    .after_load = clock_after_load,
};

static void
clock_device_free(void *device)
{
    clock_free(device);
}

const DeviceOps clock_device_ops = {.name = "clock", .state = &clock_state, .free = clock_device_free};
