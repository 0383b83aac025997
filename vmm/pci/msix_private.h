/* SPDX-License-Identifier: Apache-2.0 */
/* What pci/device.c calls of pci/msix.c. Any thread with the config lock, or the main thread while no vCPU runs. */
#pragma once

#include "vmm/pci/msix.h"

/* @device may be without MSI-X in all of these. */
void pci_msix_free(PciDevice *device);
/* The guest wrote [offset, offset + size) of configuration. */
void pci_msix_config_written(PciDevice *device, unsigned offset, unsigned size);
void pci_msix_reset(PciDevice *device);

/* One vector in the saved state. */
typedef struct {
    uint64_t address;
    uint32_t data;
    bool masked;
    bool pending;
} PciMsixVectorState;

extern const StateTable pci_msix_vector_state;
/* The vectors as PciMsixVectorState, appended to @to; and back, before the configuration is acted upon. */
void pci_msix_save(PciDevice *device, GPtrArray *to);
bool pci_msix_load(PciDevice *device, const GPtrArray *from);
