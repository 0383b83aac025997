/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's clock: it goes on through a save, by the time that passed in the world. */
#include "vmm/kvm/guest_clock.h"
#include "vmm/kvm/vm_private.h"

#include "fixture.h"

#define HOUR_NS (3600 * UINT64_C(1000000000))

static void
test_elapsed(void)
{
    g_assert_cmpuint(guest_clock_elapsed(5, 12), ==, 7);
    g_assert_cmpuint(guest_clock_elapsed(12, 12), ==, 0);
    g_assert_cmpuint(guest_clock_elapsed(12, 5), ==, 0); /* a host whose clock is behind */
}

/* Saves @clock and loads it again as if the save had been @ago ns ago. */
static void
save_and_load(GuestClock *clock, uint64_t ago)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    const StateTable *table = guest_clock_ops.state;
    uint64_t realtime;

    state_save(table, clock, bytes);
    memcpy(&realtime, bytes->data + 8, 8);
    realtime -= ago;
    memcpy(bytes->data + 8, &realtime, 8);
    g_assert_true(state_load(table, clock, table->version, bytes->data, bytes->len, &error));
    g_assert_no_error(error);
}

static uint64_t
read_clock(GuestClock *clock)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    state_save(guest_clock_ops.state, clock, bytes);
    return clock->ns;
}

static void
test_goes_on(void)
{
    static const uint8_t no_code[1];
    g_autoptr(Pc) pc = pc_new(1, BOOT_MODE_PROTECTED, no_code, no_code + 1);
    if (!pc)
        return;
    GuestClock *clock = &pc->vm->clock;
    uint64_t before = read_clock(clock);
    g_assert_cmpuint(before, <, HOUR_NS);
    save_and_load(clock, 0);
    uint64_t after = read_clock(clock);
    g_assert_cmpuint(after, >=, before);
    g_assert_cmpuint(after, <, HOUR_NS);
    save_and_load(clock, 5 * HOUR_NS);
    after = read_clock(clock);
    g_assert_cmpuint(after, >=, before + 5 * HOUR_NS);
    g_assert_cmpuint(after, <, before + 6 * HOUR_NS);
    save_and_load(clock, -HOUR_NS); /* from the future */
    g_assert_cmpuint(read_clock(clock), >=, after);
    g_assert_cmpuint(read_clock(clock), <, after + HOUR_NS);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/guest-clock/elapsed", test_elapsed);
    g_test_add_func("/guest-clock/goes-on", test_goes_on);
    return g_test_run();
}
