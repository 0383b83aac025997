/* SPDX-License-Identifier: Apache-2.0 */
/* Local APIC (x2APIC by registers, xAPIC by memory) and I/O APIC at their architectural addresses. */
#include "apic.h"
#include "cpu.h"
#include "interrupt.h"
#include "layout.h"

#define MSR_APIC_BASE 0x1b
#define APIC_BASE_ENABLE (1u << 11)
#define APIC_BASE_X2APIC (1u << 10)
#define MSR_X2APIC 0x800
#define LOCAL_APIC_ADDRESS 0xfee00000ul
#define IO_APIC_ADDRESS 0xfec00000ul

static bool x2apic;

bool
local_apic_is_x2apic(void)
{
    return x2apic;
}

uint32_t
local_apic_read(unsigned reg)
{
    return x2apic ? msr_read(MSR_X2APIC + reg) : mmio_read32(LOCAL_APIC_ADDRESS + 16 * reg);
}

void
local_apic_write(unsigned reg, uint32_t value)
{
    if (x2apic)
        msr_write(MSR_X2APIC + reg, value);
    else
        mmio_write32(LOCAL_APIC_ADDRESS + 16 * reg, value);
}

uint32_t
local_apic_id(void)
{
    uint32_t id = local_apic_read(LOCAL_APIC_ID);

    return x2apic ? id : id >> 24;
}

void
local_apic_init(void)
{
    uint64_t base = msr_read(MSR_APIC_BASE);

    x2apic = cpuid(1, 0).ecx & 1u << 21;
    msr_write(MSR_APIC_BASE, base | APIC_BASE_ENABLE | (x2apic ? APIC_BASE_X2APIC : 0));
    local_apic_write(LOCAL_APIC_SPURIOUS, 0x100 | VECTOR_SPURIOUS);
    local_apic_write(LOCAL_APIC_TASK_PRIORITY, 0);
    if (base & 1u << 8) {
        port_write8(0x21, 0xff);
        port_write8(0xa1, 0xff);
    }
}

void
local_apic_end_of_interrupt(void)
{
    local_apic_write(LOCAL_APIC_EOI, 0);
}

void
local_apic_send(uint32_t apic_id, uint32_t command)
{
    if (x2apic) {
        msr_write(MSR_X2APIC + LOCAL_APIC_COMMAND, (uint64_t)apic_id << 32 | command);
        return;
    }
    mmio_write32(LOCAL_APIC_ADDRESS + 0x310, apic_id << 24);
    mmio_write32(LOCAL_APIC_ADDRESS + 0x300, command);
}

static void
io_apic_write(unsigned reg, uint32_t value)
{
    mmio_write32(IO_APIC_ADDRESS, reg);
    mmio_write32(IO_APIC_ADDRESS + 0x10, value);
}

void
io_apic_route(unsigned pin, uint8_t vector, bool level, bool active_low)
{
    io_apic_write(0x11 + 2 * pin, local_apic_id() << 24);
    io_apic_write(0x10 + 2 * pin, vector | (active_low ? 1u << 13 : 0) | (level ? 1u << 15 : 0));
}

void
io_apic_mask(unsigned pin)
{
    io_apic_write(0x10 + 2 * pin, 1u << 16);
}
