/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fw_cfg and a guest that touches its ports with any width, and has any DMA access carried out.
 *
 * The input is records: an operation and its arguments. Accesses by DMA lie at the beginning of RAM, in any order and over
 * each other, or anywhere at all. After each record what is not writable is as it was, and what is has kept its length.
 */
#include "tests/fuzz/fuzz.h"
#include "vmm/firmware/fw_cfg.h"

#include <linux/qemu_fw_cfg.h>
#include <string.h>

#define RAM (1u << 20)
#define PLAYGROUND 256 /* bytes of RAM that accesses are written to */
#define WRITABLE_SIZE 28
#define FIRST_LINE "the quick brown fox"

enum {
    OP_READ,  /* port and width (1) */
    OP_WRITE, /* port and width (1), value (4) */
    OP_RAM,   /* offset (1), length (1), bytes */
    OP_DMA,   /* offset (1), control (4), length (2), address (3) */
    OP_AT,    /* the access's address (8) */
    OP_SAVE,  /* and loaded into itself after a reset */
    OP_RESET,
    N_OPS,
};

static void
check_changed(void *user, const uint8_t *bytes, size_t len)
{
    g_assert_cmpuint(len, ==, WRITABLE_SIZE);
}

static const FwCfgOps writable_ops = {.changed = check_changed};

static void
access_port(FwCfg *fw_cfg, FuzzInput *input, bool write)
{
    uint8_t where = fuzz_take(input, 1);
    unsigned size = 1u << (where >> 4) % 3, port = where % FW_CFG_PORTS;

    if (port + size > FW_CFG_PORTS)
        return; /* the bus cuts these */
    if (write)
        fw_cfg_bus_ops.write(fw_cfg, port, size, fuzz_take(input, 4));
    else
        fw_cfg_bus_ops.read(fw_cfg, port, size);
}

static void
run_dma(FwCfg *fw_cfg, uint64_t gpa)
{
    fw_cfg_bus_ops.write(fw_cfg, 4, 4, GUINT32_TO_BE((uint32_t)(gpa >> 32)));
    fw_cfg_bus_ops.write(fw_cfg, 8, 4, GUINT32_TO_BE((uint32_t)gpa));
}

static void
save_and_load(FwCfg *fw_cfg)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;

    state_save(fw_cfg_device_ops.state, fw_cfg, bytes);
    fw_cfg_device_ops.reset(fw_cfg);
    state_load(fw_cfg_device_ops.state, fw_cfg, 1, bytes->data, bytes->len, &error);
    g_assert_no_error(error);
}

static void
run(FwCfg *fw_cfg, uint8_t *ram, FuzzInput *input)
{
    struct fw_cfg_dma_access access;
    size_t len;
    uint8_t offset;

    switch (fuzz_take(input, 1) % N_OPS) {
    case OP_READ:
        access_port(fw_cfg, input, false);
        break;
    case OP_WRITE:
        access_port(fw_cfg, input, true);
        break;
    case OP_RAM:
        offset = fuzz_take(input, 1);
        len = fuzz_take(input, 1);
        len = MIN(len, input->left);
        memcpy(ram + offset, input->at, len);
        input->at += len;
        input->left -= len;
        break;
    case OP_DMA:
        offset = fuzz_take(input, 1);
        access.control = GUINT32_TO_BE((uint32_t)fuzz_take(input, 4));
        access.length = GUINT32_TO_BE((uint32_t)fuzz_take(input, 2));
        access.address = GUINT64_TO_BE(fuzz_take(input, 3));
        memcpy(ram + offset, &access, sizeof(access));
        run_dma(fw_cfg, offset);
        break;
    case OP_AT:
        run_dma(fw_cfg, fuzz_take(input, 8));
        break;
    case OP_SAVE:
        save_and_load(fw_cfg);
        break;
    case OP_RESET:
        fw_cfg_device_ops.reset(fw_cfg);
        break;
    }
}

/* Without disturbing where the guest is reading: that is saved and put back. */
static void
check(FwCfg *fw_cfg)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    state_save(fw_cfg_device_ops.state, fw_cfg, bytes);
    fw_cfg_bus_ops.write(fw_cfg, 0, 2, FW_CFG_FILE_FIRST);
    for (const char *at = FIRST_LINE; *at; at++)
        g_assert_cmphex(fw_cfg_bus_ops.read(fw_cfg, 1, 1), ==, *at);
    g_assert_cmphex(fw_cfg_bus_ops.read(fw_cfg, 1, 1), ==, 0);
    g_assert_true(state_load(fw_cfg_device_ops.state, fw_cfg, 1, bytes->data, bytes->len, NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const uint8_t zeros[WRITABLE_SIZE];
    FuzzInput input = {bytes, len};
    g_autoptr(GuestMemory) memory = guest_memory_new(&(GuestMemoryOptions){.size = RAM}, NULL);
    FwCfg *fw_cfg = fw_cfg_new(memory);

    fw_cfg_add_file(fw_cfg, "a", FIRST_LINE, strlen(FIRST_LINE));
    fw_cfg_add_writable(fw_cfg, "b", zeros, sizeof(zeros), &writable_ops, NULL);
    while (input.left) {
        run(fw_cfg, guest_memory_at(memory, 0, 2 * PLAYGROUND), &input);
        check(fw_cfg);
    }
    fw_cfg_device_ops.free(fw_cfg);
    return 0;
}
