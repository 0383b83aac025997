/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MC146818.
 *
 * Guest time is the host's wall clock plus an offset. While the guest has stopped the clock to set it, the time's registers
 * are plain memory; when it lets go, the offset is what makes them true. Flags are brought up to date by catch_up(): it asks
 * which second, which alarm and which period lie between the last look and now.
 */
#include "vmm/board/rtc.h"

#include "vmm/board/bytewise.h"
#include "vmm/board/memory_map.h"
#include "vmm/board/rtc_time.h"

#include <string.h>

#define INDEX_MASK 0x7f /* the top bit masks NMIs, of which there are none */

/* Registers A to D: MC146818 data sheet, "Registers". */
#define A_UPDATING 0x80
#define A_DIVIDER 0x70
#define A_DIVIDER_RESET 0x60 /* both upper bits: the clock's divider is held */
#define A_RATE 0x0f
#define A_POWER_ON 0x26 /* the divider for 32768 Hz, 1024 Hz periodic */
#define B_SET 0x80
#define B_UPDATE 0x10
#define B_SQUARE_WAVE 0x08
#define C_ANY 0x80
#define C_PERIODIC 0x40 /* the enables in B are the same bits */
#define C_ALARM 0x20
#define C_UPDATE 0x10
#define C_FLAGS (C_PERIODIC | C_ALARM | C_UPDATE)
#define D_VALID 0x80

#define CRYSTAL_HZ 32768
#define UPDATING_NS 244000               /* before each update, registers may not be relied on (t_BUC) */
#define DIVIDER_START (CLOCK_SECOND / 2) /* the first update comes half a second after the divider is let go */
#define OFFSET_MAX (INT64_C(1) << 40)    /* seconds: beyond any date the registers can hold */

struct Rtc {
    Clock *clock;
    const IrqController *irq;
    ClockTimer *timer; /* armed while an enabled interrupt is to come */

    GMutex lock; /* the rest */
    uint8_t index;
    uint8_t ram[RTC_RAM_SIZE]; /* the time's registers only while stopped */
    int64_t offset_s;          /* guest time less the host's: seconds, … */
    int64_t offset_ns;         /* … and 0 to CLOCK_SECOND - 1 */
    int64_t seen_second;       /* flags are up to date up to this second of guest time … */
    int64_t seen_period;       /* … and this period */
    bool line;
};

/* Guest time: whole seconds since 1970, and the nanoseconds since the last of them in *@ns. */
static int64_t
guest_time(Rtc *rtc, int64_t *ns)
{
    int64_t wall = clock_wall(rtc->clock);
    int64_t seconds = wall / CLOCK_SECOND, rest = wall % CLOCK_SECOND + rtc->offset_ns;

    if (rest < 0) { /* the host's time lies before 1970 */
        seconds--;
        rest += CLOCK_SECOND;
    }
    *ns = rest % CLOCK_SECOND;
    return seconds + rest / CLOCK_SECOND + rtc->offset_s;
}

static bool
is_stopped(const Rtc *rtc)
{
    return (rtc->ram[RTC_B] & B_SET) || (rtc->ram[RTC_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET;
}

/* From now on it is @seconds and @ns, and nothing that lies before is an event. */
static void
set_time(Rtc *rtc, int64_t seconds, int64_t ns)
{
    int64_t now_ns;

    rtc->offset_s = rtc->offset_ns = 0;
    int64_t now = guest_time(rtc, &now_ns);
    rtc->offset_s = seconds - now - (ns < now_ns);
    rtc->offset_ns = ns - now_ns + (ns < now_ns ? CLOCK_SECOND : 0);
    rtc->seen_second = seconds;
}

/* Cycles of the crystal a period takes; 0: none. Rates 1 and 2 are those of 8 and 9. */
static int64_t
period_cycles(const Rtc *rtc)
{
    unsigned rate = rtc->ram[RTC_A] & A_RATE;
    if (!rate || (rtc->ram[RTC_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET)
        return 0;
    return INT64_C(1) << ((rate < 3 ? rate + 7 : rate) - 1);
}

static int64_t
current_period(Rtc *rtc)
{
    int64_t cycles = period_cycles(rtc);
    return cycles ? (__int128)clock_now(rtc->clock) * CRYSTAL_HZ / CLOCK_SECOND / cycles : 0;
}

static int64_t
period_start(const Rtc *rtc, int64_t period)
{
    __int128 cycle = (__int128)period * period_cycles(rtc);
    return (cycle * CLOCK_SECOND + CRYSTAL_HZ - 1) / CRYSTAL_HZ;
}

/* Sets the flags of whatever happened since the last look. */
static void
catch_up(Rtc *rtc)
{
    int64_t ns, period = current_period(rtc);

    if (period > rtc->seen_period)
        rtc->ram[RTC_C] |= C_PERIODIC;
    rtc->seen_period = period;

    if (is_stopped(rtc))
        return;
    int64_t now = guest_time(rtc, &ns);
    if (now > rtc->seen_second) {
        rtc->ram[RTC_C] |= C_UPDATE;
        if (rtc_next_alarm(rtc->ram, rtc->seen_second) <= now)
            rtc->ram[RTC_C] |= C_ALARM;
    }
    rtc->seen_second = now;
}

/* When the next interrupt is due that the guest waits for, in the clock's time. Flags are up to date and none is set. */
static int64_t
next_event(Rtc *rtc)
{
    uint8_t enabled = rtc->ram[RTC_B];
    int64_t ns, due = CLOCK_NEVER, now = clock_now(rtc->clock);
    int64_t second = guest_time(rtc, &ns);

    if ((enabled & C_PERIODIC) && period_cycles(rtc))
        due = period_start(rtc, rtc->seen_period + 1);
    if (is_stopped(rtc))
        return due;
    if (enabled & C_UPDATE)
        due = MIN(due, now + CLOCK_SECOND - ns);
    int64_t alarm = enabled & C_ALARM ? rtc_next_alarm(rtc->ram, second) : INT64_MAX;
    if (alarm != INT64_MAX) /* within a day */
        due = MIN(due, now + (alarm - second) * CLOCK_SECOND - ns);
    return due;
}

/* After anything changed: flags, line and timer. An interrupt that is pending needs no timer to come again. */
static void
update(Rtc *rtc)
{
    catch_up(rtc);
    bool line = rtc->ram[RTC_C] & rtc->ram[RTC_B] & C_FLAGS;
    clock_timer_set(rtc->timer, line ? CLOCK_NEVER : next_event(rtc));
    if (line != rtc->line)
        rtc->irq->ops->set_line(rtc->irq->host, BOARD_GSI_RTC, line);
    rtc->line = line;
}

static void
timer_due(void *user)
{
    Rtc *rtc = user;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&rtc->lock);
    update(rtc);
}

static uint8_t
read_a(Rtc *rtc)
{
    int64_t ns;
    guest_time(rtc, &ns);
    bool updating = !is_stopped(rtc) && ns >= CLOCK_SECOND - UPDATING_NS;
    return rtc->ram[RTC_A] | (updating ? A_UPDATING : 0);
}

static uint8_t
read_c(Rtc *rtc)
{
    catch_up(rtc);
    uint8_t flags = rtc->ram[RTC_C];
    rtc->ram[RTC_C] = 0;
    update(rtc);
    return flags | (flags & rtc->ram[RTC_B] & C_FLAGS ? C_ANY : 0);
}

static uint8_t
read_time(Rtc *rtc, uint8_t index)
{
    int64_t ns;
    if (!is_stopped(rtc))
        rtc_encode(rtc->ram, guest_time(rtc, &ns));
    return rtc->ram[index];
}

static uint8_t
read_register(Rtc *rtc, uint8_t index)
{
    if (rtc_is_time(index))
        return read_time(rtc, index);
    switch (index) {
    case RTC_A:
        return read_a(rtc);
    case RTC_C:
        return read_c(rtc);
    case RTC_D:
        return D_VALID;
    default:
        return rtc->ram[index];
    }
}

/* Changes A or B: the clock may stop by it, or go on from what its registers were set to. */
static void
write_control(Rtc *rtc, uint8_t index, uint8_t value)
{
    bool was_stopped = is_stopped(rtc), divider_was_held = (rtc->ram[RTC_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET;
    int64_t ns, now = guest_time(rtc, &ns);

    if (!was_stopped)
        rtc_encode(rtc->ram, now); /* in the form of the old register B, and kept if this stops it */
    rtc->ram[index] = value;
    if (was_stopped && !is_stopped(rtc))
        set_time(rtc, rtc_decode(rtc->ram), divider_was_held ? DIVIDER_START : ns);
}

static void
write_time(Rtc *rtc, uint8_t index, uint8_t value)
{
    int64_t ns, now = guest_time(rtc, &ns);

    if (is_stopped(rtc)) {
        rtc->ram[index] = value;
        return;
    }
    rtc_encode(rtc->ram, now);
    rtc->ram[index] = value;
    set_time(rtc, rtc_decode(rtc->ram), ns);
}

static void
write_register(Rtc *rtc, uint8_t index, uint8_t value)
{
    if (rtc_is_time(index)) {
        write_time(rtc, index, value);
        return;
    }
    switch (index) {
    case RTC_A:
        write_control(rtc, index, value & ~A_UPDATING);
        rtc->seen_period = current_period(rtc);
        break;
    case RTC_B: /* stopping the clock disables the update interrupt */
        write_control(rtc, index, value & B_SET ? value & ~B_UPDATE : value);
        break;
    case RTC_C:
    case RTC_D:
        break;
    default:
        rtc->ram[index] = value;
        break;
    }
}

static uint8_t
read_byte(void *device, uint64_t offset)
{
    Rtc *rtc = device;
    return offset ? read_register(rtc, rtc->index) : UINT8_MAX; /* the index cannot be read back */
}

static void
write_byte(void *device, uint64_t offset, uint8_t value)
{
    Rtc *rtc = device;
    if (!offset) {
        rtc->index = value & INDEX_MASK;
        return;
    }
    catch_up(rtc);
    write_register(rtc, rtc->index, value);
    update(rtc);
}

static uint64_t
rtc_read(void *device, uint64_t offset, unsigned size)
{
    Rtc *rtc = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&rtc->lock);
    return bytewise_read(rtc, offset, size, read_byte);
}

static void
rtc_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
    Rtc *rtc = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&rtc->lock);
    bytewise_write(rtc, offset, size, value, write_byte);
}

const BusOps rtc_bus_ops = {rtc_read, rtc_write};

Rtc *
rtc_new(Clock *clock, const IrqController *irq, int utc_offset)
{
    Rtc *rtc = g_new0(Rtc, 1);
    int64_t ns;

    rtc->clock = clock;
    rtc->irq = irq;
    rtc->offset_s = utc_offset;
    g_mutex_init(&rtc->lock);
    rtc->timer = clock_timer_new(clock, timer_due, rtc);
    rtc->ram[RTC_A] = A_POWER_ON;
    rtc->ram[RTC_B] = RTC_B_24_HOURS;
    rtc->seen_second = guest_time(rtc, &ns);
    rtc->seen_period = current_period(rtc);
    return rtc;
}

void
rtc_set_memory(Rtc *rtc, uint8_t index, uint8_t value)
{
    g_assert(index > RTC_D && index < RTC_RAM_SIZE && index != RTC_CENTURY);
    rtc->ram[index] = value;
}

static void
rtc_free(void *device)
{
    Rtc *rtc = device;
    if (!rtc)
        return;
    clock_timer_free(rtc->timer);
    g_mutex_clear(&rtc->lock);
    g_free(rtc);
}

/* The reset pin: interrupts off, flags gone. Time and memory are on the battery. */
static void
rtc_reset(void *device)
{
    Rtc *rtc = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&rtc->lock);
    rtc->ram[RTC_B] &= ~(C_FLAGS | B_SQUARE_WAVE);
    catch_up(rtc);
    rtc->ram[RTC_C] = 0;
    update(rtc);
}

static void
rtc_quiesce(void *device)
{
    Rtc *rtc = device;
    clock_timer_set(rtc->timer, CLOCK_NEVER);
}

static void
rtc_resume(void *device)
{
    Rtc *rtc = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&rtc->lock);
    update(rtc);
    rtc->irq->ops->set_line(rtc->irq->host, BOARD_GSI_RTC, rtc->line); /* after a load nobody else knows its level */
}

static bool
rtc_after_load(void *object, GError **error)
{
    Rtc *rtc = object;
    bool sound = rtc->offset_s >= -OFFSET_MAX && rtc->offset_s <= OFFSET_MAX && rtc->offset_ns >= 0 &&
                 rtc->offset_ns < CLOCK_SECOND && rtc->seen_second >= -2 * OFFSET_MAX &&
                 rtc->seen_second <= 2 * OFFSET_MAX;
    if (!sound) {
        g_set_error(error, STATE_ERROR, STATE_ERROR_MALFORMED, "state of rtc: no such time");
        return false;
    }
    rtc->index &= INDEX_MASK;
    rtc->ram[RTC_A] &= ~A_UPDATING;
    rtc->ram[RTC_C] &= C_FLAGS;
    return true;
}

static const StateField rtc_fields[] = {
    STATE_UINT(Rtc, index, 1),
    STATE_BYTES(Rtc, ram, 1),
    STATE_UINT(Rtc, offset_s, 1),
    STATE_UINT(Rtc, offset_ns, 1),
    STATE_UINT(Rtc, seen_second, 1),
    STATE_UINT(Rtc, seen_period, 1),
    STATE_END,
};

static const StateTable rtc_state = {
    .name = "rtc", .version = 1, .oldest = 1, .fields = rtc_fields, .after_load = rtc_after_load};

const DeviceOps rtc_device_ops = {
    .name = "rtc",
    .reset = rtc_reset,
    .quiesce = rtc_quiesce,
    .resume = rtc_resume,
    .state = &rtc_state,
    .free = rtc_free,
};
