/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saving and loading kvmclock (Linux's Documentation/virt/kvm/api.rst, 4.29 and 4.30).
 */
#include "vmm/kvm/guest_clock.h"

#include "vmm/kvm/host.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <time.h>

#define NS_PER_S 1000000000ull

uint64_t
guest_clock_realtime(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

uint64_t
guest_clock_elapsed(uint64_t realtime_ns, uint64_t now_ns)
{
    return now_ns > realtime_ns ? now_ns - realtime_ns : 0;
}

static void
guest_clock_before_save(void *object)
{
    GuestClock *clock = object;
    struct kvm_clock_data data = {0};
    int result = ioctl(clock->vm_fd, KVM_GET_CLOCK, &data);
    g_assert(result == 0);
    clock->ns = data.clock;
    /* KVM tells both of the same instant where its clocks allow it. */
    clock->realtime_ns = data.flags & KVM_CLOCK_REALTIME ? data.realtime : guest_clock_realtime();
}

static bool
guest_clock_after_load(void *object, GError **error)
{
    GuestClock *clock = object;
    struct kvm_clock_data data = {.clock = clock->ns + guest_clock_elapsed(clock->realtime_ns, guest_clock_realtime())};
    if (ioctl(clock->vm_fd, KVM_SET_CLOCK, &data) == 0)
        return true;
    kvm_set_error(error, errno, "cannot set the guest's clock: KVM_SET_CLOCK");
    return false;
}

static const StateField guest_clock_fields[] = {
    STATE_UINT(GuestClock, ns, 1),
    STATE_UINT(GuestClock, realtime_ns, 1),
    STATE_END,
};

static const StateTable guest_clock_state = {
    .name = "kvmclock",
    .version = 1,
    .oldest = 1,
    .fields = guest_clock_fields,
    .before_save = guest_clock_before_save,
    .after_load = guest_clock_after_load,
};

const DeviceOps guest_clock_ops = {.name = "kvmclock", .state = &guest_clock_state};
