/* SPDX-License-Identifier: Apache-2.0 */
/* The RTC's registers as time: every form, there and back, and alarms. */
#include "vmm/board/rtc_time.h"

#include <glib.h>
#include <string.h>
#include <time.h>

/* 2028-02-29 23:59:58 UTC, a Tuesday. */
#define LEAP 1835481598

static void
test_forms(void)
{
    uint8_t ram[128] = {0};

    ram[RTC_B] = RTC_B_24_HOURS | RTC_B_BINARY;
    rtc_encode(ram, LEAP);
    g_assert_cmpuint(ram[RTC_SECONDS], ==, 58);
    g_assert_cmpuint(ram[RTC_MINUTES], ==, 59);
    g_assert_cmpuint(ram[RTC_HOURS], ==, 23);
    g_assert_cmpuint(ram[RTC_WEEKDAY], ==, 3);
    g_assert_cmpuint(ram[RTC_DAY], ==, 29);
    g_assert_cmpuint(ram[RTC_MONTH], ==, 2);
    g_assert_cmpuint(ram[RTC_YEAR], ==, 28);
    g_assert_cmpuint(ram[RTC_CENTURY], ==, 20);

    ram[RTC_B] = 0; /* decimal, 12 hours */
    rtc_encode(ram, LEAP);
    g_assert_cmphex(ram[RTC_SECONDS], ==, 0x58);
    g_assert_cmphex(ram[RTC_HOURS], ==, 0x91);
    g_assert_cmphex(ram[RTC_CENTURY], ==, 0x20);
    rtc_encode(ram, LEAP + 2);
    g_assert_cmphex(ram[RTC_HOURS], ==, 0x12); /* midnight */
    rtc_encode(ram, LEAP + 2 + 12 * 3600);
    g_assert_cmphex(ram[RTC_HOURS], ==, 0x92); /* noon */
}

static void
test_round_trips(void)
{
    static const uint8_t forms[] = {0, RTC_B_24_HOURS, RTC_B_BINARY, RTC_B_24_HOURS | RTC_B_BINARY};
    uint8_t ram[128] = {0};

    for (gsize i = 0; i < G_N_ELEMENTS(forms); i++) {
        ram[RTC_B] = forms[i];
        /* From 1970 to 2099 in steps that meet every hour, minute and second. */
        for (int64_t seconds = 0; seconds < INT64_C(4102444800); seconds += 86400 * 3 + 3661) {
            rtc_encode(ram, seconds);
            g_assert_cmpint(rtc_decode(ram), ==, seconds);
        }
    }
}

/* Against the C library, over four centuries and every day's weekday. */
static void
test_calendar(void)
{
    uint8_t ram[128] = {0};

    ram[RTC_B] = RTC_B_24_HOURS | RTC_B_BINARY;
    for (time_t seconds = -3 * 86400; seconds < INT64_C(13000000000); seconds += 86400) {
        struct tm parts;
        gmtime_r(&seconds, &parts);
        rtc_encode(ram, seconds);
        g_assert_cmpint(ram[RTC_CENTURY] * 100 + ram[RTC_YEAR], ==, 1900 + parts.tm_year);
        g_assert_cmpint(ram[RTC_MONTH], ==, parts.tm_mon + 1);
        g_assert_cmpint(ram[RTC_DAY], ==, parts.tm_mday);
        g_assert_cmpint(ram[RTC_WEEKDAY], ==, parts.tm_wday + 1);
        g_assert_cmpint(rtc_decode(ram), ==, seconds);
    }
    /* Fields that count on: day 0 of month 0 is the last of November. */
    rtc_encode(ram, LEAP);
    ram[RTC_MONTH] = 0;
    ram[RTC_DAY] = 0;
    struct tm last = {.tm_year = 127, .tm_mon = 10, .tm_mday = 30, .tm_hour = 23, .tm_min = 59, .tm_sec = 58};
    g_assert_cmpint(rtc_decode(ram), ==, timegm(&last));
}

static void
test_any_registers(void)
{
    uint8_t ram[128];

    /* What no clock shows is still some time, and not far away. */
    for (unsigned value = 0; value < 256; value++) {
        memset(ram, value, sizeof(ram));
        int64_t seconds = rtc_decode(ram);
        g_assert_cmpint(seconds, >, -(INT64_C(1) << 40));
        g_assert_cmpint(seconds, <, INT64_C(1) << 40);
    }
}

static void
test_alarms(void)
{
    uint8_t ram[128] = {0};
    int64_t midnight = 86400 * 20000;

    ram[RTC_B] = RTC_B_24_HOURS | RTC_B_BINARY;
    ram[RTC_HOURS_ALARM] = 12;
    ram[RTC_MINUTES_ALARM] = 34;
    ram[RTC_SECONDS_ALARM] = 56;
    int64_t due = midnight + 12 * 3600 + 34 * 60 + 56;
    g_assert_cmpint(rtc_next_alarm(ram, midnight), ==, due);
    g_assert_cmpint(rtc_next_alarm(ram, due - 1), ==, due);
    g_assert_cmpint(rtc_next_alarm(ram, due), ==, due + 86400);
    g_assert_cmpint(rtc_next_alarm(ram, due + 3600), ==, due + 86400);

    ram[RTC_HOURS_ALARM] = 0xc0; /* every hour */
    g_assert_cmpint(rtc_next_alarm(ram, due), ==, due + 3600);
    ram[RTC_MINUTES_ALARM] = 0xff; /* every minute */
    g_assert_cmpint(rtc_next_alarm(ram, due), ==, due + 60);
    ram[RTC_SECONDS_ALARM] = 0xc0; /* every second */
    g_assert_cmpint(rtc_next_alarm(ram, due), ==, due + 1);
    ram[RTC_SECONDS_ALARM] = 60; /* never */
    g_assert_cmpint(rtc_next_alarm(ram, due), ==, INT64_MAX);

    ram[RTC_B] = 0; /* 9 in the evening, decimal, 12 hours */
    ram[RTC_HOURS_ALARM] = 0x89;
    ram[RTC_MINUTES_ALARM] = 0x15;
    ram[RTC_SECONDS_ALARM] = 0x00;
    g_assert_cmpint(rtc_next_alarm(ram, midnight), ==, midnight + 21 * 3600 + 15 * 60);
    g_assert_cmpint(rtc_next_alarm(ram, -86400), ==, -86400 + 21 * 3600 + 15 * 60); /* before 1970 */
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rtc-time/forms", test_forms);
    g_test_add_func("/rtc-time/round-trips", test_round_trips);
    g_test_add_func("/rtc-time/calendar", test_calendar);
    g_test_add_func("/rtc-time/any", test_any_registers);
    g_test_add_func("/rtc-time/alarms", test_alarms);
    return g_test_run();
}
