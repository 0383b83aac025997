/* SPDX-License-Identifier: Apache-2.0 */
/* PCI bus 0: both ways to configuration, the host bridge, shared INTx lines, addresses at power-on. */
#include "fixture.h"

static const PciIdentity identity = {.vendor = 0x1af4, .device = 0x1041, .class = 0x020000, .intx = true};

static uint64_t
zero_read(void *owner, uint64_t offset, unsigned size)
{
    return 0;
}

static void
ignore_write(void *owner, uint64_t offset, unsigned size, uint64_t value)
{
}

static const BusOps zero_ops = {.read = zero_read, .write = ignore_write};

static void
out_address(PciFixture *fixture, unsigned bus, unsigned slot, unsigned function, unsigned offset)
{
    bus_write(fixture->ports, 0xcf8, 4, 1u << 31 | bus << 16 | slot << 11 | function << 8 | (offset & 0xfc));
}

static uint64_t
in_data(PciFixture *fixture, unsigned slot, unsigned offset, unsigned size)
{
    out_address(fixture, 0, slot, 0, offset);
    return bus_read(fixture->ports, 0xcfc + (offset & 3), size);
}

static void
test_ports(void)
{
    PciFixture fixture;
    pci_fixture_init(&fixture);

    g_assert_cmphex(in_data(&fixture, 0, 0, 4), ==, 0x29c08086);
    g_assert_cmphex(in_data(&fixture, 0, 2, 2), ==, 0x29c0);
    g_assert_cmphex(in_data(&fixture, 0, 3, 1), ==, 0x29);
    g_assert_cmphex(in_data(&fixture, 0, 1, 2), ==, 0xc080);            /* odd, inside the register */
    g_assert_cmphex(bus_read(fixture.ports, 0xcfe, 4), ==, 0xffff29c0); /* over its end: nobody is there */
    g_assert_cmphex(in_data(&fixture, 1, 0, 4), ==, 0xffffffff);        /* an empty slot */
    out_address(&fixture, 1, 0, 0, 0);
    g_assert_cmphex(bus_read(fixture.ports, 0xcfc, 4), ==, 0xffffffff); /* another bus */
    out_address(&fixture, 0, 0, 1, 0);
    g_assert_cmphex(bus_read(fixture.ports, 0xcfc, 4), ==, 0xffffffff); /* another function */
    g_assert_cmphex(bus_read(fixture.ports, 0xcf8, 4), ==, 0x80000100);

    bus_write(fixture.ports, 0xcf8, 4, 0); /* not enabled */
    g_assert_cmphex(bus_read(fixture.ports, 0xcfc, 2), ==, 0xffff);
    bus_write(fixture.ports, 0xcf8, 2, 0x8000); /* only dwords are the address */
    g_assert_cmphex(bus_read(fixture.ports, 0xcf8, 4), ==, 0);
    g_assert_cmphex(bus_read(fixture.ports, 0xcf8, 1), ==, 0xff);

    out_address(&fixture, 0, 0, 0, 0x3c);
    bus_write(fixture.ports, 0xcfc, 1, 0x0b);
    g_assert_cmphex(config_get(&fixture, 0, 0x3c, 4), ==, 0x0b);
    pci_fixture_finish(&fixture);
}

static uint8_t reset_written;

static void
reset_write(void *owner, uint64_t offset, unsigned size, uint64_t value)
{
    g_assert_true(owner == &reset_written && offset == 0 && size == 1);
    reset_written = value;
}

static uint64_t
reset_read(void *owner, uint64_t offset, unsigned size)
{
    return 0x42;
}

/* The reset register is a byte inside the address port. */
static void
test_reset_port(void)
{
    static const BusOps ops = {.read = reset_read, .write = reset_write};
    PciFixture fixture;
    pci_fixture_init(&fixture);

    bus_write(fixture.ports, 0xcf9, 1, 6); /* before anybody listens */
    pci_bus_set_reset_port(fixture.pci, &ops, &reset_written);
    bus_write(fixture.ports, 0xcf8, 4, 0x80000000 | 0x600); /* no byte access: not it */
    g_assert_cmphex(reset_written, ==, 0);
    g_assert_cmphex(bus_read(fixture.ports, 0xcf9, 1), ==, 0x42);
    bus_write(fixture.ports, 0xcf9, 1, 6);
    g_assert_cmphex(reset_written, ==, 6);
    pci_fixture_finish(&fixture);
}

static void
test_ecam(void)
{
    PciFixture fixture;
    pci_fixture_init(&fixture);

    g_assert_cmphex(config_get(&fixture, 0, 0, 4), ==, 0x29c08086);
    g_assert_cmphex(config_get(&fixture, 0, 0, 8), ==, 0x29c08086); /* command and status are zero */
    g_assert_cmphex(config_get(&fixture, 0, 1, 2), ==, 0xc080);
    g_assert_cmphex(config_get(&fixture, 0, 0x100, 4), ==, 0); /* no extended capabilities */
    g_assert_cmphex(config_get(&fixture, 0, 0xfff, 1), ==, 0);
    g_assert_cmphex(config_get(&fixture, 5, 0, 8), ==, UINT64_MAX);
    g_assert_cmphex(bus_read(fixture.memory, ECAM(0, 0) + (1 << 12), 4), ==, 0xffffffff); /* function 1 */
    g_assert_cmphex(bus_read(fixture.memory, ECAM(0, 0) + (1 << 20), 4), ==, 0xffffffff); /* bus 1 */

    /* Moved by its register, as firmware does; switched off; put over nothing it may not. */
    config_put(&fixture, 0, 0x60, 4, 0xb0000001);
    g_assert_cmphex(config_get(&fixture, 0, 0, 4), ==, 0xffffffff);
    g_assert_cmphex(bus_read(fixture.memory, 0xb0000000, 4), ==, 0x29c08086);
    g_assert_cmphex(in_data(&fixture, 0, 0x60, 4), ==, 0xb0000001);
    bus_write(fixture.memory, 0xb0000060, 4, 0xb0000003); /* 128 MiB */
    g_assert_cmphex(bus_read(fixture.memory, 0xb0000000, 4), ==, 0x29c08086);
    g_assert_cmphex(bus_read(fixture.memory, 0xb8000000, 4), ==, 0xffffffff);
    bus_write(fixture.memory, 0xb0000060, 4, 0xb0000000);
    g_assert_cmphex(bus_read(fixture.memory, 0xb0000000, 4), ==, 0xffffffff);
    pci_bus_ops.reset(fixture.pci);
    g_assert_cmphex(config_get(&fixture, 0, 0, 4), ==, 0x29c08086);
    pci_fixture_finish(&fixture);
}

/* A guest that has put a BAR where ECAM belongs, and resets: ECAM is back, the bus lives. */
static void
test_reset_with_a_bar_over_ecam(void)
{
    PciFixture fixture;
    PciDevice device = {0};
    pci_fixture_init(&fixture);
    pci_device_init(&device, &identity, NULL);
    pci_device_add_bar(&device, 0, PCI_BAR_32, 4096, &zero_ops, NULL);
    pci_bus_add(fixture.pci, &device, 3);
    pci_fixture_assign(&fixture);

    config_put(&fixture, 3, 0x10, 4, BOARD_ECAM_BASE);
    config_put(&fixture, 3, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    config_put(&fixture, 0, 0x60, 4, 0xb0000001);
    bus_write(fixture.memory, 0xb0000000 + (3 << 15) + 0x10, 4, BOARD_ECAM_BASE); /* again: now there is room */
    g_assert_cmphex(bus_read(fixture.memory, BOARD_ECAM_BASE, 4), ==, 0);
    pci_bus_ops.reset(fixture.pci);
    g_assert_cmphex(config_get(&fixture, 0, 0, 4), ==, 0x29c08086);
    pci_device_finish(&device);
    pci_fixture_finish(&fixture);
}

static void
test_shared_line(void)
{
    PciFixture fixture;
    PciDevice devices[2] = {0};
    pci_fixture_init(&fixture);
    for (unsigned i = 0; i < 2; i++) {
        pci_device_init(&devices[i], &identity, NULL);
        g_assert_cmpint(pci_bus_add(fixture.pci, &devices[i], 1 + 4 * i), ==, 1 + 4 * i);
    }
    unsigned gsi = board_intx_gsi(1, 0);
    g_assert_cmpuint(gsi, ==, board_intx_gsi(5, 0));

    pci_device_set_intx(&devices[0], true);
    pci_device_set_intx(&devices[1], true);
    g_assert_true(fixture.irq.lines[gsi]);
    pci_device_set_intx(&devices[0], false);
    g_assert_true(fixture.irq.lines[gsi]); /* the other holds it */
    pci_device_set_intx(&devices[1], false);
    g_assert_false(fixture.irq.lines[gsi]);
    g_assert_cmpuint(fixture.irq.line_changes, ==, 2);
    for (unsigned i = 0; i < 2; i++)
        pci_device_finish(&devices[i]);
    pci_fixture_finish(&fixture);
}

static void
test_slots(void)
{
    PciFixture fixture;
    PciDevice devices[PCI_SLOTS] = {0};
    pci_fixture_init(&fixture);
    for (unsigned i = 0; i < PCI_SLOTS; i++)
        pci_device_init(&devices[i], &identity, NULL);

    g_assert_cmpint(pci_bus_add(fixture.pci, &devices[0], 0), ==, -1); /* the host bridge's */
    g_assert_cmpint(pci_bus_add(fixture.pci, &devices[0], PCI_SLOTS), ==, -1);
    g_assert_cmpint(pci_bus_add(fixture.pci, &devices[0], 31), ==, -1); /* the LPC bridge's */
    g_assert_cmpint(pci_bus_add(fixture.pci, &devices[30], 30), ==, 30);
    for (int i = 1; i < 30; i++)
        g_assert_cmpint(pci_bus_add(fixture.pci, &devices[i], PCI_SLOT_ANY), ==, i);
    g_assert_cmpint(pci_bus_add(fixture.pci, &devices[0], PCI_SLOT_ANY), ==, -1);
    for (unsigned i = 0; i < PCI_SLOTS; i++)
        pci_device_finish(&devices[i]);
    pci_fixture_finish(&fixture);
}

static void
test_lpc_bridge(void)
{
    PciFixture fixture;
    pci_fixture_init(&fixture);
    g_assert_cmphex(config_get(&fixture, 31, 0, 4), ==, 0x29188086);
    g_assert_cmphex(config_get(&fixture, 31, PCI_CLASS_DEVICE, 2), ==, 0x0601);
    config_put(&fixture, 31, PCI_COMMAND, 2, 0);
    g_assert_cmphex(config_get(&fixture, 31, PCI_COMMAND, 2), ==, 7);          /* it answers always */
    g_assert_cmphex(config_get(&fixture, 31, 0x40, 4), ==, BOARD_PORT_PM | 1); /* where the ACPI registers are … */
    config_put(&fixture, 31, 0x40, 4, 0);
    g_assert_cmphex(config_get(&fixture, 31, 0x40, 4), ==, BOARD_PORT_PM | 1); /* … and stay */
    config_put(&fixture, 31, 0x68, 1, 0x0b);
    g_assert_cmphex(config_get(&fixture, 31, 0x68, 4), ==, 0x8080800b);
    pci_bus_ops.reset(fixture.pci);
    g_assert_cmphex(config_get(&fixture, 31, 0x68, 1), ==, 0x80);
    pci_fixture_finish(&fixture);
}

static void
test_assign(void)
{
    PciFixture fixture;
    PciDevice devices[3] = {0};
    g_autoptr(GError) error = NULL;
    pci_fixture_init(&fixture);
    for (unsigned i = 0; i < 3; i++) {
        pci_device_init(&devices[i], &identity, NULL);
        pci_device_add_bar(&devices[i], 1, PCI_BAR_32, 4096 << i, &zero_ops, NULL);
        pci_device_add_bar(&devices[i], 4, PCI_BAR_64_PREFETCH, i == 1 ? 1 << 20 : 16384, &zero_ops, NULL);
        pci_bus_add(fixture.pci, &devices[i], PCI_SLOT_ANY);
    }
    const BoardWindow low = {0x80000000, 0x200000}, high = {0x1000000000, 0x104000}, none = {0, 0};

    /* Largest first: the 1 MiB one and one of 16 KiB fill the high window, the rest goes low. */
    g_assert_true(pci_bus_assign(fixture.pci, &low, &high, &error));
    g_assert_cmphex(bar_base(&fixture, 2, 4), ==, 0x1000000000);
    g_assert_cmphex(bar_base(&fixture, 1, 4), ==, 0x1000100000);
    g_assert_cmphex(bar_base(&fixture, 3, 1), ==, 0x80000000);
    g_assert_cmphex(bar_base(&fixture, 3, 4), ==, 0x80004000);
    g_assert_cmphex(bar_base(&fixture, 2, 1), ==, 0x80008000);
    g_assert_cmphex(bar_base(&fixture, 1, 1), ==, 0x8000a000);

    /* Nothing above 4 GiB. */
    g_assert_true(pci_bus_assign(fixture.pci, &low, &none, &error));
    g_assert_cmphex(bar_base(&fixture, 2, 4), ==, 0x80000000);

    const BoardWindow small = {0x80001000, 0x1000};
    g_assert_false(pci_bus_assign(fixture.pci, &small, &none, &error));
    g_assert_nonnull(error);
    for (unsigned i = 0; i < 3; i++)
        pci_device_finish(&devices[i]);
    pci_fixture_finish(&fixture);
}

static void
test_saved_state(void)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    PciFixture first, second;
    pci_fixture_init(&first);
    config_put(&first, 0, 0x60, 4, 0xc0000001);
    out_address(&first, 0, 0, 0, 0x60);
    state_save(pci_bus_ops.state, first.pci, bytes);
    pci_fixture_finish(&first);

    pci_fixture_init(&second);
    state_load(pci_bus_ops.state, second.pci, 1, bytes->data, bytes->len, &error);
    g_assert_no_error(error);
    g_assert_cmphex(bus_read(second.ports, 0xcfc, 4), ==, 0xc0000001);
    g_assert_cmphex(bus_read(second.memory, 0xc0000000, 4), ==, 0x29c08086);
    g_assert_cmphex(bus_read(second.memory, BOARD_ECAM_BASE, 4), ==, 0xffffffff);
    pci_fixture_finish(&second);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/bus/ports", test_ports);
    g_test_add_func("/pci/bus/reset-port", test_reset_port);
    g_test_add_func("/pci/bus/ecam", test_ecam);
    g_test_add_func("/pci/bus/reset-with-a-bar-over-ecam", test_reset_with_a_bar_over_ecam);
    g_test_add_func("/pci/bus/shared-line", test_shared_line);
    g_test_add_func("/pci/bus/slots", test_slots);
    g_test_add_func("/pci/bus/lpc-bridge", test_lpc_bridge);
    g_test_add_func("/pci/bus/assign", test_assign);
    g_test_add_func("/pci/bus/saved-state", test_saved_state);
    return g_test_run();
}
