/* SPDX-License-Identifier: Apache-2.0 */
/* Ways for a machine to end. Kernel mode. */
#ifndef GUEST_POWER_H
#define GUEST_POWER_H

/* ACPI S5 through PM1a_CNT; returns where there is no such register or it did nothing. */
void power_off(void);

/* Full reset through port 0xcf9. */
void power_reset(void);

/* The end of every test: S5, and where that is not to be had a triple fault. */
_Noreturn void power_end(void);

#endif
