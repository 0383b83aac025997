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

void
pci_lpc_bridge_init(PciDevice *bridge)
{
    static const PciIdentity identity = {
        .vendor = 0x8086,
        .device = 0x2918,
        .subsystem_vendor = 0x1af4,
        .subsystem = 0x1100,
        .revision = 2,
        .class = 0x060100,
    };

    pci_device_init(bridge, &identity, NULL);
    pci_config_set(&bridge->config, PMBASE, 4, BOARD_PORT_PM | PMBASE_IO);
    pci_config_set(&bridge->config, ACPI_CONTROL, 1, ACPI_ENABLE);
    for (unsigned i = 0; i < 4; i++) {
        pci_config_set(&bridge->config, PIRQ_A_ROUTE + i, 1, PIRQ_OFF);
        pci_config_set(&bridge->config, PIRQ_E_ROUTE + i, 1, PIRQ_OFF);
        pci_config_allow(&bridge->config, PIRQ_A_ROUTE + i, 1, 0x8f);
        pci_config_allow(&bridge->config, PIRQ_E_ROUTE + i, 1, 0x8f);
    }
    pci_config_set_power_on(&bridge->config);
}
