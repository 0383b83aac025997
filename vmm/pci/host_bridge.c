/* SPDX-License-Identifier: Apache-2.0 */
/* The host bridge: see host_bridge.h. */
#include "vmm/pci/host_bridge.h"
#include "vmm/pci/bus.h"

#define PCIEXBAR 0x60
#define PCIEXBAR_ENABLE 1u
#define PCIEXBAR_LENGTH_SHIFT 1 /* 0: 256 MiB, 1: 128 MiB, 2: 64 MiB */
#define PCIEXBAR_ADDRESS 0xfffffc000000ull

static uint64_t
pciexbar(const PciHostBridge *bridge)
{
    return pci_config_read(&bridge->pci.config, PCIEXBAR, 8);
}

/* Where ECAM belongs and how long it is; 0: nowhere. */
static uint64_t
ecam_wanted(const PciHostBridge *bridge, uint64_t *size)
{
    uint64_t value = pciexbar(bridge);
    unsigned length = value >> PCIEXBAR_LENGTH_SHIFT & 3;

    if (!(value & PCIEXBAR_ENABLE) || length == 3)
        return 0;
    *size = BOARD_ECAM_SIZE >> length;
    return value & PCIEXBAR_ADDRESS & ~(*size - 1);
}

static bool
ecam_follow(PciHostBridge *bridge)
{
    uint64_t size = 0;
    uint64_t wanted = ecam_wanted(bridge, &size);
    PciBus *bus = bridge->pci.bus;

    if (bridge->ecam)
        bus_unmap(pci_bus_memory(bus), bridge->ecam);
    bridge->ecam = wanted && bus_map(pci_bus_memory(bus), wanted, size, &pci_ecam_ops, bus) ? wanted : 0;
    return bridge->ecam == wanted;
}

static void
bridge_written(PciDevice *device, unsigned offset, unsigned size)
{
    if (pci_config_touches(offset, size, PCIEXBAR, 8))
        ecam_follow((PciHostBridge *)device);
}

void
pci_host_bridge_init(PciHostBridge *bridge, PciBus *bus)
{
    static const PciDeviceOps ops = {.config_written = bridge_written};
    static const PciIdentity identity = {
        .vendor = 0x8086,
        .device = 0x29c0,
        .subsystem_vendor = 0x1af4,
        .subsystem = 0x1100,
        .class = 0x060000,
    };

    pci_device_init(&bridge->pci, &identity, &ops);
    pci_config_set(&bridge->pci.config, PCIEXBAR, 4, BOARD_ECAM_BASE | PCIEXBAR_ENABLE);
    pci_config_allow(&bridge->pci.config, PCIEXBAR, 4, 0xfc000000 | 3 << PCIEXBAR_LENGTH_SHIFT | PCIEXBAR_ENABLE);
    pci_config_allow(&bridge->pci.config, PCIEXBAR + 4, 4, 0xf);
    pci_config_set_power_on(&bridge->pci.config);
}

void
pci_host_bridge_reset(PciHostBridge *bridge)
{
    pci_device_reset(&bridge->pci);
    bool mapped = ecam_follow(bridge);
    g_assert(mapped);
}

bool
pci_host_bridge_follow(PciHostBridge *bridge, GError **error)
{
    if (ecam_follow(bridge))
        return true;
    g_set_error_literal(error, STATE_ERROR, STATE_ERROR_MALFORMED,
                        "state of pci-bus puts the configuration window over a device");
    return false;
}

void
pci_host_bridge_finish(PciHostBridge *bridge)
{
    if (bridge->ecam)
        bus_unmap(pci_bus_memory(bridge->pci.bus), bridge->ecam);
    pci_device_finish(&bridge->pci);
}
