/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI bus 0: finding the function an access means, the INTx lines, and the addresses of BARs at power-on.
 *
 * Slots are filled before the first vCPU runs and emptied after the last, so looking one up takes no lock. The address port
 * is one atomic word: a guest that uses it from two vCPUs at once must serialise them itself, as on any PC.
 */
#include "vmm/pci/bus.h"
#include "vmm/pci/host_bridge.h"
#include "vmm/pci/lpc_bridge.h"

#define PORT_COUNT 8 /* 0xcf8-0xcff */
#define PORT_DATA 4  /* the data port's offset */
#define ADDRESS_ENABLE (1u << 31)
#define INTX_LINES 8

typedef struct {
    GMutex lock;
    uint32_t slots; /* that hold it high */
} IntxLine;

struct PciBus {
    Bus *ports;
    Bus *memory;
    IrqController irq;
    PciDevice *slots[PCI_SLOTS];
    PciHostBridge host_bridge;
    PciLpcBridge lpc_bridge;

    uint32_t address;        /* 0xcf8; atomic */
    const BusOps *reset_ops; /* 0xcf9; may be NULL */
    void *reset_device;

    IntxLine lines[INTX_LINES]; /* GSI BOARD_GSI_PIRQ_A onwards */
};

/* --- accesses --------------------------------------------------------------------------------------------------- */

static uint64_t
all_ones(unsigned size)
{
    return UINT64_MAX >> (64 - 8 * size);
}

/* The device behind ECAM's @offset: bus << 20 | slot << 15 | function << 12. */
static PciDevice *
device_at(const PciBus *bus, uint64_t offset)
{
    return offset >> 20 || (offset >> 12 & 7) ? NULL : bus->slots[offset >> 15 & 31];
}

static uint64_t
config_read(PciBus *bus, uint64_t offset, unsigned size)
{
    PciDevice *device = device_at(bus, offset);
    return device ? pci_device_config_read(device, offset & (PCI_CONFIG_SIZE - 1), size) : all_ones(size);
}

static void
config_write(PciBus *bus, uint64_t offset, unsigned size, uint64_t value)
{
    PciDevice *device = device_at(bus, offset);
    if (device)
        pci_device_config_write(device, offset & (PCI_CONFIG_SIZE - 1), size, value);
}

static uint64_t
ecam_read(void *owner, uint64_t offset, unsigned size)
{
    return config_read(owner, offset, size);
}

static void
ecam_write(void *owner, uint64_t offset, unsigned size, uint64_t value)
{
    config_write(owner, offset, size, value);
}

const BusOps pci_ecam_ops = {.read = ecam_read, .write = ecam_write};

/*
 * Where the data port leads: the address port's bus, slot, function and register (PCI Local Bus 3.0, 3.2.2.3.2) as an ECAM
 * offset, plus the byte inside the register. false while the address port is not enabled.
 */
static bool
data_port_offset(PciBus *bus, uint64_t port, uint64_t *offset)
{
    uint32_t address = __atomic_load_n(&bus->address, __ATOMIC_RELAXED);

    *offset = (uint64_t)(address >> 8 & 0xffff) << 12 | (address & 0xfc) | (port - PORT_DATA);
    return address & ADDRESS_ENABLE;
}

static bool
is_reset_port(const PciBus *bus, uint64_t port, unsigned size)
{
    return bus->reset_ops && port == BOARD_PORT_RESET - BOARD_PORT_PCI_ADDRESS && size == 1;
}

static uint64_t
ports_read(void *owner, uint64_t port, unsigned size)
{
    PciBus *bus = owner;
    uint64_t offset;

    if (is_reset_port(bus, port, size))
        return bus->reset_ops->read(bus->reset_device, 0, 1);
    if (port >= PORT_DATA)
        return data_port_offset(bus, port, &offset) ? config_read(bus, offset, size) : all_ones(size);
    if (port == 0 && size == 4)
        return __atomic_load_n(&bus->address, __ATOMIC_RELAXED);
    return all_ones(size);
}

static void
ports_write(void *owner, uint64_t port, unsigned size, uint64_t value)
{
    PciBus *bus = owner;
    uint64_t offset;

    if (is_reset_port(bus, port, size))
        bus->reset_ops->write(bus->reset_device, 0, 1, value);
    else if (port >= PORT_DATA && data_port_offset(bus, port, &offset))
        config_write(bus, offset, size, value);
    else if (port == 0 && size == 4)
        __atomic_store_n(&bus->address, value, __ATOMIC_RELAXED);
}

/* --- INTx ------------------------------------------------------------------------------------------------------- */

void
pci_bus_set_line(PciBus *bus, unsigned slot, bool high)
{
    unsigned gsi = board_intx_gsi(slot, 0);
    IntxLine *line = &bus->lines[gsi - BOARD_GSI_PIRQ_A];

    g_mutex_lock(&line->lock);
    uint32_t slots = high ? line->slots | 1u << slot : line->slots & ~(1u << slot);
    if (!slots != !line->slots)
        bus->irq.ops->set_line(bus->irq.host, gsi, high);
    line->slots = slots;
    g_mutex_unlock(&line->lock);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

PciBus *
pci_bus_new(Bus *ports, Bus *memory, const IrqController *irq)
{
    static const BusOps port_ops = {.read = ports_read, .write = ports_write};

    PciBus *bus = g_new0(PciBus, 1);
    bus->ports = ports;
    bus->memory = memory;
    bus->irq = *irq;
    for (unsigned i = 0; i < INTX_LINES; i++)
        g_mutex_init(&bus->lines[i].lock);
    bool free_ports = bus_map(ports, BOARD_PORT_PCI_ADDRESS, PORT_COUNT, &port_ops, bus);
    g_assert(free_ports);
    pci_host_bridge_init(&bus->host_bridge, bus);
    pci_bus_add(bus, &bus->host_bridge.pci, 0);
    pci_lpc_bridge_init(&bus->lpc_bridge);
    pci_bus_add(bus, &bus->lpc_bridge.pci, LPC_BRIDGE_SLOT);
    pci_host_bridge_reset(&bus->host_bridge);
    return bus;
}

void
pci_bus_free(PciBus *bus)
{
    if (!bus)
        return;
    pci_device_finish(&bus->lpc_bridge.pci);
    pci_host_bridge_finish(&bus->host_bridge);
    for (unsigned i = 0; i < PCI_SLOTS; i++)
        g_assert(!bus->slots[i]); /* devices go first */
    bus_unmap(bus->ports, BOARD_PORT_PCI_ADDRESS);
    for (unsigned i = 0; i < INTX_LINES; i++)
        g_mutex_clear(&bus->lines[i].lock);
    g_free(bus);
}

static int
first_free_slot(const PciBus *bus)
{
    for (int slot = 1; slot < PCI_SLOTS; slot++)
        if (!bus->slots[slot])
            return slot;
    return -1;
}

int
pci_bus_add(PciBus *bus, PciDevice *device, int slot)
{
    if (slot == PCI_SLOT_ANY)
        slot = first_free_slot(bus);
    if (slot < 0 || slot >= PCI_SLOTS || bus->slots[slot])
        return -1;
    device->bus = bus;
    device->slot = slot;
    if (pci_config_get(&device->config, PCI_INTERRUPT_PIN, 1)) {
        pci_config_set(&device->config, PCI_INTERRUPT_LINE, 1, board_intx_gsi(slot, 0));
        pci_config_set_power_on(&device->config);
    }
    bus->slots[slot] = device;
    return slot;
}

void
pci_bus_remove(PciBus *bus, PciDevice *device)
{
    g_assert(bus->slots[device->slot] == device);
    bus->slots[device->slot] = NULL;
    device->bus = NULL;
}

void
pci_bus_set_reset_port(PciBus *bus, const BusOps *ops, void *device)
{
    bus->reset_ops = ops;
    bus->reset_device = device;
}

void
pci_bus_set_memory_control(PciBus *bus, PciMemoryControlChanged changed, void *user)
{
    pci_host_bridge_set_memory_control(&bus->host_bridge, changed, user);
}

void
pci_bus_set_smi_lock(PciBus *bus, PciSmiLockChanged changed, void *user)
{
    pci_lpc_bridge_set_smi_lock(&bus->lpc_bridge, changed, user);
}

uint64_t
pci_bus_ecam(const PciBus *bus)
{
    return __atomic_load_n(&bus->host_bridge.ecam, __ATOMIC_RELAXED);
}

Bus *
pci_bus_memory(const PciBus *bus)
{
    return bus->memory;
}

const IrqController *
pci_bus_irq(const PciBus *bus)
{
    return &bus->irq;
}

/* --- addresses at power-on -------------------------------------------------------------------------------------- */

typedef struct {
    PciDevice *device;
    unsigned bar;
} BarPlace;

static uint64_t
place_size(const BarPlace *place)
{
    return place->device->bars[place->bar].size;
}

/* Largest first, so that each is aligned without a gap; equal ones in slot order, so that addresses never vary. */
static int
compare_places(const void *a, const void *b)
{
    const BarPlace *left = a, *right = b;

    if (place_size(left) != place_size(right))
        return place_size(left) < place_size(right) ? 1 : -1;
    if (left->device->slot != right->device->slot)
        return left->device->slot < right->device->slot ? -1 : 1;
    return left->bar < right->bar ? -1 : 1;
}

static GArray *
collect_bars(const PciBus *bus)
{
    GArray *places = g_array_new(FALSE, FALSE, sizeof(BarPlace));

    for (unsigned slot = 0; slot < PCI_SLOTS; slot++)
        for (unsigned bar = 0; bus->slots[slot] && bar < PCI_BARS; bar++)
            if (bus->slots[slot]->bars[bar].kind != PCI_BAR_NONE)
                g_array_append_val(places, ((BarPlace){bus->slots[slot], bar}));
    g_array_sort(places, compare_places);
    return places;
}

/* Takes @size aligned bytes from the front of what is left of @window. */
static bool
window_take(BoardWindow *window, uint64_t size, uint64_t *address)
{
    uint64_t base = (window->base + size - 1) & ~(size - 1);
    uint64_t gap = base - window->base;

    if (base < window->base || gap > window->size || size > window->size - gap)
        return false;
    *address = base;
    window->base = base + size;
    window->size -= gap + size;
    return true;
}

bool
pci_bus_assign(PciBus *bus, const BoardWindow *low, const BoardWindow *high, GError **error)
{
    g_autoptr(GArray) places = collect_bars(bus);
    BoardWindow low_left = *low, high_left = *high;

    for (guint i = 0; i < places->len; i++) {
        const BarPlace *place = &g_array_index(places, BarPlace, i);
        bool wide = place->device->bars[place->bar].kind == PCI_BAR_64_PREFETCH;
        uint64_t size = place_size(place), address;

        if (!(wide && window_take(&high_left, size, &address)) && !window_take(&low_left, size, &address)) {
            g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOSPC,
                        "no room on the PCI bus for %" G_GUINT64_FORMAT
                        " MiB of the device in slot %u: use fewer devices",
                        size >> 20, place->device->slot);
            return false;
        }
        pci_device_assign_bar(place->device, place->bar, address);
    }
    return true;
}

/* The address in a 64-bit BAR's registers, whether it is decoded or not. */
static uint64_t
bar_address(PciDevice *device, unsigned bar)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&device->config_lock);
    return pci_config_read(&device->config, PCI_BASE_ADDRESS_0 + 4 * bar, 8) & PCI_BASE_ADDRESS_MEM_MASK;
}

BoardWindow
pci_bus_high_window(const PciBus *bus, BoardWindow usual)
{
    const uint64_t gib = 1ull << 30;
    g_autoptr(GArray) places = collect_bars(bus);
    uint64_t from = UINT64_MAX, to = 0;

    for (guint i = 0; i < places->len; i++) {
        const BarPlace *place = &g_array_index(places, BarPlace, i);
        if (place->device->bars[place->bar].kind != PCI_BAR_64_PREFETCH)
            continue;
        uint64_t address = bar_address(place->device, place->bar);
        if (address < 4 * gib || address > UINT64_MAX / 2)
            continue;
        from = MIN(from, address & ~(gib - 1));
        to = MAX(to, (address + place_size(place) + gib - 1) & ~(gib - 1));
    }
    return to && usual.size ? (BoardWindow){from, to - from} : usual;
}

/* --- for the machine -------------------------------------------------------------------------------------------- */

static void
bus_reset(void *device)
{
    PciBus *bus = device;

    bus->address = 0;
    /* every device, the others' resets come later: ECAM must find its place free of what the guest put there */
    for (unsigned slot = 0; slot < PCI_SLOTS; slot++)
        if (bus->slots[slot])
            pci_device_reset(bus->slots[slot]);
    pci_host_bridge_reset(&bus->host_bridge);
    pci_lpc_bridge_follow(&bus->lpc_bridge);
}

static bool
bus_after_load(void *object, GError **error)
{
    PciBus *bus = object;
    pci_lpc_bridge_follow(&bus->lpc_bridge);
    return pci_host_bridge_follow(&bus->host_bridge, error);
}

static const StateField bus_fields[] = {
    STATE_UINT(PciBus, address, 1),
    STATE_STRUCT(PciBus, host_bridge.pci, 1, &pci_device_state),
    STATE_STRUCT(PciBus, lpc_bridge.pci, 1, &pci_device_state),
    STATE_END,
};
static const StateTable bus_state = {
    .name = "pci-bus",
    .version = 1,
    .oldest = 1,
    .fields = bus_fields,
    .after_load = bus_after_load,
};

static void
bus_free_device(void *device)
{
    pci_bus_free(device);
}

const DeviceOps pci_bus_ops = {
    .name = "pci-bus",
    .reset = bus_reset,
    .state = &bus_state,
    .free = bus_free_device,
};
