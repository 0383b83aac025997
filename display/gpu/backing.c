/* SPDX-License-Identifier: Apache-2.0 */
/* Scatter lists from the guest, made into checked and joined iovecs. */
#include "display/gpu/backing.h"

#include <linux/virtio_gpu.h>

/* Copied from the command at a time, on the stack. */
#define ENTRIES_AT_ONCE 128
/* The longest whole pages that an entry's 32 bits can say, when entries are made to be saved. */
#define ENTRY_LENGTH_MAX 0xfffff000u

G_STATIC_ASSERT(G_BYTE_ORDER == G_LITTLE_ENDIAN); /* as virtio is: commands are used as they come */

static Backing *
backing_try_new(size_t n_entries)
{
    g_autoptr(Backing) backing = g_new0(Backing, 1);
    if (n_entries == 0)
        return g_steal_pointer(&backing);
    backing->iov = g_try_new(struct iovec, n_entries);
    return backing->iov ? g_steal_pointer(&backing) : NULL;
}

void
backing_free(Backing *backing)
{
    if (!backing)
        return;
    g_free(backing->iov);
    g_free(backing->starts);
    g_free(backing);
}

/* false where the entry is not RAM. */
static bool
append(Backing *backing, const struct virtio_gpu_mem_entry *entry, const GuestMemory *memory)
{
    if (entry->length == 0)
        return true;
    uint8_t *host = guest_memory_at(memory, entry->addr, entry->length);
    if (!host)
        return false;
    struct iovec *last = backing->n ? &backing->iov[backing->n - 1] : NULL;
    if (last && (uint8_t *)last->iov_base + last->iov_len == host)
        last->iov_len += entry->length;
    else
        backing->iov[backing->n++] = (struct iovec){host, entry->length};
    return true;
}

/* The list is complete: gives back what joining saved, and notes where each run starts. */
static bool
seal(Backing *backing)
{
    if (backing->n == 0) {
        g_clear_pointer(&backing->iov, g_free);
        return true;
    }
    backing->starts = g_try_new(uint64_t, backing->n);
    if (!backing->starts)
        return false;
    backing->iov = g_realloc_n(backing->iov, backing->n, sizeof *backing->iov);
    return scatter_pack(backing->iov, backing->n, backing->iov, backing->starts, &backing->n, &backing->len);
}

static uint32_t
read_entries(VirtChain *command, uint32_t n_entries, const GuestMemory *memory, Backing *backing)
{
    struct virtio_gpu_mem_entry entries[ENTRIES_AT_ONCE];

    while (n_entries) {
        uint32_t n = MIN(n_entries, ENTRIES_AT_ONCE);
        if (virt_chain_read(command, entries, n * sizeof *entries) < n * sizeof *entries)
            return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
        for (uint32_t i = 0; i < n; i++)
            if (!append(backing, &entries[i], memory))
                return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
        n_entries -= n;
    }
    return 0;
}

uint32_t
backing_read(VirtChain *command, uint32_t n_entries, const GuestMemory *memory, Backing **backing)
{
    /* Before anything is allocated: a command that claims more entries than it brings costs nothing. */
    if (n_entries > BACKING_ENTRIES_MAX ||
        virt_chain_readable(command) < n_entries * sizeof(struct virtio_gpu_mem_entry))
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    g_autoptr(Backing) made = backing_try_new(n_entries);
    if (!made)
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    uint32_t wrong = read_entries(command, n_entries, memory, made);
    if (wrong)
        return wrong;
    if (!seal(made))
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    *backing = g_steal_pointer(&made);
    return 0;
}

/* As much of [host, host + len) as one entry can say: joined runs may exceed its 32 bits, or lie on both sides of the hole. */
static struct virtio_gpu_mem_entry
entry_for(const GuestMemory *memory, const void *host, uint64_t len)
{
    size_t n;
    const GuestRegion *regions = guest_memory_regions(memory, &n);

    for (size_t i = 0; i < n; i++) {
        uint64_t inside = (uintptr_t)host - (uintptr_t)regions[i].host;
        if (inside < regions[i].size)
            return (struct virtio_gpu_mem_entry){
                .addr = regions[i].gpa + inside,
                .length = MIN(MIN(len, regions[i].size - inside), ENTRY_LENGTH_MAX),
            };
    }
    g_assert_not_reached();
}

GByteArray *
backing_save(const Backing *backing, const GuestMemory *memory)
{
    GByteArray *saved = g_byte_array_new();

    for (size_t i = 0; i < backing->n; i++) {
        const uint8_t *host = backing->iov[i].iov_base;
        for (uint64_t left = backing->iov[i].iov_len; left;) {
            const struct virtio_gpu_mem_entry entry = entry_for(memory, host, left);
            g_byte_array_append(saved, (const uint8_t *)&entry, sizeof entry);
            host += entry.length;
            left -= entry.length;
        }
    }
    return saved;
}

Backing *
backing_load(const GByteArray *saved, const GuestMemory *memory)
{
    struct virtio_gpu_mem_entry entry;
    size_t n = saved ? saved->len / sizeof entry : 0;

    if (saved && saved->len % sizeof entry)
        return NULL;
    g_autoptr(Backing) backing = backing_try_new(n);
    if (!backing)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        memcpy(&entry, saved->data + i * sizeof entry, sizeof entry);
        if (!append(backing, &entry, memory))
            return NULL;
    }
    return seal(backing) ? g_steal_pointer(&backing) : NULL;
}
