/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interrupt controllers: each processor's local APIC, in x2APIC mode where the processor has it, and the I/O APIC.
 * Kernel mode only.
 */
#ifndef GUEST_APIC_H
#define GUEST_APIC_H

#include <stdbool.h>
#include <stdint.h>

#define LOCAL_APIC_ID 0x02
#define LOCAL_APIC_VERSION 0x03
#define LOCAL_APIC_TASK_PRIORITY 0x08
#define LOCAL_APIC_EOI 0x0b
#define LOCAL_APIC_SPURIOUS 0x0f
#define LOCAL_APIC_COMMAND 0x30
#define LOCAL_APIC_TIMER 0x32
#define LOCAL_APIC_LINT0 0x35
#define LOCAL_APIC_TIMER_COUNT 0x38
#define LOCAL_APIC_TIMER_NOW 0x39
#define LOCAL_APIC_TIMER_DIVIDE 0x3e

/* Switches this processor's local APIC on; masks the two legacy PICs when called on the boot processor. */
void local_apic_init(void);
bool local_apic_is_x2apic(void);
uint32_t local_apic_id(void);

/* reg is the x2APIC register number; in xAPIC mode it is translated. */
uint32_t local_apic_read(unsigned reg);
void local_apic_write(unsigned reg, uint32_t value);
void local_apic_end_of_interrupt(void);

/* Sends the interrupt command (delivery mode and vector as in the command register's low half) to one APIC. */
void local_apic_send(uint32_t apic_id, uint32_t command);

/*
 * Routes an I/O APIC input to a vector on the boot processor. Level and active-low is a PCI line; edge and active-high
 * is an ISA one.
 */
void io_apic_route(unsigned pin, uint8_t vector, bool level, bool active_low);
void io_apic_mask(unsigned pin);

#endif
