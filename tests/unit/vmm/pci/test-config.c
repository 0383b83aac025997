/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration space: masks, odd accesses, the capability list. */
#include "vmm/pci/config.h"

#include <glib.h>

static void
test_masks(void)
{
    PciConfig config;
    pci_config_init(&config);
    pci_config_set(&config, 0x10, 4, 0x12345678);
    pci_config_allow(&config, 0x10, 4, 0xffff0000);
    pci_config_write(&config, 0x10, 4, 0xffffffff);
    g_assert_cmphex(pci_config_read(&config, 0x10, 4), ==, 0xffff5678);
    pci_config_write(&config, 0x10, 4, 0);
    g_assert_cmphex(pci_config_read(&config, 0x10, 4), ==, 0x5678);
    pci_config_write(&config, 0x12, 1, 0xab);
    g_assert_cmphex(pci_config_get(&config, 0x10, 4), ==, 0x00ab5678);
}

static void
test_odd_accesses(void)
{
    PciConfig config;
    pci_config_init(&config);
    for (unsigned i = 0; i < 8; i++)
        pci_config_set(&config, 0x40 + i, 1, 0x10 + i);
    g_assert_cmphex(pci_config_read(&config, 0x41, 2), ==, 0x1211);
    g_assert_cmphex(pci_config_read(&config, 0x43, 4), ==, 0x16151413);
    g_assert_cmphex(pci_config_read(&config, 0x40, 8), ==, 0x1716151413121110);
    g_assert_cmphex(pci_config_read(&config, 0xfe, 4), ==, 0); /* across the end of what is held */
    g_assert_cmphex(pci_config_read(&config, 0x100, 4), ==, 0);
    g_assert_cmphex(pci_config_read(&config, 0xfff, 8), ==, 0);
    pci_config_allow(&config, 0xfc, 4, 0xffffffff);
    pci_config_write(&config, 0xfe, 4, 0xaabbccdd);
    pci_config_write(&config, 0xfff, 8, UINT64_MAX);
    g_assert_cmphex(pci_config_read(&config, 0xfc, 4), ==, 0xccdd0000);
}

static void
test_capabilities(void)
{
    PciConfig config;
    pci_config_init(&config);
    g_assert_cmphex(pci_config_get(&config, PCI_STATUS, 2), ==, 0);
    unsigned first = pci_config_add_capability(&config, PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF);
    unsigned second = pci_config_add_capability(&config, PCI_CAP_ID_VNDR, 17);
    unsigned third = pci_config_add_capability(&config, PCI_CAP_ID_PM, PCI_PM_SIZEOF);

    g_assert_cmphex(pci_config_get(&config, PCI_STATUS, 2), ==, PCI_STATUS_CAP_LIST);
    g_assert_cmphex(pci_config_get(&config, PCI_CAPABILITY_LIST, 1), ==, first);
    g_assert_cmphex(pci_config_get(&config, first + PCI_CAP_LIST_NEXT, 1), ==, second);
    g_assert_cmphex(pci_config_get(&config, second + PCI_CAP_LIST_NEXT, 1), ==, third);
    g_assert_cmphex(pci_config_get(&config, third + PCI_CAP_LIST_NEXT, 1), ==, 0);
    g_assert_cmphex(pci_config_get(&config, second, 1), ==, PCI_CAP_ID_VNDR);
    g_assert_cmpuint(first % 4 + second % 4 + third % 4, ==, 0);
    g_assert_cmpuint(third, >=, second + 17);
}

static void
test_reset(void)
{
    PciConfig config;
    pci_config_init(&config);
    pci_config_allow(&config, 0x3c, 1, 0xff);
    pci_config_set(&config, 0x3c, 1, 20);
    pci_config_set_power_on(&config);
    pci_config_write(&config, 0x3c, 1, 9);
    g_assert_cmphex(pci_config_get(&config, 0x3c, 1), ==, 9);
    pci_config_reset(&config);
    g_assert_cmphex(pci_config_get(&config, 0x3c, 1), ==, 20);
}

static void
test_touches(void)
{
    g_assert_true(pci_config_touches(0x04, 4, 0x06, 2));
    g_assert_true(pci_config_touches(0x07, 1, 0x06, 2));
    g_assert_true(pci_config_touches(0x00, 8, 0x06, 1));
    g_assert_false(pci_config_touches(0x04, 2, 0x06, 2));
    g_assert_false(pci_config_touches(0x08, 4, 0x06, 2));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/config/masks", test_masks);
    g_test_add_func("/pci/config/odd-accesses", test_odd_accesses);
    g_test_add_func("/pci/config/capabilities", test_capabilities);
    g_test_add_func("/pci/config/reset", test_reset);
    g_test_add_func("/pci/config/touches", test_touches);
    return g_test_run();
}
