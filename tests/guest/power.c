/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a machine ends and begins again. Command line: end=s5, reset, keyboard (the controller's reset line), triple
 * (fault) or button. For the resets the machine starts anew, and the second start, known by a byte of the clock's
 * memory, gives the results.
 */
#include "acpi.h"
#include "apic.h"
#include "clock.h"
#include "cpu.h"
#include "interrupt.h"
#include "power.h"
#include "start.h"
#include "tap.h"
#include "text.h"
#include "virtio.h"

#define MARK_INDEX 0x7e
#define MARK 0xa5

#define POWER_BUTTON (1u << 8) /* in PM1 status and enable */
#define SCI_ENABLE 1u

static bool
second_start(void)
{
    port_write8(0x70, MARK_INDEX);
    return port_read8(0x71) == MARK;
}

static void
mark(uint8_t value)
{
    port_write8(0x70, MARK_INDEX);
    port_write8(0x71, value);
}

static void
enable_acpi(void)
{
    if (acpi.smi_command && !(port_read16(acpi.pm1a_control) & SCI_ENABLE))
        port_write8(acpi.smi_command, acpi.acpi_enable);
    uint64_t deadline = clock_ns() + SECONDS(1);
    while (!(port_read16(acpi.pm1a_control) & SCI_ENABLE) && clock_ns() < deadline)
        cpu_pause();
}

static void
on_event(void *context)
{
    /* The status stays, for the test to see; the line must fall for the handler to end. */
    *(volatile uint16_t *)context |= port_read16(acpi.pm1a_event);
    port_write16(acpi.pm1a_event, POWER_BUTTON);
}

static void
test_button(void)
{
    static uint16_t status;
    uint8_t vector = interrupt_allocate(on_event, &status);

    enable_acpi();
    ok(port_read16(acpi.pm1a_control) & SCI_ENABLE, "button: ACPI is on");
    port_write16(acpi.pm1a_event, 0xffff);
    ok(!(port_read16(acpi.pm1a_event) & POWER_BUTTON), "button: not pressed yet");
    port_write16(acpi.pm1a_event + 2, POWER_BUTTON);
    ok_equal(port_read16(acpi.pm1a_event + 2), POWER_BUTTON, "button: its event is enabled");
    io_apic_route(acpi.sci, vector, true, false);
    ask_harness("press-power");
    ok(interrupt_wait(vector, 0, SECONDS(10)), "button: an interrupt comes");
    ok(status & POWER_BUTTON, "button: and its cause is the button");
    ok(!(port_read16(acpi.pm1a_event) & POWER_BUTTON), "button: the cause is cleared by writing it");

    /* A level interrupt may be taken once more than asked for, never again and again. */
    interrupts_on();
    clock_delay(MILLISECONDS(5));
    interrupts_off();
    uint64_t seen = interrupt_count(vector);
    interrupts_on();
    clock_delay(MILLISECONDS(5));
    interrupts_off();
    ok_equal(interrupt_count(vector), seen, "button: and the line has fallen");
}

static void
test_pm_timer(void)
{
    uint32_t first = port_read32(acpi.pm_timer);

    clock_delay(MILLISECONDS(2));
    uint32_t passed = (port_read32(acpi.pm_timer) - first) & 0xffffff;
    ok(passed >= 7000, "timer: 3.58 MHz, so at least 7000 ticks in 2 ms");
    note("%u ticks", passed);
    const uint8_t *fadt = (const uint8_t *)acpi_table("FACP", 0);
    bool wide = fadt[112 + 1] & 0x01; /* TMR_VAL_EXT */
    ok(wide || first < 1u << 24, "timer: of 24 bits, unless the tables say 32");
}

static void
test_tables(void)
{
    const AcpiTable *fadt = acpi_table("FACP", 0), *dsdt = acpi_table("DSDT", 0), *madt = acpi_table("APIC", 0);
    const uint8_t *f = (const uint8_t *)fadt;

    if (!ok(fadt && dsdt && madt && acpi_table("MCFG", 0), "tables: FADT, DSDT, MADT, MCFG"))
        return;
    ok(!acpi_checksum(fadt, fadt->length) && !acpi_checksum(dsdt, dsdt->length) && !acpi_checksum(madt, madt->length),
       "tables: their sums are right");
    ok(acpi_package_first(dsdt, "_S5_") >= 0, "tables: S5 is there");
    ok(f[112 + 1] & 0x04, "tables: a reset register is there");
    ok(f[116] == 1 && *(const uint64_t *)(f + 120) == 0xcf9, "tables: it is port 0xcf9");
    ok_equal(acpi.io_apic, 0xfec00000, "tables: the I/O APIC is at its place");
}

static _Noreturn void
triple_fault(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none = {0, 0};

    __asm__ volatile("lidt %0; ud2" : : "m"(none));
    __builtin_unreachable();
}

void
guest_main(void)
{
    const char *end = start_option("end", "s5");
    VirtioDevice rng;

    if (strcmp(end, "button") == 0) {
        test_tables();
        test_pm_timer();
        test_button();
        tap_done();
        return;
    }
    if (strcmp(end, "s5") == 0) {
        ok(acpi.pm1a_control != 0, "s5: its register is known");
        tap_done();
        power_off();
        clock_delay(SECONDS(2));
        panic("still here after S5");
    }

    if (second_start()) {
        mark(0);
        ok(true, "%s: the machine started again", end);
        ok(virtio_find(VIRTIO_ENTROPY, 0, &rng) && virtio_status(&rng) == 0, "%s: its devices are reset", end);
        ok(!(pci_msix_entries(&rng.pci) &&
             pci_read(&rng.pci, pci_capability(&rng.pci, PCI_CAPABILITY_MSIX, 0) + 2, 2) & 0x8000),
           "%s: and so is their configuration space", end);
        tap_done();
        return;
    }
    mark(MARK);
    if (virtio_find(VIRTIO_ENTROPY, 0, &rng) && virtio_negotiate(&rng, 0))
        pci_msix_enable(&rng.pci, true, false);
    if (strcmp(end, "reset") == 0)
        power_reset();
    else if (strcmp(end, "keyboard") == 0)
        port_write8(0x64, 0xfe);
    else
        triple_fault();
    clock_delay(SECONDS(2));
    panic("still here after %s", end);
}
