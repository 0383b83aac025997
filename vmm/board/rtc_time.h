/* SPDX-License-Identifier: Apache-2.0 */
/* The RTC's registers as time, and back: pure functions over its memory. Used by rtc.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    RTC_SECONDS = 0x00,
    RTC_SECONDS_ALARM = 0x01,
    RTC_MINUTES = 0x02,
    RTC_MINUTES_ALARM = 0x03,
    RTC_HOURS = 0x04,
    RTC_HOURS_ALARM = 0x05,
    RTC_WEEKDAY = 0x06, /* 1: Sunday */
    RTC_DAY = 0x07,
    RTC_MONTH = 0x08,
    RTC_YEAR = 0x09,
    RTC_A = 0x0a,
    RTC_B = 0x0b,
    RTC_C = 0x0c,
    RTC_D = 0x0d,
    RTC_CENTURY = 0x32, /* not the chip's, but every PC's; the FADT names it */
};

#define RTC_B_24_HOURS 0x02
#define RTC_B_BINARY 0x04 /* or else two decimal digits a byte */

/* Whether @index is one of the time's registers (alarms are not). */
bool rtc_is_time(uint8_t index);
/* Puts @seconds since 1970 into the time's registers of @ram, in the form that its register B asks for. */
void rtc_encode(uint8_t *ram, int64_t seconds);
/* The opposite. Fields out of range count on: the 32nd of January is the 1st of February. */
int64_t rtc_decode(const uint8_t *ram);
/* The first second after @after that matches the alarm's registers, or INT64_MAX: they match none. */
int64_t rtc_next_alarm(const uint8_t *ram, int64_t after);
