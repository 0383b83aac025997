/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address map: see address_map.h.
 *
 * Slots never cross the places where one may have to change, so that a change takes away nothing but what changes: 640 KiB,
 * 768 KiB, 1 MiB, and the sizes TSEG can have below the end of low RAM.
 */
#include "vmm/firmware/address_map.h"

#include "vmm/board/memory_map.h"
#include "vmm/kvm/host.h"

#define LOW_SMRAM 0xa0000u
#define LOW_SMRAM_SIZE 0x20000u
#define SHADOW 0xc0000u
#define SHADOW_PIECE 0x4000u
#define SHADOW_LAST 0xf0000u /* one piece to its end */
#define SHADOW_END 0x100000u
#define ROM_BELOW_1M 0xe0000u /* the firmware's last 128 KiB, where a piece is not RAM */
#define MIB 0x100000u

struct AddressMap {
    AddressMapOptions options;
    GMutex lock; /* the rest */
    AddressView view;
};

/* --- layout ------------------------------------------------------------------------------------------------------- */

typedef struct {
    MemorySlot *slots;
    unsigned n;
} Layout;

/* Adds [gpa, gpa + size) from @host, joined to the last where @join and both belong together. */
static void
add(Layout *layout, uint64_t gpa, uint64_t size, uint8_t *host, bool read_only, bool join)
{
    MemorySlot *last = layout->n ? &layout->slots[layout->n - 1] : NULL;

    if (!size)
        return;
    if (join && last && last->gpa + last->size == gpa && last->host + last->size == host &&
        last->read_only == read_only) {
        last->size += size;
        return;
    }
    g_assert(layout->n < SLOTS_MAX);
    layout->slots[layout->n++] = (MemorySlot){.gpa = gpa, .size = size, .host = host, .read_only = read_only};
}

static void
add_shadow(Layout *layout, const AddressView *view)
{
    uint8_t *ram = view->ram[0].host, *rom_end = view->rom->bytes + view->rom->size;
    bool join = false; /* not to what lies below */

    for (unsigned i = 0; i < PCI_SHADOW_PIECES; i++) {
        uint32_t gpa = SHADOW + i * SHADOW_PIECE, size = gpa == SHADOW_LAST ? SHADOW_END - gpa : SHADOW_PIECE;
        uint8_t access = view->control.shadow[i];
        /* write-only is as good as none: QEMU has it so, and firmware knows it */
        if (access & PCI_SHADOW_READ)
            add(layout, gpa, size, ram + gpa, !(access & PCI_SHADOW_WRITE), join);
        else if (gpa >= ROM_BELOW_1M)
            add(layout, gpa, size, rom_end - (SHADOW_END - gpa), true, join);
        join = true;
    }
}

/* Low RAM from 1 MiB, in pieces that end where TSEG may begin. */
static void
add_low_ram(Layout *layout, const AddressView *view, unsigned space)
{
    static const uint64_t tseg_sizes[] = {PCI_TSEG_EXTENDED, 8 * MIB, 2 * MIB, MIB, 0};
    uint64_t end = view->ram[0].size, from = MIB;
    uint64_t hidden = space == SLOTS_SMM ? 0 : view->control.tseg_size;

    for (size_t i = 0; i < G_N_ELEMENTS(tseg_sizes); i++) {
        uint64_t to = end - MIN(tseg_sizes[i], end - MIB);
        if (to <= end - MIN(hidden, end - MIB))
            add(layout, from, to - from, view->ram[0].host + from, false, false);
        from = to;
    }
}

unsigned
address_map_lay_out(const AddressView *view, unsigned space, MemorySlot *slots)
{
    Layout layout = {.slots = slots};
    const GuestRegion *low = &view->ram[0];
    uint64_t rom_base = BOARD_FLASH_END - view->rom->size;

    g_assert(low->size >= 2 * MIB);
    add(&layout, 0, LOW_SMRAM, low->host, false, false);
    if (space == SLOTS_SMM ? view->control.low_smram : view->control.low_smram_open)
        add(&layout, LOW_SMRAM, LOW_SMRAM_SIZE, low->host + LOW_SMRAM, false, false);
    add_shadow(&layout, view);
    add_low_ram(&layout, view, space);
    if (view->flash && view->flash_array)
        add(&layout, rom_base - view->flash_size, view->flash_size, view->flash, true, false);
    add(&layout, rom_base, view->rom->size, view->rom->bytes, true, false);
    for (size_t i = 1; i < view->n_ram; i++)
        add(&layout, view->ram[i].gpa, view->ram[i].size, view->ram[i].host, false, false);
    return layout.n;
}

/* --- carrying it out ---------------------------------------------------------------------------------------------- */

/* Under the lock. 0 or a negative errno. */
static int
carry_out(AddressMap *map)
{
    MemorySlot slots[SLOTS_MAX];
    unsigned n = address_map_lay_out(&map->view, SLOTS_ORDINARY, slots);
    int result = slots_set(map->options.slots, SLOTS_ORDINARY, slots, n);

    if (result < 0 || !map->options.smm)
        return result;
    n = address_map_lay_out(&map->view, SLOTS_SMM, slots);
    return slots_set(map->options.slots, SLOTS_SMM, slots, n);
}

static void
carry_out_or_pause(AddressMap *map)
{
    int result = carry_out(map);

    if (result == 0)
        return;
    g_autofree char *detail = g_strdup_printf("the host cannot map the guest's memory anew: %s", g_strerror(-result));
    machine_request(map->options.machine, MACHINE_REQUEST_PAUSE_ERROR, detail);
}

static void
show_flash(void *user, bool array)
{
    AddressMap *map = user;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&map->lock);

    map->view.flash_array = array;
    carry_out_or_pause(map);
}

static void
flash_failed(void *user, const char *detail)
{
    AddressMap *map = user;
    machine_request(map->options.machine, MACHINE_REQUEST_PAUSE_ERROR, detail);
}

static const FlashOps flash_ops = {.show = show_flash, .failed = flash_failed};

void
address_map_control(void *object, const PciMemoryControl *control)
{
    AddressMap *map = object;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&map->lock);

    map->view.control = *control;
    guest_memory_hide(map->options.memory, control->tseg_size);
    carry_out_or_pause(map);
}

AddressMap *
address_map_new(const AddressMapOptions *options, GError **error)
{
    g_autoptr(AddressMap) map = g_new0(AddressMap, 1);

    map->options = *options;
    g_mutex_init(&map->lock);
    map->view.ram = guest_memory_regions(options->memory, &map->view.n_ram);
    map->view.rom = options->rom;
    if (options->flash) {
        map->view.flash = flash_bytes(options->flash);
        map->view.flash_size = flash_size(options->flash);
        map->view.flash_array = true;
        flash_set_user(options->flash, &flash_ops, map);
    }
    int result = carry_out(map);
    if (result == 0)
        return g_steal_pointer(&map);
    kvm_set_error(error, -result, "cannot give KVM the firmware: KVM_SET_USER_MEMORY_REGION");
    return NULL;
}

void
address_map_free(AddressMap *map)
{
    if (!map)
        return;
    g_mutex_clear(&map->lock);
    g_free(map);
}
