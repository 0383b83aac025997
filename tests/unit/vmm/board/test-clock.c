/* SPDX-License-Identifier: Apache-2.0 */
/* The clock: timers in order and on time, no wake-up without one, and time that is right after a restore. */
#include "vmm/board/clock.h"

#include <string.h>

typedef struct {
    Clock *clock;
    ClockTimer *timer;
    int64_t every; /* re-arms itself this much later; 0: not */
    int64_t fired_at;
    unsigned count;
} Alarm;

static void
alarm_fire(void *user)
{
    Alarm *alarm = user;
    alarm->fired_at = clock_now(alarm->clock);
    alarm->count++;
    if (alarm->every)
        clock_timer_set(alarm->timer, alarm->fired_at + alarm->every);
}

static void
alarm_init(Alarm *alarm, Clock *clock)
{
    *alarm = (Alarm){.clock = clock};
    alarm->timer = clock_timer_new(clock, alarm_fire, alarm);
}

static void
test_manual(void)
{
    g_autoptr(Clock) clock = clock_new_manual(1000);
    Alarm one, two;
    alarm_init(&one, clock);
    alarm_init(&two, clock);

    clock_timer_set(one.timer, 50);
    two.every = 20;
    clock_timer_set(two.timer, 20);
    clock_advance(clock, 49);
    g_assert_cmpuint(one.count, ==, 0);
    g_assert_cmpuint(two.count, ==, 2);
    g_assert_cmpint(two.fired_at, ==, 40);
    clock_advance(clock, 51);
    g_assert_cmpuint(one.count, ==, 1);
    g_assert_cmpint(one.fired_at, ==, 50);
    g_assert_cmpint(two.fired_at, ==, 100);
    g_assert_cmpint(clock_now(clock), ==, 100);
    g_assert_cmpint(clock_wall(clock), ==, 1100);

    clock_timer_set(two.timer, CLOCK_NEVER);
    clock_timer_set(one.timer, 3); /* in the past: at once */
    clock_advance(clock, 0);
    g_assert_cmpuint(one.count, ==, 2);
    g_assert_cmpuint(two.count, ==, 5);
    clock_timer_free(one.timer);
    clock_timer_free(two.timer);
}

/* What the loop would wait for: milliseconds, or -1 for ever. */
static int
loop_timeout(GMainContext *context)
{
    int priority, timeout;
    GPollFD fds[4];

    g_assert_true(g_main_context_acquire(context));
    g_main_context_prepare(context, &priority);
    g_main_context_query(context, priority, &timeout, fds, G_N_ELEMENTS(fds));
    g_main_context_release(context);
    return timeout;
}

static void
test_loop(void)
{
    g_autoptr(GMainContext) context = g_main_context_new();
    g_autoptr(Clock) clock = clock_new(context);
    Alarm alarm;
    alarm_init(&alarm, clock);

    g_assert_cmpint(loop_timeout(context), ==, -1);
    int64_t due = clock_now(clock) + 2 * 1000 * 1000;
    clock_timer_set(alarm.timer, due);
    g_assert_cmpint(loop_timeout(context), !=, -1);
    while (!alarm.count)
        g_main_context_iteration(context, TRUE);
    g_assert_cmpint(alarm.fired_at, >=, due);
    g_assert_cmpint(loop_timeout(context), ==, -1);
    clock_timer_free(alarm.timer);
}

static bool
restore(const GByteArray *bytes, Clock *clock, GError **error)
{
    return state_load(clock_device_ops.state, clock, 1, bytes->data, bytes->len, error);
}

static void
test_restore_counts_the_time_away(void)
{
    g_autoptr(Clock) saved = clock_new_manual(5000);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    clock_advance(saved, 700);
    state_save(clock_device_ops.state, saved, bytes);

    g_autoptr(Clock) later = clock_new_manual(5700 + 60);
    clock_advance(later, 5); /* the new process lived for a while before it loaded */
    g_assert_true(restore(bytes, later, NULL));
    g_assert_cmpint(clock_now(later), ==, 700 + 65);
    clock_advance(later, 10);
    g_assert_cmpint(clock_now(later), ==, 700 + 75);

    g_autoptr(Clock) earlier = clock_new_manual(100); /* a host whose time of day is behind */
    g_assert_true(restore(bytes, earlier, NULL));
    g_assert_cmpint(clock_now(earlier), ==, 700);
}

static void
test_refuses_absurd_time(void)
{
    static const int64_t absurd[][2] = {{-1, 0}, {INT64_MAX, 0}, {0, INT64_MIN}, {INT64_MAX / 2, -2}};
    g_autoptr(Clock) clock = clock_new_manual(1);

    for (gsize i = 0; i < G_N_ELEMENTS(absurd); i++) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        g_autoptr(GError) error = NULL;
        uint64_t little[2] = {GINT64_TO_LE(absurd[i][0]), GINT64_TO_LE(absurd[i][1])};
        g_byte_array_append(bytes, (uint8_t *)little, sizeof(little));
        g_assert_false(restore(bytes, clock, &error));
        g_assert_error(error, STATE_ERROR, STATE_ERROR_MALFORMED);
        g_assert_cmpint(clock_now(clock), ==, 0);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/clock/manual", test_manual);
    g_test_add_func("/clock/loop", test_loop);
    g_test_add_func("/clock/restore", test_restore_counts_the_time_away);
    g_test_add_func("/clock/absurd", test_refuses_absurd_time);
    return g_test_run();
}
