/* SPDX-License-Identifier: Apache-2.0 */
/* The host bridge: see host_bridge.h. Registers: Intel 3 Series Express Chipset datasheet, 5.1. */
#include "vmm/pci/host_bridge.h"
#include "vmm/pci/bus.h"

/* QEMU's, where the datasheet has nothing: written 0xffff it reads the MiB of a larger TSEG (OVMF's Q35MchIch9.h). */
#define EXTENDED_TSEG 0x50
#define EXTENDED_TSEG_QUERY 0xffff
#define PCIEXBAR 0x60
#define PCIEXBAR_ENABLE 1u
#define PCIEXBAR_LENGTH_SHIFT 1 /* 0: 256 MiB, 1: 128 MiB, 2: 64 MiB */
#define PCIEXBAR_ADDRESS 0xfffffc000000ull
#define PAM0 0x90 /* its upper half is the piece at 0xf0000; PAM1 to PAM6 have two pieces each, the lower first */
#define PAM_REGISTERS 7
#define PAM_ACCESS 0x33
#define SMRAM 0x9d
#define SMRAM_BASE 0x02 /* 0xa0000, always */
#define SMRAM_ENABLE 0x08
#define SMRAM_LOCK 0x10
#define SMRAM_CLOSED 0x20
#define SMRAM_OPEN 0x40
#define ESMRAMC 0x9e
#define ESMRAMC_CACHE 0x38 /* always */
#define ESMRAMC_TSEG 0x01
#define ESMRAMC_SIZE_SHIFT 1

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

static uint64_t
tseg_size(const PciConfig *config)
{
    uint8_t control = pci_config_get(config, ESMRAMC, 1);

    if (!(control & ESMRAMC_TSEG) || !(pci_config_get(config, SMRAM, 1) & SMRAM_ENABLE))
        return 0;
    switch (control >> ESMRAMC_SIZE_SHIFT & 3) {
    case 0:
        return 1ull << 20;
    case 1:
        return 2ull << 20;
    case 2:
        return 8ull << 20;
    default: /* reserved, but for those who know of the larger one */
        return (uint64_t)pci_config_get(config, EXTENDED_TSEG, 2) << 20;
    }
}

/* Everything but ECAM to where the registers say. */
static void
memory_control_follow(const PciHostBridge *bridge)
{
    const PciConfig *config = &bridge->pci.config;
    uint8_t smram = pci_config_get(config, SMRAM, 1);
    PciMemoryControl control = {.tseg_size = tseg_size(config)};

    if (!bridge->changed)
        return;
    for (unsigned i = 0; i < PCI_SHADOW_PIECES; i++) {
        unsigned half = i < PCI_SHADOW_PIECES - 1 ? i + 2 : 1; /* of the registers' halves, counted from PAM0's lower */
        control.shadow[i] = pci_config_get(config, PAM0 + half / 2, 1) >> (half & 1 ? 4 : 0) & 3;
    }
    control.low_smram = smram & SMRAM_ENABLE;
    control.low_smram_open = (smram & SMRAM_ENABLE) && (smram & SMRAM_OPEN);
    bridge->changed(bridge->user, &control);
}

/* Which bits the guest may write: the lock holds until the next reset. */
static void
allow_memory_control(PciHostBridge *bridge)
{
    PciConfig *config = &bridge->pci.config;
    bool there = bridge->changed, locked = pci_config_get(config, SMRAM, 1) & SMRAM_LOCK;

    for (unsigned i = 0; i < PAM_REGISTERS; i++)
        pci_config_allow(config, PAM0 + i, 1, !there ? 0 : i ? PAM_ACCESS : PAM_ACCESS & 0xf0);
    pci_config_allow(config, SMRAM, 1,
                     !there   ? 0
                     : locked ? SMRAM_CLOSED
                              : SMRAM_ENABLE | SMRAM_LOCK | SMRAM_CLOSED | SMRAM_OPEN);
    pci_config_allow(config, ESMRAMC, 1, there && !locked ? ESMRAMC_TSEG | 3 << ESMRAMC_SIZE_SHIFT : 0);
    pci_config_allow(config, EXTENDED_TSEG, 2, there && !locked ? 0xffff : 0);
}

static void
memory_control_written(PciHostBridge *bridge)
{
    PciConfig *config = &bridge->pci.config;
    uint8_t smram = pci_config_get(config, SMRAM, 1);

    if (smram & SMRAM_LOCK)
        pci_config_set(config, SMRAM, 1, smram & ~SMRAM_OPEN);
    /* the largest there is, for whoever asks; nothing else can be put there */
    bool asked = pci_config_get(config, EXTENDED_TSEG, 2) == EXTENDED_TSEG_QUERY;
    bool known = pci_config_get(config, EXTENDED_TSEG, 2) == PCI_TSEG_EXTENDED >> 20;
    pci_config_set(config, EXTENDED_TSEG, 2, asked || known ? PCI_TSEG_EXTENDED >> 20 : 0);
    allow_memory_control(bridge);
    memory_control_follow(bridge);
}

static void
bridge_written(PciDevice *device, unsigned offset, unsigned size)
{
    PciHostBridge *bridge = (PciHostBridge *)device;

    if (pci_config_touches(offset, size, PCIEXBAR, 8))
        ecam_follow(bridge);
    if (bridge->changed &&
        (pci_config_touches(offset, size, PAM0, PAM_REGISTERS) || pci_config_touches(offset, size, SMRAM, 2) ||
         pci_config_touches(offset, size, EXTENDED_TSEG, 2)))
        memory_control_written(bridge);
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
    pci_config_set(&bridge->pci.config, SMRAM, 1, SMRAM_BASE);
    pci_config_set(&bridge->pci.config, ESMRAMC, 1, ESMRAMC_CACHE);
    pci_config_set_power_on(&bridge->pci.config);
}

void
pci_host_bridge_set_memory_control(PciHostBridge *bridge, PciMemoryControlChanged changed, void *user)
{
    bridge->changed = changed;
    bridge->user = user;
    allow_memory_control(bridge);
    memory_control_follow(bridge);
}

void
pci_host_bridge_reset(PciHostBridge *bridge)
{
    pci_device_reset(&bridge->pci);
    bool mapped = ecam_follow(bridge);
    g_assert(mapped);
    allow_memory_control(bridge);
    memory_control_follow(bridge);
}

bool
pci_host_bridge_follow(PciHostBridge *bridge, GError **error)
{
    allow_memory_control(bridge);
    memory_control_follow(bridge);
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
