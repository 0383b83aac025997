/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The RTC's registers as time. MC146818 data sheet: "Time, Calendar, and Alarm Locations".
 *
 * The calendar is computed here, not by the C library, which reads the time zone's file even for UTC: a vCPU thread may
 * open none. Years are counted from 1 March, so that the day a leap year adds is the last.
 */
#include "vmm/board/rtc_time.h"

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

static int64_t
divide_down(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days from 1970-01-01 to 1 March of @year. */
static int64_t
march_of(int64_t year)
{
    return 365 * year + divide_down(year, 4) - divide_down(year, 100) + divide_down(year, 400) - 719468;
}

/* Days from 1 March to the first of the month that is @months later. */
static int64_t
days_of_months(int64_t months)
{
    return (153 * months + 2) / 5;
}

typedef struct {
    int64_t year;
    unsigned month, day; /* from 1 */
    unsigned weekday;    /* from 0: Sunday */
} Date;

static Date
date_of(int64_t days)
{
    int64_t year = divide_down((days + 719468) * 400, 146097);
    while (march_of(year) > days)
        year--;
    while (march_of(year + 1) <= days)
        year++;
    int64_t of_year = days - march_of(year), months = (5 * of_year + 2) / 153;
    return (Date){
        .year = year + (months >= 10),
        .month = months < 10 ? months + 3 : months - 9,
        .day = of_year - days_of_months(months) + 1,
        .weekday = days + 4 - 7 * divide_down(days + 4, 7), /* 1970-01-01 was a Thursday */
    };
}

/* @month and @day may lie outside of their year and month. */
static int64_t
days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t from_march = month - 3, years = divide_down(from_march, 12);
    return march_of(year + years) + days_of_months(from_march - 12 * years) + day - 1;
}

void
rtc_encode(uint8_t *ram, int64_t seconds)
{
    int64_t days = divide_down(seconds, DAY_SECONDS);
    unsigned of_day = seconds - days * DAY_SECONDS;
    Date date = date_of(days);

    ram[RTC_SECONDS] = code(ram, of_day % 60);
    ram[RTC_MINUTES] = code(ram, of_day / 60 % 60);
    ram[RTC_HOURS] = code_hour(ram, of_day / 3600);
    ram[RTC_WEEKDAY] = code(ram, date.weekday + 1);
    ram[RTC_DAY] = code(ram, date.day);
    ram[RTC_MONTH] = code(ram, date.month);
    ram[RTC_YEAR] = code(ram, date.year - 100 * divide_down(date.year, 100));
    ram[RTC_CENTURY] = code(ram, divide_down(date.year, 100));
}

int64_t
rtc_decode(const uint8_t *ram)
{
    int64_t year = number(ram, ram[RTC_CENTURY]) * 100 + number(ram, ram[RTC_YEAR]);
    int64_t days = days_of(year, number(ram, ram[RTC_MONTH]), number(ram, ram[RTC_DAY]));
    int64_t hour = hour_number(ram, ram[RTC_HOURS]);

    return ((days * 24 + hour) * 60 + number(ram, ram[RTC_MINUTES])) * 60 + number(ram, ram[RTC_SECONDS]);
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
        unsigned of_day = at - divide_down(at, DAY_SECONDS) * DAY_SECONDS;
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
