/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A resource's backing: the guest's scatter list of its own pages (virtio 1.2, 5.7.6.8, struct virtio_gpu_mem_entry).
 *
 * Entries are copied from the command once, each checked against RAM, empty ones dropped and neighbours joined. Guest RAM
 * is mapped for good, so the host addresses stay true. Owner: whoever serves the device.
 */
#pragma once

#include "display/scatter.h"
#include "vmm/virtio/queue.h"

#include <glib.h>

/* In one command: the 7680 × 4320 picture of a guest whose memory is all in single pages has 32,400. */
#define BACKING_ENTRIES_MAX 65536

typedef struct {
    struct iovec *iov;
    uint64_t *starts;
    size_t n;
    uint64_t len; /* bytes in all */
} Backing;

/*
 * Reads @n_entries from where the command's cursor stands. 0 and a new @backing, which may be empty; or the response that
 * says what is wrong: too many entries, fewer in the command than it says, or one that is not RAM.
 */
uint32_t backing_read(VirtChain *command, uint32_t n_entries, const GuestMemory *memory, Backing **backing);
void backing_free(Backing *backing);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Backing, backing_free)

static inline Scatter
backing_scatter(const Backing *backing)
{
    return (Scatter){.iov = backing->iov, .starts = backing->starts, .n = backing->n};
}

/* As the entries a guest would have sent, for the saved state, and back; NULL where they are malformed. */
GByteArray *backing_save(const Backing *backing, const GuestMemory *memory);
Backing *backing_load(const GByteArray *saved, const GuestMemory *memory);
