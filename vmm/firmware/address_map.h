/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a processor finds at each address of a PC with firmware: RAM, the firmware's code and variables, or nothing, as the
 * host bridge's registers and the flash chip say at the moment.
 *
 *     0          RAM                                      1 MiB         RAM, less TSEG at its end
 *     0xa0000    nothing (or SMRAM)                       4 GiB - size  the firmware's code; below it the variables
 *     0xc0000    13 pieces, each nothing or RAM           4 GiB         RAM
 *     0xe0000    … the firmware's last 128 KiB or RAM
 *
 * Addresses where this has nothing are the memory bus's, writes to what is read-only too. address_map_lay_out() is the pure
 * core. A change is carried out before the guest's next instruction, on the thread that asked for it.
 */
#pragma once

#include "vmm/board/machine.h"
#include "vmm/firmware/flash.h"
#include "vmm/firmware/rom.h"
#include "vmm/kvm/memory.h"
#include "vmm/kvm/slots.h"
#include "vmm/pci/host_bridge.h"

typedef struct {
    const GuestRegion *ram;
    size_t n_ram;
    const Rom *rom;
    uint8_t *flash; /* NULL: none */
    uint64_t flash_size;
    bool flash_array; /* it is read from memory */
    PciMemoryControl control;
} AddressView;

/* Fills @slots (SLOTS_MAX), ascending, with what @space shows; how many. Any thread. */
unsigned address_map_lay_out(const AddressView *view, unsigned space, MemorySlot *slots);

typedef struct AddressMap AddressMap;

typedef struct {
    Slots *slots; /* as all of these, not owned; they outlive the map's last use */
    GuestMemory *memory;
    const Rom *rom;
    Flash *flash;     /* NULL: none; its user is the map from here on */
    bool smm;         /* there is SLOTS_SMM */
    Machine *machine; /* asked to pause where the host fails */
} AddressMapOptions;

/* As it is at power-on. NULL with an error where the host will not have it. Main thread. */
/* Freed when neither chip nor bus can call it any more: after the machine. */
AddressMap *address_map_new(const AddressMapOptions *options, GError **error);
void address_map_free(AddressMap *map);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AddressMap, address_map_free)

/* For pci_bus_set_memory_control(). Any thread. */
void address_map_control(void *map, const PciMemoryControl *control);
