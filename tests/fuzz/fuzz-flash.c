/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flash chip and a guest that writes any commands anywhere, with any width.
 *
 * The input is records: an operation and its arguments. Whenever the array can be read, the file holds what the guest sees;
 * a save and a load change nothing.
 */
#include "tests/fuzz/fuzz.h"
#include "vmm/firmware/flash.h"

#include <string.h>
#include <unistd.h>

#define SIZE (3 * FLASH_BLOCK_SIZE)

enum {
    OP_WRITE, /* offset (2), width (1), value (1) */
    OP_READ,  /* offset (2), width (1) */
    OP_RUN,   /* offset (2), bytes (1): programmed one by one, then the array */
    OP_SAVE,
    OP_RESET,
    OP_QUIESCE,
    N_OPS,
};

static bool array;

static void
on_show(void *user, bool is_array)
{
    array = is_array;
}

static const FlashOps ops = {.show = on_show};

static void
save_and_load(Flash *flash)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    bool was_array = array;

    flash_device_ops.quiesce(flash);
    state_save(flash_device_ops.state, flash, bytes);
    flash_device_ops.reset(flash);
    g_assert_true(state_load(flash_device_ops.state, flash, 1, bytes->data, bytes->len, NULL));
    flash_device_ops.resume(flash);
    g_assert_true(array == was_array);
}

static void
run(Flash *flash, FuzzInput *input)
{
    uint32_t offset;
    unsigned size;
    uint8_t n;

    switch (fuzz_take(input, 1) % N_OPS) {
    case OP_WRITE:
        offset = fuzz_take(input, 2) % SIZE;
        size = 1u << fuzz_take(input, 1) % 4;
        if (offset + size <= SIZE)
            flash_bus_ops.write(flash, offset, size, fuzz_take(input, 1) * 0x0101010101010101ull);
        break;
    case OP_READ:
        offset = fuzz_take(input, 2) % SIZE;
        size = 1u << fuzz_take(input, 1) % 4;
        if (offset + size <= SIZE)
            flash_bus_ops.read(flash, offset, size);
        break;
    case OP_RUN:
        offset = fuzz_take(input, 2) % (SIZE - UINT8_MAX);
        n = fuzz_take(input, 1);
        for (unsigned i = 0; i < n; i++) {
            flash_bus_ops.write(flash, offset + i, 1, 0x10);
            flash_bus_ops.write(flash, offset + i, 1, i);
        }
        flash_bus_ops.write(flash, offset, 1, 0xff);
        break;
    case OP_SAVE:
        save_and_load(flash);
        break;
    case OP_RESET:
        flash_device_ops.reset(flash);
        break;
    case OP_QUIESCE:
        flash_device_ops.quiesce(flash);
        flash_device_ops.resume(flash);
        break;
    }
}

static void
check(Flash *flash, int fd)
{
    uint8_t in_file[SIZE];

    if (!array)
        return;
    g_assert_cmpint(pread(fd, in_file, SIZE, 0), ==, SIZE);
    g_assert_cmpmem(in_file, SIZE, flash_bytes(flash), SIZE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const uint8_t blank[SIZE];
    FuzzInput input = {bytes, len};
    int fd = fuzz_file(blank, SIZE);
    Flash *flash = flash_new(dup(fd), "fuzz.fd", NULL);

    array = true;
    flash_set_user(flash, &ops, NULL);
    while (input.left) {
        run(flash, &input);
        check(flash, fd);
    }
    flash_device_ops.free(flash);
    return 0;
}
