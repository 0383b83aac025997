/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's time (kvmclock): it goes on, whatever happens to the guest.
 *
 * A pause and a save are to the guest as if its processors had been held for that long: its clocks have moved on by the time
 * that passed in the world, so its date is right when it runs again, and its processors' time stamp counters move by the
 * same amount (vcpu_state.c). KVM's clock is never stopped while the process lives; a loaded one is set to what was saved
 * plus the host's real time since then. A host whose clock is behind that of the save counts as no time passed.
 *
 * Owner: the main thread.
 */
#pragma once

#include "vmm/board/device.h"

typedef struct {
    int vm_fd;
    /* filled while saving and loading */
    uint64_t ns;          /* the guest's clock, from its boot */
    uint64_t realtime_ns; /* the host's CLOCK_REALTIME at the same moment */
} GuestClock;

/* The object is a GuestClock. */
extern const DeviceOps guest_clock_ops;

/* CLOCK_REALTIME in ns. */
uint64_t guest_clock_realtime(void);
/* The time that passed since @realtime_ns, for a clock that never goes back. Pure. */
uint64_t guest_clock_elapsed(uint64_t realtime_ns, uint64_t now_ns);
