/* SPDX-License-Identifier: Apache-2.0 */
/* The MC146818: time that follows the host, setting it as drivers do, the three interrupts, save and load. */
#include "vmm/board/rtc.h"

#include "tests/unit/vmm/board/fake_irq.h"
#include "vmm/board/memory_map.h"
#include "vmm/board/rtc_time.h"

#define SECOND CLOCK_SECOND
#define MILLISECOND (CLOCK_SECOND / 1000)
/* 2026-11-21 09:00:00 UTC, and a quarter of a second. */
#define START 1795251600
#define START_NS (START * SECOND + SECOND / 4)

#define B_SET 0x80
#define B_PERIODIC 0x40
#define B_ALARM 0x20
#define B_UPDATE 0x10

typedef struct {
    Clock *clock;
    FakeIrq irq;
    Rtc *rtc;
} Fixture;

static void
fixture_init_at(Fixture *fixture, int64_t wall)
{
    *fixture = (Fixture){.clock = clock_new_manual(wall)};
    fake_irq_init(&fixture->irq);
    fixture->rtc = rtc_new(fixture->clock, &fixture->irq.controller, 0);
    rtc_device_ops.resume(fixture->rtc);
}

static void
fixture_init(Fixture *fixture)
{
    fixture_init_at(fixture, START_NS);
}

/* No periodic flag among the others. */
static void
fixture_init_quiet(Fixture *fixture)
{
    fixture_init(fixture);
    rtc_bus_ops.write(fixture->rtc, 0, 2, RTC_A | 0x20 << 8);
}

static void
fixture_finish(Fixture *fixture)
{
    rtc_device_ops.free(fixture->rtc);
    clock_free(fixture->clock);
}

static uint8_t
in(Fixture *fixture, uint8_t index)
{
    rtc_bus_ops.write(fixture->rtc, 0, 1, index);
    return rtc_bus_ops.read(fixture->rtc, 1, 1);
}

static void
out(Fixture *fixture, uint8_t index, uint8_t value)
{
    rtc_bus_ops.write(fixture->rtc, 0, 2, index | value << 8); /* index and data in one */
}

static int64_t
time_now(Fixture *fixture)
{
    uint8_t ram[RTC_RAM_SIZE];
    for (unsigned i = 0; i < sizeof(ram); i++)
        if (i != RTC_C)
            ram[i] = in(fixture, i);
    return rtc_decode(ram);
}

static bool
line(const Fixture *fixture)
{
    return fixture->irq.level[BOARD_GSI_RTC];
}

static unsigned
rises(const Fixture *fixture)
{
    return fixture->irq.rises[BOARD_GSI_RTC];
}

static void
test_time(void)
{
    Fixture f;
    fixture_init(&f);
    g_assert_cmpint(time_now(&f), ==, START);
    g_assert_cmphex(in(&f, RTC_B), ==, 0x02);
    g_assert_cmphex(in(&f, RTC_D), ==, 0x80);
    g_assert_cmphex(in(&f, RTC_SECONDS), ==, 0x00);
    g_assert_cmphex(in(&f, RTC_HOURS), ==, 0x09);
    g_assert_cmphex(in(&f, RTC_YEAR), ==, 0x26);
    g_assert_cmphex(in(&f, RTC_CENTURY), ==, 0x20);
    clock_advance(f.clock, 3 * SECOND / 4);
    g_assert_cmpint(time_now(&f), ==, START + 1);
    clock_set_wall(f.clock, (START + 1000) * SECOND); /* the host's time was set right */
    g_assert_cmpint(time_now(&f), ==, START + 1000);
    rtc_device_ops.reset(f.rtc);
    g_assert_cmpint(time_now(&f), ==, START + 1000);
    fixture_finish(&f);
}

static void
test_update_in_progress(void)
{
    Fixture f;
    fixture_init(&f);
    clock_advance(f.clock, 749 * MILLISECOND);
    g_assert_cmphex(in(&f, RTC_A), ==, 0x26);
    clock_advance(f.clock, MILLISECOND - 244000);
    g_assert_cmphex(in(&f, RTC_A), ==, 0xa6);
    clock_advance(f.clock, 243999);
    g_assert_cmphex(in(&f, RTC_A), ==, 0xa6);
    clock_advance(f.clock, 1);
    g_assert_cmphex(in(&f, RTC_A), ==, 0x26);
    g_assert_cmpint(time_now(&f), ==, START + 1);
    fixture_finish(&f);
}

static void
set_fields(Fixture *f)
{
    out(f, RTC_HOURS, 0x12);
    out(f, RTC_MINUTES, 0x34);
    out(f, RTC_SECONDS, 0x00);
    out(f, RTC_DAY, 0x29);
    out(f, RTC_MONTH, 0x02);
    out(f, RTC_YEAR, 0x28);
}
#define SET_TIME 1835440440 /* 2028-02-29 12:34:00 */

static void
test_set(void)
{
    Fixture f;
    fixture_init(&f);
    out(&f, RTC_B, B_SET | B_UPDATE | 0x02);
    g_assert_cmphex(in(&f, RTC_B), ==, B_SET | 0x02); /* no update interrupts while set */
    set_fields(&f);
    clock_advance(f.clock, 10 * SECOND);
    g_assert_cmpint(time_now(&f), ==, SET_TIME); /* stopped */
    out(&f, RTC_B, 0x02);
    g_assert_cmpint(time_now(&f), ==, SET_TIME);
    clock_advance(f.clock, 749 * MILLISECOND); /* the second's phase is as before */
    g_assert_cmpint(time_now(&f), ==, SET_TIME);
    clock_advance(f.clock, MILLISECOND);
    g_assert_cmpint(time_now(&f), ==, SET_TIME + 1);
    fixture_finish(&f);
}

/* As Linux does it: the divider is held, and the first second after it is half one. */
static void
test_set_with_divider(void)
{
    Fixture f;
    fixture_init(&f);
    out(&f, RTC_B, B_SET | 0x02);
    out(&f, RTC_A, 0x76);
    set_fields(&f);
    out(&f, RTC_B, 0x02);
    clock_advance(f.clock, 3 * SECOND);
    g_assert_cmpint(time_now(&f), ==, SET_TIME);
    out(&f, RTC_A, 0x26);
    clock_advance(f.clock, SECOND / 2 - 1);
    g_assert_cmpint(time_now(&f), ==, SET_TIME);
    clock_advance(f.clock, 1);
    g_assert_cmpint(time_now(&f), ==, SET_TIME + 1);
    fixture_finish(&f);
}

static void
test_set_while_running(void)
{
    Fixture f;
    fixture_init(&f);
    out(&f, RTC_HOURS, 0x17);
    g_assert_cmpint(time_now(&f), ==, START + 8 * 3600);
    out(&f, RTC_B, 0x06); /* binary from now on */
    g_assert_cmphex(in(&f, RTC_HOURS), ==, 17);
    g_assert_cmpint(time_now(&f), ==, START + 8 * 3600);
    fixture_finish(&f);
}

static void
test_memory(void)
{
    Fixture f;
    fixture_init(&f);
    for (unsigned i = 0x0e; i < RTC_RAM_SIZE; i++)
        if (i != RTC_CENTURY)
            out(&f, i, i ^ 0x5a);
    rtc_device_ops.reset(f.rtc);
    for (unsigned i = 0x0e; i < RTC_RAM_SIZE; i++)
        if (i != RTC_CENTURY)
            g_assert_cmphex(in(&f, i), ==, i ^ 0x5a);
    g_assert_cmphex(in(&f, 0x80 | 0x40), ==, 0x40 ^ 0x5a); /* the NMI bit is no part of the index */
    g_assert_cmphex(rtc_bus_ops.read(f.rtc, 0, 1), ==, 0xff);
    out(&f, RTC_D, 0); /* read only */
    g_assert_cmphex(in(&f, RTC_D), ==, 0x80);
    fixture_finish(&f);
}

static void
test_update_interrupt(void)
{
    Fixture f;
    fixture_init_quiet(&f);
    clock_advance(f.clock, 5 * SECOND);
    g_assert_cmphex(in(&f, RTC_C), ==, 0x10); /* without being enabled, a flag only */
    g_assert_cmphex(in(&f, RTC_C), ==, 0x00);
    g_assert_cmpuint(rises(&f), ==, 0);

    out(&f, RTC_B, 0x02 | B_UPDATE);
    clock_advance(f.clock, 749 * MILLISECOND);
    g_assert_false(line(&f));
    clock_advance(f.clock, MILLISECOND);
    g_assert_true(line(&f));
    clock_advance(f.clock, 10 * SECOND); /* not read: it stays */
    g_assert_cmpuint(rises(&f), ==, 1);
    g_assert_cmphex(in(&f, RTC_C), ==, 0x90);
    g_assert_false(line(&f));
    clock_advance(f.clock, 999 * MILLISECOND);
    g_assert_false(line(&f));
    clock_advance(f.clock, MILLISECOND);
    g_assert_cmpuint(rises(&f), ==, 2);
    rtc_device_ops.reset(f.rtc);
    g_assert_false(line(&f));
    clock_advance(f.clock, 3 * SECOND);
    g_assert_cmpuint(rises(&f), ==, 2);
    fixture_finish(&f);
}

static void
test_alarm_interrupt(void)
{
    Fixture f;
    fixture_init_quiet(&f);
    out(&f, RTC_HOURS_ALARM, 0xc0);
    out(&f, RTC_MINUTES_ALARM, 0x05);
    out(&f, RTC_SECONDS_ALARM, 0x10);
    out(&f, RTC_B, 0x02 | B_ALARM);
    clock_advance(f.clock, 309 * SECOND + 749 * MILLISECOND);
    g_assert_false(line(&f));
    clock_advance(f.clock, MILLISECOND);
    g_assert_true(line(&f));
    g_assert_cmphex(in(&f, RTC_C), ==, 0xb0);
    clock_advance(f.clock, 3599 * SECOND);
    g_assert_false(line(&f));
    clock_advance(f.clock, SECOND);
    g_assert_true(line(&f));
    /* Changed to a minute that has passed: next hour's. */
    in(&f, RTC_C);
    out(&f, RTC_MINUTES_ALARM, 0x04);
    clock_advance(f.clock, 3539 * SECOND);
    g_assert_false(line(&f));
    clock_advance(f.clock, SECOND);
    g_assert_true(line(&f));
    fixture_finish(&f);
}

static void
test_periodic_interrupt(void)
{
    Fixture f;
    unsigned before;

    fixture_init(&f);
    out(&f, RTC_B, 0x02 | B_PERIODIC);
    for (unsigned i = 0; i < 1024; i++) { /* the power-on rate: 1024 Hz */
        clock_advance(f.clock, 976563);
        g_assert_true(line(&f));
        g_assert_cmphex(in(&f, RTC_C) & 0xc0, ==, 0xc0);
    }
    before = rises(&f);
    g_assert_cmpuint(before, ==, 1024);
    out(&f, RTC_A, 0x2f); /* 2 Hz */
    clock_advance(f.clock, SECOND);
    g_assert_cmpuint(rises(&f), ==, before + 1); /* the second tick finds the first unread */
    out(&f, RTC_A, 0x20);                        /* off */
    in(&f, RTC_C);
    clock_advance(f.clock, 10 * SECOND);
    g_assert_false(line(&f));
    fixture_finish(&f);
}

static void
test_save_and_load(void)
{
    Fixture from, to;
    fixture_init_quiet(&from);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;

    set_fields(&from); /* by years off the host's */
    out(&from, 0x7e, 0xa5);
    out(&from, RTC_B, 0x02 | B_ALARM);
    out(&from, RTC_HOURS_ALARM, 0x23);
    rtc_bus_ops.write(from.rtc, 0, 1, 0x7e);
    int64_t away = time_now(&from) - START;
    rtc_device_ops.quiesce(from.rtc);
    state_save(rtc_device_ops.state, from.rtc, bytes);

    /* Ten minutes later, in another process: the time is right, as it would be without the save. */
    fixture_init_at(&to, START_NS + 600 * SECOND);
    g_assert_true(state_load(rtc_device_ops.state, to.rtc, 1, bytes->data, bytes->len, &error));
    g_assert_no_error(error);
    rtc_device_ops.resume(to.rtc);
    g_assert_cmpint(time_now(&to), ==, START + away + 600);
    g_assert_cmphex(in(&to, 0x7e), ==, 0xa5);
    g_assert_cmphex(in(&to, RTC_B), ==, 0x02 | B_ALARM);
    g_assert_cmphex(in(&to, RTC_HOURS_ALARM), ==, 0x23);
    g_assert_cmphex(in(&to, RTC_C), ==, 0x10); /* updates happened meanwhile */
    fixture_finish(&to);
    fixture_finish(&from);
}

/* An alarm that was due while the desktop lay saved rings at once. */
static void
test_alarm_while_saved(void)
{
    Fixture from, to;
    fixture_init(&from);
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    out(&from, RTC_HOURS_ALARM, 0x09);
    out(&from, RTC_MINUTES_ALARM, 0x01);
    out(&from, RTC_SECONDS_ALARM, 0x00);
    out(&from, RTC_B, 0x02 | B_ALARM);
    rtc_device_ops.quiesce(from.rtc);
    clock_advance(from.clock, 70 * SECOND);
    g_assert_false(line(&from));
    state_save(rtc_device_ops.state, from.rtc, bytes);
    fixture_init_at(&to, START_NS + 100 * SECOND);
    g_assert_true(state_load(rtc_device_ops.state, to.rtc, 1, bytes->data, bytes->len, NULL));
    g_assert_false(line(&to));
    rtc_device_ops.resume(to.rtc);
    g_assert_true(line(&to));
    fixture_finish(&to);
    fixture_finish(&from);
}

static void
test_refuses_absurd_state(void)
{
    Fixture f;
    fixture_init(&f);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    state_save(rtc_device_ops.state, f.rtc, bytes);

    for (size_t at = 1 + RTC_RAM_SIZE; at < 1 + RTC_RAM_SIZE + 24; at += 8) { /* offset and last second */
        g_autoptr(GError) error = NULL;
        g_autofree uint8_t *spoilt = g_memdup2(bytes->data, bytes->len);
        spoilt[at + 7] = 0x7f;
        g_assert_false(state_load(rtc_device_ops.state, f.rtc, 1, spoilt, bytes->len, &error));
        g_assert_error(error, STATE_ERROR, STATE_ERROR_MALFORMED);
    }
    fixture_finish(&f);
}

/* A guest that keeps local time finds it, and its own setting stands above that. */
static void
test_local_time(void)
{
    Fixture fixture = {.clock = clock_new_manual(START_NS)};
    fake_irq_init(&fixture.irq);
    fixture.rtc = rtc_new(fixture.clock, &fixture.irq.controller, -19800);
    g_assert_cmpint(time_now(&fixture), ==, START - 19800);
    clock_advance(fixture.clock, SECOND);
    g_assert_cmpint(time_now(&fixture), ==, START - 19800 + 1);
    rtc_device_ops.reset(fixture.rtc);
    g_assert_cmpint(time_now(&fixture), ==, START - 19800 + 1);
    fixture_finish(&fixture);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rtc/time", test_time);
    g_test_add_func("/rtc/update-in-progress", test_update_in_progress);
    g_test_add_func("/rtc/set", test_set);
    g_test_add_func("/rtc/set-with-divider", test_set_with_divider);
    g_test_add_func("/rtc/set-while-running", test_set_while_running);
    g_test_add_func("/rtc/memory", test_memory);
    g_test_add_func("/rtc/update-interrupt", test_update_interrupt);
    g_test_add_func("/rtc/alarm-interrupt", test_alarm_interrupt);
    g_test_add_func("/rtc/periodic-interrupt", test_periodic_interrupt);
    g_test_add_func("/rtc/save-and-load", test_save_and_load);
    g_test_add_func("/rtc/alarm-while-saved", test_alarm_while_saved);
    g_test_add_func("/rtc/absurd", test_refuses_absurd_state);
    g_test_add_func("/rtc/local-time", test_local_time);
    return g_test_run();
}
