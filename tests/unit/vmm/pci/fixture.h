/* SPDX-License-Identifier: Apache-2.0 */
/* A PCI bus on two buses and a recording interrupt controller, for the tests of this folder and of virtio's transport. */
#pragma once

#include "irq_recorder.h"
#include "vmm/pci/bus.h"
#include "vmm/pci/msix.h"

#define ECAM(slot, offset) (BOARD_ECAM_BASE + ((uint64_t)(slot) << 15) + (offset))

typedef struct {
    Bus *ports;
    Bus *memory;
    IrqRecorder irq;
    PciBus *pci;
} PciFixture;

static inline void
pci_fixture_init(PciFixture *fixture)
{
    fixture->ports = bus_new(true, NULL, NULL);
    fixture->memory = bus_new(false, NULL, NULL);
    IrqController irq = irq_recorder_init(&fixture->irq);
    fixture->pci = pci_bus_new(fixture->ports, fixture->memory, &irq);
}

static inline void
pci_fixture_assign(PciFixture *fixture)
{
    static const BoardWindow low = {BOARD_PCI32_BASE, BOARD_PCI32_SIZE}, high = {1ull << 36, 1ull << 36};
    g_autoptr(GError) error = NULL;
    pci_bus_assign(fixture->pci, &low, &high, &error);
    g_assert_no_error(error);
}

static inline void
pci_fixture_finish(PciFixture *fixture)
{
    pci_bus_free(fixture->pci);
    bus_free(fixture->ports);
    bus_free(fixture->memory);
    irq_recorder_finish(&fixture->irq);
}

static inline uint64_t
config_get(PciFixture *fixture, unsigned slot, unsigned offset, unsigned size)
{
    return bus_read(fixture->memory, ECAM(slot, offset), size);
}

static inline void
config_put(PciFixture *fixture, unsigned slot, unsigned offset, unsigned size, uint64_t value)
{
    bus_write(fixture->memory, ECAM(slot, offset), size, value);
}

/* Where the guest finds the capability @id: the @nth of its kind, from 0; 0: nowhere. */
static inline unsigned
find_capability(PciFixture *fixture, unsigned slot, uint8_t id, unsigned nth)
{
    for (unsigned at = config_get(fixture, slot, PCI_CAPABILITY_LIST, 1); at;
         at = config_get(fixture, slot, at + PCI_CAP_LIST_NEXT, 1))
        if (config_get(fixture, slot, at, 1) == id && nth-- == 0)
            return at;
    return 0;
}

static inline uint64_t
bar_base(PciFixture *fixture, unsigned slot, unsigned bar)
{
    uint32_t low = config_get(fixture, slot, PCI_BASE_ADDRESS_0 + 4 * bar, 4);
    uint64_t base = low & ~0xfu;
    if (low & PCI_BASE_ADDRESS_MEM_TYPE_64)
        base |= config_get(fixture, slot, PCI_BASE_ADDRESS_0 + 4 * bar + 4, 4) << 32;
    return base;
}
