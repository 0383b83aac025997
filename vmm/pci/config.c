/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration space, byte by byte: that is what makes accesses of odd sizes and places right by themselves. */
#include "vmm/pci/config.h"

#include <glib.h>
#include <string.h>

void
pci_config_init(PciConfig *config)
{
    *config = (PciConfig){.next_capability = PCI_STD_HEADER_SIZEOF};
}

void
pci_config_set_power_on(PciConfig *config)
{
    memcpy(config->power_on, config->bytes, sizeof(config->bytes));
}

void
pci_config_reset(PciConfig *config)
{
    memcpy(config->bytes, config->power_on, sizeof(config->bytes));
}

uint32_t
pci_config_get(const PciConfig *config, unsigned offset, unsigned size)
{
    return pci_config_read(config, offset, size);
}

static void
put(uint8_t *bytes, unsigned offset, unsigned size, uint32_t value)
{
    g_assert(size <= 4 && offset + size <= PCI_CONFIG_HELD);
    for (unsigned i = 0; i < size; i++)
        bytes[offset + i] = value >> (8 * i);
}

void
pci_config_set(PciConfig *config, unsigned offset, unsigned size, uint32_t value)
{
    put(config->bytes, offset, size, value);
}

void
pci_config_allow(PciConfig *config, unsigned offset, unsigned size, uint32_t mask)
{
    put(config->writable, offset, size, mask);
}

uint64_t
pci_config_read(const PciConfig *config, unsigned offset, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        if (offset + i < PCI_CONFIG_HELD)
            value |= (uint64_t)config->bytes[offset + i] << (8 * i);
    return value;
}

void
pci_config_write(PciConfig *config, unsigned offset, unsigned size, uint64_t value)
{
    for (unsigned i = 0; i < size && offset + i < PCI_CONFIG_HELD; i++) {
        uint8_t *byte = &config->bytes[offset + i];
        uint8_t mask = config->writable[offset + i];
        *byte = (*byte & ~mask) | (value >> (8 * i) & mask);
    }
}

unsigned
pci_config_add_capability(PciConfig *config, uint8_t id, unsigned size)
{
    unsigned at = config->next_capability;

    g_assert(size >= PCI_CAP_SIZEOF / 2 && at + size <= PCI_CONFIG_HELD - 4); /* next_capability is one byte */
    config->bytes[at + PCI_CAP_LIST_ID] = id;
    config->bytes[config->last_capability ? config->last_capability + PCI_CAP_LIST_NEXT : PCI_CAPABILITY_LIST] = at;
    config->bytes[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
    config->last_capability = at;
    config->next_capability = (at + size + 3) & ~3u;
    return at;
}
