/* SPDX-License-Identifier: Apache-2.0 */
/* PCI Local Bus 3.0 configuration space, PCI Express ECAM, MSI-X (PCIe 4.0, 7.7.2). */
#include "pci.h"
#include "acpi.h"
#include "apic.h"
#include "cpu.h"
#include "interrupt.h"
#include "paging.h"
#include "start.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
#define MSIX_ENABLE 0x8000
#define MSIX_FUNCTION_MASK 0x4000
#define PLACE_END 0xfe000000ul /* below it: the hole that is free for devices */

uint64_t
pci_ecam(const PciDevice *device, unsigned offset)
{
    uint64_t bus = device->bus - acpi.ecam_first_bus;

    return acpi.ecam + (bus << 20 | (uint64_t)device->slot << 15 | (uint64_t)device->function << 12 | offset);
}

static void
port_select(const PciDevice *device, unsigned offset)
{
    port_write32(CONFIG_ADDRESS, 0x80000000u | (uint32_t)device->bus << 16 | (uint32_t)device->slot << 11 |
                                     (uint32_t)device->function << 8 | (offset & 0xfc));
}

uint32_t
pci_port_read(const PciDevice *device, unsigned offset, unsigned size)
{
    port_select(device, offset);
    uint16_t port = CONFIG_DATA + (offset & 3);
    return size == 1 ? port_read8(port) : size == 2 ? port_read16(port) : port_read32(port);
}

void
pci_port_write(const PciDevice *device, unsigned offset, unsigned size, uint32_t value)
{
    port_select(device, offset);
    uint16_t port = CONFIG_DATA + (offset & 3);
    if (size == 1)
        port_write8(port, value);
    else if (size == 2)
        port_write16(port, value);
    else
        port_write32(port, value);
}

uint32_t
pci_read(const PciDevice *device, unsigned offset, unsigned size)
{
    if (!acpi.ecam)
        return pci_port_read(device, offset, size);
    uint64_t at = pci_ecam(device, offset);
    return size == 1 ? mmio_read8(at) : size == 2 ? mmio_read16(at) : mmio_read32(at);
}

void
pci_write(const PciDevice *device, unsigned offset, unsigned size, uint32_t value)
{
    if (!acpi.ecam) {
        pci_port_write(device, offset, size, value);
        return;
    }
    uint64_t at = pci_ecam(device, offset);
    if (size == 1)
        mmio_write8(at, value);
    else if (size == 2)
        mmio_write16(at, value);
    else
        mmio_write32(at, value);
}

unsigned
pci_enumerate(PciDevice *devices, unsigned max)
{
    unsigned n = 0;

    for (unsigned slot = 0; slot < 32; slot++) {
        for (unsigned function = 0; function < 8 && n < max; function++) {
            PciDevice device = {.slot = slot, .function = function};
            uint32_t ids = pci_read(&device, PCI_VENDOR, 4);
            if ((ids & 0xffff) == 0xffff) {
                if (function == 0)
                    break;
                continue;
            }
            device.vendor = ids;
            device.id = ids >> 16;
            devices[n++] = device;
            if (function == 0 && !(pci_read(&device, PCI_HEADER, 1) & 0x80))
                break;
        }
    }
    return n;
}

bool
pci_find(uint16_t vendor, uint16_t id, unsigned n, PciDevice *device)
{
    static PciDevice all[64];
    static unsigned n_all;

    /* Walking the bus takes hundreds of exits, and what is on it does not change. */
    if (!n_all)
        n_all = pci_enumerate(all, 64);
    for (unsigned i = 0; i < n_all; i++) {
        if (all[i].vendor == vendor && all[i].id == id && n-- == 0) {
            *device = all[i];
            return true;
        }
    }
    return false;
}

PciBar
pci_bar(const PciDevice *device, unsigned index)
{
    unsigned at = PCI_BAR0 + 4 * index;
    uint32_t command = pci_read(device, PCI_COMMAND, 2);
    uint32_t low = pci_read(device, at, 4), high = 0;
    PciBar bar = {.io = low & 1};

    bar.wide = !bar.io && (low & 6) == 4;
    bar.prefetchable = !bar.io && (low & 8);
    pci_write(device, PCI_COMMAND, 2, command & ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
    pci_write(device, at, 4, 0xffffffff);
    uint64_t mask = pci_read(device, at, 4);
    pci_write(device, at, 4, low);
    if (bar.wide) {
        high = pci_read(device, at + 4, 4);
        pci_write(device, at + 4, 4, 0xffffffff);
        mask |= (uint64_t)pci_read(device, at + 4, 4) << 32;
        pci_write(device, at + 4, 4, high);
    } else if (mask) {
        mask |= 0xffffffffull << 32;
    }
    pci_write(device, PCI_COMMAND, 2, command);

    mask &= ~(bar.io ? 0x3ull : 0xfull);
    bar.size = mask ? -mask : 0;
    if (bar.io)
        bar.size &= 0xffff;
    bar.address = ((uint64_t)high << 32 | low) & ~(bar.io ? 0x3ull : 0xfull);
    return bar;
}

void
pci_bar_move(const PciDevice *device, unsigned index, uint64_t address)
{
    unsigned at = PCI_BAR0 + 4 * index;
    uint32_t command = pci_read(device, PCI_COMMAND, 2);

    pci_write(device, PCI_COMMAND, 2, command & ~PCI_COMMAND_MEMORY);
    bool wide = (pci_read(device, at, 4) & 7) == 4;
    pci_write(device, at, 4, address);
    if (wide)
        pci_write(device, at + 4, 4, address >> 32);
    pci_write(device, PCI_COMMAND, 2, command);
}

void
pci_enable(const PciDevice *device)
{
    static uint64_t next;

    for (unsigned i = 0; i < 6; i++) {
        PciBar bar = pci_bar(device, i);
        if (bar.size && !bar.io && !bar.address) {
            if (!next)
                next = start_ram_end(true) > 0xd0000000 ? start_ram_end(true) : 0xd0000000;
            next = (next + bar.size - 1) & -bar.size;
            if (next + bar.size > PLACE_END)
                panic("no place for a register block of %lu bytes", bar.size);
            pci_bar_move(device, i, next);
            next += bar.size;
        } else if (bar.size && !bar.io && bar.address >> 32) {
            paging_map(bar.address, bar.size);
        }
        i += bar.wide;
    }
    uint32_t command = pci_read(device, PCI_COMMAND, 2);
    pci_write(device, PCI_COMMAND, 2, command | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

unsigned
pci_capability(const PciDevice *device, uint8_t id, unsigned after)
{
    unsigned at = after ? pci_read(device, after + 1, 1) : 0;

    if (!after && (pci_read(device, PCI_STATUS, 2) & PCI_STATUS_CAPABILITIES))
        at = pci_read(device, PCI_CAPABILITIES, 1);
    for (unsigned steps = 0; at && steps < 48; steps++) {
        at &= 0xfc;
        if (pci_read(device, at, 1) == id)
            return at;
        at = pci_read(device, at + 1, 1);
    }
    return 0;
}

unsigned
pci_msix_entries(const PciDevice *device)
{
    unsigned at = pci_capability(device, PCI_CAPABILITY_MSIX, 0);

    return at ? (pci_read(device, at + 2, 2) & 0x7ff) + 1 : 0;
}

static uint64_t
msix_area(const PciDevice *device, unsigned field)
{
    unsigned at = pci_capability(device, PCI_CAPABILITY_MSIX, 0);
    uint32_t place = pci_read(device, at + field, 4);
    unsigned bar = PCI_BAR0 + 4 * (place & 7);
    uint32_t low = pci_read(device, bar, 4);
    uint64_t high = (low & 6) == 4 ? pci_read(device, bar + 4, 4) : 0;

    return (high << 32 | (low & ~0xfu)) + (place & ~7u);
}

uint64_t
pci_msix_table(const PciDevice *device)
{
    return msix_area(device, 4);
}

uint64_t
pci_msix_pending(const PciDevice *device)
{
    return msix_area(device, 8);
}

void
pci_msix_enable(const PciDevice *device, bool on, bool function_mask)
{
    unsigned at = pci_capability(device, PCI_CAPABILITY_MSIX, 0);
    uint32_t control = pci_read(device, at + 2, 2) & 0x7ff;

    pci_write(device, at + 2, 2, control | (on ? MSIX_ENABLE : 0) | (function_mask ? MSIX_FUNCTION_MASK : 0));
}

void
pci_msix_set(const PciDevice *device, unsigned entry, uint8_t vector, bool masked)
{
    uint64_t at = pci_msix_table(device) + 16 * entry;

    mmio_write32(at, 0xfee00000 | (local_apic_id() & 0xff) << 12);
    mmio_write32(at + 4, 0);
    mmio_write32(at + 8, vector);
    mmio_write32(at + 12, masked);
}
