/* SPDX-License-Identifier: Apache-2.0 */
/* The CRB's registers in front of a real swtpm: as a driver uses them, and as it should not; reset, save and load, loss. */
#include "real_swtpm.h"
#include "vmm/board/memory_map.h"
#include "vmm/tpm/crb.h"

#include <signal.h>
#include <string.h>

#define LOC_STATE 0x00
#define LOC_CTRL 0x08
#define LOC_STS 0x0c
#define INTF_ID 0x30
#define CTRL_REQ 0x40
#define CTRL_STS 0x44
#define CTRL_CANCEL 0x48
#define CTRL_START 0x4c
#define CMD_SIZE 0x58
#define CMD_ADDR 0x5c
#define RSP_SIZE 0x64
#define RSP_ADDR 0x68
#define BUFFER 0x80
#define SIZE 3968

static const uint8_t startup[] = {0x80, 0x01, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0};
static const uint8_t pcr_read[] = {0x80, 0x01, 0, 0,    0, 20, 0, 0, 1, 0x7e, /* PCR 16 of SHA-256 */
                                   0,    0,    0, 0x01, 0, 11, 3, 0, 0, 0x01};
/* PCR 16 (the debug one), no password, one SHA-256 digest of 32 times 0xab. */
static const uint8_t pcr_extend[] = {0x80, 0x02, 0,    0,    0,    65,   0,    0,    1,    0x82, 0,    0,    0,
                                     16,   0,    0,    0,    9,    0x40, 0,    0,    9,    0,    0,    0,    0,
                                     0,    0,    0,    0,    1,    0,    11,   0xab, 0xab, 0xab, 0xab, 0xab, 0xab,
                                     0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab,
                                     0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab};

typedef struct {
    RealSwtpm real;
    Crb *crb;
    char *reported;
} Fixture;

static void
on_report(void *user, const char *message)
{
    Fixture *fixture = user;
    g_assert_null(fixture->reported);
    fixture->reported = g_strdup(message);
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    *fixture = (Fixture){0};
    real_swtpm_start(&fixture->real);
    fixture->crb = crb_new(g_steal_fd(&fixture->real.control), on_report, fixture, &error);
    g_assert_no_error(error);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    crb_device_ops.free(fixture->crb);
    real_swtpm_finish(&fixture->real);
    g_free(fixture->reported);
}

static uint32_t
in(Fixture *fixture, uint64_t offset)
{
    return crb_bus_ops.read(fixture->crb, offset, 4);
}

static void
out(Fixture *fixture, uint64_t offset, uint32_t value)
{
    crb_bus_ops.write(fixture->crb, offset, 4, value);
}

static void
put(Fixture *fixture, const uint8_t *command, size_t len)
{
    for (size_t i = 0; i < len; i++)
        crb_bus_ops.write(fixture->crb, BUFFER + i, 1, command[i]);
}

static void
take_locality(Fixture *fixture)
{
    out(fixture, LOC_CTRL, 1);
    out(fixture, CTRL_REQ, 1);
}

static void
wait_done(Fixture *fixture)
{
    while (in(fixture, CTRL_START))
        g_main_context_iteration(NULL, TRUE);
}

/* The response's code; its bytes are in the buffer. */
static uint32_t
run(Fixture *fixture, const uint8_t *command, size_t len)
{
    put(fixture, command, len);
    out(fixture, CTRL_START, 1);
    wait_done(fixture);
    return GUINT32_FROM_BE(in(fixture, BUFFER + 6));
}

#define RUN(fixture, command) run(fixture, command, sizeof(command))

static void
read_buffer(Fixture *fixture, uint8_t *to, size_t len)
{
    for (size_t i = 0; i < len; i++)
        to[i] = crb_bus_ops.read(fixture->crb, BUFFER + i, 1);
}

static void
test_registers(Fixture *fixture, gconstpointer data)
{
    g_assert_cmphex(in(fixture, LOC_STATE), ==, 0x81);
    g_assert_cmphex(in(fixture, LOC_STS), ==, 0);
    g_assert_cmphex(in(fixture, INTF_ID) & 0xf, ==, 1);
    g_assert_cmphex(in(fixture, INTF_ID) >> 17 & 3, ==, 1);
    g_assert_cmphex(in(fixture, CTRL_STS), ==, 2); /* idle */
    g_assert_cmpuint(in(fixture, CMD_SIZE), ==, SIZE);
    g_assert_cmpuint(in(fixture, RSP_SIZE), ==, SIZE);
    g_assert_cmphex(in(fixture, CMD_ADDR), ==, BOARD_TPM_BASE + BUFFER);
    g_assert_cmphex(crb_bus_ops.read(fixture->crb, RSP_ADDR, 8), ==, BOARD_TPM_BASE + BUFFER);
    g_assert_cmphex(crb_bus_ops.read(fixture->crb, INTF_ID, 8), ==, 0x101400025811);
    g_assert_cmphex(crb_bus_ops.read(fixture->crb, INTF_ID + 1, 1), ==, 0x58);

    out(fixture, LOC_CTRL, 1);
    g_assert_cmphex(in(fixture, LOC_STATE), ==, 0x83);
    g_assert_cmphex(in(fixture, LOC_STS), ==, 1);
    out(fixture, CTRL_REQ, 1);
    g_assert_cmphex(in(fixture, CTRL_REQ), ==, 0); /* done at once */
    g_assert_cmphex(in(fixture, CTRL_STS), ==, 0);
    out(fixture, CTRL_REQ, 2);
    g_assert_cmphex(in(fixture, CTRL_STS), ==, 2);
    out(fixture, LOC_CTRL, 2);
    g_assert_cmphex(in(fixture, LOC_STATE), ==, 0x81);
}

static void
test_commands(Fixture *fixture, gconstpointer data)
{
    uint8_t zero[32] = {0}, response[62];

    take_locality(fixture);
    g_assert_cmphex(RUN(fixture, pcr_read), ==, 0x100); /* not started */
    g_assert_cmphex(RUN(fixture, startup), ==, 0);
    g_assert_cmphex(RUN(fixture, pcr_read), ==, 0);
    read_buffer(fixture, response, sizeof(response));
    g_assert_cmpmem(response + 30, 32, zero, 32);
    g_assert_cmphex(RUN(fixture, pcr_extend), ==, 0);
    g_assert_cmphex(RUN(fixture, pcr_read), ==, 0);
    read_buffer(fixture, response, sizeof(response));
    g_assert_cmpint(memcmp(response + 30, zero, 32), !=, 0);

    crb_device_ops.quiesce(fixture->crb);
    crb_device_ops.reset(fixture->crb);
    take_locality(fixture);
    g_assert_cmphex(RUN(fixture, startup), ==, 0);
    g_assert_cmphex(RUN(fixture, pcr_read), ==, 0);
    read_buffer(fixture, response, sizeof(response));
    g_assert_cmpmem(response + 30, 32, zero, 32); /* of a fresh start */
    g_assert_null(fixture->reported);
}

/* Sizes that no command has, and words at the wrong moment. */
static void
test_hostile(Fixture *fixture, gconstpointer data)
{
    static const uint32_t sizes[] = {0, 9, SIZE + 1, 0x7fffffff, UINT32_MAX};

    put(fixture, startup, sizeof(startup)); /* nobody has the locality: not taken */
    out(fixture, CTRL_REQ, 1);
    out(fixture, CTRL_START, 1);
    g_assert_cmphex(in(fixture, CTRL_START), ==, 0);
    g_assert_cmphex(in(fixture, CTRL_STS), ==, 2);
    g_assert_cmphex(in(fixture, BUFFER), ==, 0);
    out(fixture, LOC_CTRL, 1);
    g_assert_cmphex(in(fixture, CTRL_STS), ==, 2);
    g_assert_cmphex(RUN(fixture, startup), ==, 0); /* as SeaBIOS does it: it was idle */
    g_assert_cmphex(in(fixture, CTRL_STS), ==, 0);

    take_locality(fixture);
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        uint8_t command[12] = {0x80, 0x01, sizes[i] >> 24, sizes[i] >> 16, sizes[i] >> 8, sizes[i]};
        g_assert_cmphex(RUN(fixture, command), ==, 0x142);
    }
    uint8_t longest[SIZE] = {0x80, 0x01, 0, 0, SIZE >> 8, SIZE & 0xff, 0, 0, 1, 0x44};
    g_assert_cmphex(RUN(fixture, longest), !=, 0);
    for (uint64_t offset = 0; offset < BUFFER; offset++) { /* whatever these do, it is nothing bad */
        if (offset != CTRL_START)
            crb_bus_ops.write(fixture->crb, offset, 8, UINT64_MAX);
        crb_bus_ops.read(fixture->crb, offset, 8);
    }
    take_locality(fixture);
    g_assert_cmphex(RUN(fixture, startup), ==, 0x100); /* started already */

    /* While a command is under way nothing changes. */
    put(fixture, pcr_read, sizeof(pcr_read));
    out(fixture, CTRL_START, 1);
    put(fixture, startup, sizeof(startup));
    out(fixture, CTRL_REQ, 2);
    out(fixture, LOC_CTRL, 2);
    out(fixture, CTRL_CANCEL, 1);
    out(fixture, CTRL_START, 1);
    g_assert_cmphex(in(fixture, BUFFER + 4) & 0xffff, ==, 20 << 8);
    g_assert_cmphex(in(fixture, LOC_STATE), ==, 0x83);
    wait_done(fixture);
    g_assert_cmphex(in(fixture, CTRL_STS), ==, 0);
    g_assert_null(fixture->reported);
}

static void
test_save(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    uint8_t before[62], after[62];
    Fixture other;

    take_locality(fixture);
    RUN(fixture, startup);
    RUN(fixture, pcr_extend);
    put(fixture, pcr_read, sizeof(pcr_read));
    out(fixture, CTRL_START, 1);
    crb_device_ops.quiesce(fixture->crb); /* the response comes first */
    g_assert_cmphex(in(fixture, CTRL_START), ==, 0);
    read_buffer(fixture, before, sizeof(before));
    g_assert_true(crb_fetch_state(fixture->crb, &error));
    state_save(crb_device_ops.state, fixture->crb, bytes);

    set_up(&other, NULL);
    g_assert_true(state_load(crb_device_ops.state, other.crb, 1, bytes->data, bytes->len, &error));
    g_assert_no_error(error);
    read_buffer(&other, after, sizeof(after));
    g_assert_cmpmem(before, sizeof(before), after, sizeof(after));
    g_assert_cmphex(RUN(&other, pcr_read), ==, 0); /* started, and locality and readiness are as they were */
    read_buffer(&other, after, sizeof(after));
    g_assert_cmpmem(before, sizeof(before), after, sizeof(after));
    tear_down(&other, NULL);
    g_assert_cmphex(RUN(fixture, pcr_read), ==, 0); /* and the source goes on */
}

/* swtpm ends in the middle: one line, a TPM that has failed, and nothing else. */
static void
test_loss(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    take_locality(fixture);
    RUN(fixture, startup);
    kill(fixture->real.pid, SIGKILL);
    put(fixture, pcr_read, sizeof(pcr_read));
    out(fixture, CTRL_START, 1);
    wait_done(fixture);
    while (!fixture->reported)
        g_main_context_iteration(NULL, TRUE);
    g_assert_nonnull(strstr(fixture->reported, "TPM is lost"));
    g_assert_cmphex(in(fixture, CTRL_STS) & 1, ==, 1);
    out(fixture, CTRL_START, 1);
    g_assert_cmphex(in(fixture, CTRL_START), ==, 0);
    crb_device_ops.quiesce(fixture->crb);
    g_assert_true(crb_fetch_state(fixture->crb, &error)); /* it is saved as what it is */
    state_save(crb_device_ops.state, fixture->crb, bytes);
    crb_device_ops.reset(fixture->crb);
    g_assert_cmphex(in(fixture, CTRL_STS) & 1, ==, 1);
}

/* It ends while the desktop is saved: that is known by then, and no error of the save. */
static void
test_loss_at_save(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    crb_device_ops.quiesce(fixture->crb);
    kill(fixture->real.pid, SIGKILL);
    g_assert_true(crb_fetch_state(fixture->crb, &error));
    g_assert_no_error(error);
    g_assert_nonnull(fixture->reported);
    state_save(crb_device_ops.state, fixture->crb, bytes);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (!real_swtpm_is_there())
        return 77;
    g_test_add("/crb/registers", Fixture, NULL, set_up, test_registers, tear_down);
    g_test_add("/crb/commands", Fixture, NULL, set_up, test_commands, tear_down);
    g_test_add("/crb/hostile", Fixture, NULL, set_up, test_hostile, tear_down);
    g_test_add("/crb/save", Fixture, NULL, set_up, test_save, tear_down);
    g_test_add("/crb/loss", Fixture, NULL, set_up, test_loss, tear_down);
    g_test_add("/crb/loss-at-save", Fixture, NULL, set_up, test_loss_at_save, tear_down);
    return g_test_run();
}
