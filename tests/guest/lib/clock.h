/* SPDX-License-Identifier: Apache-2.0 */
/* Time, from the time stamp counter with KVM's own scale for it (kvmclock). Any mode, once clock_init() has run. */
#ifndef GUEST_CLOCK_H
#define GUEST_CLOCK_H

#include <stdint.h>

#define SECONDS(n) ((n) * 1000000000ull)
#define MILLISECONDS(n) ((n) * 1000000ull)

/* Kernel mode, boot processor. Ends the guest where there is no kvmclock: both VMMs under test have it. */
void clock_init(void);

/* Nanoseconds since some moment at or before clock_init(). */
uint64_t clock_ns(void);

/* kvmclock's own reading, version-checked: what a Linux guest sees. */
uint64_t clock_kvm_ns(void);

/* The host's CLOCK_REALTIME in nanoseconds, to the microsecond: what the guest did can be set beside what others saw. */
uint64_t clock_host_ns(void);

uint64_t clock_tsc_hz(void);

/* Burns time without an exit. */
void clock_delay(uint64_t ns);

/* Halts until clock_ns() has reached the moment; other interrupts are taken meanwhile. Kernel mode, interrupts off. */
void clock_sleep_until(uint64_t ns);

#endif
