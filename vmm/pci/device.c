/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every PCI device does: decode configuration writes, keep BARs where the guest puts them, drive the INTx line.
 */
#include "vmm/pci/bus.h"
#include "vmm/pci/msix_private.h"

#include <string.h>

#define COMMAND_WRITABLE \
    (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE)

void
pci_device_init(PciDevice *device, const PciIdentity *identity, const PciDeviceOps *ops)
{
    PciConfig *config = &device->config;

    device->ops = ops;
    g_mutex_init(&device->config_lock);
    g_mutex_init(&device->intx_lock);
    device->saved_vectors = g_ptr_array_new_with_free_func(g_free);
    pci_config_init(config);
    pci_config_set(config, PCI_VENDOR_ID, 2, identity->vendor);
    pci_config_set(config, PCI_DEVICE_ID, 2, identity->device);
    pci_config_set(config, PCI_SUBSYSTEM_VENDOR_ID, 2, identity->subsystem_vendor);
    pci_config_set(config, PCI_SUBSYSTEM_ID, 2, identity->subsystem);
    pci_config_set(config, PCI_CLASS_REVISION, 4, identity->class << 8 | identity->revision);
    pci_config_set(config, PCI_INTERRUPT_PIN, 1, identity->intx ? 1 : 0);
    pci_config_allow(config, PCI_COMMAND, 2, COMMAND_WRITABLE);
    pci_config_allow(config, PCI_CACHE_LINE_SIZE, 1, 0xff);
    pci_config_allow(config, PCI_INTERRUPT_LINE, 1, 0xff);
    pci_config_set_power_on(config);
}

void
pci_device_add_express(PciDevice *device)
{
    PciConfig *config = &device->config;
    unsigned at = pci_config_add_capability(config, PCI_CAP_ID_EXP, 0x3c);

    pci_config_set(config, at + PCI_EXP_FLAGS, 2, PCI_EXP_TYPE_RC_END << 4 | 2);
    pci_config_set(config, at + PCI_EXP_DEVCAP, 4, PCI_EXP_DEVCAP_RBER);
    pci_config_allow(config, at + PCI_EXP_DEVCTL, 2,
                     PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE | PCI_EXP_DEVCTL_FERE | PCI_EXP_DEVCTL_URRE |
                         PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_PAYLOAD | PCI_EXP_DEVCTL_NOSNOOP_EN |
                         PCI_EXP_DEVCTL_READRQ);
    pci_config_set_power_on(config);
}

void
pci_device_add_power_management(PciDevice *device)
{
    PciConfig *config = &device->config;
    unsigned at = pci_config_add_capability(config, PCI_CAP_ID_PM, PCI_PM_SIZEOF);

    pci_config_set(config, at + PCI_PM_PMC, 2, 3); /* version 1.2 */
    pci_config_set(config, at + PCI_PM_CTRL, 2, PCI_PM_CTRL_NO_SOFT_RESET);
    pci_config_allow(config, at + PCI_PM_CTRL, 2, PCI_PM_CTRL_STATE_MASK);
    pci_config_set_power_on(config);
}

/* --- BARs ------------------------------------------------------------------------------------------------------- */

static unsigned
bar_register(unsigned bar)
{
    return PCI_BASE_ADDRESS_0 + 4 * bar;
}

void
pci_device_add_bar(PciDevice *device, unsigned bar, PciBarKind kind, uint64_t size, const BusOps *ops, void *owner)
{
    PciConfig *config = &device->config;
    unsigned at = bar_register(bar);
    bool wide = kind == PCI_BAR_64_PREFETCH;

    g_assert(bar + wide < PCI_BARS && size >= 4096 && !(size & (size - 1)) && (wide || size <= 1u << 31));
    g_assert(device->bars[bar].kind == PCI_BAR_NONE && !device->bus);
    device->bars[bar] = (PciBar){.kind = kind, .size = size, .ops = ops, .owner = owner};
    pci_config_allow(config, at, 4, -size);
    if (wide) {
        pci_config_set(config, at, 4, PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH);
        pci_config_allow(config, at + 4, 4, -size >> 32);
    }
    pci_config_set_power_on(config);
}

static uint64_t
bar_address(const PciDevice *device, unsigned bar)
{
    unsigned at = bar_register(bar);
    uint64_t address = pci_config_get(&device->config, at, 4) & PCI_BASE_ADDRESS_MEM_MASK;

    if (device->bars[bar].kind == PCI_BAR_64_PREFETCH)
        address |= (uint64_t)pci_config_get(&device->config, at + 4, 4) << 32;
    return address;
}

static void
bar_unmap(PciDevice *device, unsigned bar)
{
    PciBar *place = &device->bars[bar];

    if (!place->mapped)
        return;
    if (device->ops && device->ops->bar_unmapping)
        device->ops->bar_unmapping(device, bar, place->address);
    bus_unmap(pci_bus_memory(device->bus), place->address);
    place->mapped = false;
}

/*
 * Moves the BARs to where their registers say, all old places first. One that is put over another device stays away until
 * its registers are written again; address 0 means nobody has placed it.
 */
static void
bars_follow(PciDevice *device)
{
    bool decoding = pci_config_get(&device->config, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY;

    if (!device->bus)
        return;
    for (unsigned bar = 0; bar < PCI_BARS; bar++)
        if (!decoding || device->bars[bar].address != bar_address(device, bar))
            bar_unmap(device, bar);
    for (unsigned bar = 0; decoding && bar < PCI_BARS; bar++) {
        PciBar *place = &device->bars[bar];
        uint64_t address = place->kind == PCI_BAR_NONE ? 0 : bar_address(device, bar);
        if (!address || place->mapped)
            continue;
        if (!bus_map(pci_bus_memory(device->bus), address, place->size, place->ops, place->owner))
            continue;
        place->mapped = true;
        place->address = address;
        if (device->ops && device->ops->bar_mapped)
            device->ops->bar_mapped(device, bar, address);
    }
}

void
pci_device_assign_bar(PciDevice *device, unsigned bar, uint64_t address)
{
    PciConfig *config = &device->config;
    unsigned at = bar_register(bar);
    uint32_t flags = pci_config_get(config, at, 4) & ~PCI_BASE_ADDRESS_MEM_MASK;

    g_assert(!(address & (device->bars[bar].size - 1)));
    pci_config_set(config, at, 4, (uint32_t)address | flags);
    if (device->bars[bar].kind == PCI_BAR_64_PREFETCH)
        pci_config_set(config, at + 4, 4, address >> 32);
    pci_config_set_power_on(config);
}

/* The BAR that holds the access wholly, or NULL. */
static const PciBar *
bar_at(const PciDevice *device, unsigned bar, uint64_t offset, unsigned size)
{
    if (bar >= PCI_BARS || device->bars[bar].kind == PCI_BAR_NONE)
        return NULL;
    const PciBar *place = &device->bars[bar];
    return offset < place->size && size <= place->size - offset ? place : NULL;
}

uint64_t
pci_device_bar_read(PciDevice *device, unsigned bar, uint64_t offset, unsigned size)
{
    const PciBar *place = bar_at(device, bar, offset, size);

    return place ? place->ops->read(place->owner, offset, size) : UINT64_MAX >> (64 - 8 * size);
}

void
pci_device_bar_write(PciDevice *device, unsigned bar, uint64_t offset, unsigned size, uint64_t value)
{
    const PciBar *place = bar_at(device, bar, offset, size);

    if (place)
        place->ops->write(place->owner, offset, size, value);
}

/* --- INTx ------------------------------------------------------------------------------------------------------- */

/* With the line's lock. */
static void
intx_drive(PciDevice *device)
{
    if (device->bus)
        pci_bus_set_line(device->bus, device->slot, device->intx_level && !device->intx_off);
}

void
pci_device_set_intx(PciDevice *device, bool high)
{
    g_mutex_lock(&device->intx_lock);
    if (device->intx_level != high) {
        device->intx_level = high;
        intx_drive(device);
    }
    g_mutex_unlock(&device->intx_lock);
}

/* Whether INTx may be driven at all. */
static void
intx_follow(PciDevice *device)
{
    bool off = pci_config_get(&device->config, PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE || pci_msix_enabled(device);

    g_mutex_lock(&device->intx_lock);
    device->intx_off = off;
    intx_drive(device);
    g_mutex_unlock(&device->intx_lock);
}

/* The interrupt status bit tells the device's wish, whether or not INTx is disabled (PCI 3.0, 6.2.3). */
static void
show_intx_status(PciDevice *device)
{
    g_mutex_lock(&device->intx_lock);
    bool high = device->intx_level;
    g_mutex_unlock(&device->intx_lock);
    uint8_t *status = &device->config.bytes[PCI_STATUS];
    *status = (*status & ~PCI_STATUS_INTERRUPT) | (high ? PCI_STATUS_INTERRUPT : 0);
}

/* --- configuration accesses ------------------------------------------------------------------------------------- */

uint64_t
pci_device_config_read(PciDevice *device, unsigned offset, unsigned size)
{
    g_mutex_lock(&device->config_lock);
    if (pci_config_touches(offset, size, PCI_STATUS, 1))
        show_intx_status(device);
    if (device->ops && device->ops->config_reading)
        device->ops->config_reading(device, offset, size);
    uint64_t value = pci_config_read(&device->config, offset, size);
    g_mutex_unlock(&device->config_lock);
    return value;
}

void
pci_device_config_write(PciDevice *device, unsigned offset, unsigned size, uint64_t value)
{
    g_mutex_lock(&device->config_lock);
    pci_config_write(&device->config, offset, size, value);
    pci_msix_config_written(device, offset, size);
    if (pci_config_touches(offset, size, PCI_COMMAND, 2) ||
        pci_config_touches(offset, size, PCI_BASE_ADDRESS_0, 4 * PCI_BARS))
        bars_follow(device);
    intx_follow(device);
    if (device->ops && device->ops->config_written)
        device->ops->config_written(device, offset, size);
    g_mutex_unlock(&device->config_lock);
}

/* --- reset and end ---------------------------------------------------------------------------------------------- */

void
pci_device_reset(PciDevice *device)
{
    g_mutex_lock(&device->config_lock);
    pci_config_reset(&device->config);
    pci_msix_reset(device);
    bars_follow(device);
    g_mutex_lock(&device->intx_lock);
    device->intx_level = device->intx_off = false;
    intx_drive(device);
    g_mutex_unlock(&device->intx_lock);
    g_mutex_unlock(&device->config_lock);
}

void
pci_device_finish(PciDevice *device)
{
    if (device->bus) {
        pci_device_reset(device);
        pci_bus_remove(device->bus, device);
    }
    pci_msix_free(device);
    g_clear_pointer(&device->saved_vectors, g_ptr_array_unref);
    g_mutex_clear(&device->config_lock);
    g_mutex_clear(&device->intx_lock);
}

/* --- saved state ------------------------------------------------------------------------------------------------ */

static void
drop_saved_vectors(void *object)
{
    g_ptr_array_set_size(((PciDevice *)object)->saved_vectors, 0);
}

static void
device_before_save(void *object)
{
    PciDevice *device = object;

    drop_saved_vectors(device);
    pci_msix_save(device, device->saved_vectors);
    show_intx_status(device);
}

/* Whether the guest could have made what stands in the read-only bits: they tell one kind of device from another. */
static bool
config_is_ours(const PciConfig *config)
{
    for (unsigned i = 0; i < PCI_CONFIG_HELD; i++) {
        uint8_t fixed = ~config->writable[i] & (i == PCI_STATUS ? ~PCI_STATUS_INTERRUPT : 0xff);
        if ((config->bytes[i] ^ config->power_on[i]) & fixed)
            return false;
    }
    return true;
}

static bool
device_after_load(void *object, GError **error)
{
    PciDevice *device = object;
    bool ours = config_is_ours(&device->config) && pci_msix_load(device, device->saved_vectors);

    drop_saved_vectors(device);
    if (!ours) {
        g_set_error(error, STATE_ERROR, STATE_ERROR_FOREIGN,
                    "state of the PCI device in slot %u is of another device: use the desktop's own configuration",
                    device->slot);
        return false;
    }
    pci_msix_config_written(device, 0, PCI_CONFIG_HELD);
    bars_follow(device);
    intx_follow(device);
    return true;
}

static const StateField device_fields[] = {
    STATE_BYTES(PciDevice, config.bytes, 1),
    STATE_BOOL(PciDevice, intx_level, 1),
    STATE_LIST(PciDevice, saved_vectors, 1, &pci_msix_vector_state, PCI_MSIX_VECTORS_MAX),
    STATE_END,
};

const StateTable pci_device_state = {
    .name = "pci-device",
    .version = 1,
    .oldest = 1,
    .fields = device_fields,
    .before_save = device_before_save,
    .after_save = drop_saved_vectors,
    .after_load = device_after_load,
};
