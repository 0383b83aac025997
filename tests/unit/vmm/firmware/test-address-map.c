/* SPDX-License-Identifier: Apache-2.0 */
/* What lies where: at power-on, with pieces of RAM below 1 MiB in each state, with the chip's modes, SMRAM and TSEG. */
#include "vmm/firmware/address_map.h"

#include <string.h>

#define MIB (1ull << 20)
#define GIB (1ull << 30)

/* Never read: only addresses count. */
#define RAM ((uint8_t *)0x100000000)
#define HIGH (RAM + 2 * GIB)
#define ROM ((uint8_t *)0x700000000)
#define FLASH ((uint8_t *)0x800000000)

static const GuestRegion ram[] = {{.gpa = 0, .size = 2 * GIB, .host = RAM},
                                  {.gpa = 4 * GIB, .size = 3 * GIB, .offset = 2 * GIB, .host = HIGH}};
static const Rom rom = {.bytes = ROM, .size = 3653632};

static AddressView
power_on(void)
{
    return (AddressView){
        .ram = ram, .n_ram = 2, .rom = &rom, .flash = FLASH, .flash_size = 540672, .flash_array = true};
}

/* The host address behind @gpa, or NULL; *@read_only where there is one. Also checks the list's shape. */
static uint8_t *
at(const AddressView *view, unsigned space, uint64_t gpa, bool *read_only)
{
    MemorySlot slots[SLOTS_MAX];
    unsigned n = address_map_lay_out(view, space, slots);
    uint64_t end = 0;
    uint8_t *found = NULL;

    for (unsigned i = 0; i < n; i++) {
        g_assert_cmpuint(slots[i].gpa, >=, end);
        g_assert_cmpuint(slots[i].size, >, 0);
        g_assert_cmpuint((slots[i].gpa | slots[i].size) % 4096, ==, 0);
        end = slots[i].gpa + slots[i].size;
        if (gpa >= slots[i].gpa && gpa < end) {
            found = slots[i].host + (gpa - slots[i].gpa);
            *read_only = slots[i].read_only;
        }
    }
    return found;
}

static void
expect(const AddressView *view, unsigned space, uint64_t gpa, uint8_t *host, bool read_only)
{
    bool is_read_only = read_only;
    g_assert_true(at(view, space, gpa, &is_read_only) == host);
    g_assert_true(is_read_only == read_only);
}

static void
test_power_on(void)
{
    AddressView view = power_on();
    uint64_t rom_base = 4 * GIB - rom.size;

    expect(&view, SLOTS_ORDINARY, 0, RAM, false);
    expect(&view, SLOTS_ORDINARY, 0x9ffff, RAM + 0x9ffff, false);
    expect(&view, SLOTS_ORDINARY, 0xa0000, NULL, false);
    expect(&view, SLOTS_ORDINARY, 0xc0000, NULL, false);
    expect(&view, SLOTS_ORDINARY, 0xdffff, NULL, false);
    expect(&view, SLOTS_ORDINARY, 0xe0000, ROM + rom.size - 0x20000, true);
    expect(&view, SLOTS_ORDINARY, 0xffff0, ROM + rom.size - 16, true);
    expect(&view, SLOTS_ORDINARY, MIB, RAM + MIB, false);
    expect(&view, SLOTS_ORDINARY, 2 * GIB - 1, RAM + 2 * GIB - 1, false);
    expect(&view, SLOTS_ORDINARY, 2 * GIB, NULL, false);
    expect(&view, SLOTS_ORDINARY, rom_base - 540673, NULL, false);
    expect(&view, SLOTS_ORDINARY, rom_base - 540672, FLASH, true);
    expect(&view, SLOTS_ORDINARY, rom_base, ROM, true);
    expect(&view, SLOTS_ORDINARY, 4 * GIB - 1, ROM + rom.size - 1, true);
    expect(&view, SLOTS_ORDINARY, 4 * GIB, HIGH, false);
    expect(&view, SLOTS_ORDINARY, 7 * GIB - 1, HIGH + 3 * GIB - 1, false);
    expect(&view, SLOTS_ORDINARY, 7 * GIB, NULL, false);
    view.flash_array = false;
    expect(&view, SLOTS_ORDINARY, rom_base - 1, NULL, false);
    view.flash = NULL;
    view.flash_array = true;
    expect(&view, SLOTS_ORDINARY, rom_base - 1, NULL, false);
    expect(&view, SLOTS_ORDINARY, rom_base, ROM, true);
}

static void
test_shadow(void)
{
    for (unsigned piece = 0; piece < PCI_SHADOW_PIECES; piece++) {
        uint64_t gpa = 0xc0000 + piece * 0x4000;
        uint64_t last = gpa == 0xf0000 ? 0xfffff : gpa + 0x3fff;
        uint8_t *below = gpa >= 0xe0000 ? ROM + rom.size - (MIB - gpa) : NULL;
        AddressView view = power_on();

        view.control.shadow[piece] = PCI_SHADOW_READ;
        expect(&view, SLOTS_ORDINARY, gpa, RAM + gpa, true);
        expect(&view, SLOTS_ORDINARY, last, RAM + last, true);
        view.control.shadow[piece] = PCI_SHADOW_READ | PCI_SHADOW_WRITE;
        expect(&view, SLOTS_ORDINARY, gpa, RAM + gpa, false);
        expect(&view, SLOTS_ORDINARY, last, RAM + last, false);
        if (last + 1 < MIB)
            g_assert_true(at(&view, SLOTS_ORDINARY, last + 1, &(bool){false}) != RAM + last + 1);
        view.control.shadow[piece] = PCI_SHADOW_WRITE;
        expect(&view, SLOTS_ORDINARY, gpa, below, below != NULL);
    }
}

/* As firmware leaves it: all of it RAM, in one slot; what is around does not change with it. */
static void
test_joined(void)
{
    AddressView view = power_on();
    MemorySlot before[SLOTS_MAX], after[SLOTS_MAX];
    unsigned n_before = address_map_lay_out(&view, SLOTS_ORDINARY, before);

    memset(view.control.shadow, PCI_SHADOW_READ | PCI_SHADOW_WRITE, sizeof(view.control.shadow));
    unsigned n_after = address_map_lay_out(&view, SLOTS_ORDINARY, after);
    g_assert_cmpuint(n_before, ==, n_after); /* 0xe0000 then, 0xc0000 now */
    g_assert_cmphex(after[1].gpa, ==, 0xc0000);
    g_assert_cmphex(after[1].size, ==, 0x40000);
    for (unsigned i = 0; i < n_after; i++)
        if (i != 1)
            g_assert_true(before[i].gpa == after[i].gpa && before[i].size == after[i].size &&
                          before[i].host == after[i].host && before[i].read_only == after[i].read_only);
}

static void
test_low_smram(void)
{
    AddressView view = power_on();

    view.control.low_smram = true;
    expect(&view, SLOTS_ORDINARY, 0xa0000, NULL, false);
    expect(&view, SLOTS_SMM, 0xa0000, RAM + 0xa0000, false);
    expect(&view, SLOTS_SMM, 0xbffff, RAM + 0xbffff, false);
    view.control.low_smram_open = true;
    expect(&view, SLOTS_ORDINARY, 0xa0000, RAM + 0xa0000, false);
}

static void
test_tseg(void)
{
    static const uint64_t sizes[] = {MIB, 2 * MIB, 8 * MIB, PCI_TSEG_EXTENDED};

    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        AddressView view = power_on();
        uint64_t base = 2 * GIB - sizes[i];
        view.control.tseg_size = sizes[i];
        expect(&view, SLOTS_ORDINARY, base - 1, RAM + base - 1, false);
        expect(&view, SLOTS_ORDINARY, base, NULL, false);
        expect(&view, SLOTS_ORDINARY, 2 * GIB - 1, NULL, false);
        expect(&view, SLOTS_SMM, base, RAM + base, false);
        expect(&view, SLOTS_SMM, 2 * GIB - 1, RAM + 2 * GIB - 1, false);
    }
}

/* The least a desktop can have: TSEG may be as large as all of it above 1 MiB. */
static void
test_small(void)
{
    GuestRegion small = {.gpa = 0, .size = 16 * MIB, .host = RAM};
    AddressView view = power_on();

    view.ram = &small;
    view.n_ram = 1;
    expect(&view, SLOTS_ORDINARY, 16 * MIB - 1, RAM + 16 * MIB - 1, false);
    expect(&view, SLOTS_ORDINARY, 16 * MIB, NULL, false);
    expect(&view, SLOTS_ORDINARY, 4 * GIB, NULL, false);
    view.control.tseg_size = PCI_TSEG_EXTENDED;
    expect(&view, SLOTS_ORDINARY, MIB, NULL, false);
    expect(&view, SLOTS_ORDINARY, MIB - 1, ROM + rom.size - 1, true);
    expect(&view, SLOTS_SMM, MIB, RAM + MIB, false);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/address-map/power-on", test_power_on);
    g_test_add_func("/address-map/shadow", test_shadow);
    g_test_add_func("/address-map/joined", test_joined);
    g_test_add_func("/address-map/low-smram", test_low_smram);
    g_test_add_func("/address-map/tseg", test_tseg);
    g_test_add_func("/address-map/small", test_small);
    return g_test_run();
}
