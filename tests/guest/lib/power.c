/* SPDX-License-Identifier: Apache-2.0 */
/* S5 with the values from the ACPI tables; reset control register; triple fault. */
#include "power.h"
#include "acpi.h"
#include "clock.h"
#include "cpu.h"

void
power_off(void)
{
    if (!acpi.pm1a_control)
        return;
    port_write16(acpi.pm1a_control, acpi.sleep_type_s5 << 10 | 1u << 13); /* SLP_TYP, SLP_EN */
}

void
power_reset(void)
{
    port_write8(0xcf9, 0x02); /* a hard reset is meant */
    port_write8(0xcf9, 0x06); /* now */
}

void
power_end(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none = {0, 0};

    power_off();
    /* The VMM may need a moment to stop this processor; one that goes on for a second was not stopped. */
    clock_delay(SECONDS(1));
    __asm__ volatile("lidt %0; ud2" : : "m"(none));
    for (;;)
        cpu_pause();
}
