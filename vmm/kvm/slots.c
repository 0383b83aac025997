/* SPDX-License-Identifier: Apache-2.0 */
/* Memory slots: see slots.h. KVM numbers slots; a slot cannot be changed, only taken away and made anew. */
#include "vmm/kvm/slots.h"

#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

void
slots_init(Slots *slots, int vm_fd)
{
    slots->vm_fd = vm_fd;
    g_mutex_init(&slots->lock);
}

void
slots_finish(Slots *slots)
{
    g_mutex_clear(&slots->lock);
}

static bool
equal(const MemorySlot *a, const MemorySlot *b)
{
    return a->gpa == b->gpa && a->size == b->size && a->host == b->host && a->read_only == b->read_only;
}

static bool
listed(const MemorySlot *slot, const MemorySlot *list, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (equal(slot, &list[i]))
            return true;
    return false;
}

static bool
placed(const Slots *slots, unsigned space, const MemorySlot *slot)
{
    for (unsigned i = 0; i < slots->n_placed[space]; i++)
        if (equal(slot, &slots->placed[space][i].slot))
            return true;
    return false;
}

static unsigned
free_number(const Slots *slots, unsigned space)
{
    uint64_t used = 0;
    for (unsigned i = 0; i < slots->n_placed[space]; i++)
        used |= 1ull << slots->placed[space][i].number;
    return __builtin_ctzll(~used);
}

/* @size 0 takes the slot away. */
static int
tell_kvm(const Slots *slots, unsigned space, unsigned number, const MemorySlot *slot, uint64_t size)
{
    struct kvm_userspace_memory_region region = {
        .slot = space << 16 | number,
        .flags = slot->read_only ? KVM_MEM_READONLY : 0,
        .guest_phys_addr = slot->gpa,
        .memory_size = size,
        .userspace_addr = (uintptr_t)slot->host,
    };
    return ioctl(slots->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0 ? -errno : 0;
}

static int
take_away(Slots *slots, unsigned space, const MemorySlot *list, unsigned n)
{
    PlacedSlot *all = slots->placed[space];

    for (unsigned i = 0; i < slots->n_placed[space];) {
        if (listed(&all[i].slot, list, n)) {
            i++;
            continue;
        }
        int result = tell_kvm(slots, space, all[i].number, &all[i].slot, 0);
        if (result < 0)
            return result;
        all[i] = all[--slots->n_placed[space]];
    }
    return 0;
}

static int
put(Slots *slots, unsigned space, const MemorySlot *slot)
{
    PlacedSlot place = {.slot = *slot, .number = free_number(slots, space)};
    int result = tell_kvm(slots, space, place.number, slot, slot->size);

    if (result == 0)
        slots->placed[space][slots->n_placed[space]++] = place;
    return result;
}

int
slots_set(Slots *slots, unsigned space, const MemorySlot *list, unsigned n)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&slots->lock);
    g_assert(n <= SLOTS_MAX && space < SLOTS_SPACES);

    int result = take_away(slots, space, list, n);
    for (unsigned i = 0; result == 0 && i < n; i++)
        if (!placed(slots, space, &list[i]))
            result = put(slots, space, &list[i]);
    return result;
}
