/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory: where the bytes come from, checked access to them, giving them back, and which of them changed.
 *
 * Address space for all of RAM is taken once, aligned to 2 MiB so that the kernel can use large pages, and the memfd is
 * mapped over it. No page is touched here: the guest's first access brings each one in, so starting costs the same for
 * 1 GiB and for 512.
 */
#include "vmm/kvm/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <glib/gstdio.h>

G_DEFINE_QUARK(carrel - guest - memory - error - quark, guest_memory_error)

#define MIB (UINT64_C(1) << 20)
#define SIZE_MIN (1 * MIB)
#define SIZE_MAX_ (UINT64_C(512) << 30)
#define HUGE_PAGE (2 * MIB)
#define HOLES_MAX 16384 /* the kernel allows a process some 65,000 mappings */

#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB (21u << 26) /* linux/memfd.h, which clashes with the C library's own header */
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u /* Linux 6.3 */
#endif

struct GuestMemory {
    uint64_t size;
    uint8_t *host;
    GuestRegion regions[2];
    size_t n_regions;
    uint64_t reachable; /* bytes of the first region that devices may reach; atomic */
    int fd;             /* -1: private memory */
    bool merge;         /* KSM */
    bool shared;        /* host is a shared mapping of fd */
    uint64_t unit;      /* bytes: what can be given back at the least */

    uint64_t *dirty;  /* atomic; one bit a page while tracked, else NULL */
    uint64_t *bitmap; /* what dirty points to when it does; kept until the end, a late writer may still hold it */
};

static void
set_error_errno(GError **error, int code, const char *what)
{
    g_set_error(error, GUEST_MEMORY_ERROR, GUEST_MEMORY_ERROR_HOST, "guest memory: %s: %s", what, g_strerror(code));
}

static void
set_size_error(GError **error, const GuestMemoryOptions *options, const char *what)
{
    g_set_error(error, GUEST_MEMORY_ERROR, GUEST_MEMORY_ERROR_OPTIONS, "guest memory of %" G_GUINT64_FORMAT " bytes %s",
                options->size, what);
}

static bool
check_options(const GuestMemoryOptions *options, GError **error)
{
    if (options->hugetlb && options->merge) {
        g_set_error_literal(error, GUEST_MEMORY_ERROR, GUEST_MEMORY_ERROR_OPTIONS,
                            "guest memory cannot be both merged and of huge pages: choose one");
        return false;
    }
    if (options->size < SIZE_MIN || options->size > SIZE_MAX_) {
        set_size_error(error, options, "is out of range: give 1 MiB to 512 GiB");
        return false;
    }
    uint64_t unit = options->hugetlb ? HUGE_PAGE : MIB;
    if (options->size % unit) {
        set_size_error(error, options,
                       options->hugetlb ? "is no multiple of 2 MiB, which huge pages need" : "is no multiple of 1 MiB");
        return false;
    }
    return true;
}

/* Address space for @size bytes at a multiple of 2 MiB; nothing behind it yet. NULL with errno set. */
static uint8_t *
reserve(uint64_t size)
{
    uint64_t want = size + HUGE_PAGE;
    uint8_t *at = mmap(NULL, want, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    uint64_t head = -(uintptr_t)at & (HUGE_PAGE - 1);
    if (head)
        munmap(at, head);
    uint64_t end = (size + GUEST_PAGE_SIZE - 1) & ~(uint64_t)(GUEST_PAGE_SIZE - 1);
    munmap(at + head + end, want - head - end);
    return at + head;
}

static int
create_memfd(bool hugetlb)
{
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING | (hugetlb ? MFD_HUGETLB | MFD_HUGE_2MB : 0);
    int fd = memfd_create("guest-ram", flags | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("guest-ram", flags); /* a kernel before 6.3 */
    return fd;
}

/* A memfd of the wanted size that nobody it is shared with can resize, or -1. */
static int
open_memfd(const GuestMemoryOptions *options, GError **error)
{
    g_autofd int fd = create_memfd(options->hugetlb);
    if (fd < 0) {
        set_error_errno(error, errno, options->hugetlb ? "no 2 MiB pages on this host" : "memfd_create");
        return -1;
    }
    if (ftruncate(fd, options->size) < 0) {
        set_error_errno(error, errno, "cannot size the memfd");
        return -1;
    }
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0) {
        set_error_errno(error, errno, "cannot seal the memfd");
        return -1;
    }
    return g_steal_fd(&fd);
}

/* Hints only: a kernel without one of them still runs the guest, so failures are not errors. */
static void
advise(GuestMemory *memory)
{
    madvise(memory->host, memory->size, MADV_DONTDUMP);
    /* KSM would have to split large pages again before it can share any part of them. */
    madvise(memory->host, memory->size, memory->merge ? MADV_MERGEABLE : MADV_HUGEPAGE);
}

static bool
map(GuestMemory *memory, const GuestMemoryOptions *options, GError **error)
{
    int flags = MAP_FIXED | (options->merge ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED);
    void *at = mmap(memory->host, memory->size, PROT_READ | PROT_WRITE, flags, memory->fd, 0);
    if (at != MAP_FAILED)
        return true;
    if (options->hugetlb && errno == ENOMEM)
        g_set_error(error, GUEST_MEMORY_ERROR, GUEST_MEMORY_ERROR_HOST,
                    "guest memory needs %" G_GUINT64_FORMAT " free huge pages of 2 MiB: raise vm.nr_hugepages, or set "
                    "hugepages=false",
                    memory->size / HUGE_PAGE);
    else
        set_error_errno(error, errno, "cannot map it");
    return false;
}

static void
lay_out(GuestMemory *memory)
{
    uint64_t low = MIN(memory->size, GUEST_LOW_RAM_MAX);
    memory->regions[0] = (GuestRegion){.gpa = 0, .size = low, .offset = 0, .host = memory->host};
    memory->reachable = low;
    memory->n_regions = 1;
    if (memory->size > low)
        memory->regions[memory->n_regions++] = (GuestRegion){
            .gpa = GUEST_HIGH_RAM_BASE, .size = memory->size - low, .offset = low, .host = memory->host + low};
}

GuestMemory *
guest_memory_new(const GuestMemoryOptions *options, GError **error)
{
    if (!check_options(options, error))
        return NULL;
    g_autoptr(GuestMemory) memory = g_new0(GuestMemory, 1);
    *memory = (GuestMemory){.size = options->size,
                            .fd = -1,
                            .merge = options->merge,
                            .shared = !options->merge,
                            .unit = options->hugetlb ? HUGE_PAGE : GUEST_PAGE_SIZE};
    if (!options->merge && (memory->fd = open_memfd(options, error)) < 0)
        return NULL;
    memory->host = reserve(memory->size);
    if (!memory->host) {
        set_error_errno(error, errno, "no address space for it");
        return NULL;
    }
    if (!map(memory, options, error))
        return NULL;
    advise(memory);
    lay_out(memory);
    return g_steal_pointer(&memory);
}

void
guest_memory_free(GuestMemory *memory)
{
    if (!memory)
        return;
    if (memory->host)
        munmap(memory->host, memory->size);
    g_clear_fd(&memory->fd, NULL);
    g_free(memory->bitmap);
    g_free(memory);
}

uint64_t
guest_memory_size(const GuestMemory *memory)
{
    return memory->size;
}

int
guest_memory_fd(const GuestMemory *memory)
{
    return memory->fd;
}

const GuestRegion *
guest_memory_regions(const GuestMemory *memory, size_t *n_regions)
{
    *n_regions = memory->n_regions;
    return memory->regions;
}

uint8_t *
guest_memory_at(const GuestMemory *memory, uint64_t gpa, uint64_t len)
{
    for (size_t i = 0; i < memory->n_regions; i++) {
        const GuestRegion *region = &memory->regions[i];
        uint64_t at = gpa - region->gpa; /* huge where gpa is below the region */
        uint64_t size = i ? region->size : __atomic_load_n(&memory->reachable, __ATOMIC_RELAXED);
        if (at < size && len && len <= size - at)
            return region->host + at;
    }
    return NULL;
}

void
guest_memory_hide(GuestMemory *memory, uint64_t size)
{
    uint64_t low = memory->regions[0].size;
    __atomic_store_n(&memory->reachable, low - MIN(size, low), __ATOMIC_RELAXED);
}

size_t
guest_memory_reachable(const GuestMemory *memory, GuestRegion regions[2])
{
    size_t n = 0;

    for (size_t i = 0; i < memory->n_regions; i++) {
        regions[n] = memory->regions[i];
        if (!i)
            regions[n].size = __atomic_load_n(&memory->reachable, __ATOMIC_RELAXED);
        n += regions[n].size != 0;
    }
    return n;
}

uint64_t
guest_memory_address(const GuestMemory *memory, const void *host)
{
    for (size_t i = 0; i < memory->n_regions; i++) {
        const GuestRegion *region = &memory->regions[i];
        uint64_t at = (const uint8_t *)host - region->host;
        if (at < region->size)
            return region->gpa + at;
    }
    g_assert_not_reached();
}

bool
guest_memory_read(const GuestMemory *memory, uint64_t gpa, void *to, size_t len)
{
    const uint8_t *from = guest_memory_at(memory, gpa, len);
    if (!from)
        return false;
    memcpy(to, from, len);
    return true;
}

bool
guest_memory_write(GuestMemory *memory, uint64_t gpa, const void *from, size_t len)
{
    uint8_t *to = guest_memory_at(memory, gpa, len);
    if (!to)
        return false;
    memcpy(to, from, len);
    guest_memory_dirty(memory, to, len);
    return true;
}

/* The range in RAM's own bytes, shrunk to whole units. false where none is left. */
static bool
whole_units(const GuestMemory *memory, const uint8_t *host, uint64_t len, uint64_t *offset, uint64_t *size)
{
    uint64_t first = host - memory->host;
    uint64_t end = (first + len) & ~(memory->unit - 1);
    first = (first + memory->unit - 1) & ~(memory->unit - 1);
    *offset = first;
    *size = end - first;
    return end > first;
}

bool
guest_memory_discard(GuestMemory *memory, uint64_t gpa, uint64_t len)
{
    uint8_t *host = guest_memory_at(memory, gpa, len);
    uint64_t offset, size;

    if (!host)
        return false;
    if (!whole_units(memory, host, len, &offset, &size))
        return true;
    /* Giving pages back is a kindness to the host; where it fails the guest loses nothing. The pages count as written:
     * whoever copies RAM must not keep what they held. */
    if (memory->shared)
        (void)fallocate(memory->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);
    else
        (void)madvise(memory->host + offset, size, MADV_DONTNEED);
    guest_memory_dirty(memory, memory->host + offset, size);
    return true;
}

static bool
check_saved(const GuestMemory *memory, int fd, uint64_t offset, GError **error)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        set_error_errno(error, errno, "cannot look at the saved image");
        return false;
    }
    if (!S_ISREG(st.st_mode) || offset % GUEST_PAGE_SIZE) {
        g_set_error_literal(error, GUEST_MEMORY_ERROR, GUEST_MEMORY_ERROR_IMAGE,
                            "guest memory: the saved image is not page aligned in a regular file");
        return false;
    }
    if (offset > (uint64_t)st.st_size || memory->size > (uint64_t)st.st_size - offset) {
        g_set_error_literal(error, GUEST_MEMORY_ERROR, GUEST_MEMORY_ERROR_IMAGE,
                            "guest memory: the saved image ends before the memory it should hold");
        return false;
    }
    return true;
}

/*
 * Where the image has a hole, memory of our own takes its place: a page read from a hole would take room in a tmpfs, and
 * twice as much memory once it is written, and none of them could be large. Fails silently: the file reads the same.
 */
static void
unmap_holes(GuestMemory *memory, int fd, uint64_t offset)
{
    uint64_t at = 0, n = 0;

    while (n < HOLES_MAX && memory->size - at >= HUGE_PAGE) {
        off_t data = lseek(fd, offset + at, SEEK_DATA);
        if (data < 0 && errno != ENXIO)
            return;
        uint64_t end = data < 0 ? memory->size : MIN(data - offset, memory->size);
        uint64_t hole = (end - at) & ~(HUGE_PAGE - 1);
        if (hole) {
            mmap(memory->host + at, hole, PROT_READ | PROT_WRITE,
                 MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            n++;
        }
        at = MIN((end & ~(HUGE_PAGE - 1)) + HUGE_PAGE, memory->size);
    }
}

bool
guest_memory_map_saved(GuestMemory *memory, int fd, uint64_t offset, GError **error)
{
    if (!check_saved(memory, fd, offset, error))
        return false;
    void *at =
        mmap(memory->host, memory->size, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_NORESERVE, fd, offset);
    if (at == MAP_FAILED) {
        set_error_errno(error, errno, "cannot map the saved image");
        return false;
    }
    unmap_holes(memory, fd, offset);
    g_clear_fd(&memory->fd, NULL);
    memory->shared = false;
    memory->unit = GUEST_PAGE_SIZE;
    advise(memory);
    return true;
}

size_t
guest_memory_bitmap_words(const GuestMemory *memory)
{
    return (memory->size / GUEST_PAGE_SIZE + 63) / 64;
}

bool
guest_memory_track(GuestMemory *memory, GError **error)
{
    size_t words = guest_memory_bitmap_words(memory);
    if (!memory->bitmap)
        memory->bitmap = g_new0(uint64_t, words);
    for (size_t i = 0; i < words; i++)
        __atomic_store_n(&memory->bitmap[i], 0, __ATOMIC_RELAXED);
    __atomic_store_n(&memory->dirty, memory->bitmap, __ATOMIC_RELEASE);
    /* A device that still saw NULL may have its write in a store buffer: have every thread's writes reach memory before the
     * caller begins to copy. A fence here rather than one in each guest_memory_dirty(). */
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0) {
        set_error_errno(error, errno, "cannot begin to track changes: membarrier");
        guest_memory_untrack(memory);
        return false;
    }
    return true;
}

void
guest_memory_untrack(GuestMemory *memory)
{
    __atomic_store_n(&memory->dirty, NULL, __ATOMIC_RELEASE);
}

void
guest_memory_dirty(GuestMemory *memory, const void *host, size_t len)
{
    uint64_t *dirty = __atomic_load_n(&memory->dirty, __ATOMIC_ACQUIRE);
    if (G_LIKELY(!dirty) || !len)
        return;
    uint64_t offset = (const uint8_t *)host - memory->host;
    g_assert(offset < memory->size && len <= memory->size - offset);
    uint64_t last = (offset + len - 1) / GUEST_PAGE_SIZE;
    for (uint64_t page = offset / GUEST_PAGE_SIZE; page <= last; page++)
        __atomic_fetch_or(&dirty[page / 64], 1ull << (page % 64), __ATOMIC_RELEASE);
}

void
guest_memory_merge_log(GuestMemory *memory, uint64_t offset, const uint64_t *log, uint64_t n_pages)
{
    uint64_t *dirty = __atomic_load_n(&memory->dirty, __ATOMIC_ACQUIRE);
    if (!dirty)
        return;
    /* Regions begin at multiples of 64 pages, so that a log's words and ours line up. */
    g_assert(offset % (64 * GUEST_PAGE_SIZE) == 0 &&
             offset / GUEST_PAGE_SIZE + n_pages <= memory->size / GUEST_PAGE_SIZE);
    uint64_t *to = dirty + offset / GUEST_PAGE_SIZE / 64;
    for (uint64_t i = 0; i < (n_pages + 63) / 64; i++)
        if (log[i])
            __atomic_fetch_or(&to[i], log[i], __ATOMIC_RELEASE);
}

uint64_t
guest_memory_take_dirty(GuestMemory *memory, uint64_t *bitmap)
{
    uint64_t n_pages = 0;
    size_t words = guest_memory_bitmap_words(memory);

    g_assert(memory->bitmap);
    for (size_t i = 0; i < words; i++) {
        uint64_t *word = &memory->bitmap[i];
        bitmap[i] = __atomic_load_n(word, __ATOMIC_RELAXED) ? __atomic_exchange_n(word, 0, __ATOMIC_ACQ_REL) : 0;
        n_pages += __builtin_popcountll(bitmap[i]);
    }
    return n_pages;
}
