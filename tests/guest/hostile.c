/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver that breaks every rule of the virtqueue (virtio 1.2, 2.6 to 2.8), against the entropy device, whose queue is
 * nothing but a queue. After each attack the device must say it needs a reset where the rule is plain, must work again
 * after the reset, and what lies around the buffers must be untouched.
 *
 * Attacks are named by the published fault of their class where there is one. The numbers are of other VMMs' faults:
 *   CVE-2011-2212    more indirect descriptors than the device has room for
 *   CVE-2011-2512    a queue number that is negative, or past the last one, in a notification
 *   CVE-2016-5403    requests without end, none of them waited for
 *   CVE-2016-6490    a chain of buffers of no length
 *   CVE-2016-7422    a buffer of nearly 4 GiB
 *   CVE-2017-17381   rings whose place or size is taken away and set up again
 *   CVE-2021-3748    a buffer that is not in memory
 *   CVE-2024-3446    a buffer that is the device's own registers
 */
#include "apic.h"
#include "clock.h"
#include "cpu.h"
#include "smp.h"
#include "start.h"
#include "tap.h"
#include "text.h"
#include "user.h"
#include "virtqueue.h"

#define RING 8
#define BYTES 64
#define HOLE 0xa0000000ull /* below 4 GiB, no RAM, no device */
#define EVERYWHERE 0xffffffffffffffffull

static VirtioDevice device;
static VirtQueue queue;
static uint8_t *page;         /* buffers, inside a page of canaries */
static VirtDescriptor *table; /* an indirect table of a page */

/* What must come of an attack. */
typedef enum Outcome {
    BROKEN, /* the device needs a reset; QEMU is more forgiving, and only has to live */
    LIVES,  /* whatever it does, it works after a reset */
} Outcome;

static bool
start(uint64_t features)
{
    if (!virtio_negotiate(&device, features) || !virtqueue_init(&queue, &device, 0, RING, VIRTIO_NO_VECTOR))
        return false;
    virtio_driver_ok(&device);
    return true;
}

static void
put(unsigned i, uint64_t address, uint32_t length, uint16_t flags, uint16_t next)
{
    queue.descriptors[i].address = address;
    queue.descriptors[i].length = length;
    queue.descriptors[i].flags = flags;
    queue.descriptors[i].next = next;
}

/* In a packed ring: as a driver that is at its first turn. */
static void
put_packed(unsigned i, uint64_t address, uint32_t length, uint16_t flags, uint16_t id)
{
    queue.ring[i].address = address;
    queue.ring[i].length = length;
    queue.ring[i].id = id;
    barrier_write();
    queue.ring[i].flags = flags | VIRT_PACKED_AVAILABLE;
}

static void
offer(uint16_t head)
{
    queue.available->ring[queue.available->index % RING] = head;
    barrier_write();
    queue.available->index++;
}

static void
kick(void)
{
    mmio_write16(queue.notify, 0);
}

static uint64_t
buffer(unsigned i)
{
    return (uint64_t)page + 256 + i * BYTES;
}

static void
table_put(unsigned i, uint64_t address, uint32_t length, uint16_t flags, uint16_t next)
{
    table[i] = (VirtDescriptor){address, length, flags, next};
}

/* --- chains --- */

static void
attack_self_loop(void)
{
    put(0, buffer(0), BYTES, VIRT_WRITE | VIRT_NEXT, 0);
    offer(0);
    kick();
}

static void
attack_loop(void)
{
    put(0, buffer(0), 1, VIRT_WRITE | VIRT_NEXT, 1);
    put(1, buffer(1), 1, VIRT_WRITE | VIRT_NEXT, 2);
    put(2, buffer(2), 1, VIRT_WRITE | VIRT_NEXT, 1);
    offer(0);
    kick();
}

static void
attack_next_past_the_ring(void)
{
    put(0, buffer(0), BYTES, VIRT_WRITE | VIRT_NEXT, RING);
    offer(0);
    kick();
}

static void
attack_next_far_past_the_ring(void)
{
    put(0, buffer(0), BYTES, VIRT_WRITE | VIRT_NEXT, 0xffff);
    offer(0);
    kick();
}

static void
attack_head_past_the_ring(void)
{
    offer(RING);
    kick();
}

static void
attack_head_far_past_the_ring(void)
{
    offer(0xffff);
    kick();
}

static void
attack_readable_after_writable(void)
{
    put(0, buffer(0), BYTES, VIRT_WRITE | VIRT_NEXT, 1);
    put(1, buffer(1), BYTES, 0, 0);
    offer(0);
    kick();
}

static void
attack_unknown_flags(void)
{
    put(0, buffer(0), BYTES, VIRT_WRITE | 0xfff8, 0);
    offer(0);
    kick();
}

/* --- addresses --- */

static void
at(uint64_t address, uint32_t length)
{
    put(0, address, length, VIRT_WRITE, 0);
    offer(0);
    kick();
}

static void
attack_hole(void)
{
    at(HOLE, BYTES);
}

static void
attack_past_ram(void)
{
    at(start_ram_end(false) + 0x40000000, BYTES);
}

static void
attack_over_end_of_ram(void)
{
    /* The map may keep some of the end for firmware: from inside RAM to far past whatever is kept. */
    at(start_ram_end(true) - 16, 0x10000000);
}

static void
attack_wrap(void)
{
    at(EVERYWHERE - 15, 64);
}

static void
attack_last_byte_there_is(void)
{
    at(EVERYWHERE, 1);
}

static void
attack_sign_bit(void)
{
    at(1ull << 63, BYTES);
}

static void
attack_cve_2016_7422(void)
{
    at(buffer(0), 0xffffffff);
}

static void
attack_cve_2021_3748(void)
{
    at(0xfec00000, BYTES); /* the I/O APIC's registers */
}

static void
attack_cve_2024_3446(void)
{
    at(device.common, BYTES);
}

static void
attack_notify_register_as_buffer(void)
{
    at(queue.notify, 4);
}

/* --- lengths and overlaps --- */

static void
attack_cve_2016_6490(void)
{
    for (unsigned i = 0; i < RING; i++)
        put(i, buffer(i), 0, VIRT_WRITE | (i < RING - 1 ? VIRT_NEXT : 0), i + 1);
    offer(0);
    kick();
}

static void
attack_zero_length_nowhere(void)
{
    at(EVERYWHERE, 0);
}

static void
attack_same_buffer_over_and_over(void)
{
    for (unsigned i = 0; i < RING; i++)
        put(i, buffer(0), BYTES, VIRT_WRITE | (i < RING - 1 ? VIRT_NEXT : 0), i + 1);
    offer(0);
    kick();
}

static void
attack_ring_as_buffer(void)
{
    at((uint64_t)queue.descriptors, RING * 16);
}

static void
attack_used_ring_as_buffer(void)
{
    at((uint64_t)queue.used, 4 + RING * 8);
}

static void
attack_same_head_twice(void)
{
    put(0, buffer(0), BYTES, VIRT_WRITE, 0);
    offer(0);
    offer(0);
    offer(0);
    kick();
}

static void
attack_nothing_writable(void)
{
    put(0, buffer(0), BYTES, 0, 0);
    offer(0);
    kick();
}

/* --- indirect --- */

static void
indirect(uint32_t length, uint16_t flags)
{
    put(0, (uint64_t)table, length, VIRT_INDIRECT | flags, 1);
    put(1, buffer(1), BYTES, VIRT_WRITE, 0);
    offer(0);
    kick();
}

static void
attack_indirect_not_negotiated(void)
{
    table_put(0, buffer(0), BYTES, VIRT_WRITE, 0);
    indirect(16, 0);
}

static void
attack_indirect_in_indirect(void)
{
    table_put(0, (uint64_t)table, 16, VIRT_INDIRECT, 0);
    indirect(16, 0);
}

static void
attack_indirect_with_next(void)
{
    table_put(0, buffer(0), BYTES, VIRT_WRITE, 0);
    indirect(16, VIRT_NEXT);
}

static void
attack_indirect_odd_length(void)
{
    table_put(0, buffer(0), BYTES, VIRT_WRITE, 0);
    indirect(17, 0);
}

static void
attack_indirect_empty(void)
{
    indirect(0, 0);
}

static void
attack_indirect_next_past_table(void)
{
    table_put(0, buffer(0), BYTES, VIRT_WRITE | VIRT_NEXT, 1);
    indirect(16, 0);
}

static void
attack_indirect_loop(void)
{
    table_put(0, buffer(0), BYTES, VIRT_WRITE | VIRT_NEXT, 1);
    table_put(1, buffer(1), BYTES, VIRT_WRITE | VIRT_NEXT, 0);
    indirect(32, 0);
}

static void
attack_indirect_huge(void)
{
    indirect(0xfffffff0, 0);
}

static void
attack_indirect_nowhere(void)
{
    put(0, EVERYWHERE - 7, 16, VIRT_INDIRECT, 0);
    offer(0);
    kick();
}

static void
attack_indirect_in_hole(void)
{
    put(0, HOLE, 4096, VIRT_INDIRECT, 0);
    offer(0);
    kick();
}

static void
attack_cve_2011_2212(void)
{
    enum { MANY = 4096 };
    static VirtDescriptor *many;

    if (!many)
        many = pages_allocate(MANY * 16 / PAGE_SIZE);
    for (unsigned i = 0; i < MANY; i++)
        many[i] = (VirtDescriptor){buffer(0), 1, VIRT_WRITE | (i < MANY - 1 ? VIRT_NEXT : 0), i + 1};
    put(0, (uint64_t)many, MANY * 16, VIRT_INDIRECT, 0);
    offer(0);
    kick();
}

/* --- indexes --- */

static void
attack_index_jumps(void)
{
    put(0, buffer(0), BYTES, VIRT_WRITE, 0);
    queue.available->index = RING + 1;
    kick();
}

static void
attack_index_jumps_far(void)
{
    put(0, buffer(0), BYTES, VIRT_WRITE, 0);
    queue.available->index = 0x8000;
    kick();
}

static void
attack_index_goes_back(void)
{
    queue.available->index = 0xffff;
    kick();
}

static void
attack_used_event_garbage(void)
{
    put(0, buffer(0), BYTES, VIRT_WRITE, 0);
    for (unsigned i = 0; i < 16; i++) {
        queue.available->ring[RING] = 0x1111 * i;
        offer(0);
        kick();
    }
}

/* --- rings that move, or never were --- */

static void
set_ring(unsigned field, uint64_t address)
{
    mmio_write16(device.common + VIRTIO_COMMON_QUEUE_SELECT, 0);
    mmio_write32(device.common + field, address);
    mmio_write32(device.common + field + 4, address >> 32);
}

/* Sets a queue up by hand, with one ring where the attack wants it. */
static void
start_with_ring(unsigned field, uint64_t address)
{
    virtio_negotiate(&device, 0);
    virtqueue_init(&queue, &device, 0, RING, VIRTIO_NO_VECTOR);
    /* The device may take the places at enabling: a fresh one that was not enabled yet. */
    uint64_t rings[] = {(uint64_t)queue.descriptors, (uint64_t)queue.available, (uint64_t)queue.used};
    virtio_negotiate(&device, 0);
    mmio_write16(device.common + VIRTIO_COMMON_QUEUE_SELECT, 0);
    mmio_write16(device.common + VIRTIO_COMMON_QUEUE_SIZE, RING);
    for (unsigned i = 0; i < 3; i++)
        set_ring(VIRTIO_COMMON_QUEUE_DESCRIPTORS + 8 * i, rings[i]);
    set_ring(field, address);
    mmio_write16(device.common + VIRTIO_COMMON_QUEUE_ENABLE, 1);
    virtio_driver_ok(&device);
    put(0, buffer(0), BYTES, VIRT_WRITE, 0);
    offer(0);
    kick();
}

static void
attack_descriptors_in_hole(void)
{
    start_with_ring(VIRTIO_COMMON_QUEUE_DESCRIPTORS, HOLE);
}

static void
attack_available_in_hole(void)
{
    start_with_ring(VIRTIO_COMMON_QUEUE_DRIVER, HOLE);
}

static void
attack_used_in_hole(void)
{
    start_with_ring(VIRTIO_COMMON_QUEUE_DEVICE, HOLE);
}

static void
attack_descriptors_wrap(void)
{
    start_with_ring(VIRTIO_COMMON_QUEUE_DESCRIPTORS, EVERYWHERE - 15);
}

static void
attack_used_wraps(void)
{
    start_with_ring(VIRTIO_COMMON_QUEUE_DEVICE, EVERYWHERE - 3);
}

static void
attack_used_over_end_of_ram(void)
{
    /* SeaBIOS keeps the last 128 KiB for its tables: the ring begins in whatever is the last page of the memory. */
    uint64_t end = (start_ram_end(true) + 0xfffff) & ~0xfffffull;
    start_with_ring(VIRTIO_COMMON_QUEUE_DEVICE, end - 8);
}

static void
attack_rings_unaligned(void)
{
    start_with_ring(VIRTIO_COMMON_QUEUE_DESCRIPTORS, (uint64_t)page + 1);
}

static void
attack_rings_in_own_registers(void)
{
    start_with_ring(VIRTIO_COMMON_QUEUE_DEVICE, device.common);
}

static void
attack_cve_2017_17381(void)
{
    static const uint16_t sizes[] = {0, 1, 3, 0, RING};
    static const uint64_t places[] = {0, EVERYWHERE, HOLE, 0, 1};

    for (unsigned i = 0; i < 5; i++) {
        mmio_write16(device.common + VIRTIO_COMMON_QUEUE_SELECT, 0);
        mmio_write16(device.common + VIRTIO_COMMON_QUEUE_SIZE, sizes[i]);
        for (unsigned field = 0; field < 3; field++)
            set_ring(VIRTIO_COMMON_QUEUE_DESCRIPTORS + 8 * field, places[i]);
        mmio_write16(device.common + VIRTIO_COMMON_QUEUE_ENABLE, 1);
        offer(0);
        kick();
    }
}

static void
attack_queue_disabled_after_start(void)
{
    mmio_write16(device.common + VIRTIO_COMMON_QUEUE_ENABLE, 0);
    put(0, buffer(0), BYTES, VIRT_WRITE, 0);
    offer(0);
    kick();
}

static void
attack_enabled_twice(void)
{
    for (unsigned i = 0; i < 4; i++)
        mmio_write16(device.common + VIRTIO_COMMON_QUEUE_ENABLE, 1);
    put(0, buffer(0), BYTES, VIRT_WRITE, 0);
    offer(0);
    kick();
}

static void
start_with_size(uint16_t size)
{
    virtio_negotiate(&device, 0);
    mmio_write16(device.common + VIRTIO_COMMON_QUEUE_SELECT, 0);
    mmio_write16(device.common + VIRTIO_COMMON_QUEUE_SIZE, size);
    for (unsigned i = 0; i < 3; i++)
        set_ring(VIRTIO_COMMON_QUEUE_DESCRIPTORS + 8 * i, (uint64_t)page + 1024 * i);
    mmio_write16(device.common + VIRTIO_COMMON_QUEUE_ENABLE, 1);
    virtio_driver_ok(&device);
    kick();
}

static void
attack_size_zero(void)
{
    start_with_size(0);
}

static void
attack_size_three(void)
{
    start_with_size(3);
}

static void
attack_size_too_big(void)
{
    start_with_size(0x8000);
}

static void
attack_size_all_ones(void)
{
    start_with_size(0xffff);
}

/* --- status, features, notifications --- */

static void
attack_driver_ok_without_features_ok(void)
{
    virtio_reset(&device);
    virtio_set_status(&device, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_DRIVER_OK);
    kick();
}

static void
attack_features_after_start(void)
{
    virtio_accept(&device, VIRTIO_F_VERSION_1 | VIRTIO_F_PACKED | VIRTIO_F_INDIRECT);
    put(0, buffer(0), BYTES, VIRT_WRITE, 0);
    offer(0);
    kick();
}

static void
attack_every_status(void)
{
    for (unsigned i = 1; i < 256; i += 7)
        virtio_set_status(&device, i);
    kick();
}

static void
attack_notify_before_start(void)
{
    virtio_negotiate(&device, 0);
    virtqueue_init(&queue, &device, 0, RING, VIRTIO_NO_VECTOR);
    put(0, buffer(0), BYTES, VIRT_WRITE, 0);
    offer(0);
    kick();
}

static void
attack_notify_without_queue(void)
{
    virtio_negotiate(&device, 0);
    virtio_driver_ok(&device);
    kick();
}

static void
attack_cve_2011_2512(void)
{
    static const uint16_t numbers[] = {0xffff, 0x8000, 0x7fff, 1, 1024};

    for (unsigned i = 0; i < 5; i++) {
        mmio_write16(queue.notify, numbers[i]);
        mmio_write16(device.notify + 4u * numbers[i] % 4096, numbers[i]);
        mmio_write32(queue.notify, 0xffff0000u | numbers[i]);
        mmio_write8(queue.notify, numbers[i]);
    }
}

static void
attack_reset_in_flight(void)
{
    for (unsigned i = 0; i < 32; i++) {
        start(0);
        put(0, buffer(0), BYTES, VIRT_WRITE, 0);
        offer(0);
        kick();
        virtio_set_status(&device, 0);
    }
}

/* --- packed rings --- */

static void
attack_packed_chain_never_ends(void)
{
    for (unsigned i = 0; i < RING; i++)
        put_packed(RING - 1 - i, buffer(i), 1, VIRT_WRITE | VIRT_NEXT, 0);
    kick();
}

static void
attack_packed_in_hole(void)
{
    put_packed(0, HOLE, BYTES, VIRT_WRITE, 0);
    kick();
}

static void
attack_packed_wraps(void)
{
    put_packed(0, EVERYWHERE - 15, 64, VIRT_WRITE, 0);
    kick();
}

static void
attack_packed_id_past_the_ring(void)
{
    put_packed(0, buffer(0), BYTES, VIRT_WRITE, 0xffff);
    kick();
}

static void
attack_packed_indirect_in_indirect(void)
{
    VirtPackedDescriptor *entries = (VirtPackedDescriptor *)table;

    entries[0] = (VirtPackedDescriptor){(uint64_t)table, 16, 0, VIRT_INDIRECT};
    put_packed(0, (uint64_t)table, 16, VIRT_INDIRECT, 0);
    kick();
}

static void
attack_packed_indirect_odd_length(void)
{
    put_packed(0, (uint64_t)table, 15, VIRT_INDIRECT, 0);
    kick();
}

static void
attack_packed_indirect_huge(void)
{
    put_packed(0, (uint64_t)table, 0xfffffff0, VIRT_INDIRECT, 0);
    kick();
}

static void
attack_packed_events_garbage(void)
{
    for (unsigned i = 0; i < RING; i++) {
        queue.driver_event->offset = 0x7fff - i;
        queue.driver_event->flags = i;
        put_packed(i, buffer(0), BYTES, VIRT_WRITE, i);
        kick();
    }
}

static void
attack_packed_both_flags(void)
{
    queue.ring[0].address = buffer(0);
    queue.ring[0].length = BYTES;
    queue.ring[0].flags = VIRT_WRITE | VIRT_PACKED_AVAILABLE | VIRT_PACKED_USED;
    queue.ring[1].flags = 0xffff;
    kick();
}

typedef struct Attack {
    const char *name;
    void (*run)(void);
    Outcome outcome;
    uint64_t features; /* the device is started with, before */
} Attack;

static const Attack attacks[] = {
    {"a descriptor that is its own next", attack_self_loop, BROKEN, 0},
    {"a loop of descriptors", attack_loop, BROKEN, 0},
    {"a next just past the ring", attack_next_past_the_ring, BROKEN, 0},
    {"a next far past the ring", attack_next_far_past_the_ring, BROKEN, 0},
    {"a head just past the ring", attack_head_past_the_ring, BROKEN, 0},
    {"a head far past the ring", attack_head_far_past_the_ring, BROKEN, 0},
    {"a readable buffer after a writable one", attack_readable_after_writable, BROKEN, 0},
    {"flags nobody knows", attack_unknown_flags, LIVES, 0},

    {"a buffer in the hole", attack_hole, BROKEN, 0},
    {"a buffer past the memory", attack_past_ram, BROKEN, 0},
    {"a buffer over the end of memory", attack_over_end_of_ram, BROKEN, 0},
    {"a buffer that wraps", attack_wrap, BROKEN, 0},
    {"a buffer at the last byte there is", attack_last_byte_there_is, BROKEN, 0},
    {"a buffer at the sign bit", attack_sign_bit, BROKEN, 0},
    {"CVE-2016-7422: a buffer of nearly 4 GiB", attack_cve_2016_7422, BROKEN, 0},
    {"CVE-2021-3748: a buffer that is not in memory", attack_cve_2021_3748, BROKEN, 0},
    {"CVE-2024-3446: a buffer that is the device's own registers", attack_cve_2024_3446, BROKEN, 0},
    {"a buffer that is the notify register", attack_notify_register_as_buffer, BROKEN, 0},

    {"CVE-2016-6490: a chain of buffers of no length", attack_cve_2016_6490, LIVES, 0},
    {"a buffer of no length, nowhere", attack_zero_length_nowhere, LIVES, 0},
    {"one buffer many times in a chain", attack_same_buffer_over_and_over, LIVES, 0},
    {"the descriptors as buffer", attack_ring_as_buffer, LIVES, 0},
    {"the used ring as buffer", attack_used_ring_as_buffer, LIVES, 0},
    {"one head three times", attack_same_head_twice, LIVES, 0},
    {"nothing to write to", attack_nothing_writable, LIVES, 0},

    {"an indirect table, not negotiated", attack_indirect_not_negotiated, BROKEN, 0},
    {"an indirect table in an indirect table", attack_indirect_in_indirect, BROKEN, VIRTIO_F_INDIRECT},
    {"an indirect table with a next", attack_indirect_with_next, BROKEN, VIRTIO_F_INDIRECT},
    {"an indirect table of an odd length", attack_indirect_odd_length, BROKEN, VIRTIO_F_INDIRECT},
    {"an indirect table of no length", attack_indirect_empty, BROKEN, VIRTIO_F_INDIRECT},
    {"an indirect table whose next is outside", attack_indirect_next_past_table, BROKEN, VIRTIO_F_INDIRECT},
    {"a loop in an indirect table", attack_indirect_loop, BROKEN, VIRTIO_F_INDIRECT},
    {"an indirect table of nearly 4 GiB", attack_indirect_huge, BROKEN, VIRTIO_F_INDIRECT},
    {"an indirect table nowhere", attack_indirect_nowhere, BROKEN, VIRTIO_F_INDIRECT},
    {"an indirect table in the hole", attack_indirect_in_hole, BROKEN, VIRTIO_F_INDIRECT},
    {"CVE-2011-2212: 4096 buffers by an indirect table", attack_cve_2011_2212, BROKEN, VIRTIO_F_INDIRECT},

    {"an index one more than the ring ahead", attack_index_jumps, BROKEN, 0},
    {"an index far ahead", attack_index_jumps_far, BROKEN, 0},
    {"an index that goes back", attack_index_goes_back, BROKEN, 0},
    {"used events at random", attack_used_event_garbage, LIVES, VIRTIO_F_EVENT_INDEX},

    {"descriptors in the hole", attack_descriptors_in_hole, BROKEN, 0},
    {"the available ring in the hole", attack_available_in_hole, BROKEN, 0},
    {"the used ring in the hole", attack_used_in_hole, BROKEN, 0},
    {"descriptors that wrap", attack_descriptors_wrap, BROKEN, 0},
    {"a used ring that wraps", attack_used_wraps, BROKEN, 0},
    {"a used ring over the end of memory", attack_used_over_end_of_ram, BROKEN, 0},
    {"descriptors at an odd address", attack_rings_unaligned, LIVES, 0},
    {"the used ring in the device's own registers", attack_rings_in_own_registers, BROKEN, 0},
    {"CVE-2017-17381: rings taken away and set up anew, running", attack_cve_2017_17381, LIVES, 0},
    {"a queue switched off, running", attack_queue_disabled_after_start, LIVES, 0},
    {"a queue switched on again and again", attack_enabled_twice, LIVES, 0},
    {"a queue of size 0", attack_size_zero, LIVES, 0},
    {"a queue of size 3", attack_size_three, LIVES, 0},
    {"a queue of size 32768", attack_size_too_big, LIVES, 0},
    {"a queue of size 65535", attack_size_all_ones, LIVES, 0},

    {"DRIVER_OK before FEATURES_OK", attack_driver_ok_without_features_ok, LIVES, 0},
    {"other features, running", attack_features_after_start, LIVES, 0},
    {"every status there is", attack_every_status, LIVES, 0},
    {"a notification before DRIVER_OK", attack_notify_before_start, LIVES, 0},
    {"a notification without a queue", attack_notify_without_queue, LIVES, 0},
    {"CVE-2011-2512: notifications of queues that are not there", attack_cve_2011_2512, LIVES, 0},
    {"32 resets with a request in flight", attack_reset_in_flight, LIVES, 0},

    {"packed: a chain that never ends", attack_packed_chain_never_ends, BROKEN, VIRTIO_F_PACKED},
    {"packed: a buffer in the hole", attack_packed_in_hole, BROKEN, VIRTIO_F_PACKED},
    {"packed: a buffer that wraps", attack_packed_wraps, BROKEN, VIRTIO_F_PACKED},
    {"packed: an id past the ring", attack_packed_id_past_the_ring, LIVES, VIRTIO_F_PACKED},
    {"packed: an indirect table in an indirect table", attack_packed_indirect_in_indirect, BROKEN,
     VIRTIO_F_PACKED | VIRTIO_F_INDIRECT},
    {"packed: an indirect table of an odd length", attack_packed_indirect_odd_length, BROKEN,
     VIRTIO_F_PACKED | VIRTIO_F_INDIRECT},
    {"packed: an indirect table of nearly 4 GiB", attack_packed_indirect_huge, BROKEN,
     VIRTIO_F_PACKED | VIRTIO_F_INDIRECT},
    {"packed: events at random", attack_packed_events_garbage, LIVES, VIRTIO_F_PACKED | VIRTIO_F_EVENT_INDEX},
    {"packed: both flags at once", attack_packed_both_flags, LIVES, VIRTIO_F_PACKED},
};

static bool
canaries_whole(void)
{
    for (unsigned i = 0; i < 256; i++) {
        if (page[i] != 0xca || page[PAGE_SIZE - 1 - i] != 0xca)
            return false;
    }
    return true;
}

static bool
works(void)
{
    VirtBuffer one = {(void *)buffer(0), BYTES};

    return start(0) && virtqueue_do(&queue, &one, 0, 1) == BYTES;
}

static void
run(const Attack *attack)
{
    bool must_break = attack->outcome == BROKEN && !start_on_qemu();

    memset(page, 0xca, 256);
    memset(page + PAGE_SIZE - 256, 0xca, 256);
    if (!start(attack->features)) {
        ok(false, "%s: the device starts", attack->name);
        return;
    }
    attack->run();

    uint64_t deadline = clock_ns() + (must_break ? SECONDS(1) : MILLISECONDS(10));
    while (!virtio_needs_reset(&device) && clock_ns() < deadline)
        cpu_pause();
    bool broken = virtio_needs_reset(&device), whole = canaries_whole(), lives = works();
    ok((broken || !must_break) && whole && lives, "%s", attack->name);
    if (!broken && must_break)
        note("it does not say that it needs a reset");
    if (!whole)
        note("it wrote where no buffer is");
    if (!lives)
        note("it does not work after a reset");
}

/* Features nobody offered must not be kept. */
static void
test_features(void)
{
    virtio_reset(&device);
    virtio_set_status(&device, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
    uint64_t offered = virtio_offered(&device);
    if (start_on_qemu()) {
        skip("QEMU takes any", "features");
        return;
    }
    ok(!virtio_accept(&device, offered | 1ull << 60), "features that were not offered are refused");
    virtio_reset(&device);
    virtio_set_status(&device, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
    ok(!virtio_accept(&device, offered & ~VIRTIO_F_VERSION_1), "a driver from before virtio 1.0 is refused");
    ok(works(), "and the device works on");
}

/*
 * CVE-2016-5403: one request offered again and again, a ring full at a time, none waited for. In user mode, so that the
 * device is what is slow. The harness looks at the VMM's memory.
 */
static uint64_t
flood(void *argument)
{
    (void)argument;
    for (unsigned i = 0; i < 2000; i++) {
        queue.available->index += RING;
        barrier_full();
        kick();
    }
    return 0;
}

static void
test_flood(void)
{
    start(0);
    put(0, buffer(0), BYTES, VIRT_WRITE, 0);
    user_run(flood, NULL);
    ok(virtio_reset(&device) && works(), "CVE-2016-5403: requests without end");
}

/* Another processor rewrites the descriptor all the time: what was checked must be what is used. */
static volatile bool racing;

static void
race(void *context)
{
    (void)context;
    while (racing) {
        queue.descriptors[0].address = HOLE;
        queue.descriptors[0].length = 0xffffffff;
        queue.descriptors[0].address = buffer(0);
        queue.descriptors[0].length = BYTES;
    }
}

static void
test_race(void)
{
    if (smp_start() < 2) {
        skip("one processor", "descriptors rewritten while they are read");
        return;
    }
    bool whole = true;
    memset(page, 0xca, 256);
    for (unsigned i = 0; i < 50; i++) {
        start(0);
        put(0, buffer(0), BYTES, VIRT_WRITE, 0);
        racing = true;
        smp_run(1, race, NULL);
        for (unsigned j = 0; j < 10; j++) {
            offer(0);
            kick();
        }
        racing = false;
        whole = smp_wait(1, SECONDS(5)) && canaries_whole() && whole;
    }
    ok(whole && works(), "descriptors rewritten while they are read");
}

void
guest_main(void)
{
    page = pages_allocate(1);
    table = pages_allocate(1);
    if (!ok(virtio_find(VIRTIO_ENTROPY, 0, &device), "entropy device is on the bus"))
        return;
    test_features();
    for (unsigned i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++)
        run(&attacks[i]);
    test_flood();
    test_race();
    tap_done();
}
