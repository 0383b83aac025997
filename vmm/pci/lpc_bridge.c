/* SPDX-License-Identifier: Apache-2.0 */
/* The LPC bridge: see lpc_bridge.h. */
#include "vmm/pci/lpc_bridge.h"
#include "vmm/board/memory_map.h"

#define PMBASE 0x40
#define PMBASE_IO 1u
#define ACPI_CONTROL 0x44
#define ACPI_ENABLE 0x80 /* and the SCI on IRQ 9 */
#define PIRQ_A_ROUTE 0x60
#define PIRQ_E_ROUTE 0x68
#define PIRQ_OFF 0x80 /* to no ISA interrupt */
#define GEN_PMCON_1 0xa0
#define SMI_LOCK 0x10 /* until the next reset */

void
pci_lpc_bridge_follow(PciLpcBridge *bridge)
{
    bool locked = pci_config_get(&bridge->pci.config, GEN_PMCON_1, 1) & SMI_LOCK;

    pci_config_allow(&bridge->pci.config, GEN_PMCON_1, 1, bridge->changed && !locked ? SMI_LOCK : 0);
    if (bridge->changed)
        bridge->changed(bridge->user, locked);
}

static void
bridge_written(PciDevice *device, unsigned offset, unsigned size)
{
    if (pci_config_touches(offset, size, GEN_PMCON_1, 1))
        pci_lpc_bridge_follow((PciLpcBridge *)device);
}

void
pci_lpc_bridge_set_smi_lock(PciLpcBridge *bridge, PciSmiLockChanged changed, void *user)
{
    bridge->changed = changed;
    bridge->user = user;
    pci_lpc_bridge_follow(bridge);
}

void
pci_lpc_bridge_init(PciLpcBridge *bridge)
{
    static const PciDeviceOps ops = {.config_written = bridge_written};
    static const PciIdentity identity = {
        .vendor = 0x8086,
        .device = 0x2918,
        .subsystem_vendor = 0x1af4,
        .subsystem = 0x1100,
        .revision = 2,
        .class = 0x060100,
    };

    pci_device_init(&bridge->pci, &identity, &ops);
    /* what is behind it answers always (ICH9, 13.1.3); UEFI looks for a serial port only where that is so */
    pci_config_set(&bridge->pci.config, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    pci_config_allow(&bridge->pci.config, PCI_COMMAND, 2, 0);
    pci_config_set(&bridge->pci.config, PMBASE, 4, BOARD_PORT_PM | PMBASE_IO);
    pci_config_set(&bridge->pci.config, ACPI_CONTROL, 1, ACPI_ENABLE);
    for (unsigned i = 0; i < 4; i++) {
        pci_config_set(&bridge->pci.config, PIRQ_A_ROUTE + i, 1, PIRQ_OFF);
        pci_config_set(&bridge->pci.config, PIRQ_E_ROUTE + i, 1, PIRQ_OFF);
        pci_config_allow(&bridge->pci.config, PIRQ_A_ROUTE + i, 1, 0x8f);
        pci_config_allow(&bridge->pci.config, PIRQ_E_ROUTE + i, 1, 0x8f);
    }
    pci_config_set_power_on(&bridge->pci.config);
}
