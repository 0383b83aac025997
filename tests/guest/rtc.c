/* SPDX-License-Identifier: Apache-2.0 */
/* The MC146818 clock and its memory: what Linux and Windows read at start. Command line: epoch=SECONDS, the host's. */
#include "apic.h"
#include "clock.h"
#include "cpu.h"
#include "interrupt.h"
#include "start.h"
#include "tap.h"

#define SECOND 0x00
#define MINUTE 0x02
#define HOUR 0x04
#define DAY 0x07
#define MONTH 0x08
#define YEAR 0x09
#define STATUS_A 0x0a
#define STATUS_B 0x0b
#define STATUS_C 0x0c
#define STATUS_D 0x0d
#define CENTURY 0x32
#define RTC_PIN 8

#define B_24_HOURS 0x02
#define B_BINARY 0x04
#define B_UPDATE_INTERRUPT 0x10
#define B_ALARM_INTERRUPT 0x20
#define B_SET 0x80

static uint8_t
cmos_read(uint8_t index)
{
    port_write8(0x70, index);
    return port_read8(0x71);
}

static void
cmos_write(uint8_t index, uint8_t value)
{
    port_write8(0x70, index);
    port_write8(0x71, value);
}

static unsigned
number(uint8_t index)
{
    uint8_t value = cmos_read(index);

    return cmos_read(STATUS_B) & B_BINARY ? value : (value >> 4) * 10 + (value & 15);
}

static uint8_t
coded(unsigned value)
{
    return cmos_read(STATUS_B) & B_BINARY ? value : value / 10 << 4 | value % 10;
}

/* Seconds since 1970, by the civil-from-days formula run backwards. */
static uint64_t
epoch_now(void)
{
    unsigned second, minute, hour, day, month, year;

    do {
        while (cmos_read(STATUS_A) & 0x80)
            ;
        second = number(SECOND);
        minute = number(MINUTE);
        hour = number(HOUR);
        day = number(DAY);
        month = number(MONTH);
        year = number(YEAR) + 100 * number(CENTURY);
    } while (second != number(SECOND));

    unsigned y = month <= 2 ? year - 1 : year, era = y / 400, of_era = y - era * 400;
    unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned days_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    uint64_t days = era * 146097ull + days_of_era - 719468;
    return ((days * 24 + hour) * 60 + minute) * 60 + second;
}

static void
test_time(void)
{
    uint64_t want = start_option_number("epoch", 0), got = epoch_now();

    ok(cmos_read(STATUS_D) & 0x80, "rtc: the time is valid");
    ok(cmos_read(STATUS_B) & B_24_HOURS, "rtc: 24 hours");
    ok(got >= want && got < want + 120, "rtc: it is the host's time, in UTC");
    note("guest %lu, host at its start %lu", got, want);
}

static void
test_memory(void)
{
    unsigned lost = 0;

    for (unsigned i = 0x40; i < 0x50; i++)
        cmos_write(i, i ^ 0x5a);
    for (unsigned i = 0x40; i < 0x50; i++)
        lost += cmos_read(i) != (i ^ 0x5a);
    ok_equal(lost, 0, "rtc: its memory keeps bytes");
    port_write8(0x70, 0x80 | 0x40);
    ok_equal(port_read8(0x71), 0x40 ^ 0x5a, "rtc: the NMI bit of the index is no part of it");
}

static volatile uint8_t causes;

static void
on_interrupt(void *context)
{
    (void)context;
    causes |= cmos_read(STATUS_C);
}

static void
test_interrupts(void)
{
    uint8_t vector = interrupt_allocate(on_interrupt, NULL);

    io_apic_route(RTC_PIN, vector, false, false);
    cmos_read(STATUS_C);
    cmos_write(STATUS_B, cmos_read(STATUS_B) | B_UPDATE_INTERRUPT);
    ok(interrupt_wait(vector, 0, SECONDS(5)), "rtc: the update interrupt comes");
    ok(causes & 0x10, "rtc: and says so");
    cmos_write(STATUS_B, cmos_read(STATUS_B) & ~B_UPDATE_INTERRUPT);

    /* An alarm for any hour, any minute, and the second after next. */
    cmos_write(0x05, 0xc0);
    cmos_write(0x03, 0xc0);
    cmos_write(0x01, coded((number(SECOND) + 2) % 60));
    causes = 0;
    uint64_t seen = interrupt_count(vector);
    cmos_write(STATUS_B, cmos_read(STATUS_B) | B_ALARM_INTERRUPT);
    ok(interrupt_wait(vector, seen, SECONDS(10)), "rtc: the alarm comes");
    ok(causes & 0x20, "rtc: and says so");
    cmos_write(STATUS_B, cmos_read(STATUS_B) & ~B_ALARM_INTERRUPT);
    io_apic_mask(RTC_PIN);
}

static void
test_set(void)
{
    cmos_write(STATUS_B, cmos_read(STATUS_B) | B_SET);
    cmos_write(HOUR, coded(12));
    cmos_write(MINUTE, coded(34));
    cmos_write(SECOND, coded(0));
    cmos_write(DAY, coded(29));
    cmos_write(MONTH, coded(2));
    cmos_write(YEAR, coded(28));
    cmos_write(STATUS_B, cmos_read(STATUS_B) & ~B_SET);
    ok(number(HOUR) == 12 && number(MINUTE) == 34 && number(DAY) == 29 && number(MONTH) == 2 && number(YEAR) == 28,
       "rtc: it takes another time");
    for (unsigned i = 0; i < 256; i++)
        cmos_write(0x10 + i % 0x70, 0xff);
    ok(true, "rtc: any byte may be written");
}

void
guest_main(void)
{
    test_time();
    test_memory();
    test_interrupts();
    test_set();
    tap_done();
}
