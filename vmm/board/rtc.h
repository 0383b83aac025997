/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real-time clock and its 128 bytes of CMOS memory: Motorola's MC146818, as PCs have it.
 *
 * The guest's time is the host's plus an offset, which changes only when the guest sets the clock; so it is right after a
 * pause, a save of any length, or a step of the host's own clock. Nothing ticks: registers are computed when read, and a
 * host timer runs only while an interrupt that the guest enabled is still to come. It starts as UTC, or as the
 * local time of a guest that expects that. Memory survives a reset of the machine.
 *
 * Register access: any thread, under the device's own lock. The rest: main thread.
 */
#pragma once

#include "vmm/board/bus.h"
#include "vmm/board/clock.h"
#include "vmm/board/irq.h"

#define RTC_PORTS 2 /* index, data */
#define RTC_RAM_SIZE 128

typedef struct Rtc Rtc;

/* @utc_offset: seconds that the guest's time is ahead of UTC until it sets the clock, less than a day either way. */
Rtc *rtc_new(Clock *clock, const IrqController *irq, int utc_offset);

/* What firmware finds in memory at @index, which holds no time and no register, at power-on. Before the first vCPU runs. */
void rtc_set_memory(Rtc *rtc, uint8_t index, uint8_t value);

extern const BusOps rtc_bus_ops; /* RTC_PORTS ports at BOARD_PORT_RTC */
extern const DeviceOps rtc_device_ops;
