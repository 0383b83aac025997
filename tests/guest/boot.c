/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest is told at its start, and whether it is so: command line, initial RAM disk, memory map. Each end of each
 * run of memory is written and read, by the processor and by a device.
 * Command line: memory=MIB as configured; initrd=BYTES of the RAM disk, each byte its offset times seven; then a long word.
 */
#include "acpi.h"
#include "paging.h"
#include "start.h"
#include "tap.h"
#include "text.h"
#include "virtqueue.h"

#define MIB (1ul << 20)

static VirtioDevice rng;
static VirtQueue queue;

static void
test_command_line(void)
{
    const char *word = start_option("word", "");
    bool whole = strlen(word) == 100;

    for (unsigned i = 0; i < 100 && whole; i++)
        whole = word[i] == 'a' + (char)(i % 26);
    ok(whole, "command line: comes whole");
}

static void
test_module(void)
{
    uint64_t size = start_option_number("initrd", 0), wrong = 0;
    const uint8_t *bytes = (const uint8_t *)start_info.module;

    if (!size) {
        ok_equal(start_info.module_size, 0, "RAM disk: there is none");
        return;
    }
    ok_equal(start_info.module_size, size, "RAM disk: as large as the file");
    ok_equal(start_info.module % PAGE_SIZE, 0, "RAM disk: begins a page");
    for (uint64_t i = 0; i < size; i += i < 64 || i + 65 > size ? 1 : 61)
        wrong += bytes[i] != (uint8_t)(i * 7);
    ok_equal(wrong, 0, "RAM disk: the file's bytes");
}

static bool
device_writes(uint64_t address)
{
    volatile uint64_t *at = (volatile uint64_t *)address;
    VirtBuffer buffer = {(void *)address, 16};

    at[0] = at[1] = 0;
    return virtqueue_do(&queue, &buffer, 0, 1) == 16 && (at[0] || at[1]);
}

static void
test_memory(void)
{
    uint64_t total = 0, overlaps = 0, bad_ends = 0, above = 0;

    for (unsigned i = 0; i < start_info.n_regions; i++) {
        const StartRegion *region = &start_info.regions[i];
        note("%lx + %lx, type %u", region->address, region->size, region->type);
        for (unsigned j = 0; j < i; j++) {
            const StartRegion *other = &start_info.regions[j];
            overlaps +=
                region->address < other->address + other->size && other->address < region->address + region->size;
        }
        if (region->type != START_REGION_RAM || region->address < MIB)
            continue;
        total += region->size;
        if (region->address >= 1ul << 32) {
            paging_map(region->address, region->size);
            above += region->size;
        }
        /* Not the first end: the guest itself is there. */
        uint64_t last = region->address + region->size - 16;
        volatile uint64_t *at = (volatile uint64_t *)last;
        *at = 0x1122334455667788ul + i;
        bad_ends += *at != 0x1122334455667788ul + i || !device_writes(last);
        if (region->address >= 1ul << 32)
            bad_ends += !device_writes(region->address);
    }
    uint64_t want = start_option_number("memory", 0) * MIB;
    ok_equal(overlaps, 0, "memory: no run lies over another");
    ok(total <= want && total + 2 * MIB >= want, "memory: as much as configured, but for what firmware keeps");
    ok(above > 0 || want <= 2048 * MIB || start_on_qemu(), "memory: what does not fit below the hole is above 4 GiB");
    ok_equal(bad_ends, 0, "memory: both ends are there, for the processor and for devices");
}

void
guest_main(void)
{
    ok(start_info.version >= 1, "start information has a memory map");
    ok(acpi_table("FACP", 0) != NULL, "ACPI tables are found");
    if (!ok(virtio_find(VIRTIO_ENTROPY, 0, &rng) && virtio_negotiate(&rng, 0) &&
                virtqueue_init(&queue, &rng, 0, 8, VIRTIO_NO_VECTOR),
            "a device to write memory"))
        return;
    virtio_driver_ok(&rng);
    test_command_line();
    test_module();
    test_memory();
    tap_done();
}
