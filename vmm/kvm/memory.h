/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory: one memfd, mapped once, and the only way any device reaches the guest's RAM.
 *
 * RAM is one run of bytes in the memfd, seen by the guest as one or two regions: [0, low) below the PCI hole and
 * [4 GiB, …) above it. A host pointer and a memfd offset differ by a constant, so dirty pages are counted by offset.
 *
 * Any thread may call any function here unless its comment says otherwise. Guest RAM stays mapped for the life of the
 * process, so a pointer from guest_memory_at() never dangles; what it points to is the guest's, and may change under the
 * reader: copy a value once, then check the copy.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where RAM ends below 4 GiB at the latest: PCI windows, ECAM, IOAPIC and LAPIC live above. */
#define GUEST_LOW_RAM_MAX 0x80000000ull
#define GUEST_HIGH_RAM_BASE 0x100000000ull
#define GUEST_PAGE_SIZE 4096u

#define GUEST_MEMORY_ERROR (guest_memory_error_quark())
GQuark guest_memory_error_quark(void);
typedef enum {
    GUEST_MEMORY_ERROR_OPTIONS, /* a size or a combination nobody can have */
    GUEST_MEMORY_ERROR_HOST,    /* the host has no room, no huge pages, or lacks a system call */
    GUEST_MEMORY_ERROR_IMAGE,   /* the saved image is not one */
} GuestMemoryError;

typedef struct GuestMemory GuestMemory;

typedef struct {
    uint64_t gpa;    /* guest physical address of the first byte */
    uint64_t size;   /* bytes, a multiple of GUEST_PAGE_SIZE */
    uint64_t offset; /* of the first byte in the memfd */
    uint8_t *host;   /* of the first byte in this process */
} GuestRegion;

typedef struct {
    uint64_t size; /* bytes, 1 MiB to 512 GiB, a multiple of 1 MiB (2 MiB with hugetlb) */
    bool hugetlb;  /* 2 MiB pages of the host's reserved pool; not together with merge */
    bool merge;    /* let KSM share equal pages: the RAM is then private anonymous memory, as KSM wants it: no memfd */
} GuestMemoryOptions;

/* NULL and an error that names the remedy (too large, no huge pages, …). */
GuestMemory *guest_memory_new(const GuestMemoryOptions *options, GError **error);
void guest_memory_free(GuestMemory *memory);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GuestMemory, guest_memory_free)

uint64_t guest_memory_size(const GuestMemory *memory);
/* The memfd, owned by @memory; -1 where there is none (merge, or after guest_memory_map_saved()). */
int guest_memory_fd(const GuestMemory *memory);
/* 1 or 2 regions in ascending order. */
const GuestRegion *guest_memory_regions(const GuestMemory *memory, size_t *n_regions);

/*
 * The host address of [gpa, gpa + len), or NULL where any byte of it is not RAM, it wraps, or it crosses a region's end.
 * len 0 gives NULL. The caller that writes through it must call guest_memory_dirty() afterwards.
 */
uint8_t *guest_memory_at(const GuestMemory *memory, uint64_t gpa, uint64_t len);

/*
 * Keeps devices out of the last @size bytes of low RAM, which are for system management mode alone: from here on
 * guest_memory_at() gives none of them. 0 lets them in again. Any thread.
 */
void guest_memory_hide(GuestMemory *memory, uint64_t size);

/* Fills @regions with what devices may reach now, for those that reach it without guest_memory_at(). Returns how many. */
size_t guest_memory_reachable(const GuestMemory *memory, GuestRegion regions[2]);

/* The guest physical address of a byte that guest_memory_at() gave. */
uint64_t guest_memory_address(const GuestMemory *memory, const void *host);

/* Copy in or out. false, with nothing copied, where guest_memory_at() would give NULL. write marks its pages dirty. */
bool guest_memory_read(const GuestMemory *memory, uint64_t gpa, void *to, size_t len);
bool guest_memory_write(GuestMemory *memory, uint64_t gpa, const void *from, size_t len);

/* Notes that @len bytes at @host (from guest_memory_at()) were written by a device. Costs one load while nobody tracks. */
void guest_memory_dirty(GuestMemory *memory, const void *host, size_t len);

/*
 * Gives the host back the pages wholly inside [gpa, gpa + len); they read as anything (zero, or the saved image's bytes)
 * until written again. false where the range is not RAM. For the balloon and free page reporting.
 */
bool guest_memory_discard(GuestMemory *memory, uint64_t gpa, uint64_t len);

/*
 * Replaces the whole of RAM with a private, lazily read mapping of @fd at @offset (page aligned), guest_memory_size() bytes
 * long, and lets go of the memfd; large holes of the file become memory of our own. The file is never written, and must not
 * change while the desktop runs (memory_fault.h). With hugetlb, the image's pages are ordinary ones. Before the first vCPU
 * runs, main thread. On failure RAM is unchanged.
 */
bool guest_memory_map_saved(GuestMemory *memory, int fd, uint64_t offset, GError **error);

/*
 * Dirty tracking, for whoever copies RAM while the guest runs (migration, checkpoints). While it is on, each page a device
 * writes is noted; pages that vCPUs write come from KVM's own log through guest_memory_merge_log(). The owner of the copy
 * calls track, take and untrack; merge_log may come from any thread in between.
 *
 * Every write that finished before guest_memory_track() returns is in RAM and not in the bitmap; every later one is in the
 * bitmap by the time the device tells the guest of it.
 */
bool guest_memory_track(GuestMemory *memory, GError **error);
void guest_memory_untrack(GuestMemory *memory);
/* Adds pages from a KVM dirty log: bit n of @log is the page at memfd offset @offset + n * GUEST_PAGE_SIZE. */
void guest_memory_merge_log(GuestMemory *memory, uint64_t offset, const uint64_t *log, uint64_t n_pages);
/*
 * Moves the noted pages out: @bitmap (guest_memory_bitmap_words() words, one bit a page in memfd order) is overwritten, and
 * the pages are unnoted. Returns how many there were. The copier reads a page's bytes only after this.
 */
uint64_t guest_memory_take_dirty(GuestMemory *memory, uint64_t *bitmap);
size_t guest_memory_bitmap_words(const GuestMemory *memory);
