/* SPDX-License-Identifier: Apache-2.0 */
/* ACPI fixed hardware: the power button, the timer and its interrupt, S5, the three ways to reset, save and load. */
#include "vmm/board/pm.h"

#include "tests/unit/vmm/board/fake_irq.h"
#include "vmm/board/memory_map.h"

#define SECOND CLOCK_SECOND

typedef struct {
    Clock *clock;
    FakeIrq irq;
    Pm *pm;
    unsigned shutdowns, resets;
} Fixture;

static void
note_request(void *user, MachineRequest request)
{
    Fixture *fixture = user;
    fixture->shutdowns += request == MACHINE_REQUEST_SHUTDOWN;
    fixture->resets += request == MACHINE_REQUEST_RESET;
}

static void
fixture_init(Fixture *fixture)
{
    *fixture = (Fixture){.clock = clock_new_manual(0)};
    fake_irq_init(&fixture->irq);
    fixture->pm = pm_new(fixture->clock, &fixture->irq.controller, note_request, fixture);
}

static void
fixture_finish(Fixture *fixture)
{
    pm_device_ops.free(fixture->pm);
    clock_free(fixture->clock);
}

static uint64_t
in(Fixture *fixture, uint64_t offset, unsigned size)
{
    return pm_bus_ops.read(fixture->pm, offset, size);
}

static void
out(Fixture *fixture, uint64_t offset, unsigned size, uint64_t value)
{
    pm_bus_ops.write(fixture->pm, offset, size, value);
}

static bool
sci(const Fixture *fixture)
{
    return fixture->irq.level[BOARD_GSI_SCI];
}

static void
test_power_button(void)
{
    Fixture f;
    fixture_init(&f);
    g_assert_cmphex(in(&f, PM_REGISTER_CONTROL, 2), ==, 1); /* ACPI mode is on */
    out(&f, PM_REGISTER_ENABLE, 2, 0xffff);
    g_assert_cmphex(in(&f, PM_REGISTER_ENABLE, 2), ==, 0x521);
    g_assert_false(sci(&f));
    pm_power_button(f.pm);
    g_assert_true(sci(&f));
    g_assert_cmphex(in(&f, PM_REGISTER_STATUS, 2), ==, 0x100);
    out(&f, PM_REGISTER_STATUS, 2, 0x21); /* others cleared: it stays */
    g_assert_true(sci(&f));
    out(&f, PM_REGISTER_STATUS + 1, 1, 0x01); /* by its byte */
    g_assert_false(sci(&f));
    g_assert_cmphex(in(&f, PM_REGISTER_STATUS, 2), ==, 0);

    out(&f, PM_REGISTER_ENABLE, 2, 0);
    pm_power_button(f.pm); /* noted, but nobody is interrupted until it is enabled */
    g_assert_false(sci(&f));
    out(&f, PM_REGISTER_ENABLE, 2, 0x100);
    g_assert_true(sci(&f));
    pm_device_ops.reset(f.pm);
    g_assert_false(sci(&f));
    g_assert_cmphex(in(&f, 0, 4), ==, 0);
    fixture_finish(&f);
}

static void
test_timer(void)
{
    Fixture f;
    fixture_init(&f);
    g_assert_cmpuint(in(&f, PM_REGISTER_TIMER, 4), ==, 0);
    clock_advance(f.clock, SECOND);
    g_assert_cmpuint(in(&f, PM_REGISTER_TIMER, 4), ==, 3579545);
    g_assert_cmphex(in(&f, PM_REGISTER_TIMER + 1, 2), ==, 3579545 >> 8 & 0xffff);
    clock_advance(f.clock, 3599 * SECOND);
    g_assert_cmpuint(in(&f, PM_REGISTER_TIMER, 4), ==, 3579545ull * 3600 % (1ull << 32));
    out(&f, PM_REGISTER_TIMER, 4, 0); /* read only */
    g_assert_cmpuint(in(&f, PM_REGISTER_TIMER, 4), ==, 3579545ull * 3600 % (1ull << 32));
    fixture_finish(&f);
}

/* The top bit of 32 changes every 599.93 s. */
static void
test_timer_interrupt(void)
{
    Fixture f;
    fixture_init(&f);
    clock_advance(f.clock, 599 * SECOND);
    g_assert_cmphex(in(&f, PM_REGISTER_STATUS, 2), ==, 0);
    clock_advance(f.clock, SECOND);
    g_assert_cmphex(in(&f, PM_REGISTER_STATUS, 2), ==, 1); /* set without an interrupt */
    g_assert_cmpuint(f.irq.rises[BOARD_GSI_SCI], ==, 0);

    out(&f, PM_REGISTER_STATUS, 2, 1);
    g_assert_cmphex(in(&f, PM_REGISTER_STATUS, 2), ==, 0);
    out(&f, PM_REGISTER_ENABLE, 2, 1);
    g_assert_false(sci(&f));
    clock_advance(f.clock, 599 * SECOND);
    g_assert_false(sci(&f));
    clock_advance(f.clock, SECOND);
    g_assert_true(sci(&f));
    g_assert_cmphex(in(&f, PM_REGISTER_TIMER, 4) >> 31, ==, 0); /* twice changed: zero again */
    out(&f, PM_REGISTER_STATUS, 2, 1);
    g_assert_false(sci(&f));
    clock_advance(f.clock, 600 * SECOND);
    g_assert_cmpuint(f.irq.rises[BOARD_GSI_SCI], ==, 2);
    fixture_finish(&f);
}

static void
test_sleep(void)
{
    Fixture f;
    fixture_init(&f);
    out(&f, PM_REGISTER_CONTROL, 2, 1u << 10 | 1u << 13); /* S1, which there is not */
    g_assert_cmpuint(f.shutdowns, ==, 0);
    g_assert_cmphex(in(&f, PM_REGISTER_CONTROL, 2), ==, 1 | 1u << 10); /* the trigger reads as 0 */
    out(&f, PM_REGISTER_CONTROL, 2, 0);
    out(&f, PM_REGISTER_CONTROL + 1, 1, 0x20); /* SLP_EN by its byte alone */
    g_assert_cmpuint(f.shutdowns, ==, 1);
    out(&f, PM_REGISTER_CONTROL, 2, 0x2000);
    g_assert_cmpuint(f.shutdowns, ==, 2);
    fixture_finish(&f);
}

static void
test_resets(void)
{
    Fixture f;
    fixture_init(&f);
    pm_reset_bus_ops.write(f.pm, 0, 1, 0x02);
    g_assert_cmpuint(f.resets, ==, 0);
    pm_reset_bus_ops.write(f.pm, 0, 1, 0x06);
    g_assert_cmpuint(f.resets, ==, 1);
    g_assert_cmphex(pm_reset_bus_ops.read(f.pm, 0, 1), ==, 0x06);
    pm_reset_bus_ops.write(f.pm, 0, 1, 0x06); /* no edge */
    g_assert_cmpuint(f.resets, ==, 1);
    pm_device_ops.reset(f.pm);
    g_assert_cmphex(pm_reset_bus_ops.read(f.pm, 0, 1), ==, 0);

    pm_keyboard_bus_ops.write(f.pm, 0, 1, 0x60);
    pm_keyboard_bus_ops.write(f.pm, 0, 1, 0xff);
    g_assert_cmpuint(f.resets, ==, 1);
    pm_keyboard_bus_ops.write(f.pm, 0, 1, 0xfe);
    g_assert_cmpuint(f.resets, ==, 2);
    g_assert_cmphex(pm_keyboard_bus_ops.read(f.pm, 0, 1), ==, 0xff);
    fixture_finish(&f);
}

/* Every offset in every width: nothing but what the registers hold comes back, nothing goes out of bounds. */
static void
test_any_access(void)
{
    Fixture f;
    fixture_init(&f);
    for (uint64_t offset = 0; offset < BOARD_PORT_PM_SIZE; offset++) {
        for (unsigned size = 1; size <= 4 && offset + size <= BOARD_PORT_PM_SIZE; size *= 2) {
            out(&f, offset, size, UINT64_MAX);
            g_assert_cmphex(in(&f, offset, size) >> (size * 8), ==, 0);
        }
    }
    g_assert_cmphex(in(&f, PM_REGISTER_GPE0, 4), ==, 0);
    g_assert_cmphex(in(&f, PM_REGISTER_GPE0 + 8, 4), ==, 0xffffffff);
    g_assert_cmphex(in(&f, PM_REGISTER_GPE0 + 14, 2), ==, 0xffff);
    fixture_finish(&f);
}

static void
test_save_and_load(void)
{
    Fixture from, to;
    fixture_init(&from);
    fixture_init(&to);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    out(&from, PM_REGISTER_ENABLE, 2, 0x101);
    out(&from, PM_REGISTER_CONTROL, 2, 5u << 10);
    out(&from, PM_REGISTER_GPE0 + 8, 4, 0x12345678);
    pm_power_button(from.pm);
    pm_device_ops.quiesce(from.pm);
    clock_advance(from.clock, 601 * SECOND); /* quiesced: no timer runs, no line moves */
    g_assert_cmpuint(from.irq.rises[BOARD_GSI_SCI], ==, 1);
    state_save(pm_device_ops.state, from.pm, bytes);

    g_autoptr(GError) error = NULL;
    clock_advance(to.clock, 601 * SECOND);
    g_assert_true(
        state_load(pm_device_ops.state, to.pm, pm_device_ops.state->version, bytes->data, bytes->len, &error));
    g_assert_no_error(error);
    g_assert_false(sci(&to));
    pm_device_ops.resume(to.pm);
    g_assert_true(sci(&to));
    g_assert_cmphex(in(&to, PM_REGISTER_STATUS, 2), ==, 0x101); /* the top bit changed meanwhile */
    g_assert_cmphex(in(&to, PM_REGISTER_ENABLE, 2), ==, 0x101);
    g_assert_cmphex(in(&to, PM_REGISTER_CONTROL, 2), ==, 5u << 10 | 1);
    g_assert_cmphex(in(&to, PM_REGISTER_GPE0 + 8, 4), ==, 0x12345678);
    fixture_finish(&from);
    fixture_finish(&to);
}

static void
count_smi(void *user)
{
    ++*(unsigned *)user;
}

/* Without system management mode firmware finds it set up already; with it, the APM port enters it once that is enabled. */
static void
test_smi(void)
{
    Fixture f;
    unsigned n = 0;

    fixture_init(&f);
    pm_apm_bus_ops.write(f.pm, 0, 1, 0x42);
    g_assert_cmphex(in(&f, PM_REGISTER_SMI_ENABLE, 4), ==, 0x20);
    pm_set_smi(f.pm, count_smi, &n);
    g_assert_cmphex(in(&f, PM_REGISTER_SMI_ENABLE, 4), ==, 0);
    pm_apm_bus_ops.write(f.pm, 0, 1, 0x42);
    g_assert_cmpuint(n, ==, 0);
    out(&f, PM_REGISTER_SMI_ENABLE, 4, 0x21);
    pm_apm_bus_ops.write(f.pm, 1, 1, 0x17); /* the status port is only memory */
    g_assert_cmpuint(n, ==, 0);
    pm_apm_bus_ops.write(f.pm, 0, 1, 0x43);
    g_assert_cmpuint(n, ==, 1);
    g_assert_cmphex(pm_apm_bus_ops.read(f.pm, 0, 2), ==, 0x1743);
    pm_set_smi_lock(f.pm, true);
    out(&f, PM_REGISTER_SMI_ENABLE, 4, 0x20);
    g_assert_cmphex(in(&f, PM_REGISTER_SMI_ENABLE, 4), ==, 0x21);
    out(&f, PM_REGISTER_SMI_ENABLE, 4, 0);
    g_assert_cmphex(in(&f, PM_REGISTER_SMI_ENABLE, 4), ==, 0x01);
    pm_set_smi_lock(f.pm, false);
    pm_device_ops.reset(f.pm);
    g_assert_cmphex(in(&f, PM_REGISTER_SMI_ENABLE, 4), ==, 0);
    g_assert_cmphex(pm_apm_bus_ops.read(f.pm, 0, 2), ==, 0);
    fixture_finish(&f);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pm/power-button", test_power_button);
    g_test_add_func("/pm/timer", test_timer);
    g_test_add_func("/pm/timer-interrupt", test_timer_interrupt);
    g_test_add_func("/pm/sleep", test_sleep);
    g_test_add_func("/pm/resets", test_resets);
    g_test_add_func("/pm/any-access", test_any_access);
    g_test_add_func("/pm/save-and-load", test_save_and_load);
    g_test_add_func("/pm/smi", test_smi);
    return g_test_run();
}
