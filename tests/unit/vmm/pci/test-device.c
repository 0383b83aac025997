/* SPDX-License-Identifier: Apache-2.0 */
/* A PCI device as a guest sees it: identity, BARs that are sized and moved, the INTx line, reset, saved state. */
#include "fixture.h"

#include <string.h>

typedef struct {
    PciDevice pci;
    uint64_t last_offset, last_value;
    unsigned last_size, mapped, unmapping;
    uint64_t mapped_at[PCI_BARS];
} Probe;

static uint64_t
probe_read(void *owner, uint64_t offset, unsigned size)
{
    return (0xa5a5a5a500000000 | offset) & (UINT64_MAX >> (64 - 8 * size));
}

static void
probe_write(void *owner, uint64_t offset, unsigned size, uint64_t value)
{
    Probe *probe = owner;
    probe->last_offset = offset;
    probe->last_size = size;
    probe->last_value = value;
}

static void
probe_mapped(PciDevice *device, unsigned bar, uint64_t address)
{
    Probe *probe = (Probe *)device;
    probe->mapped++;
    probe->mapped_at[bar] = address;
}

static void
probe_unmapping(PciDevice *device, unsigned bar, uint64_t address)
{
    Probe *probe = (Probe *)device;
    probe->unmapping++;
    g_assert_cmphex(address, ==, probe->mapped_at[bar]);
}

static const BusOps probe_bus_ops = {.read = probe_read, .write = probe_write};
static const PciDeviceOps probe_ops = {.bar_mapped = probe_mapped, .bar_unmapping = probe_unmapping};
static const PciIdentity probe_identity = {
    .vendor = 0x1af4,
    .device = 0x1053,
    .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100,
    .revision = 1,
    .class = 0x0c0330,
    .intx = true,
};

typedef struct {
    PciFixture bus;
    Probe probe; /* BAR 0: 32-bit, 4 KiB; BAR 2: 64-bit, 64 KiB */
    unsigned slot;
} Fixture;

static void
probe_init(Probe *probe)
{
    *probe = (Probe){0};
    pci_device_init(&probe->pci, &probe_identity, &probe_ops);
    pci_device_add_bar(&probe->pci, 0, PCI_BAR_32, 4096, &probe_bus_ops, probe);
    pci_device_add_bar(&probe->pci, 2, PCI_BAR_64_PREFETCH, 65536, &probe_bus_ops, probe);
    pci_device_add_express(&probe->pci);
    pci_device_add_power_management(&probe->pci);
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
    pci_fixture_init(&fixture->bus);
    probe_init(&fixture->probe);
    fixture->slot = pci_bus_add(fixture->bus.pci, &fixture->probe.pci, PCI_SLOT_ANY);
    g_assert_cmpuint(fixture->slot, ==, 1);
    pci_fixture_assign(&fixture->bus);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    pci_device_finish(&fixture->probe.pci);
    pci_fixture_finish(&fixture->bus);
}

static uint64_t
get(Fixture *fixture, unsigned offset, unsigned size)
{
    return config_get(&fixture->bus, fixture->slot, offset, size);
}

static void
set(Fixture *fixture, unsigned offset, unsigned size, uint64_t value)
{
    config_put(&fixture->bus, fixture->slot, offset, size, value);
}

static void
decode(Fixture *fixture, bool on)
{
    set(fixture, PCI_COMMAND, 2, on ? PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER : 0);
}

static void
test_identity(Fixture *fixture, gconstpointer data)
{
    g_assert_cmphex(get(fixture, 0, 4), ==, 0x10531af4);
    g_assert_cmphex(get(fixture, PCI_CLASS_REVISION, 4), ==, 0x0c033001);
    g_assert_cmphex(get(fixture, PCI_SUBSYSTEM_VENDOR_ID, 4), ==, 0x11001af4);
    g_assert_cmphex(get(fixture, PCI_INTERRUPT_PIN, 1), ==, 1);
    g_assert_cmphex(get(fixture, PCI_HEADER_TYPE, 1), ==, 0);
    set(fixture, 0, 4, 0);
    g_assert_cmphex(get(fixture, 0, 4), ==, 0x10531af4);

    unsigned express = find_capability(&fixture->bus, fixture->slot, PCI_CAP_ID_EXP, 0);
    g_assert_cmphex(get(fixture, express + PCI_EXP_FLAGS, 2), ==, 0x92);
    unsigned power = find_capability(&fixture->bus, fixture->slot, PCI_CAP_ID_PM, 0);
    set(fixture, power + PCI_PM_CTRL, 2, 0xffff);
    g_assert_cmphex(get(fixture, power + PCI_PM_CTRL, 2), ==, PCI_PM_CTRL_NO_SOFT_RESET | 3);
}

static void
test_bar_sizing(Fixture *fixture, gconstpointer data)
{
    const struct {
        unsigned offset;
        uint32_t reads;
    } sized[] = {{0x10, 0xfffff000}, {0x14, 0}, {0x18, 0xffff000c}, {0x1c, 0xffffffff},
                 {0x20, 0},          {0x24, 0}, {0x30, 0}};

    for (size_t i = 0; i < G_N_ELEMENTS(sized); i++) {
        uint32_t kept = get(fixture, sized[i].offset, 4);
        set(fixture, sized[i].offset, 4, 0xffffffff);
        g_assert_cmphex(get(fixture, sized[i].offset, 4), ==, sized[i].reads);
        set(fixture, sized[i].offset, 4, kept);
        g_assert_cmphex(get(fixture, sized[i].offset, 4), ==, kept);
    }
}

static void
test_bar_moves(Fixture *fixture, gconstpointer data)
{
    Bus *memory = fixture->bus.memory;
    uint64_t first = bar_base(&fixture->bus, fixture->slot, 0);
    uint64_t second = bar_base(&fixture->bus, fixture->slot, 2);

    g_assert_cmphex(first, >=, BOARD_PCI32_BASE);
    g_assert_cmphex(second, ==, 1ull << 36);
    g_assert_cmphex(bus_read(memory, first, 4), ==, 0xffffffff); /* not decoding yet */
    decode(fixture, true);
    g_assert_cmpuint(fixture->probe.mapped, ==, 2);
    g_assert_cmphex(bus_read(memory, first + 0x10, 4), ==, 0x10);
    g_assert_cmphex(bus_read(memory, second + 0xfff8, 8), ==, 0xa5a5a5a50000fff8);
    bus_write(memory, second + 6, 2, 0xbeef);
    g_assert_cmphex(fixture->probe.last_offset, ==, 6);
    g_assert_cmphex(fixture->probe.last_value, ==, 0xbeef);
    g_assert_cmpuint(fixture->probe.last_size, ==, 2);

    set(fixture, 0x1c, 4, 0x20); /* to 0x20'00000000, in the high word alone */
    g_assert_cmphex(bus_read(memory, second, 4), ==, 0xffffffff);
    g_assert_cmphex(bus_read(memory, 0x2000000004, 4), ==, 4);
    g_assert_cmphex(fixture->probe.mapped_at[2], ==, 0x2000000000);
    g_assert_cmpuint(fixture->probe.unmapping, ==, 1);

    decode(fixture, false);
    g_assert_cmphex(bus_read(memory, 0x2000000004, 4), ==, 0xffffffff);
    g_assert_cmphex(bus_read(memory, first, 4), ==, 0xffffffff);
    g_assert_cmpuint(fixture->probe.unmapping, ==, 3);
}

/* A guest sizes BARs while decoding, puts them over each other, over ECAM, at zero, at the end: nothing else moves. */
static void
test_hostile_bars(Fixture *fixture, gconstpointer data)
{
    Bus *memory = fixture->bus.memory;
    uint64_t second = bar_base(&fixture->bus, fixture->slot, 2);

    decode(fixture, true);
    set(fixture, 0x10, 4, BOARD_ECAM_BASE);
    g_assert_cmphex(get(fixture, 0, 4), ==, 0x10531af4); /* ECAM still answers */
    set(fixture, 0x10, 4, 0);
    g_assert_cmphex(bus_read(memory, 0, 4), ==, 0xffffffff);
    set(fixture, 0x18, 4, 0xffffffff);
    set(fixture, 0x1c, 4, 0xffffffff);
    g_assert_cmphex(bus_read(memory, UINT64_MAX - 3, 4), !=, 0);
    set(fixture, 0x18, 4, 0x90000000);
    set(fixture, 0x1c, 4, 0);
    set(fixture, 0x10, 4, 0x90001000); /* inside the other */
    g_assert_cmphex(bus_read(memory, 0x90001010, 4), ==, 0x1010);
    set(fixture, 0x18, 4, second);
    set(fixture, 0x1c, 4, second >> 32);
    set(fixture, 0x10, 4, 0x90001000); /* now it is free */
    g_assert_cmphex(bus_read(memory, 0x90001010, 4), ==, 0x10);
    g_assert_cmphex(bus_read(memory, second + 0x20, 4), ==, 0x20);
}

static void
test_bar_access_by_number(Fixture *fixture, gconstpointer data)
{
    PciDevice *device = &fixture->probe.pci;

    g_assert_cmphex(pci_device_bar_read(device, 0, 0xffc, 4), ==, 0xffc);
    g_assert_cmphex(pci_device_bar_read(device, 0, 0xffd, 4), ==, 0xffffffff);
    g_assert_cmphex(pci_device_bar_read(device, 0, UINT64_MAX, 2), ==, 0xffff);
    g_assert_cmphex(pci_device_bar_read(device, 1, 0, 1), ==, 0xff);
    g_assert_cmphex(pci_device_bar_read(device, 77, 0, 8), ==, UINT64_MAX);
    pci_device_bar_write(device, 2, 0xfffe, 2, 7);
    g_assert_cmphex(fixture->probe.last_offset, ==, 0xfffe);
    pci_device_bar_write(device, 2, 0xffff, 2, 8);
    g_assert_cmphex(fixture->probe.last_value, ==, 7);
}

static bool
status_says_interrupt(Fixture *fixture)
{
    return get(fixture, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT;
}

static void
test_intx(Fixture *fixture, gconstpointer data)
{
    unsigned gsi = board_intx_gsi(fixture->slot, 0);
    const bool *line = &fixture->bus.irq.lines[gsi];

    g_assert_cmpuint(get(fixture, PCI_INTERRUPT_LINE, 1), ==, gsi);
    pci_device_set_intx(&fixture->probe.pci, true);
    g_assert_true(*line && status_says_interrupt(fixture));
    set(fixture, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
    g_assert_true(!*line && status_says_interrupt(fixture));
    set(fixture, PCI_COMMAND, 2, 0);
    g_assert_true(*line);
    pci_device_set_intx(&fixture->probe.pci, false);
    g_assert_true(!*line && !status_says_interrupt(fixture));
}

static void
test_reset(Fixture *fixture, gconstpointer data)
{
    uint64_t first = bar_base(&fixture->bus, fixture->slot, 0);

    decode(fixture, true);
    set(fixture, 0x10, 4, 0xa0000000);
    pci_device_set_intx(&fixture->probe.pci, true);
    pci_device_reset(&fixture->probe.pci);
    g_assert_cmphex(bar_base(&fixture->bus, fixture->slot, 0), ==, first);
    g_assert_cmphex(get(fixture, PCI_COMMAND, 2), ==, 0);
    g_assert_cmphex(bus_read(fixture->bus.memory, 0xa0000000, 4), ==, 0xffffffff);
    g_assert_false(fixture->bus.irq.lines[board_intx_gsi(fixture->slot, 0)]);
    g_assert_cmpuint(fixture->probe.mapped, ==, fixture->probe.unmapping);
}

static void
test_saved_state(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;

    decode(fixture, true);
    set(fixture, 0x10, 4, 0xa0000000);
    pci_device_set_intx(&fixture->probe.pci, true);
    state_save(&pci_device_state, &fixture->probe.pci, bytes);
    pci_device_finish(&fixture->probe.pci);

    probe_init(&fixture->probe);
    pci_bus_add(fixture->bus.pci, &fixture->probe.pci, fixture->slot);
    g_assert_false(fixture->bus.irq.lines[board_intx_gsi(fixture->slot, 0)]);
    state_load(&pci_device_state, &fixture->probe.pci, 1, bytes->data, bytes->len, &error);
    g_assert_no_error(error);
    g_assert_cmphex(bus_read(fixture->bus.memory, 0xa0000010, 4), ==, 0x10);
    g_assert_true(fixture->bus.irq.lines[board_intx_gsi(fixture->slot, 0)]);
    g_assert_true(status_says_interrupt(fixture));

    /* Another kind's state: each read-only byte that differs tells. */
    bytes->data[PCI_DEVICE_ID] ^= 1;
    g_assert_false(state_load(&pci_device_state, &fixture->probe.pci, 1, bytes->data, bytes->len, &error));
    g_assert_error(error, STATE_ERROR, STATE_ERROR_FOREIGN);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*test)(Fixture *, gconstpointer);
    } tests[] = {
        {"identity", test_identity},
        {"bar-sizing", test_bar_sizing},
        {"bar-moves", test_bar_moves},
        {"hostile-bars", test_hostile_bars},
        {"bar-access-by-number", test_bar_access_by_number},
        {"intx", test_intx},
        {"reset", test_reset},
        {"saved-state", test_saved_state},
    };

    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strdup_printf("/pci/device/%s", tests[i].name);
        g_test_add(path, Fixture, NULL, set_up, tests[i].test, tear_down);
    }
    return g_test_run();
}
