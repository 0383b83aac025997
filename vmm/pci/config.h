/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A function's configuration space (PCI Local Bus 3.0, 6): bytes, which of their bits the guest may write, and what they
 * were at power-on.
 *
 * A function here has 4 KiB of space as PCI Express says, of which the first 256 bytes hold something: no extended
 * capability exists yet, and the space beyond reads as zero, which means just that.
 *
 * No locks: the PCI device that embeds it has one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <linux/pci_regs.h>

#define PCI_CONFIG_SIZE 4096 /* as the guest sees it */
#define PCI_CONFIG_HELD 256  /* bytes that hold something */

typedef struct {
    uint8_t bytes[PCI_CONFIG_HELD];
    uint8_t writable[PCI_CONFIG_HELD]; /* bits the guest may change */
    uint8_t power_on[PCI_CONFIG_HELD];
    uint8_t next_capability; /* where the next one goes */
    uint8_t last_capability; /* the one that links to it; 0: none yet */
} PciConfig;

/* Zeroes, ready for capabilities. */
void pci_config_init(PciConfig *config);
/* What it holds now is what a reset brings back. */
void pci_config_set_power_on(PciConfig *config);
void pci_config_reset(PciConfig *config);

/* The device's own access, at power-on or to a field only it writes. @size 1, 2 or 4; the field lies in the held bytes. */
uint32_t pci_config_get(const PciConfig *config, unsigned offset, unsigned size);
void pci_config_set(PciConfig *config, unsigned offset, unsigned size, uint32_t value);
/* The guest may change the bits of @mask. */
void pci_config_allow(PciConfig *config, unsigned offset, unsigned size, uint32_t mask);

/* The guest's access: any @offset below PCI_CONFIG_SIZE, @size 1 to 8, aligned or not. */
uint64_t pci_config_read(const PciConfig *config, unsigned offset, unsigned size);
void pci_config_write(PciConfig *config, unsigned offset, unsigned size, uint64_t value);

/*
 * Adds a capability of @size bytes, its two-byte header included, at the end of the list. Returns where it is, aligned to
 * 4. Asserts that there is room.
 */
unsigned pci_config_add_capability(PciConfig *config, uint8_t id, unsigned size);

/* Whether an access touches [at, at + len). */
static inline bool
pci_config_touches(unsigned offset, unsigned size, unsigned at, unsigned len)
{
    return offset < at + len && at < offset + size;
}
