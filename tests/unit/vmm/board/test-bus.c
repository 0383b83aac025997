/* SPDX-License-Identifier: Apache-2.0 */
/* Buses: who answers what, odd accesses, doorbells, and look-ups while ranges move. */
#include "vmm/board/bus.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A device of 16 bytes of memory that remembers its last access. */
typedef struct {
    uint8_t bytes[16];
    uint64_t offset;
    unsigned size;
    unsigned n_accesses;
} Ram;

static uint64_t
ram_read(void *device, uint64_t offset, unsigned size)
{
    Ram *ram = device;
    uint64_t value = 0;
    g_assert_cmpuint(offset + size, <=, sizeof(ram->bytes));
    memcpy(&value, ram->bytes + offset, size);
    ram->offset = offset;
    ram->size = size;
    ram->n_accesses++;
    return value;
}

static void
ram_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
    Ram *ram = device;
    g_assert_cmpuint(offset + size, <=, sizeof(ram->bytes));
    g_assert_true(size == 8 || value >> (8 * size) == 0); /* zero-extended */
    memcpy(ram->bytes + offset, &value, size);
    ram->offset = offset;
    ram->size = size;
    ram->n_accesses++;
}

static const BusOps ram_ops = {.read = ram_read, .write = ram_write};

static void
test_map(void)
{
    g_autoptr(Bus) bus = bus_new(false, NULL, NULL);
    Ram ram = {0};

    g_assert_false(bus_map(bus, 0x1000, 0, &ram_ops, &ram));
    g_assert_false(bus_map(bus, UINT64_MAX - 14, 17, &ram_ops, &ram));
    g_assert_true(bus_map(bus, UINT64_MAX - 15, 16, &ram_ops, &ram));
    g_assert_true(bus_map(bus, 0x1000, 16, &ram_ops, &ram));
    g_assert_false(bus_map(bus, 0x1000, 16, &ram_ops, &ram));
    g_assert_false(bus_map(bus, 0x0fff, 2, &ram_ops, &ram));
    g_assert_false(bus_map(bus, 0x100f, 1, &ram_ops, &ram));
    g_assert_false(bus_map(bus, 0x0800, 0x1000, &ram_ops, &ram));
    g_assert_true(bus_map(bus, 0x1010, 16, &ram_ops, &ram));
    g_assert_true(bus_map(bus, 0x0ff0, 16, &ram_ops, &ram));

    bus_unmap(bus, 0x1008); /* no range starts there */
    g_assert_false(bus_map(bus, 0x1000, 16, &ram_ops, &ram));
    bus_unmap(bus, 0x1000);
    g_assert_true(bus_map(bus, 0x1000, 16, &ram_ops, &ram));
}

static void
test_full(void)
{
    g_autoptr(Bus) bus = bus_new(false, NULL, NULL);
    Ram ram = {0};

    for (uint64_t i = 0; i < BUS_MAX_RANGES; i++)
        g_assert_true(bus_map(bus, (BUS_MAX_RANGES - i) * 16, 16, &ram_ops, &ram));
    g_assert_false(bus_map(bus, 0, 16, &ram_ops, &ram));
    bus_write(bus, BUS_MAX_RANGES * 16 + 15, 1, 0x7e);
    g_assert_cmphex(ram.bytes[15], ==, 0x7e);
    bus_unmap(bus, 5 * 16);
    g_assert_cmphex(bus_read(bus, 5 * 16 + 15, 1), ==, 0xff);
    g_assert_true(bus_map(bus, 0, 16, &ram_ops, &ram));
}

static void
test_access(void)
{
    g_autoptr(Bus) bus = bus_new(true, NULL, NULL);
    Ram ram = {0};
    g_assert_true(bus_map(bus, 0x70, 16, &ram_ops, &ram));

    bus_write(bus, 0x74, 4, 0xffffffff11223344); /* what is above the size does not reach the device */
    g_assert_cmpuint(ram.offset, ==, 4);
    g_assert_cmpuint(ram.size, ==, 4);
    g_assert_cmphex(bus_read(bus, 0x74, 4), ==, 0x11223344);
    g_assert_cmphex(bus_read(bus, 0x74, 8), ==, 0x11223344);
    g_assert_cmphex(bus_read(bus, 0x75, 1), ==, 0x33);
    bus_write(bus, 0x78, 8, 0x0102030405060708);
    g_assert_cmphex(bus_read(bus, 0x7c, 2), ==, 0x0304);

    /* nobody there */
    g_assert_cmphex(bus_read(bus, 0x6f, 1), ==, 0xff);
    g_assert_cmphex(bus_read(bus, 0x80, 2), ==, 0xffff);
    g_assert_cmphex(bus_read(bus, 0x80, 8), ==, UINT64_MAX);
    bus_write(bus, 0x80, 4, 1);
}

static void
test_odd_access(void)
{
    g_autoptr(Bus) bus = bus_new(false, NULL, NULL);
    Ram low = {.bytes = {[13] = 0xa1, 0xa2, 0xa3}}, high = {.bytes = {0xb1, 0xb2, 0xb3}};
    g_assert_true(bus_map(bus, 0x1000, 16, &ram_ops, &low));
    g_assert_true(bus_map(bus, 0x1010, 16, &ram_ops, &high));

    g_assert_cmphex(bus_read(bus, 0x100e, 4), ==, 0xb2b1a3a2); /* over the end of one into the next */
    g_assert_cmpuint(high.size, ==, 1);
    g_assert_cmphex(bus_read(bus, 0x100d, 3), ==, 0xa3a2a1); /* a size no device is asked for */
    g_assert_cmpuint(low.size, ==, 1);
    g_assert_cmphex(bus_read(bus, 0x0fff, 2), ==, 0x00ff); /* out of nothing into the first */
    bus_write(bus, 0x101e, 4, 0x44332211);
    g_assert_cmphex(high.bytes[14], ==, 0x11);
    g_assert_cmphex(high.bytes[15], ==, 0x22);
}

static bool
rang(int eventfd)
{
    uint64_t count;
    return read(eventfd, &count, sizeof(count)) == sizeof(count);
}

static void
test_own_doorbells(void)
{
    g_autoptr(Bus) bus = bus_new(false, NULL, NULL);
    Ram ram = {0};
    g_autofd int any = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), word = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    g_assert_true(bus_map(bus, 0x1000, 16, &ram_ops, &ram));
    g_assert_cmpint(bus_doorbell_add(bus, 0x1000, 0, any), ==, 0);
    g_assert_cmpint(bus_doorbell_add(bus, 0x1004, 2, word), ==, 0);

    bus_write(bus, 0x1000, 2, 7);
    g_assert_true(rang(any));
    bus_write(bus, 0x1004, 2, 7);
    g_assert_true(rang(word));
    g_assert_cmpuint(ram.n_accesses, ==, 0);
    bus_write(bus, 0x1004, 4, 7); /* another size: the device's */
    g_assert_false(rang(word));
    g_assert_cmpuint(ram.n_accesses, ==, 1);

    g_assert_cmpint(bus_doorbell_remove(bus, 0x1004, 4, word), <, 0);
    g_assert_cmpint(bus_doorbell_remove(bus, 0x1004, 2, word), ==, 0);
    bus_write(bus, 0x1004, 2, 7);
    g_assert_false(rang(word));
}

/* What a host was asked for. */
typedef struct {
    bool is_port;
    uint64_t address;
    unsigned size;
    int eventfd;
    int n_added;
} Host;

static int
host_add(void *host, bool is_port, uint64_t address, unsigned size, int eventfd)
{
    Host *h = host;
    *h = (Host){is_port, address, size, eventfd, h->n_added + 1};
    return 0;
}

static int
host_remove(void *host, bool is_port, uint64_t address, unsigned size, int eventfd)
{
    Host *h = host;
    g_assert_true(h->is_port == is_port && h->address == address && h->size == size && h->eventfd == eventfd);
    h->n_added--;
    return -EXDEV;
}

static void
test_host_doorbells(void)
{
    static const BusHostOps ops = {.doorbell_add = host_add, .doorbell_remove = host_remove};
    Host host = {0};
    g_autoptr(Bus) bus = bus_new(true, &ops, &host);
    Ram ram = {0};

    g_assert_true(bus_map(bus, 0x10, 16, &ram_ops, &ram));
    g_assert_cmpint(bus_doorbell_add(bus, 0x10, 4, 5), ==, 0);
    g_assert_true(host.is_port && host.address == 0x10 && host.size == 4 && host.eventfd == 5);
    bus_write(bus, 0x10, 4, 1); /* the host let it through all the same: it is the device's */
    g_assert_cmpuint(ram.n_accesses, ==, 1);
    g_assert_cmpint(bus_doorbell_remove(bus, 0x10, 4, 5), ==, -EXDEV);
    g_assert_cmpint(host.n_added, ==, 0);
}

/* Threads read two ranges that stay while others come and go in front of them. */
#define CHURN_READS 20000
typedef struct {
    Bus *bus;
    int n_done; /* atomic: readers that have read their fill */
} Churn;

static uint64_t
constant_read(void *device, uint64_t offset, unsigned size)
{
    return GPOINTER_TO_UINT(device);
}

static void
constant_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
}

static const BusOps constant_ops = {.read = constant_read, .write = constant_write};

static void *
churn_reader(void *data)
{
    Churn *churn = data;
    for (int i = 0; i < CHURN_READS; i++) {
        g_assert_cmphex(bus_read(churn->bus, 0x8000, 4), ==, 0x11);
        g_assert_cmphex(bus_read(churn->bus, 0x900f, 1), ==, 0x22);
        g_assert_cmphex(bus_read(churn->bus, 0x8800, 1), ==, 0xff);
        uint64_t passing = bus_read(churn->bus, 0x1000, 1);
        g_assert_true(passing == 0x33 || passing == 0xff);
    }
    g_atomic_int_inc(&churn->n_done);
    return NULL;
}

static void
test_look_up_while_ranges_move(void)
{
    g_autoptr(Bus) bus = bus_new(false, NULL, NULL);
    Churn churn = {.bus = bus};
    GThread *readers[2];

    g_assert_true(bus_map(bus, 0x8000, 16, &constant_ops, GUINT_TO_POINTER(0x11)));
    g_assert_true(bus_map(bus, 0x9000, 16, &constant_ops, GUINT_TO_POINTER(0x22)));
    for (size_t i = 0; i < G_N_ELEMENTS(readers); i++)
        readers[i] = g_thread_new("reader", churn_reader, &churn);
    while (g_atomic_int_get(&churn.n_done) < (int)G_N_ELEMENTS(readers)) {
        g_assert_true(bus_map(bus, 0x1000, 16, &constant_ops, GUINT_TO_POINTER(0x33)));
        g_assert_true(bus_map(bus, 0x2000, 16, &constant_ops, GUINT_TO_POINTER(0x33)));
        bus_unmap(bus, 0x1000);
        bus_unmap(bus, 0x2000);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(readers); i++)
        g_thread_join(readers[i]);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bus/map", test_map);
    g_test_add_func("/bus/full", test_full);
    g_test_add_func("/bus/access", test_access);
    g_test_add_func("/bus/odd-access", test_odd_access);
    g_test_add_func("/bus/own-doorbells", test_own_doorbells);
    g_test_add_func("/bus/host-doorbells", test_host_doorbells);
    g_test_add_func("/bus/look-up-while-ranges-move", test_look_up_while_ranges_move);
    return g_test_run();
}
