/* SPDX-License-Identifier: Apache-2.0 */
/* The flash chip: modes, programming and erasing as OVMF does it, what reaches the file and when, save and load. */
#include "vmm/firmware/flash.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCKS 4
#define SIZE (BLOCKS * FLASH_BLOCK_SIZE)

typedef struct {
    int file; /* the test's own descriptor of it */
    Flash *flash;
    bool array;
    unsigned shown, failed;
} Fixture;

static void
on_show(void *user, bool array)
{
    Fixture *fixture = user;
    fixture->array = array;
    fixture->shown++;
}

static void
on_failed(void *user, const char *detail)
{
    Fixture *fixture = user;
    g_assert_nonnull(strstr(detail, "vars.fd: cannot write the UEFI variables: "));
    fixture->failed++;
}

static const FlashOps ops = {.show = on_show, .failed = on_failed};

static int
make_file(size_t size)
{
    int fd = memfd_create("vars", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    g_autofree uint8_t *bytes = g_malloc(size + 1);

    for (size_t i = 0; i < size; i++)
        bytes[i] = i / FLASH_BLOCK_SIZE + 1;
    g_assert_cmpint(pwrite(fd, bytes, size, 0), ==, size);
    return fd;
}

static void
fixture_init(Fixture *fixture)
{
    *fixture = (Fixture){.file = make_file(SIZE), .array = true};
    fixture->flash = flash_new(dup(fixture->file), "vars.fd", NULL);
    g_assert_nonnull(fixture->flash);
    flash_set_user(fixture->flash, &ops, fixture);
}

static void
fixture_finish(Fixture *fixture)
{
    flash_device_ops.free(fixture->flash);
    close(fixture->file);
}

static uint8_t
in(Fixture *fixture, uint64_t offset)
{
    return flash_bus_ops.read(fixture->flash, offset, 1);
}

static void
out(Fixture *fixture, uint64_t offset, uint8_t value)
{
    flash_bus_ops.write(fixture->flash, offset, 1, value);
}

static void
program(Fixture *fixture, uint64_t offset, const char *text)
{
    for (; *text; text++, offset++) {
        out(fixture, offset, 0x10);
        out(fixture, offset, *text);
    }
    out(fixture, offset - 1, 0xff);
}

static uint8_t
in_file(const Fixture *fixture, uint64_t offset)
{
    uint8_t byte;
    g_assert_cmpint(pread(fixture->file, &byte, 1, offset), ==, 1);
    return byte;
}

/* How OVMF finds out that there is a chip: QemuFlashDetected(). */
static void
test_detected(void)
{
    Fixture f;
    fixture_init(&f);
    uint8_t original = flash_bytes(f.flash)[0];
    out(&f, 0, 0x50);
    g_assert_true(f.array);
    g_assert_cmphex(in(&f, 0), ==, original);
    out(&f, 0, 0x70);
    g_assert_false(f.array);
    g_assert_cmphex(in(&f, 0), ==, 0x00);
    out(&f, 0, 0x10);
    out(&f, 0, original);
    out(&f, 0, 0x70);
    g_assert_cmphex(in(&f, 0) & 0x10, ==, 0);
    out(&f, 0, 0xff);
    g_assert_true(f.array);
    g_assert_cmphex(in(&f, 0), ==, original);
    fixture_finish(&f);
}

static void
test_program(void)
{
    Fixture f;
    fixture_init(&f);
    program(&f, 100, "variable");
    g_assert_cmpuint(f.shown, ==, 2); /* away and back, however many bytes */
    g_assert_cmpmem(flash_bytes(f.flash) + 100, 8, "variable", 8);
    g_assert_cmphex(flash_bytes(f.flash)[99], ==, 1);
    g_assert_cmphex(flash_bytes(f.flash)[108], ==, 1);
    for (unsigned i = 0; i < 8; i++)
        g_assert_cmphex(in_file(&f, 100 + i), ==, "variable"[i]);
    out(&f, 7, 0x40); /* the other command; the status is ready afterwards */
    out(&f, 7, 'x');
    g_assert_cmphex(in(&f, 1234), ==, 0x80);
    fixture_finish(&f);
}

static void
test_erase(void)
{
    Fixture f;
    fixture_init(&f);
    out(&f, FLASH_BLOCK_SIZE + 17, 0x20);
    g_assert_cmphex(flash_bytes(f.flash)[FLASH_BLOCK_SIZE], ==, 2);
    out(&f, FLASH_BLOCK_SIZE + 17, 0xd0);
    g_assert_cmphex(in(&f, 0), ==, 0x80);
    for (uint64_t i = 0; i < SIZE; i += FLASH_BLOCK_SIZE / 2) {
        uint8_t expected = i / FLASH_BLOCK_SIZE == 1 ? 0xff : i / FLASH_BLOCK_SIZE + 1;
        g_assert_cmphex(flash_bytes(f.flash)[i], ==, expected);
        g_assert_cmphex(in_file(&f, i), ==, expected);
    }
    out(&f, 0, 0x20); /* not confirmed */
    out(&f, 0, 0x00);
    g_assert_cmphex(in(&f, 0), ==, 0xb0);
    g_assert_cmphex(flash_bytes(f.flash)[0], ==, 1);
    out(&f, 0, 0x50);
    out(&f, 0, 0x70);
    g_assert_cmphex(in(&f, 0), ==, 0);
    fixture_finish(&f);
}

static void
test_identity(void)
{
    Fixture f;
    fixture_init(&f);
    out(&f, 0, 0x90);
    g_assert_cmphex(in(&f, 0), ==, 0x89);
    g_assert_cmphex(in(&f, 1), ==, 0x18);
    out(&f, 0, 0x98);
    g_assert_cmphex(flash_bus_ops.read(f.flash, 0x10, 4) & 0xffffff, ==, 'Q' | 'R' << 8 | 'Y' << 16);
    g_assert_cmphex(in(&f, 0x13), ==, 1);
    g_assert_cmpuint(1u << in(&f, 0x27), ==, SIZE);
    g_assert_cmpuint(flash_bus_ops.read(f.flash, 0x2d, 2) + 1, ==, BLOCKS);
    g_assert_cmpuint(flash_bus_ops.read(f.flash, 0x2f, 2) << 8, ==, FLASH_BLOCK_SIZE);
    g_assert_cmphex(in(&f, 0x1000), ==, 0);
    fixture_finish(&f);
}

/* The file never holds something without what came before it. */
static void
test_order(void)
{
    Fixture f;
    fixture_init(&f);
    out(&f, 10, 0x10);
    out(&f, 10, 'a');
    out(&f, 11, 0x10);
    out(&f, 11, 'b');
    g_assert_cmphex(in_file(&f, 10), ==, 1); /* a run still going on */
    out(&f, 5000, 0x10);
    out(&f, 5000, 'c'); /* another begins */
    g_assert_cmphex(in_file(&f, 10), ==, 'a');
    g_assert_cmphex(in_file(&f, 11), ==, 'b');
    g_assert_cmphex(in_file(&f, 5000), ==, 2);
    out(&f, 0, 0x20);
    g_assert_cmphex(in_file(&f, 5000), ==, 'c');
    out(&f, 0, 0xd0);
    g_assert_cmphex(in_file(&f, 10), ==, 0xff);
    out(&f, 20, 0xff);
    out(&f, 20, 0x10);
    out(&f, 20, 'd');
    flash_device_ops.quiesce(f.flash);
    g_assert_cmphex(in_file(&f, 20), ==, 'd');
    flash_device_ops.resume(f.flash);
    fixture_finish(&f);
}

/* A file that cannot be written is reported each time it is tried, and is right when it can be. */
static void
test_failure(void)
{
    Fixture f;
    g_autofree char *path = NULL;
    int good = g_file_open_tmp("vars-XXXXXX", &path, NULL);
    g_autofree uint8_t *bytes = g_malloc0(SIZE);

    g_assert_cmpint(write(good, bytes, SIZE), ==, SIZE);
    close(good);
    f = (Fixture){.file = open(path, O_RDONLY | O_CLOEXEC), .array = true};
    f.flash = flash_new(dup(f.file), "vars.fd", NULL);
    flash_set_user(f.flash, &ops, &f);
    program(&f, 30, "new");
    g_assert_cmpuint(f.failed, ==, 1);
    g_assert_cmpmem(flash_bytes(f.flash) + 30, 3, "new", 3);
    program(&f, 9000, "more");
    g_assert_cmpuint(f.failed, >, 1);
    unsigned before = f.failed;
    flash_device_ops.resume(f.flash);
    g_assert_cmpuint(f.failed, ==, before + 1);
    unlink(path);
    fixture_finish(&f);
}

static void
test_reset(void)
{
    Fixture f;
    fixture_init(&f);
    out(&f, 0, 0x40);
    g_assert_false(f.array);
    flash_device_ops.reset(f.flash);
    g_assert_true(f.array);
    out(&f, 0, 0x70);
    g_assert_cmphex(in(&f, 0), ==, 0);
    fixture_finish(&f);
}

static void
test_state(void)
{
    Fixture a, b;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    fixture_init(&a);
    fixture_init(&b);
    program(&a, 50, "saved");
    out(&a, 60, 0x10); /* the byte is still to come */
    state_save(flash_device_ops.state, a.flash, bytes);
    g_assert_true(state_load(flash_device_ops.state, b.flash, 1, bytes->data, bytes->len, NULL));
    g_assert_false(b.array);
    flash_device_ops.resume(b.flash);
    out(&b, 60, '!');
    out(&b, 60, 0xff);
    g_assert_true(b.array);
    g_assert_cmpmem(flash_bytes(b.flash) + 50, 5, "saved", 5);
    g_assert_cmphex(in_file(&b, 50), ==, 's');
    g_assert_cmphex(in_file(&b, 60), ==, '!');
    fixture_finish(&a);
    fixture_finish(&b);
}

static void
test_foreign_state(void)
{
    Fixture f;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    int other = make_file(2 * SIZE);
    Flash *larger = flash_new(other, "larger", NULL);
    fixture_init(&f);
    state_save(flash_device_ops.state, larger, bytes);
    g_assert_false(state_load(flash_device_ops.state, f.flash, 1, bytes->data, bytes->len, &error));
    g_assert_error(error, STATE_ERROR, STATE_ERROR_FOREIGN);
    g_clear_error(&error);
    g_byte_array_set_size(bytes, 0);
    state_save(flash_device_ops.state, f.flash, bytes);
    bytes->data[0] = 77; /* no such mode */
    g_assert_false(state_load(flash_device_ops.state, f.flash, 1, bytes->data, bytes->len, &error));
    g_assert_cmphex(flash_bytes(f.flash)[0], ==, 1);
    flash_device_ops.free(larger);
    fixture_finish(&f);
}

static void
test_sizes(void)
{
    static const struct {
        size_t size;
        bool valid;
    } sizes[] = {{0, false},
                 {FLASH_BLOCK_SIZE, false},
                 {2 * FLASH_BLOCK_SIZE, true},
                 {2 * FLASH_BLOCK_SIZE + 1, false},
                 {540672, true},
                 {FLASH_SIZE_MAX, true},
                 {FLASH_SIZE_MAX + FLASH_BLOCK_SIZE, false}};

    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autoptr(GError) error = NULL;
        Flash *flash = flash_new(make_file(sizes[i].size), "x", &error);
        g_assert_true(flash_size_is_valid(sizes[i].size) == sizes[i].valid);
        g_assert_true((flash != NULL) == sizes[i].valid);
        g_assert_true((error != NULL) != sizes[i].valid);
        flash_device_ops.free(flash);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/flash/detected", test_detected);
    g_test_add_func("/flash/program", test_program);
    g_test_add_func("/flash/erase", test_erase);
    g_test_add_func("/flash/identity", test_identity);
    g_test_add_func("/flash/order", test_order);
    g_test_add_func("/flash/failure", test_failure);
    g_test_add_func("/flash/reset", test_reset);
    g_test_add_func("/flash/state", test_state);
    g_test_add_func("/flash/foreign-state", test_foreign_state);
    g_test_add_func("/flash/sizes", test_sizes);
    return g_test_run();
}
