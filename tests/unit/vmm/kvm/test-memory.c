/* SPDX-License-Identifier: Apache-2.0 */
/* Guest memory: layout, checked access, giving pages back, saved images, dirty pages. */
#include "vmm/kvm/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (1ull << 20)
#define GIB (1ull << 30)

static GuestMemory *
new_memory(uint64_t size)
{
    g_autoptr(GError) error = NULL;
    GuestMemory *memory = guest_memory_new(&(GuestMemoryOptions){.size = size}, &error);
    g_assert_no_error(error);
    g_assert_nonnull(memory);
    return memory;
}

static void
expect_refused(GuestMemoryOptions options)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(guest_memory_new(&options, &error));
    g_assert_error(error, GUEST_MEMORY_ERROR, GUEST_MEMORY_ERROR_OPTIONS);
}

static void
test_options(void)
{
    expect_refused((GuestMemoryOptions){.size = 0});
    expect_refused((GuestMemoryOptions){.size = MIB / 2});
    expect_refused((GuestMemoryOptions){.size = MIB + 4096});
    expect_refused((GuestMemoryOptions){.size = 512 * GIB + MIB});
    expect_refused((GuestMemoryOptions){.size = UINT64_MAX});
    expect_refused((GuestMemoryOptions){.size = 3 * MIB, .hugetlb = true});
    expect_refused((GuestMemoryOptions){.size = 2 * MIB, .hugetlb = true, .merge = true});
}

static void
test_layout(void)
{
    size_t n;
    g_autoptr(GuestMemory) small = new_memory(3 * MIB);
    const GuestRegion *regions = guest_memory_regions(small, &n);
    g_assert_cmpuint(n, ==, 1);
    g_assert_cmphex(regions[0].gpa, ==, 0);
    g_assert_cmphex(regions[0].size, ==, 3 * MIB);
    g_assert_cmphex((uintptr_t)regions[0].host % (2 * MIB), ==, 0);

    g_autoptr(GuestMemory) exact = new_memory(GUEST_LOW_RAM_MAX);
    guest_memory_regions(exact, &n);
    g_assert_cmpuint(n, ==, 1);

    g_autoptr(GuestMemory) large = new_memory(512 * GIB); /* costs nothing until touched */
    regions = guest_memory_regions(large, &n);
    g_assert_cmpuint(n, ==, 2);
    g_assert_cmphex(regions[0].size, ==, GUEST_LOW_RAM_MAX);
    g_assert_cmphex(regions[1].gpa, ==, GUEST_HIGH_RAM_BASE);
    g_assert_cmphex(regions[1].size, ==, 512 * GIB - GUEST_LOW_RAM_MAX);
    g_assert_cmphex(regions[1].offset, ==, GUEST_LOW_RAM_MAX);
    g_assert_true(regions[1].host == regions[0].host + GUEST_LOW_RAM_MAX);
}

static void
test_bounds(void)
{
    g_autoptr(GuestMemory) memory = new_memory(GUEST_LOW_RAM_MAX + 16 * MIB);
    uint64_t high_end = GUEST_HIGH_RAM_BASE + 16 * MIB;

    g_assert_nonnull(guest_memory_at(memory, 0, 1));
    g_assert_nonnull(guest_memory_at(memory, 0, GUEST_LOW_RAM_MAX));
    g_assert_null(guest_memory_at(memory, 0, GUEST_LOW_RAM_MAX + 1)); /* into the hole */
    g_assert_null(guest_memory_at(memory, GUEST_LOW_RAM_MAX - 1, 2));
    g_assert_null(guest_memory_at(memory, GUEST_LOW_RAM_MAX, 1));
    g_assert_null(guest_memory_at(memory, GUEST_HIGH_RAM_BASE - 1, 2));
    g_assert_null(guest_memory_at(memory, GUEST_HIGH_RAM_BASE - 1, 1));
    g_assert_nonnull(guest_memory_at(memory, GUEST_HIGH_RAM_BASE, 1));
    g_assert_nonnull(guest_memory_at(memory, high_end - 8, 8));
    g_assert_null(guest_memory_at(memory, high_end - 8, 9));
    g_assert_null(guest_memory_at(memory, high_end, 1));
    g_assert_null(guest_memory_at(memory, 0, 0));
    g_assert_null(guest_memory_at(memory, 8, UINT64_MAX));
    g_assert_null(guest_memory_at(memory, UINT64_MAX, 1));
    g_assert_null(guest_memory_at(memory, UINT64_MAX, 2));
    g_assert_null(guest_memory_at(memory, UINT64_MAX - 7, UINT64_MAX));

    uint32_t out = 0xdeadbeef, in = 0;
    g_assert_true(guest_memory_write(memory, GUEST_HIGH_RAM_BASE + 3, &out, 4));
    g_assert_true(guest_memory_read(memory, GUEST_HIGH_RAM_BASE + 3, &in, 4));
    g_assert_cmphex(in, ==, 0xdeadbeef);
    g_assert_false(guest_memory_write(memory, high_end - 2, &out, 4));
    g_assert_false(guest_memory_read(memory, high_end - 2, &in, 4));
    g_assert_true(guest_memory_read(memory, high_end - 2, &in, 2));
    g_assert_cmphex(in, ==, 0xdead0000); /* the refused write copied nothing */
}

static void
test_memfd_is_sealed_and_shared(void)
{
    g_autoptr(GuestMemory) memory = new_memory(2 * MIB);
    int fd = guest_memory_fd(memory);
    char byte = 0;

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(fcntl(fd, F_GET_SEALS) & (F_SEAL_GROW | F_SEAL_SHRINK), ==, F_SEAL_GROW | F_SEAL_SHRINK);
    g_assert_cmpint(ftruncate(fd, MIB), <, 0);
    g_assert_true(guest_memory_write(memory, 5000, "x", 1));
    g_assert_cmpint(pread(fd, &byte, 1, 5000), ==, 1);
    g_assert_cmpint(byte, ==, 'x');
}

static bool
resident(const uint8_t *at)
{
    unsigned char present;
    g_assert_cmpint(mincore((void *)((uintptr_t)at & ~4095ull), 4096, &present), ==, 0);
    return present & 1;
}

static void
check_discard(bool merge)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GuestMemory) memory = guest_memory_new(&(GuestMemoryOptions){.size = 4 * MIB, .merge = merge}, &error);
    g_assert_no_error(error);
    uint8_t *host = guest_memory_at(memory, 0, 4 * MIB);
    memset(host, 0x5a, 64 * 1024);

    /* from the middle of page 1 to the middle of page 4: pages 2 and 3 go */
    g_assert_true(guest_memory_discard(memory, 4096 + 100, 3 * 4096));
    for (size_t i = 0; i < 64 * 1024; i++)
        g_assert_cmphex(host[i], ==, i / 4096 == 2 || i / 4096 == 3 ? 0 : 0x5a);
    g_assert_true(guest_memory_discard(memory, 100, 4000)); /* no whole page: nothing to do */
    g_assert_cmphex(host[200], ==, 0x5a);
    g_assert_false(guest_memory_discard(memory, 4 * MIB - 4096, 8192));
    g_assert_true(guest_memory_discard(memory, 0, 4 * MIB));
    if (!merge) /* whether a private page that was given back counts as resident depends on the zero page */
        g_assert_false(resident(host));
    g_assert_cmphex(host[0], ==, 0);
}

static void
test_discard_shared(void)
{
    check_discard(false);
}

static void
test_discard_merge(void)
{
    check_discard(true);
}

static void
test_merge_has_no_memfd(void)
{
    g_autoptr(GuestMemory) memory =
        guest_memory_new(&(GuestMemoryOptions){.size = GUEST_LOW_RAM_MAX + MIB, .merge = true}, NULL);
    g_assert_nonnull(memory);
    g_assert_cmpint(guest_memory_fd(memory), ==, -1);
    g_assert_true(guest_memory_write(memory, GUEST_HIGH_RAM_BASE, "x", 1));
}

static void
test_hugetlb(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GuestMemory) memory = guest_memory_new(&(GuestMemoryOptions){.size = 2 * MIB, .hugetlb = true}, &error);
    if (!memory) {
        g_assert_error(error, GUEST_MEMORY_ERROR, GUEST_MEMORY_ERROR_HOST);
        g_assert_nonnull(strstr(error->message, "huge pages"));
        g_test_skip("this host has no huge pages to spare");
        return;
    }
    g_assert_true(guest_memory_write(memory, 0, "x", 1));
    g_assert_true(guest_memory_discard(memory, 0, MIB)); /* not a whole huge page */
    g_assert_cmpint(*guest_memory_at(memory, 0, 1), ==, 'x');
    g_assert_true(guest_memory_discard(memory, 0, 2 * MIB));
    g_assert_cmpint(*guest_memory_at(memory, 0, 1), ==, 0);
}

/* A file of one page of header and @size bytes of RAM, each page filled with its number. */
static int
saved_image(uint64_t size, char **path)
{
    g_autofd int fd = g_file_open_tmp("carrel-memory-XXXXXX", path, NULL);
    g_assert_cmpint(fd, >=, 0);
    uint8_t page[4096];
    for (uint64_t i = 0; i <= size / 4096; i++) {
        memset(page, i, sizeof(page));
        g_assert_cmpint(write(fd, page, sizeof(page)), ==, sizeof(page));
    }
    return g_steal_fd(&fd);
}

static void
check_saved(bool merge)
{
    g_autofree char *path = NULL;
    g_autofd int fd = saved_image(MIB, &path);
    g_autoptr(GError) error = NULL;
    g_autoptr(GuestMemory) memory = guest_memory_new(&(GuestMemoryOptions){.size = MIB, .merge = merge}, NULL);
    uint8_t *host = guest_memory_at(memory, 0, MIB), byte;

    memset(host, 0xee, MIB);
    g_assert_true(guest_memory_map_saved(memory, fd, 4096, &error));
    g_assert_no_error(error);
    g_assert_cmpint(guest_memory_fd(memory), ==, -1);
    g_assert_true(host == guest_memory_at(memory, 0, MIB));
    for (unsigned page = 0; page < MIB / 4096; page++)
        g_assert_cmphex(host[page * 4096], ==, (uint8_t)(page + 1));

    g_assert_true(guest_memory_write(memory, 4096, "x", 1));
    g_assert_cmpint(pread(fd, &byte, 1, 8192), ==, 1);
    g_assert_cmphex(byte, ==, 2); /* the file is as it was */
    g_assert_true(guest_memory_discard(memory, 4096, 4096));
    g_assert_cmphex(host[4096], ==, 2); /* and the file's byte is back */
    g_assert_true(guest_memory_write(memory, 4096, "y", 1));
    g_assert_cmphex(host[4096], ==, 'y');
    g_unlink(path);
}

static void
test_saved(void)
{
    check_saved(false);
}

static void
test_saved_merge(void)
{
    check_saved(true);
}

/* A hole of the file reads as zeroes, and neither reading nor writing there takes room in it. */
static void
test_saved_holes(void)
{
    enum { SIZE = 16 << 20, DATA = 5 << 20 };
    g_autoptr(GError) error = NULL;
    g_autofd int fd = memfd_create("image", MFD_CLOEXEC);
    g_autoptr(GuestMemory) memory = new_memory(SIZE);
    struct stat before, after;

    g_assert_cmpint(ftruncate(fd, SIZE + 4096), ==, 0);
    g_assert_cmpint(pwrite(fd, "data", 4, 4096 + DATA), ==, 4);
    g_assert_cmpint(pwrite(fd, "last", 4, SIZE), ==, 4);
    g_assert_cmpint(fstat(fd, &before), ==, 0);
    g_assert_true(guest_memory_map_saved(memory, fd, 4096, &error));
    g_assert_no_error(error);
    uint8_t *host = guest_memory_at(memory, 0, SIZE);
    g_assert_cmpmem(host + DATA, 4, "data", 4);
    g_assert_cmpmem(host + SIZE - 4096, 4, "last", 4);
    for (uint64_t at = 0; at < SIZE; at += 4096) {
        g_assert_cmphex(host[at], ==, at == DATA ? 'd' : at == SIZE - 4096 ? 'l' : 0);
        host[at] = 1;
    }
    g_assert_cmpint(fstat(fd, &after), ==, 0);
    /* What lies next to data within 2 MiB is read from the file. */
    g_assert_cmpint(after.st_blocks - before.st_blocks, <=, 2 * (2 << 20) / 512);
}

static void
expect_image_refused(GuestMemory *memory, int fd, uint64_t offset)
{
    g_autoptr(GError) error = NULL;
    g_assert_false(guest_memory_map_saved(memory, fd, offset, &error));
    g_assert_error(error, GUEST_MEMORY_ERROR, GUEST_MEMORY_ERROR_IMAGE);
    g_assert_cmphex(*guest_memory_at(memory, 0, 1), ==, 0xee);
}

static void
test_saved_refused(void)
{
    g_autofree char *path = NULL;
    g_autofd int fd = saved_image(MIB, &path);
    int pipe_fds[2];
    g_autoptr(GuestMemory) memory = new_memory(MIB);

    g_assert_true(guest_memory_write(memory, 0, "\xee", 1));
    expect_image_refused(memory, fd, 8192); /* a page short */
    expect_image_refused(memory, fd, 4095); /* not aligned */
    expect_image_refused(memory, fd, UINT64_MAX - 4095);
    g_assert_cmpint(pipe(pipe_fds), ==, 0);
    expect_image_refused(memory, pipe_fds[0], 0);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    g_unlink(path);
}

static void
test_dirty(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GuestMemory) memory = new_memory(GUEST_LOW_RAM_MAX + MIB);
    size_t words = guest_memory_bitmap_words(memory);
    g_autofree uint64_t *bitmap = g_new(uint64_t, words);
    uint64_t high_page = GUEST_LOW_RAM_MAX / 4096;

    g_assert_cmpuint(words, ==, (GUEST_LOW_RAM_MAX + MIB) / 4096 / 64);
    g_assert_true(guest_memory_write(memory, 0, "before", 6));
    g_assert_true(guest_memory_track(memory, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(guest_memory_take_dirty(memory, bitmap), ==, 0);

    g_assert_true(guest_memory_write(memory, 4095, "two", 3)); /* pages 0 and 1 */
    g_assert_true(guest_memory_write(memory, GUEST_HIGH_RAM_BASE + 70 * 4096, "x", 1));
    guest_memory_dirty(memory, guest_memory_at(memory, 63 * 4096, 2 * 4096), 2 * 4096); /* over a word's end */
    guest_memory_dirty(memory, guest_memory_at(memory, 9 * 4096, 1), 0);
    g_assert_true(guest_memory_discard(memory, 200 * 4096, 4096));
    g_assert_cmpuint(guest_memory_take_dirty(memory, bitmap), ==, 6);
    g_assert_cmphex(bitmap[0], ==, 3 | 1ull << 63);
    g_assert_cmphex(bitmap[1], ==, 1);
    g_assert_cmphex(bitmap[200 / 64], ==, 1ull << (200 % 64));
    g_assert_cmphex(bitmap[(high_page + 70) / 64], ==, 1ull << (70 % 64));
    g_assert_cmpuint(guest_memory_take_dirty(memory, bitmap), ==, 0);
    g_assert_cmphex(bitmap[0], ==, 0);

    uint64_t log[2] = {0x8000000000000001, 2}; /* of the vCPUs, in the high region */
    guest_memory_merge_log(memory, GUEST_LOW_RAM_MAX, log, 128);
    g_assert_cmpuint(guest_memory_take_dirty(memory, bitmap), ==, 3);
    g_assert_cmphex(bitmap[high_page / 64], ==, 0x8000000000000001);
    g_assert_cmphex(bitmap[high_page / 64 + 1], ==, 2);

    g_assert_true(guest_memory_write(memory, 0, "late", 4));
    guest_memory_untrack(memory);
    g_assert_true(guest_memory_write(memory, 8192, "unseen", 6));
    g_assert_true(guest_memory_track(memory, &error)); /* starts clean */
    g_assert_cmpuint(guest_memory_take_dirty(memory, bitmap), ==, 0);
}

static void *
dirty_odd_pages(void *data)
{
    GuestMemory *memory = data;
    for (uint64_t page = 1; page < 256; page += 2)
        guest_memory_dirty(memory, guest_memory_at(memory, page * 4096, 1), 1);
    return NULL;
}

static void
test_dirty_from_two_threads(void)
{
    g_autoptr(GuestMemory) memory = new_memory(MIB);
    uint64_t bitmap[4], seen[4] = {0}, n_pages = 0;

    g_assert_true(guest_memory_track(memory, NULL));
    for (int round = 0; round < 50; round++) {
        GThread *other = g_thread_new("dirty", dirty_odd_pages, memory);
        for (uint64_t page = 0; page < 256; page += 2) {
            guest_memory_dirty(memory, guest_memory_at(memory, page * 4096, 1), 1);
            if (page % 32 == 0) {
                guest_memory_take_dirty(memory, bitmap);
                for (int i = 0; i < 4; i++)
                    seen[i] |= bitmap[i];
            }
        }
        g_thread_join(other);
        guest_memory_take_dirty(memory, bitmap);
        for (int i = 0; i < 4; i++) {
            n_pages += __builtin_popcountll(seen[i] | bitmap[i]);
            seen[i] = 0;
        }
    }
    g_assert_cmpuint(n_pages, ==, 50 * 256); /* none lost */
}

/* What system management mode has for itself, at the end of low RAM, is out of every device's reach. */
static void
test_hide(void)
{
    g_autoptr(GuestMemory) memory = guest_memory_new(&(GuestMemoryOptions){.size = 16ull << 20}, NULL);
    uint64_t end = 16ull << 20, hidden = 1ull << 20;
    uint8_t byte = 1;
    GuestRegion reachable[2];

    guest_memory_hide(memory, hidden);
    g_assert_nonnull(guest_memory_at(memory, end - hidden - 1, 1));
    g_assert_null(guest_memory_at(memory, end - hidden - 1, 2));
    g_assert_null(guest_memory_at(memory, end - hidden, 1));
    g_assert_false(guest_memory_write(memory, end - 1, &byte, 1));
    g_assert_cmpuint(guest_memory_reachable(memory, reachable), ==, 1);
    g_assert_cmpuint(reachable[0].size, ==, end - hidden);
    guest_memory_hide(memory, 1ull << 30);
    g_assert_null(guest_memory_at(memory, 0, 1));
    g_assert_cmpuint(guest_memory_reachable(memory, reachable), ==, 0);
    guest_memory_hide(memory, 0);
    g_assert_true(guest_memory_write(memory, end - 1, &byte, 1));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/memory/options", test_options);
    g_test_add_func("/memory/layout", test_layout);
    g_test_add_func("/memory/bounds", test_bounds);
    g_test_add_func("/memory/memfd", test_memfd_is_sealed_and_shared);
    g_test_add_func("/memory/discard", test_discard_shared);
    g_test_add_func("/memory/discard-merge", test_discard_merge);
    g_test_add_func("/memory/merge", test_merge_has_no_memfd);
    g_test_add_func("/memory/hugetlb", test_hugetlb);
    g_test_add_func("/memory/saved", test_saved);
    g_test_add_func("/memory/saved-merge", test_saved_merge);
    g_test_add_func("/memory/saved-holes", test_saved_holes);
    g_test_add_func("/memory/saved-refused", test_saved_refused);
    g_test_add_func("/memory/dirty", test_dirty);
    g_test_add_func("/memory/dirty-threads", test_dirty_from_two_threads);
    g_test_add_func("/memory/hide", test_hide);
    return g_test_run();
}
