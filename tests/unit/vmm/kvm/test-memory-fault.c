/* SPDX-License-Identifier: Apache-2.0 */
/* Guest memory that the host cannot supply any more: one line says why, and only where it is guest memory. */
#include "vmm/kvm/memory_fault.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB (1u << 20)

static int
file_of(size_t size)
{
    int fd = memfd_create("saved", MFD_CLOEXEC);
    g_assert_cmpint(ftruncate(fd, size), ==, 0);
    for (size_t at = 0; at < size; at += 4096)
        g_assert_cmpint(pwrite(fd, "x", 1, at), ==, 1);
    return fd;
}

/* In a process of its own: RAM is read from a file, which somebody cuts short. */
static void
lose_memory(void)
{
    g_autoptr(GuestMemory) memory = guest_memory_new(&(GuestMemoryOptions){.size = MIB}, NULL);
    g_autofd int fd = file_of(MIB);

    g_assert_true(guest_memory_map_saved(memory, fd, 0, NULL));
    memory_fault_watch(memory, "/var/anna.saved");
    volatile uint8_t *bytes = guest_memory_at(memory, 0, MIB);
    bytes[MIB - 1] = bytes[0]; /* a page of our own by now: it goes all the same */
    g_assert_cmpint(ftruncate(fd, 4096), ==, 0);
    g_assert_cmphex(bytes[0], ==, 'x');
    (void)bytes[MIB - 1];
}

static void
test_cut_short(void)
{
    if (g_test_subprocess()) {
        lose_memory();
        return;
    }
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("carrel-vmm: the guest's memory is lost: /var/anna.saved, which it is read from, was cut "
                              "short or cannot be read\n");
}

/* In a process of its own: a fault in another mapping is none of ours. */
static void
lose_something_else(void)
{
    g_autoptr(GuestMemory) memory = guest_memory_new(&(GuestMemoryOptions){.size = MIB}, NULL);
    g_autofd int fd = file_of(MIB);

    memory_fault_watch(memory, NULL);
    volatile uint8_t *other = mmap(NULL, MIB, PROT_READ, MAP_SHARED, fd, 0);
    g_assert_cmpint(ftruncate(fd, 4096), ==, 0);
    (void)other[MIB - 1];
}

static void
test_elsewhere(void)
{
    if (g_test_subprocess()) {
        lose_something_else();
        return;
    }
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr_unmatched("*memory is lost*");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/memory-fault/cut-short", test_cut_short);
    g_test_add_func("/memory-fault/elsewhere", test_elsewhere);
    return g_test_run();
}
