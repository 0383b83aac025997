/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TPM through its command response buffer (TCG PC Client Platform TPM Profile 1.05, 6.5.3): found by ACPI, driven as
 * firmware and Linux do, and as nobody should. Around a save, which the harness makes, a measured register stays what it is.
 */
#include "acpi.h"
#include "clock.h"
#include "cpu.h"
#include "start.h"
#include "tap.h"
#include "text.h"

#define LOC_STATE 0x00
#define LOC_CTRL 0x08
#define LOC_STS 0x0c
#define INTF_ID 0x30
#define CTRL_REQ 0x40
#define CTRL_STS 0x44
#define CTRL_START 0x4c
#define CMD_SIZE 0x58
#define CMD_ADDR 0x5c
#define BUFFER 0x80

#define CONTROL_AREA 0x40
#define START_METHOD_CRB 7
#define HEADER 10

static uint64_t base;
static uint32_t size;

static const uint8_t startup[] = {0x80, 0x01, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0};
static const uint8_t pcr_read[] = {0x80, 0x01, 0, 0,    0, 20, 0, 0, 1, 0x7e, /* PCR 16 of SHA-256 */
                                   0,    0,    0, 0x01, 0, 11, 3, 0, 0, 0x01};
static const uint8_t pcr_extend[65] = {0x80, 0x02, 0, 0, 0, 65, 0, 0, 1, 0x82, 0, 0, 0, 16, 0, 0,  0,
                                       9,    0x40, 0, 0, 9, 0,  0, 0, 0, 0,    0, 0, 0, 1,  0, 11, 0xab};

static uint32_t
in(uint32_t offset)
{
    return mmio_read32(base + offset);
}

static void
out(uint32_t offset, uint32_t value)
{
    mmio_write32(base + offset, value);
}

static bool
find(void)
{
    const AcpiTable *table = acpi_table("TPM2", 0);
    uint64_t area;

    if (!ok(table && table->length >= 52 && acpi_checksum(table, table->length) == 0, "acpi: a sound TPM2 table"))
        return false;
    memcpy(&area, (const char *)table + 40, sizeof(area));
    ok_equal(((const uint8_t *)table)[48], START_METHOD_CRB, "acpi: commands are started by the CRB");
    base = area - CONTROL_AREA;
    ok_equal(base, 0xfed40000, "acpi: where the TCG wants it");
    ok_equal(in(INTF_ID) & 0xf, 1, "registers: the interface is a CRB");
    ok_equal(in(CMD_ADDR), base + BUFFER, "registers: the buffer follows them");
    size = in(CMD_SIZE);
    return ok(size >= 1024 && size <= 0x1000 - BUFFER, "registers: and has %u bytes", size);
}

static void
put(const uint8_t *command, size_t length)
{
    for (size_t i = 0; i + 4 <= length; i += 4) {
        uint32_t word;
        memcpy(&word, command + i, 4);
        out(BUFFER + i, word);
    }
    for (size_t i = length & ~3ul; i < length; i++)
        mmio_write8(base + BUFFER + i, command[i]);
}

static bool
wait_done(void)
{
    uint64_t end = clock_ns() + SECONDS(20);

    while (in(CTRL_START) && clock_ns() < end)
        cpu_pause();
    return !in(CTRL_START);
}

/* The response's code, or ~0 where there is no response. */
static uint32_t
run(const uint8_t *command, size_t length)
{
    put(command, length);
    out(CTRL_START, 1);
    if (!wait_done() || in(CTRL_STS) & 1)
        return ~0u;
    return __builtin_bswap32(mmio_read32(base + BUFFER + 6));
}

static void
read_pcr(uint8_t digest[32])
{
    ok_equal(run(pcr_read, sizeof(pcr_read)), 0, "command: TPM2_PCR_Read");
    for (unsigned i = 0; i < 32; i++)
        digest[i] = mmio_read8(base + BUFFER + 30 + i);
}

static void
take(void)
{
    out(LOC_CTRL, 1);
    ok_equal(in(LOC_STS) & 1, 1, "locality: granted");
    ok_equal(in(LOC_STATE) & 0x9f, 0x83, "locality: 0 is the active one");
    out(CTRL_REQ, 1);
    ok_equal(in(CTRL_REQ), 0, "ready: the request is done");
    ok_equal(in(CTRL_STS), 0, "ready: neither idle nor failed");
}

static void
test_hostile(void)
{
    static const uint32_t sizes[] = {0, 1, HEADER - 1, 0x1000, 0x80000000, 0xffffffff};
    uint8_t command[12] = {0x80, 0x01};

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint32_t big = __builtin_bswap32(sizes[i]);
        memcpy(command + 2, &big, 4);
        ok_equal(run(command, sizeof(command)), 0x142, "hostile: a command of %u bytes has a wrong size", sizes[i]);
    }
    uint8_t longest[16] = {0x80, 0x01, 0, 0, size >> 8, size & 0xff, 0, 0, 1, 0x44};
    ok(run(longest, sizeof(longest)) != ~0u, "hostile: rubbish as long as the buffer is answered");
    memset(command, 0xff, sizeof(command));
    command[2] = command[3] = command[4] = 0;
    command[5] = sizeof(command);
    ok(run(command, sizeof(command)) != ~0u, "hostile: a command nobody knows is answered");
    for (uint32_t offset = 0; offset < BUFFER; offset += 4) /* all but what ends the tests */
        if (offset != LOC_CTRL && offset != CTRL_REQ && offset != CTRL_START)
            out(offset, 0xffffffff);
    for (uint32_t offset = 0; offset <= 0x1000 - 8; offset++)
        (void)mmio_read64(base + offset);
    ok_equal(in(CTRL_STS), 0, "hostile: it has not failed");
}

void
guest_main(void)
{
    uint8_t zero[32] = {0}, before[32], after[32];

    if (!find()) {
        tap_done();
        return;
    }
    out(BUFFER, 0x12345678);
    ok_equal(in(BUFFER), 0, "locality: without it the buffer takes nothing");
    take();
    ok_equal(run(startup, sizeof(startup)), 0, "command: TPM2_Startup");
    read_pcr(before);
    ok(memcmp(before, zero, 32) == 0, "register 16 is zero at first");
    ok_equal(run(pcr_extend, sizeof(pcr_extend)), 0, "command: TPM2_PCR_Extend");
    read_pcr(before);
    ok(memcmp(before, zero, 32) != 0, "and is not after it was extended");
    test_hostile();
    ask_harness("save");
    ok_equal(in(LOC_STATE) & 0x9f, 0x83, "saved: the locality is still ours");
    read_pcr(after);
    ok(memcmp(before, after, 32) == 0, "saved: the register is what it was");
    out(CTRL_REQ, 2);
    ok_equal(in(CTRL_STS), 2, "idle when asked");
    out(LOC_CTRL, 2);
    ok_equal(in(LOC_STATE) & 2, 0, "locality: given back");
    tap_done();
}
