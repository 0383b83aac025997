/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PCI device: one function of bus 0, whatever it does. Embedded in the device's own struct.
 *
 * It brings configuration space, base address registers (BARs) that appear on the memory bus where the guest puts them, an
 * INTx line, and, where asked for, MSI-X (pci/msix.h), the PCI Express and the power management capability.
 *
 * Threads. Configuration accesses come on vCPU threads and are serialised by the device's own config lock; the ops below
 * are called with it held. BAR accesses go straight to the BAR's BusOps with no lock of this file's held. Lock order: the
 * config lock, then the device's own, then MSI-X's and the line's: whoever holds a lock of its own takes no config lock.
 * Setting up, adding to a bus, reset, load and finish: main thread, while no vCPU runs.
 */
#pragma once

#include "vmm/board/bus.h"
#include "vmm/pci/config.h"
#include "vmm/state/state.h"

#include <glib.h>

#define PCI_BARS 6

typedef struct PciBus PciBus;
typedef struct PciDevice PciDevice;
typedef struct PciMsix PciMsix;

typedef enum {
    PCI_BAR_NONE,
    PCI_BAR_32,          /* below 4 GiB */
    PCI_BAR_64_PREFETCH, /* anywhere; takes this BAR's number and the next */
} PciBarKind;

typedef struct {
    PciBarKind kind;
    uint64_t size; /* bytes, a power of two, 4096 or more */
    const BusOps *ops;
    void *owner;      /* first argument of @ops */
    bool mapped;      /* it is on the memory bus … */
    uint64_t address; /* … at this address */
} PciBar;

/* What a device adds to the common behaviour. Any member may be NULL. Under the config lock, any thread. */
typedef struct {
    /* The guest reads [offset, offset + size) of configuration: bring the bytes there up to date. */
    void (*config_reading)(PciDevice *device, unsigned offset, unsigned size);
    /* The guest wrote there; the bytes are as written, within their masks. */
    void (*config_written)(PciDevice *device, unsigned offset, unsigned size);
    /* BAR @bar is now at @address: put doorbells there. */
    void (*bar_mapped)(PciDevice *device, unsigned bar, uint64_t address);
    /* It is about to leave @address. */
    void (*bar_unmapping)(PciDevice *device, unsigned bar, uint64_t address);
} PciDeviceOps;

typedef struct {
    uint16_t vendor, device;
    uint16_t subsystem_vendor, subsystem;
    uint8_t revision;
    uint32_t class; /* base class << 16 | subclass << 8 | programming interface */
    bool intx;      /* has an interrupt pin (INTA) */
} PciIdentity;

struct PciDevice {
    const PciDeviceOps *ops; /* may be NULL */
    PciBus *bus;             /* not owned; NULL before pci_bus_add() */
    unsigned slot;
    GMutex config_lock;
    PciConfig config;
    PciBar bars[PCI_BARS];
    PciMsix *msix; /* owned; NULL without MSI-X */

    GMutex intx_lock; /* the two below, and telling the bus */
    bool intx_level;  /* what the device says */
    bool intx_off;    /* the guest set INTx disable, or MSI-X is on */

    GPtrArray *saved_vectors; /* filled while saving or loading */
};

void pci_device_init(PciDevice *device, const PciIdentity *identity, const PciDeviceOps *ops);
/* Off the bus, off the memory bus; frees what init and the functions below made, not the struct. */
void pci_device_finish(PciDevice *device);

/* Adds a BAR. Its accesses call @ops with @owner. Before pci_bus_add(). */
void pci_device_add_bar(PciDevice *device, unsigned bar, PciBarKind kind, uint64_t size, const BusOps *ops,
                        void *owner);
/* PCI Express capability of a root complex integrated endpoint (PCI Express 4.0, 7.5.3). */
void pci_device_add_express(PciDevice *device);
/* Power management (PCI PM 1.2, 3.2): D0 and D3hot, state kept. */
void pci_device_add_power_management(PciDevice *device);

/* The INTx line's level as the device wants it. Any thread; takes the line's lock only. */
void pci_device_set_intx(PciDevice *device, bool high);

/* The guest's configuration access: @offset below 4096, @size 1 to 8. Any thread. */
uint64_t pci_device_config_read(PciDevice *device, unsigned offset, unsigned size);
void pci_device_config_write(PciDevice *device, unsigned offset, unsigned size, uint64_t value);

/*
 * An access to a BAR other than through its address (virtio 1.2, 4.1.4.9). Reads all ones and writes nothing where the BAR
 * or the place does not exist. @size 1, 2, 4 or 8.
 */
uint64_t pci_device_bar_read(PciDevice *device, unsigned bar, uint64_t offset, unsigned size);
void pci_device_bar_write(PciDevice *device, unsigned bar, uint64_t offset, unsigned size, uint64_t value);

/* Puts a BAR's address into its register, for power-on; it is mapped once the guest enables memory decoding. */
void pci_device_assign_bar(PciDevice *device, unsigned bar, uint64_t address);

/* Back to power-on: BARs off the bus, registers as assigned, MSI-X off, the line low. */
void pci_device_reset(PciDevice *device);

/* Configuration, MSI-X and the line (object: the PciDevice). Loading refuses the state of another kind of device. */
extern const StateTable pci_device_state;
