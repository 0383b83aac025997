/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PCI bus: both ways into configuration space, base addresses that move, MSI-X tables, and accesses no driver
 * makes. Wants an entropy device and a disk on the bus: the one to move, the other to move it onto.
 */
#include "acpi.h"
#include "apic.h"
#include "cpu.h"
#include "interrupt.h"
#include "paging.h"
#include "pci.h"
#include "start.h"
#include "tap.h"
#include "text.h"
#include "virtio.h"

#define ABOVE_4G 0x800000000ull /* 32 GiB */
#define ONES 0xffffffffu

static PciDevice devices[32];
static unsigned n_devices;

static void
test_board(void)
{
    PciDevice bridge = {.slot = 0}, lpc = {.slot = 31};

    ok_equal(pci_read(&bridge, PCI_VENDOR, 4), 0x29c08086, "board: the host bridge is Q35's");
    ok_equal(pci_read(&bridge, PCI_CLASS, 2), 0x0600, "board: and of its class");
    ok_equal(pci_read(&lpc, PCI_VENDOR, 4), 0x29188086, "board: the LPC bridge is ICH9's");
    ok_equal(pci_read(&lpc, PCI_CLASS, 2), 0x0601, "board: and of its class");
    ok(acpi.ecam != 0, "board: the MCFG names a memory-mapped configuration space");
}

static void
test_ways_agree(void)
{
    unsigned differ = 0;

    for (unsigned i = 0; i < n_devices; i++) {
        for (unsigned at = 0; at < 256; at += 4)
            differ += mmio_read32(pci_ecam(&devices[i], at)) != pci_port_read(&devices[i], at, 4);
    }
    ok_equal(differ, 0, "config: memory and ports show the same %u functions", n_devices);

    PciDevice *device = &devices[0];
    uint32_t whole = pci_port_read(device, PCI_VENDOR, 4);
    ok_equal(pci_port_read(device, PCI_DEVICE, 2), whole >> 16, "config: a word by the ports");
    ok_equal(pci_port_read(device, PCI_DEVICE + 1, 1), whole >> 24, "config: a byte by the ports");
    ok_equal(mmio_read16(pci_ecam(device, PCI_DEVICE)), whole >> 16, "config: a word by memory");
    ok_equal(mmio_read8(pci_ecam(device, PCI_DEVICE + 1)), whole >> 24, "config: a byte by memory");

    PciDevice nobody = {.slot = 30, .function = 7};
    ok_equal(pci_port_read(&nobody, 0, 4), ONES, "config: nobody reads as ones by the ports");
    ok_equal(mmio_read32(pci_ecam(&nobody, 0)), ONES, "config: nobody reads as ones by memory");
    pci_port_write(&nobody, PCI_COMMAND, 2, 0xffff);
    mmio_write32(pci_ecam(&nobody, PCI_BAR0), ONES);
    ok_equal(mmio_read32(pci_ecam(&nobody, 0)), ONES, "config: and is not there after it was written");

    port_write32(0xcf8, 0);
    ok_equal(port_read32(0xcfc), ONES, "config: the data port without the enable bit reads as ones");
    port_write32(0xcf8, 0x80000000);
    ok_equal(port_read32(0xcf8), 0x80000000, "config: the address port reads back");
    port_write8(0xcf9, 0);
    ok_equal(port_read32(0xcf8), 0x80000000, "config: the reset register is not part of it");
}

static void
test_read_only(const PciDevice *device)
{
    uint32_t ids = pci_read(device, PCI_VENDOR, 4), class = pci_read(device, PCI_REVISION, 4);
    uint32_t capabilities = pci_read(device, PCI_CAPABILITIES, 4);

    pci_write(device, PCI_VENDOR, 4, ~ids);
    pci_write(device, PCI_REVISION, 4, ~class);
    pci_write(device, PCI_CAPABILITIES, 4, ~capabilities);
    ok(pci_read(device, PCI_VENDOR, 4) == ids && pci_read(device, PCI_REVISION, 4) == class &&
           pci_read(device, PCI_CAPABILITIES, 4) == capabilities,
       "config: what is read-only stays");
    pci_write(device, PCI_INTERRUPT_LINE, 1, 0x5a);
    ok_equal(pci_read(device, PCI_INTERRUPT_LINE, 1), 0x5a, "config: the interrupt line is scratch for software");

    uint32_t extended = pci_read(device, 0x100, 4);
    ok(extended == 0 || extended == ONES || (extended & 0xffff) != 0, "config: extended space reads");
    note("extended header %x", extended);
}

/* Where a virtio device's common block is: in which register, and how far in. */
static unsigned
common_bar(const PciDevice *device, uint32_t *offset)
{
    for (unsigned at = 0; (at = pci_capability(device, PCI_CAPABILITY_VENDOR, at));) {
        if (pci_read(device, at + 3, 1) == VIRTIO_BLOCK_COMMON) {
            *offset = pci_read(device, at + 8, 4);
            return pci_read(device, at + 4, 1);
        }
    }
    return 0;
}

/* As on a PC ones are read where nobody is; QEMU reads zeroes. */
static bool
nobody_at(uint64_t address)
{
    return mmio_read16(address) == (start_on_qemu() ? 0 : 0xffff);
}

static void
test_bars(VirtioDevice *device)
{
    const PciDevice *pci = &device->pci;
    unsigned bad = 0;

    for (unsigned i = 0; i < 6; i++) {
        PciBar bar = pci_bar(pci, i);
        bad += (bar.size & (bar.size - 1)) != 0;
        bad += bar.size && bar.address & (bar.size - 1);
        if (bar.size)
            note("register %u: %lx + %lx%s", i, bar.address, bar.size, bar.wide ? ", 64 bits" : "");
        i += bar.wide;
    }
    ok_equal(bad, 0, "bar: sizes are powers of two, addresses multiples of them");

    uint32_t offset = 0;
    unsigned index = common_bar(pci, &offset);
    PciBar bar = pci_bar(pci, index);
    uint64_t old = bar.address + offset + VIRTIO_COMMON_QUEUES;
    uint16_t queues = mmio_read16(old);
    ok(queues != 0 && queues != 0xffff, "bar: a device answers there");

    uint64_t place = (bar.address ^ 0x01000000) & -bar.size;
    pci_bar_move(pci, index, place);
    ok_equal(mmio_read16(place + offset + VIRTIO_COMMON_QUEUES), queues, "bar: it moves");
    ok(nobody_at(old), "bar: and leaves nothing behind");

    if (bar.wide) {
        paging_map(ABOVE_4G, bar.size);
        pci_bar_move(pci, index, ABOVE_4G);
        ok_equal(mmio_read16(ABOVE_4G + offset + VIRTIO_COMMON_QUEUES), queues, "bar: it moves above 4 GiB");
    } else {
        skip("32 bits wide", "bar: it moves above 4 GiB");
    }
    pci_bar_move(pci, index, bar.address);
    ok_equal(mmio_read16(old), queues, "bar: and back");

    pci_write(pci, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    ok(nobody_at(old), "bar: decoding off, it is gone");
    pci_write(pci, PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
    ok_equal(mmio_read16(old), queues, "bar: decoding on, it is back");
}

/* Placements no firmware makes. The machine must live, RAM must stay RAM, and the device must come back. */
static void
test_hostile_bars(VirtioDevice *device, VirtioDevice *other)
{
    const PciDevice *pci = &device->pci;
    uint32_t offset = 0;
    unsigned index = common_bar(pci, &offset);
    PciBar bar = pci_bar(pci, index);
    uint64_t home = bar.address + offset + VIRTIO_COMMON_QUEUES;
    uint16_t queues = mmio_read16(home), others = mmio_read16(other->common + VIRTIO_COMMON_QUEUES);
    volatile uint64_t *ram = pages_allocate(bar.size / PAGE_SIZE * 2);

    *ram = 0x1122334455667788;
    uint64_t places[] = {
        (uint64_t)ram & -bar.size,
        0xfee00000 & -bar.size,
        0xfec00000 & -bar.size,
        acpi.ecam,
        other->common & -bar.size,
        0x100000000 - bar.size,
        0xffffffffffffffff & -bar.size,
        0x000fffffffffffff & -bar.size,
        0x8000000000000000,
    };
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        pci_port_write(pci, PCI_BAR0 + 4 * index, 4, places[i]);
        if (bar.wide)
            pci_port_write(pci, PCI_BAR0 + 4 * index + 4, 4, places[i] >> 32);
        local_apic_id();
    }
    ok_equal(*ram, 0x1122334455667788, "bar: laid over RAM, RAM is unharmed");
    pci_port_write(pci, PCI_BAR0 + 4 * index, 4, bar.address);
    if (bar.wide)
        pci_port_write(pci, PCI_BAR0 + 4 * index + 4, 4, bar.address >> 32);
    ok_equal(mmio_read16(home), queues, "bar: after impossible places, it answers at its own");
    ok_equal(mmio_read16(other->common + VIRTIO_COMMON_QUEUES), others, "bar: and so does the one it was laid over");

    for (unsigned i = 0; i < 64; i++)
        pci_write(pci, PCI_COMMAND, 2, i & 1 ? PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER : 0);
    ok_equal(mmio_read16(home), queues, "bar: decoding switched 64 times");
}

static void
test_msix(VirtioDevice *device)
{
    const PciDevice *pci = &device->pci;
    unsigned entries = pci_msix_entries(pci), unmasked = 0;
    uint64_t table = pci_msix_table(pci), pending = pci_msix_pending(pci);

    for (unsigned i = 0; i < entries; i++)
        unmasked += !(mmio_read32(table + 16 * i + 12) & 1);
    ok_equal(unmasked, 0, "msix: all %u entries begin masked", entries);
    mmio_write64(table, 0x00000000fee01000);
    mmio_write32(table + 8, 0x4055);
    ok(mmio_read32(table) == 0xfee01000 && mmio_read64(table + 8) == 0x100004055, "msix: an entry reads back");
    mmio_write8(table + 8, 0xaa);
    mmio_write16(table + 9, 0xbbbb);
    mmio_read64(table + 4);
    mmio_write64(table + 4, 0);
    mmio_write32(pending, ONES);
    ok_equal(mmio_read32(pending), 0, "msix: pending bits are read-only");

    /* A message to nowhere, of a reserved delivery mode, and to every processor there could be. */
    uint64_t messages[] = {0xfee00000, 0xfeeff000, 0xffffffff, 0, 0xdeadbeefdeadbee8};
    for (unsigned i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        mmio_write64(table, messages[i]);
        mmio_write64(table + 8, 0x0000ff00 | i);
    }
    mmio_write32(table + 12, 1);
    pci_msix_enable(pci, true, true);
    pci_msix_enable(pci, false, false);
    ok(true, "msix: messages to nowhere are taken");
    /* Past the table's end, in the same register block. */
    mmio_write64(table + 16 * entries, ~0ull);
    mmio_read64(pending + 8 * ((entries + 63) / 64));
    ok(true, "msix: accesses past the tables are survived");
}

/* Every offset and width over the virtio blocks, as reads; then a write of each width to fields that are read-only. */
static void
test_odd_accesses(VirtioDevice *device)
{
    uint64_t common = device->common;

    for (unsigned at = 0; at < 72; at++) {
        mmio_read8(common + at);
        mmio_read16(common + at);
        mmio_read32(common + at);
        mmio_read64(common + at);
    }
    for (unsigned at = 0; at < 16; at++) {
        mmio_read8(device->isr + at);
        mmio_read64(device->isr + at);
        mmio_read32(device->notify + at);
        if (device->config) {
            mmio_read64(device->config + at);
            mmio_read8(device->config + device->config_length - 1 + at);
        }
    }
    uint16_t queues = mmio_read16(common + VIRTIO_COMMON_QUEUES);
    mmio_write16(common + VIRTIO_COMMON_QUEUES, ~queues);
    mmio_write32(common + VIRTIO_COMMON_DEVICE_FEATURE, ONES);
    mmio_write8(common + VIRTIO_COMMON_GENERATION, 0xff);
    mmio_write64(common + 60, ~0ull);
    ok_equal(mmio_read16(common + VIRTIO_COMMON_QUEUES), queues, "registers: odd accesses, and read-only stays");

    mmio_write32(common + VIRTIO_COMMON_DEVICE_FEATURE_SELECT, 2);
    ok_equal(mmio_read32(common + VIRTIO_COMMON_DEVICE_FEATURE), 0, "registers: no feature past bit 63");
    mmio_write32(common + VIRTIO_COMMON_DEVICE_FEATURE_SELECT, ONES);
    ok_equal(mmio_read32(common + VIRTIO_COMMON_DEVICE_FEATURE), 0, "registers: nor far past it");
    mmio_write16(common + VIRTIO_COMMON_QUEUE_SELECT, 0xffff);
    if (start_on_qemu())
        skip("QEMU keeps the queue selected before", "registers: a queue that is not there has size 0");
    else
        ok_equal(mmio_read16(common + VIRTIO_COMMON_QUEUE_SIZE), 0, "registers: a queue that is not there has size 0");
    mmio_write16(common + VIRTIO_COMMON_QUEUE_ENABLE, 1);
    mmio_write32(common + VIRTIO_COMMON_QUEUE_DESCRIPTORS, ONES);
    mmio_write16(device->notify, 0xffff);
    mmio_write32(device->notify + 4 * 1000, ONES);
    ok(!virtio_needs_reset(device), "registers: writing to it changes nothing");
    mmio_write16(common + VIRTIO_COMMON_CONFIG_VECTOR, 0x7ff);
    ok_equal(mmio_read16(common + VIRTIO_COMMON_CONFIG_VECTOR), VIRTIO_NO_VECTOR,
             "registers: a vector past the table is refused");
}

/* The window onto the blocks through configuration space (virtio 1.2, 4.1.4.9). */
static void
test_window(VirtioDevice *device)
{
    const PciDevice *pci = &device->pci;
    unsigned at = 0;

    while ((at = pci_capability(pci, PCI_CAPABILITY_VENDOR, at)) && pci_read(pci, at + 3, 1) != VIRTIO_BLOCK_PCI)
        ;
    if (!ok(at != 0, "window: there is one"))
        return;
    uint32_t offset = 0;
    unsigned bar = common_bar(pci, &offset);
    pci_write(pci, at + 4, 1, bar);
    pci_write(pci, at + 8, 4, offset + VIRTIO_COMMON_QUEUES);
    pci_write(pci, at + 12, 4, 2);
    ok_equal(pci_read(pci, at + 16, 4) & 0xffff, mmio_read16(device->common + VIRTIO_COMMON_QUEUES),
             "window: it shows a register");
    pci_write(pci, at + 8, 4, offset + VIRTIO_COMMON_DEVICE_FEATURE_SELECT);
    pci_write(pci, at + 12, 4, 4);
    pci_write(pci, at + 16, 4, 1);
    ok_equal(mmio_read32(device->common + VIRTIO_COMMON_DEVICE_FEATURE_SELECT), 1, "window: it writes a register");

    static const struct {
        uint32_t bar, offset, length;
    } bad[] = {{6, 0, 4}, {255, 0, 4}, {0, ONES, 4}, {4, 0xfffffffe, 4}, {4, 0, 3},
               {4, 0, 0}, {4, 0, 8},   {4, 1, 4},    {4, 0, ONES}};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        pci_write(pci, at + 4, 1, bad[i].bar);
        pci_write(pci, at + 8, 4, bad[i].offset);
        pci_write(pci, at + 12, 4, bad[i].length);
        pci_read(pci, at + 16, 4);
        pci_write(pci, at + 16, 4, ONES);
    }
    ok(virtio_queues(device) != 0, "window: out of range and odd lengths are survived");
}

void
guest_main(void)
{
    VirtioDevice rng, disk;

    n_devices = pci_enumerate(devices, 32);
    for (unsigned i = 0; i < n_devices; i++)
        note("%x.%u %x:%x", devices[i].slot, devices[i].function, devices[i].vendor, devices[i].id);
    test_board();
    if (!ok(virtio_find(VIRTIO_ENTROPY, 0, &rng) && virtio_find(VIRTIO_BLOCK, 0, &disk), "entropy device and disk"))
        return;
    test_ways_agree();
    test_read_only(&rng.pci);
    test_bars(&rng);
    test_hostile_bars(&rng, &disk);
    test_msix(&rng);
    virtio_reset(&rng);
    test_odd_accesses(&rng);
    test_odd_accesses(&disk);
    test_window(&rng);
    ok(virtio_reset(&rng) && virtio_reset(&disk), "both devices still reset");
    tap_done();
}
