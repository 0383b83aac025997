/* SPDX-License-Identifier: Apache-2.0 */
/* The host bridge's words on memory: shadow RAM piece by piece, SMRAM, TSEG and its larger kind, the lock, reset, load. */
#include "fixture.h"

#include <string.h>

#define PAM0 0x90
#define SMRAM 0x9d
#define ESMRAMC 0x9e
#define EXTENDED 0x50

static PciMemoryControl said;
static unsigned n_said;

static void
on_changed(void *user, const PciMemoryControl *control)
{
    said = *control;
    n_said++;
}

static void
begin(PciFixture *fixture)
{
    pci_fixture_init(fixture);
    n_said = 0;
    pci_bus_set_memory_control(fixture->pci, on_changed, NULL);
    g_assert_cmpuint(n_said, ==, 1);
}

static void
expect_power_on(void)
{
    for (unsigned i = 0; i < PCI_SHADOW_PIECES; i++)
        g_assert_cmpuint(said.shadow[i], ==, 0);
    g_assert_false(said.low_smram || said.low_smram_open);
    g_assert_cmpuint(said.tseg_size, ==, 0);
}

static void
test_without(void)
{
    PciFixture fixture;
    pci_fixture_init(&fixture);
    config_put(&fixture, 0, PAM0, 4, 0x33333333);
    config_put(&fixture, 0, SMRAM, 2, 0xffff);
    config_put(&fixture, 0, EXTENDED, 2, 0xffff);
    g_assert_cmphex(config_get(&fixture, 0, PAM0, 4), ==, 0);
    g_assert_cmphex(config_get(&fixture, 0, SMRAM, 2), ==, 0x3802);
    g_assert_cmphex(config_get(&fixture, 0, EXTENDED, 2), ==, 0);
    pci_fixture_finish(&fixture);
}

static void
test_shadow(void)
{
    PciFixture fixture;
    begin(&fixture);
    expect_power_on();
    for (unsigned i = 0; i < PCI_SHADOW_PIECES; i++) {
        unsigned half = i < 12 ? i + 2 : 1;
        config_put(&fixture, 0, PAM0 + half / 2, 1, half & 1 ? 0x10 : 0x03);
        for (unsigned k = 0; k < PCI_SHADOW_PIECES; k++)
            g_assert_cmpuint(said.shadow[k], ==,
                             k != i     ? 0
                             : half & 1 ? PCI_SHADOW_READ
                                        : PCI_SHADOW_READ | PCI_SHADOW_WRITE);
        config_put(&fixture, 0, PAM0 + half / 2, 1, 0);
    }
    config_put(&fixture, 0, PAM0, 4, 0xffffffff);
    g_assert_cmphex(config_get(&fixture, 0, PAM0, 4), ==, 0x33333330);
    pci_bus_ops.reset(fixture.pci);
    expect_power_on();
    pci_fixture_finish(&fixture);
}

static void
test_smram(void)
{
    PciFixture fixture;
    begin(&fixture);
    config_put(&fixture, 0, SMRAM, 1, 0x4a); /* as SeaBIOS opens it … */
    g_assert_true(said.low_smram && said.low_smram_open);
    config_put(&fixture, 0, SMRAM, 1, 0x0a); /* … and closes it */
    g_assert_true(said.low_smram && !said.low_smram_open);
    config_put(&fixture, 0, SMRAM, 1, 0x42);
    g_assert_false(said.low_smram || said.low_smram_open);
    pci_fixture_finish(&fixture);
}

static void
test_tseg(void)
{
    static const uint64_t sizes[] = {1 << 20, 2 << 20, 8 << 20, 0};
    PciFixture fixture;
    begin(&fixture);
    config_put(&fixture, 0, SMRAM, 1, 0x0a);
    for (unsigned i = 0; i < 4; i++) {
        config_put(&fixture, 0, ESMRAMC, 1, 0x01 | i << 1);
        g_assert_cmpuint(said.tseg_size, ==, sizes[i]);
        config_put(&fixture, 0, ESMRAMC, 1, i << 1); /* opened */
        g_assert_cmpuint(said.tseg_size, ==, 0);
    }
    config_put(&fixture, 0, EXTENDED, 2, 5); /* nothing but the question can be put there */
    g_assert_cmphex(config_get(&fixture, 0, EXTENDED, 2), ==, 0);
    config_put(&fixture, 0, EXTENDED, 2, 0xffff);
    g_assert_cmphex(config_get(&fixture, 0, EXTENDED, 2), ==, 16);
    config_put(&fixture, 0, ESMRAMC, 1, 0x07);
    g_assert_cmpuint(said.tseg_size, ==, PCI_TSEG_EXTENDED);
    config_put(&fixture, 0, SMRAM, 1, 0x02);
    g_assert_cmpuint(said.tseg_size, ==, 0);
    pci_fixture_finish(&fixture);
}

static void
test_lock(void)
{
    PciFixture fixture;
    begin(&fixture);
    config_put(&fixture, 0, SMRAM, 2, 0x035a); /* locked with D_OPEN: that goes */
    g_assert_cmphex(config_get(&fixture, 0, SMRAM, 1), ==, 0x1a);
    g_assert_cmpuint(said.tseg_size, ==, 2 << 20);
    g_assert_false(said.low_smram_open);
    config_put(&fixture, 0, SMRAM, 2, 0x0042);
    config_put(&fixture, 0, EXTENDED, 2, 0xffff);
    g_assert_cmphex(config_get(&fixture, 0, SMRAM, 2), ==, 0x3b1a);
    g_assert_cmphex(config_get(&fixture, 0, EXTENDED, 2), ==, 0);
    g_assert_cmpuint(said.tseg_size, ==, 2 << 20);
    pci_bus_ops.reset(fixture.pci);
    expect_power_on();
    config_put(&fixture, 0, SMRAM, 1, 0x4a);
    g_assert_true(said.low_smram_open);
    pci_fixture_finish(&fixture);
}

static void
test_state(void)
{
    PciFixture from, to;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    begin(&from);
    config_put(&from, 0, PAM0, 4, 0x33333330);
    config_put(&from, 0, SMRAM, 2, 0x031a);
    state_save(pci_bus_ops.state, from.pci, bytes);
    begin(&to);
    g_assert_true(state_load(pci_bus_ops.state, to.pci, 1, bytes->data, bytes->len, NULL));
    g_assert_cmpuint(said.shadow[12], ==, PCI_SHADOW_READ | PCI_SHADOW_WRITE);
    g_assert_cmpuint(said.tseg_size, ==, 2 << 20);
    config_put(&to, 0, ESMRAMC, 1, 0); /* still locked */
    g_assert_cmpuint(said.tseg_size, ==, 2 << 20);
    pci_fixture_finish(&from);
    pci_fixture_finish(&to);
}

/* The LPC bridge's lock of SMI_EN: the guest sets it, and only a reset takes it away. */
static void
on_smi_lock(void *user, bool locked)
{
    *(bool *)user = locked;
}

static void
test_smi_lock(void)
{
    PciFixture fixture, loaded;
    bool locked = true, locked_there = false;
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    pci_fixture_init(&fixture);
    config_put(&fixture, 31, 0xa0, 2, 0xffff); /* without system management mode there is none */
    g_assert_cmphex(config_get(&fixture, 31, 0xa0, 2), ==, 0);
    pci_bus_set_smi_lock(fixture.pci, on_smi_lock, &locked);
    g_assert_false(locked);
    config_put(&fixture, 31, 0xa0, 2, 0x0010);
    g_assert_true(locked);
    config_put(&fixture, 31, 0xa0, 2, 0);
    g_assert_cmphex(config_get(&fixture, 31, 0xa0, 2), ==, 0x10);
    state_save(pci_bus_ops.state, fixture.pci, bytes);
    pci_fixture_init(&loaded);
    pci_bus_set_smi_lock(loaded.pci, on_smi_lock, &locked_there);
    g_assert_true(state_load(pci_bus_ops.state, loaded.pci, 1, bytes->data, bytes->len, NULL));
    g_assert_true(locked_there);
    pci_bus_ops.reset(fixture.pci);
    g_assert_false(locked);
    g_assert_cmphex(config_get(&fixture, 31, 0xa0, 2), ==, 0);
    pci_fixture_finish(&fixture);
    pci_fixture_finish(&loaded);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/host-bridge/without", test_without);
    g_test_add_func("/pci/host-bridge/shadow", test_shadow);
    g_test_add_func("/pci/host-bridge/smram", test_smram);
    g_test_add_func("/pci/host-bridge/tseg", test_tseg);
    g_test_add_func("/pci/host-bridge/lock", test_lock);
    g_test_add_func("/pci/host-bridge/state", test_state);
    g_test_add_func("/pci/host-bridge/smi-lock", test_smi_lock);
    return g_test_run();
}
