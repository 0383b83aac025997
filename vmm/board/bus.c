/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buses: the sorted array of ranges, and the look-up that never waits for a writer to finish its whole change.
 *
 * A reader copies the range it found and then checks that the sequence count did not move; if it did, it looks again. The
 * array's words are read and written with relaxed atomics, since a reader may see a change half made before it finds out.
 */
#include "vmm/board/bus.h"

#include <errno.h>
#include <unistd.h>

typedef struct {
    uint64_t base;
    uint64_t last; /* inclusive, so that a range may end at 2^64 - 1 */
    const BusOps *ops;
    void *device;
} Range;

/* A doorbell the bus rings itself, where no host does it. */
typedef struct {
    uint64_t address;
    unsigned size; /* 0: any */
    int eventfd;
} Doorbell;

struct Bus {
    bool is_port;
    const BusHostOps *host_ops; /* may be NULL */
    void *host;

    unsigned sequence; /* atomic; odd while the array changes */
    unsigned n_ranges; /* atomic, as the array's words */
    Range ranges[BUS_MAX_RANGES];

    GMutex lock;       /* held by whoever changes ranges or doorbells */
    GArray *doorbells; /* of Doorbell; stays empty where host_ops is set */
};

Bus *
bus_new(bool is_port, const BusHostOps *host_ops, void *host)
{
    g_assert(!host_ops || (host_ops->doorbell_add && host_ops->doorbell_remove));
    Bus *bus = g_new0(Bus, 1);
    bus->is_port = is_port;
    bus->host_ops = host_ops;
    bus->host = host;
    bus->doorbells = g_array_new(FALSE, FALSE, sizeof(Doorbell));
    g_mutex_init(&bus->lock);
    return bus;
}

void
bus_free(Bus *bus)
{
    if (!bus)
        return;
    g_array_unref(bus->doorbells);
    g_mutex_clear(&bus->lock);
    g_free(bus);
}

static Range
load_range(const Range *from)
{
    return (Range){
        .base = __atomic_load_n(&from->base, __ATOMIC_RELAXED),
        .last = __atomic_load_n(&from->last, __ATOMIC_RELAXED),
        .ops = __atomic_load_n(&from->ops, __ATOMIC_RELAXED),
        .device = __atomic_load_n(&from->device, __ATOMIC_RELAXED),
    };
}

static void
store_range(Range *to, const Range *range)
{
    __atomic_store_n(&to->base, range->base, __ATOMIC_RELAXED);
    __atomic_store_n(&to->last, range->last, __ATOMIC_RELAXED);
    __atomic_store_n(&to->ops, range->ops, __ATOMIC_RELAXED);
    __atomic_store_n(&to->device, range->device, __ATOMIC_RELAXED);
}

/* The index of the first range that ends at or after @address. */
static unsigned
lower_bound(const Bus *bus, unsigned n_ranges, uint64_t address)
{
    unsigned low = 0, high = n_ranges;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (__atomic_load_n(&bus->ranges[middle].last, __ATOMIC_RELAXED) < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The range that holds @address. false where there is none. */
static bool
look_up(Bus *bus, uint64_t address, Range *range)
{
    for (;;) {
        unsigned before = __atomic_load_n(&bus->sequence, __ATOMIC_ACQUIRE);
        if (before & 1) {
            g_thread_yield();
            continue;
        }
        unsigned n_ranges = __atomic_load_n(&bus->n_ranges, __ATOMIC_RELAXED);
        unsigned i = lower_bound(bus, n_ranges, address);
        bool found = false;
        if (i < n_ranges) {
            *range = load_range(&bus->ranges[i]);
            found = range->base <= address;
        }
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&bus->sequence, __ATOMIC_RELAXED) == before)
            return found;
    }
}

static void
change_begin(Bus *bus)
{
    __atomic_store_n(&bus->sequence, bus->sequence + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

static void
change_end(Bus *bus)
{
    __atomic_store_n(&bus->sequence, bus->sequence + 1, __ATOMIC_RELEASE);
}

bool
bus_map(Bus *bus, uint64_t base, uint64_t size, const BusOps *ops, void *device)
{
    g_assert(ops->read && ops->write);
    if (!size || base + (size - 1) < base)
        return false;
    Range range = {.base = base, .last = base + (size - 1), .ops = ops, .device = device};

    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&bus->lock);
    unsigned at = lower_bound(bus, bus->n_ranges, base);
    bool overlaps = at < bus->n_ranges && bus->ranges[at].base <= range.last;
    if (overlaps || bus->n_ranges == BUS_MAX_RANGES)
        return false;
    change_begin(bus);
    for (unsigned i = bus->n_ranges; i > at; i--)
        store_range(&bus->ranges[i], &bus->ranges[i - 1]);
    store_range(&bus->ranges[at], &range);
    __atomic_store_n(&bus->n_ranges, bus->n_ranges + 1, __ATOMIC_RELAXED);
    change_end(bus);
    return true;
}

void
bus_unmap(Bus *bus, uint64_t base)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&bus->lock);
    unsigned at = lower_bound(bus, bus->n_ranges, base);
    if (at == bus->n_ranges || bus->ranges[at].base != base)
        return;
    change_begin(bus);
    for (unsigned i = at; i + 1 < bus->n_ranges; i++)
        store_range(&bus->ranges[i], &bus->ranges[i + 1]);
    __atomic_store_n(&bus->n_ranges, bus->n_ranges - 1, __ATOMIC_RELAXED);
    change_end(bus);
}

int
bus_doorbell_add(Bus *bus, uint64_t address, unsigned size, int eventfd)
{
    if (bus->host_ops)
        return bus->host_ops->doorbell_add(bus->host, bus->is_port, address, size, eventfd);
    Doorbell doorbell = {.address = address, .size = size, .eventfd = eventfd};
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&bus->lock);
    g_array_append_val(bus->doorbells, doorbell);
    return 0;
}

int
bus_doorbell_remove(Bus *bus, uint64_t address, unsigned size, int eventfd)
{
    if (bus->host_ops)
        return bus->host_ops->doorbell_remove(bus->host, bus->is_port, address, size, eventfd);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&bus->lock);
    for (guint i = 0; i < bus->doorbells->len; i++) {
        const Doorbell *doorbell = &g_array_index(bus->doorbells, Doorbell, i);
        if (doorbell->address == address && doorbell->size == size && doorbell->eventfd == eventfd) {
            g_array_remove_index_fast(bus->doorbells, i);
            return 0;
        }
    }
    return -ENOENT;
}

/* As KVM does for a registered doorbell: the write ends here. */
static bool
ring_doorbell(Bus *bus, uint64_t address, unsigned size)
{
    if (bus->host_ops)
        return false;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&bus->lock);
    for (guint i = 0; i < bus->doorbells->len; i++) {
        const Doorbell *doorbell = &g_array_index(bus->doorbells, Doorbell, i);
        if (doorbell->address != address || (doorbell->size && doorbell->size != size))
            continue;
        uint64_t one = 1;
        g_assert(write(doorbell->eventfd, &one, sizeof(one)) == sizeof(one));
        return true;
    }
    return false;
}

static uint64_t
all_ones(unsigned size)
{
    return ~0ull >> (64 - 8 * size);
}

/* Whether a device can be given the access as it is. */
static bool
fits(const Range *range, uint64_t address, unsigned size)
{
    return range->last - address >= size - 1 && (size & (size - 1)) == 0;
}

bool
bus_answers(Bus *bus, uint64_t address)
{
    Range range;
    return look_up(bus, address, &range) && fits(&range, address, 1);
}

uint64_t
bus_read(Bus *bus, uint64_t address, unsigned size)
{
    Range range;

    g_assert(size >= 1 && size <= 8);
    if (look_up(bus, address, &range) && fits(&range, address, size))
        return range.ops->read(range.device, address - range.base, size) & all_ones(size);
    if (size == 1)
        return all_ones(1);
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= bus_read(bus, address + i, 1) << (8 * i);
    return value;
}

void
bus_write(Bus *bus, uint64_t address, unsigned size, uint64_t value)
{
    Range range;

    g_assert(size >= 1 && size <= 8);
    if (ring_doorbell(bus, address, size))
        return;
    if (look_up(bus, address, &range) && fits(&range, address, size)) {
        range.ops->write(range.device, address - range.base, size, value & all_ones(size));
        return;
    }
    if (size == 1)
        return;
    for (unsigned i = 0; i < size; i++)
        bus_write(bus, address + i, 1, value >> (8 * i));
}
