/* SPDX-License-Identifier: Apache-2.0 */
/* The RTC's registers as time. MC146818 data sheet: "Time, Calendar, and Alarm Locations". */
#include "vmm/board/rtc_time.h"

#include <time.h>

#define HOURS_PM 0x80
#define ALARM_ANY 0xc0 /* both top bits: any value matches */
#define DAY_SECONDS 86400

bool
rtc_is_time(uint8_t index)
{
    switch (index) {
    case RTC_SECONDS:
    case RTC_MINUTES:
    case RTC_HOURS:
    case RTC_WEEKDAY:
    case RTC_DAY:
    case RTC_MONTH:
    case RTC_YEAR:
    case RTC_CENTURY:
        return true;
    default:
        return false;
    }
}

static uint8_t
code(const uint8_t *ram, unsigned value)
{
    return ram[RTC_B] & RTC_B_BINARY ? value : (value / 10 % 10) << 4 | value % 10;
}

static unsigned
number(const uint8_t *ram, uint8_t coded)
{
    return ram[RTC_B] & RTC_B_BINARY ? coded : (coded >> 4) * 10 + (coded & 15);
}

static uint8_t
code_hour(const uint8_t *ram, unsigned hour)
{
    if (ram[RTC_B] & RTC_B_24_HOURS)
        return code(ram, hour);
    return code(ram, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOURS_PM : 0);
}

static unsigned
hour_number(const uint8_t *ram, uint8_t coded)
{
    if (ram[RTC_B] & RTC_B_24_HOURS)
        return number(ram, coded);
    unsigned hour = number(ram, coded & ~HOURS_PM);
    return (hour == 12 ? 0 : hour) + (coded & HOURS_PM ? 12 : 0);
}

void
rtc_encode(uint8_t *ram, int64_t seconds)
{
    time_t time = seconds;
    struct tm parts;

    gmtime_r(&time, &parts);
    unsigned year = 1900 + parts.tm_year;
    ram[RTC_SECONDS] = code(ram, parts.tm_sec);
    ram[RTC_MINUTES] = code(ram, parts.tm_min);
    ram[RTC_HOURS] = code_hour(ram, parts.tm_hour);
    ram[RTC_WEEKDAY] = code(ram, parts.tm_wday + 1);
    ram[RTC_DAY] = code(ram, parts.tm_mday);
    ram[RTC_MONTH] = code(ram, parts.tm_mon + 1);
    ram[RTC_YEAR] = code(ram, year % 100);
    ram[RTC_CENTURY] = code(ram, year / 100);
}

int64_t
rtc_decode(const uint8_t *ram)
{
    struct tm parts = {
        .tm_sec = number(ram, ram[RTC_SECONDS]),
        .tm_min = number(ram, ram[RTC_MINUTES]),
        .tm_hour = hour_number(ram, ram[RTC_HOURS]),
        .tm_mday = number(ram, ram[RTC_DAY]),
        .tm_mon = (int)number(ram, ram[RTC_MONTH]) - 1,
        .tm_year = (int)(number(ram, ram[RTC_CENTURY]) * 100 + number(ram, ram[RTC_YEAR])) - 1900,
    };
    return timegm(&parts);
}

static bool
matches(uint8_t alarm, unsigned wanted, unsigned value)
{
    return (alarm & ALARM_ANY) == ALARM_ANY || wanted == value;
}

int64_t
rtc_next_alarm(const uint8_t *ram, int64_t after)
{
    unsigned hour = hour_number(ram, ram[RTC_HOURS_ALARM]);
    unsigned minute = number(ram, ram[RTC_MINUTES_ALARM]), second = number(ram, ram[RTC_SECONDS_ALARM]);

    /* Over the hours that do not match, then over the minutes, then over the seconds: some 150 steps at most. */
    for (int64_t at = after + 1; at <= after + DAY_SECONDS;) {
        unsigned of_day = (at % DAY_SECONDS + DAY_SECONDS) % DAY_SECONDS;
        if (!matches(ram[RTC_HOURS_ALARM], hour, of_day / 3600))
            at += 3600 - of_day % 3600;
        else if (!matches(ram[RTC_MINUTES_ALARM], minute, of_day / 60 % 60))
            at += 60 - of_day % 60;
        else if (!matches(ram[RTC_SECONDS_ALARM], second, of_day % 60))
            at++;
        else
            return at;
    }
    return INT64_MAX;
}
