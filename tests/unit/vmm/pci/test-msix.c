/* SPDX-License-Identifier: Apache-2.0 */
/* MSI-X: messages, masks, pending bits, routes in the kernel and what happens when there are none left. */
#include "fixture.h"

#include <unistd.h>

#define VECTORS 5
#define SLOT 2

typedef struct {
    PciFixture bus;
    PciDevice device;
    unsigned capability;
    uint64_t table, pending;
} Fixture;

static void
device_init(PciDevice *device)
{
    static const PciIdentity identity = {.vendor = 0x1af4, .device = 0x1041, .class = 0x020000, .intx = true};
    *device = (PciDevice){0};
    pci_device_init(device, &identity, NULL);
    pci_msix_add(device, VECTORS, 1);
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
    pci_fixture_init(&fixture->bus);
    device_init(&fixture->device);
    pci_bus_add(fixture->bus.pci, &fixture->device, SLOT);
    pci_fixture_assign(&fixture->bus);
    config_put(&fixture->bus, SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    fixture->capability = find_capability(&fixture->bus, SLOT, PCI_CAP_ID_MSIX, 0);
    uint32_t table = config_get(&fixture->bus, SLOT, fixture->capability + PCI_MSIX_TABLE, 4);
    uint32_t pending = config_get(&fixture->bus, SLOT, fixture->capability + PCI_MSIX_PBA, 4);
    g_assert_cmpuint(table & 7, ==, 1);
    g_assert_cmpuint(pending & 7, ==, 1);
    fixture->table = bar_base(&fixture->bus, SLOT, 1) + (table & ~7u);
    fixture->pending = bar_base(&fixture->bus, SLOT, 1) + (pending & ~7u);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    pci_device_finish(&fixture->device);
    pci_fixture_finish(&fixture->bus);
}

static void
control(Fixture *fixture, uint16_t bits)
{
    config_put(&fixture->bus, SLOT, fixture->capability + PCI_MSIX_FLAGS, 2, bits);
}

static void
write_vector(Fixture *fixture, unsigned vector, uint32_t data, bool masked)
{
    uint64_t at = fixture->table + 16 * vector;
    bus_write(fixture->bus.memory, at, 4, 0xfee01000);
    bus_write(fixture->bus.memory, at + 4, 4, 0);
    bus_write(fixture->bus.memory, at + 8, 4, data);
    bus_write(fixture->bus.memory, at + 12, 4, masked);
}

static uint64_t
pending_bits(Fixture *fixture)
{
    return bus_read(fixture->bus.memory, fixture->pending, 8);
}

static void
test_capability(Fixture *fixture, gconstpointer data)
{
    g_assert_cmphex(config_get(&fixture->bus, SLOT, fixture->capability + PCI_MSIX_FLAGS, 2), ==, VECTORS - 1);
    control(fixture, 0xffff);
    g_assert_cmphex(config_get(&fixture->bus, SLOT, fixture->capability + PCI_MSIX_FLAGS, 2), ==,
                    0xc000 | (VECTORS - 1));
}

static void
test_table(Fixture *fixture, gconstpointer data)
{
    Bus *memory = fixture->bus.memory;

    for (unsigned i = 0; i < VECTORS; i++)
        g_assert_cmphex(bus_read(memory, fixture->table + 16 * i + 12, 4), ==, 1); /* masked at power-on */
    bus_write(memory, fixture->table + 16, 8, 0x11223344fee02007);
    bus_write(memory, fixture->table + 24, 8, 0xfffffffe00004041);
    g_assert_cmphex(bus_read(memory, fixture->table + 16, 8), ==, 0x11223344fee02004); /* aligned to 4 */
    g_assert_cmphex(bus_read(memory, fixture->table + 24, 4), ==, 0x4041);
    g_assert_cmphex(bus_read(memory, fixture->table + 28, 4), ==, 0); /* only the mask bit is held */

    bus_write(memory, fixture->table + 8, 2, 0x1234); /* not allowed by the specification */
    bus_write(memory, fixture->table + 10, 4, 0x1234);
    g_assert_cmphex(bus_read(memory, fixture->table + 8, 4), ==, 0);
    bus_write(memory, fixture->table + 16 * VECTORS, 4, 0xffffffff); /* beyond the last */
    bus_write(memory, fixture->pending, 8, UINT64_MAX);
    g_assert_cmphex(bus_read(memory, fixture->table + 16 * VECTORS, 4), ==, 0);
    g_assert_cmphex(pending_bits(fixture), ==, 0);
}

static void
test_delivery(Fixture *fixture, gconstpointer data)
{
    uint32_t got = 0;

    g_assert_false(pci_msix_enabled(&fixture->device));
    control(fixture, PCI_MSIX_FLAGS_ENABLE);
    g_assert_true(pci_msix_enabled(&fixture->device));
    write_vector(fixture, 3, 0x41, false);
    g_assert_cmpuint(irq_recorder_routes(&fixture->bus.irq), ==, 1);
    pci_msix_signal(&fixture->device, 3);
    g_assert_cmpuint(irq_recorder_take(&fixture->bus.irq, &got), ==, 1);
    g_assert_cmphex(got, ==, 0x41);

    /* Rewritten while open, as some guests do. */
    write_vector(fixture, 3, 0x42, false);
    pci_msix_signal(&fixture->device, 3);
    g_assert_cmpuint(irq_recorder_take(&fixture->bus.irq, &got), ==, 1);
    g_assert_cmphex(got, ==, 0x42);

    pci_msix_signal(&fixture->device, VECTORS); /* no such vector */
    pci_msix_signal(&fixture->device, UINT32_MAX);
    g_assert_cmpuint(irq_recorder_take(&fixture->bus.irq, NULL), ==, 0);
    control(fixture, 0);
    g_assert_cmpuint(irq_recorder_routes(&fixture->bus.irq), ==, 0);
}

static void
test_masks(Fixture *fixture, gconstpointer data)
{
    uint32_t got = 0;

    control(fixture, PCI_MSIX_FLAGS_ENABLE);
    write_vector(fixture, 0, 0x50, false);
    write_vector(fixture, 1, 0x51, false);
    bus_write(fixture->bus.memory, fixture->table + 12, 4, 1);
    pci_msix_signal(&fixture->device, 0);
    pci_msix_signal(&fixture->device, 0);
    g_assert_cmphex(pending_bits(fixture), ==, 1);
    g_assert_cmpuint(irq_recorder_take(&fixture->bus.irq, NULL), ==, 0);
    bus_write(fixture->bus.memory, fixture->table + 12, 4, 0);
    g_assert_cmpuint(irq_recorder_take(&fixture->bus.irq, &got), ==, 1); /* pending is one bit */
    g_assert_cmphex(got, ==, 0x50);
    g_assert_cmphex(pending_bits(fixture), ==, 0);

    /* The function's mask holds all of them back. */
    control(fixture, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    g_assert_cmpuint(irq_recorder_routes(&fixture->bus.irq), ==, 0);
    pci_msix_signal(&fixture->device, 0);
    pci_msix_signal(&fixture->device, 1);
    g_assert_cmphex(pending_bits(fixture), ==, 3);
    control(fixture, PCI_MSIX_FLAGS_ENABLE);
    g_assert_cmpuint(irq_recorder_take(&fixture->bus.irq, NULL), ==, 2);

    /* Somebody else's signal on the eventfd counts the same: a vhost back end knows of no masks. */
    control(fixture, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    g_assert_cmpint(eventfd_write(pci_msix_eventfd(&fixture->device, 1), 1), ==, 0);
    g_assert_cmphex(pending_bits(fixture), ==, 2);
    control(fixture, PCI_MSIX_FLAGS_ENABLE);
    g_assert_cmpuint(irq_recorder_take(&fixture->bus.irq, &got), ==, 1);
    g_assert_cmphex(got, ==, 0x51);
}

/* The kernel has no route left: the message is sent from here, and nothing is lost. */
static void
test_no_routes(Fixture *fixture, gconstpointer data)
{
    uint32_t got = 0;

    fixture->bus.irq.full = true;
    control(fixture, PCI_MSIX_FLAGS_ENABLE);
    pci_msix_signal(&fixture->device, 2); /* masked */
    write_vector(fixture, 2, 0x60, false);
    g_assert_cmpuint(irq_recorder_take(&fixture->bus.irq, &got), ==, 1);
    pci_msix_signal(&fixture->device, 2);
    g_assert_cmpuint(irq_recorder_take(&fixture->bus.irq, &got), ==, 1);
    g_assert_cmphex(got, ==, 0x60);
    bus_write(fixture->bus.memory, fixture->table + 16 * 2 + 12, 4, 1);
    pci_msix_signal(&fixture->device, 2);
    g_assert_cmpuint(irq_recorder_take(&fixture->bus.irq, NULL), ==, 0);
    g_assert_cmphex(pending_bits(fixture), ==, 4);
    fixture->bus.irq.full = false;
    bus_write(fixture->bus.memory, fixture->table + 16 * 2 + 12, 4, 0);
    g_assert_cmpuint(irq_recorder_routes(&fixture->bus.irq), ==, 1);
    g_assert_cmpuint(irq_recorder_take(&fixture->bus.irq, NULL), ==, 1);
}

/* With MSI-X on the line stays low, whatever the device says (PCI 3.0, 6.8.3.3). */
static void
test_line_is_off(Fixture *fixture, gconstpointer data)
{
    bool *line = &fixture->bus.irq.lines[board_intx_gsi(SLOT, 0)];

    pci_device_set_intx(&fixture->device, true);
    g_assert_true(*line);
    control(fixture, PCI_MSIX_FLAGS_ENABLE);
    g_assert_false(*line);
    control(fixture, 0);
    g_assert_true(*line);
}

static void
test_reset(Fixture *fixture, gconstpointer data)
{
    control(fixture, PCI_MSIX_FLAGS_ENABLE);
    write_vector(fixture, 0, 0x70, false);
    pci_msix_signal(&fixture->device, 1);
    pci_device_reset(&fixture->device);
    g_assert_false(pci_msix_enabled(&fixture->device));
    g_assert_cmpuint(irq_recorder_routes(&fixture->bus.irq), ==, 0);
    config_put(&fixture->bus, SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    g_assert_cmphex(bus_read(fixture->bus.memory, fixture->table + 12, 4), ==, 1);
    g_assert_cmphex(bus_read(fixture->bus.memory, fixture->table + 8, 4), ==, 0);
    g_assert_cmphex(pending_bits(fixture), ==, 0);
}

static void
test_saved_state(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    uint32_t got = 0;

    control(fixture, PCI_MSIX_FLAGS_ENABLE);
    write_vector(fixture, 0, 0x80, false);
    write_vector(fixture, 4, 0x84, true);
    pci_msix_signal(&fixture->device, 4);
    state_save(&pci_device_state, &fixture->device, bytes);
    pci_device_finish(&fixture->device);

    device_init(&fixture->device);
    pci_bus_add(fixture->bus.pci, &fixture->device, SLOT);
    state_load(&pci_device_state, &fixture->device, 1, bytes->data, bytes->len, &error);
    g_assert_no_error(error);
    g_assert_true(pci_msix_enabled(&fixture->device));
    pci_msix_signal(&fixture->device, 0);
    g_assert_cmpuint(irq_recorder_take(&fixture->bus.irq, &got), ==, 1);
    g_assert_cmphex(got, ==, 0x80);
    g_assert_cmphex(pending_bits(fixture), ==, 1 << 4);
    bus_write(fixture->bus.memory, fixture->table + 16 * 4 + 12, 4, 0);
    g_assert_cmpuint(irq_recorder_take(&fixture->bus.irq, &got), ==, 1);
    g_assert_cmphex(got, ==, 0x84);
}

/* The largest table: table and pending bits do not meet. */
static void
test_many_vectors(void)
{
    PciFixture bus;
    PciDevice device = {0};
    static const PciIdentity identity = {.vendor = 0x1af4, .device = 0x1041};
    pci_fixture_init(&bus);
    pci_device_init(&device, &identity, NULL);
    pci_msix_add(&device, PCI_MSIX_VECTORS_MAX, 1);
    pci_bus_add(bus.pci, &device, SLOT);
    pci_fixture_assign(&bus);
    config_put(&bus, SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    uint64_t base = bar_base(&bus, SLOT, 1);
    unsigned at = find_capability(&bus, SLOT, PCI_CAP_ID_MSIX, 0);
    uint32_t pending = config_get(&bus, SLOT, at + PCI_MSIX_PBA, 4) & ~7u;

    bus_write(bus.memory, base + 16 * (PCI_MSIX_VECTORS_MAX - 1) + 8, 4, 0x99);
    g_assert_cmphex(bus_read(bus.memory, base + 16 * (PCI_MSIX_VECTORS_MAX - 1) + 8, 4), ==, 0x99);
    g_assert_cmpuint(pending, >=, 16 * PCI_MSIX_VECTORS_MAX);
    pci_msix_signal(&device, PCI_MSIX_VECTORS_MAX - 1);
    g_assert_cmphex(bus_read(bus.memory, base + pending + PCI_MSIX_VECTORS_MAX / 8 - 4, 4), ==, 1u << 31);
    g_assert_cmphex(bus_read(bus.memory, base + pending + PCI_MSIX_VECTORS_MAX / 8, 4), ==, 0);
    pci_device_finish(&device);
    pci_fixture_finish(&bus);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*test)(Fixture *, gconstpointer);
    } tests[] = {
        {"capability", test_capability}, {"table", test_table},
        {"delivery", test_delivery},     {"masks", test_masks},
        {"no-routes", test_no_routes},   {"line-is-off", test_line_is_off},
        {"reset", test_reset},           {"saved-state", test_saved_state},
    };

    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strdup_printf("/pci/msix/%s", tests[i].name);
        g_test_add(path, Fixture, NULL, set_up, tests[i].test, tear_down);
    }
    g_test_add_func("/pci/msix/many-vectors", test_many_vectors);
    return g_test_run();
}
