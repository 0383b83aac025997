/* SPDX-License-Identifier: Apache-2.0 */
/* Backings: entries become checked, joined runs; whatever else a guest may send is refused before it costs anything. */
#include "guest.h"

typedef struct virtio_gpu_mem_entry Entry;

/* Entries as a command would bring them. */
static VirtChain
chain_of(struct iovec *out, const Entry *entries, size_t n)
{
    *out = (struct iovec){(void *)entries, n * sizeof *entries};
    return (VirtChain){.out = out, .n_out = 1, .out_len = n * sizeof *entries};
}

static uint32_t
read_all(GpuGuest *guest, const Entry *entries, size_t brought, uint32_t claimed, Backing **backing)
{
    struct iovec out;
    VirtChain chain = chain_of(&out, entries, brought);
    return backing_read(&chain, claimed, guest->driver->memory, backing);
}

static void
test_runs_are_checked_and_joined(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    g_autoptr(Backing) backing = NULL;
    static const Entry entries[] = {
        {.addr = 0x1000, .length = 0x1000}, {.addr = 0x2000, .length = 0x800}, {.addr = 0x9000, .length = 0},
        {.addr = 0x2800, .length = 4},      {.addr = 0x9001, .length = 3},     {.addr = 0x1000, .length = 0x10},
    };

    g_assert_cmphex(read_all(guest, entries, 6, 6, &backing), ==, 0);
    g_assert_cmpuint(backing->n, ==, 3);
    g_assert_cmpuint(backing->len, ==, 0x1000 + 0x800 + 4 + 3 + 0x10);
    g_assert_true(backing->iov[0].iov_base == guest_memory_at(guest->driver->memory, 0x1000, 1));
    g_assert_cmpuint(backing->iov[0].iov_len, ==, 0x1804);
    g_assert_cmpuint(backing->starts[1], ==, 0x1804);
    g_assert_cmpuint(backing->starts[2], ==, 0x1807);
}

static void
test_empty(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    g_autoptr(Backing) none = NULL, zeroes = NULL;
    static const Entry entries[2] = {{.addr = UINT64_MAX, .length = 0}};

    g_assert_cmphex(read_all(guest, NULL, 0, 0, &none), ==, 0);
    g_assert_cmpuint(none->len, ==, 0);
    g_assert_cmphex(read_all(guest, entries, 2, 2, &zeroes), ==, 0);
    g_assert_cmpuint(zeroes->n, ==, 0);
}

static void
expect_refusal(GpuGuest *guest, const Entry *entries, size_t brought, uint32_t claimed)
{
    Backing *backing = NULL;
    g_assert_cmphex(read_all(guest, entries, brought, claimed, &backing), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    g_assert_null(backing);
}

static void
test_refusals(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    uint64_t ram = guest_memory_size(guest->driver->memory);
    const Entry good = {.addr = 0x1000, .length = 0x1000};

    expect_refusal(guest, &good, 1, 2); /* claims more than it brings */
    expect_refusal(guest, &good, 1, UINT32_MAX);
    expect_refusal(guest, &good, 1, 0x10000001); /* 16 × this wraps to 16 in 32 bits */
    expect_refusal(guest, &(Entry){.addr = ram, .length = 1}, 1, 1);
    expect_refusal(guest, &(Entry){.addr = ram - 1, .length = 2}, 1, 1);
    expect_refusal(guest, &(Entry){.addr = UINT64_MAX, .length = 2}, 1, 1);
    expect_refusal(guest, &(Entry){.addr = 0, .length = UINT32_MAX}, 1, 1);
    expect_refusal(guest, (Entry[]){good, {.addr = ram, .length = 4}}, 2, 2);

    g_autofree Entry *many = g_new0(Entry, BACKING_ENTRIES_MAX + 1);
    expect_refusal(guest, many, BACKING_ENTRIES_MAX + 1, BACKING_ENTRIES_MAX + 1);
    g_autoptr(Backing) backing = NULL;
    g_assert_cmphex(read_all(guest, many, BACKING_ENTRIES_MAX, BACKING_ENTRIES_MAX, &backing), ==, 0);
}

static void
test_saved_and_loaded(void)
{
    g_autoptr(GpuGuest) guest = gpu_guest_new(1, 0);
    GuestMemory *memory = guest->driver->memory;
    static const Entry entries[] = {{.addr = 0x3000, .length = 5}, {.addr = 0x1000, .length = 0x1000}};
    g_autoptr(Backing) backing = NULL;
    g_assert_cmphex(read_all(guest, entries, 2, 2, &backing), ==, 0);

    g_autoptr(GByteArray) saved = backing_save(backing, memory);
    g_assert_cmpmem(saved->data, saved->len, entries, sizeof entries);
    g_autoptr(Backing) loaded = backing_load(saved, memory);
    g_assert_cmpmem(loaded->iov, loaded->n * sizeof(struct iovec), backing->iov, backing->n * sizeof(struct iovec));
    g_assert_cmpuint(loaded->len, ==, backing->len);

    g_autoptr(Backing) empty = backing_load(NULL, memory);
    g_assert_cmpuint(empty->n, ==, 0);
    g_byte_array_set_size(saved, saved->len - 1);
    g_assert_null(backing_load(saved, memory)); /* no whole number of entries */
    g_byte_array_set_size(saved, sizeof(Entry));
    ((Entry *)saved->data)->addr = guest_memory_size(memory);
    g_assert_null(backing_load(saved, memory)); /* not this desktop's RAM */
}

/* Both sides of the hole are neighbours here and far apart for the guest. */
static void
test_saved_across_the_hole(void)
{
    const uint64_t mib = 1 << 20;
    g_autoptr(GuestMemory) memory = guest_memory_new(&(GuestMemoryOptions){.size = GUEST_LOW_RAM_MAX + mib}, NULL);
    if (!memory) {
        g_test_skip("no room for 2 GiB of address space");
        return;
    }
    const Entry entries[] = {{.addr = GUEST_LOW_RAM_MAX - mib, .length = mib},
                             {.addr = GUEST_HIGH_RAM_BASE, .length = mib}};
    struct iovec out;
    VirtChain chain = chain_of(&out, entries, 2);
    g_autoptr(Backing) backing = NULL;

    g_assert_cmphex(backing_read(&chain, 2, memory, &backing), ==, 0);
    g_autoptr(GByteArray) saved = backing_save(backing, memory);
    g_assert_cmpmem(saved->data, saved->len, entries, sizeof entries);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/backing/runs", test_runs_are_checked_and_joined);
    g_test_add_func("/backing/empty", test_empty);
    g_test_add_func("/backing/refusals", test_refusals);
    g_test_add_func("/backing/saved", test_saved_and_loaded);
    g_test_add_func("/backing/hole", test_saved_across_the_hole);
    return g_test_run();
}
