/* SPDX-License-Identifier: Apache-2.0 */
/* SCSI and MMC commands: what they plan, what they answer, and what they refuse. */
#include "usb/storage/scsi.h"

#include <string.h>

#define CD_BYTES (5000ull * 2048)
#define DISK_BYTES (1ull << 30)

static ScsiUnit
cd(void)
{
    ScsiUnit unit = {.cd = true, .read_only = true, .serial = "cd0"};
    scsi_medium_in(&unit, CD_BYTES);
    unit.changed = unit.event_new = false;
    return unit;
}

static ScsiUnit
disk(void)
{
    ScsiUnit unit = {.serial = "disk0"};
    scsi_medium_in(&unit, DISK_BYTES);
    unit.changed = false;
    return unit;
}

static ScsiPlan
plan(ScsiUnit *unit, const uint8_t *bytes, size_t len)
{
    ScsiPlan made;
    uint8_t block[SCSI_BLOCK_MAX] = {0};
    memcpy(block, bytes, len);
    scsi_plan(unit, block, len, &made);
    return made;
}
#define PLAN(unit, ...) plan(unit, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

#define assert_refused(unit, made, k, c)              \
    do {                                              \
        ScsiPlan refused = (made);                    \
        g_assert_true(refused.failed);                \
        g_assert_cmpint(refused.kind, ==, SCSI_NONE); \
        g_assert_cmphex((unit)->sense.key, ==, k);    \
        g_assert_cmphex((unit)->sense.code, ==, c);   \
    } while (0)

static void
test_inquiry(void)
{
    ScsiUnit unit = cd();
    ScsiPlan made = PLAN(&unit, 0x12, 0, 0, 0, 255);

    g_assert_cmpuint(made.reply_len, ==, 36);
    g_assert_true(made.reply[0] == 5 && made.reply[1] == 0x80 && made.reply[4] == 31);
    g_assert_cmpmem(made.reply + 8, 14, "Carrel  CD-ROM", 14);
    g_assert_cmpuint((PLAN(&unit, 0x12, 0, 0, 0, 5)).reply_len, ==, 5);
    made = PLAN(&unit, 0x12, 1, 0x80, 0, 255);
    g_assert_cmpmem(made.reply, made.reply_len, "\5\x80\0\3cd0", 7);
    made = PLAN(&unit, 0x12, 1, 0, 0, 255);
    g_assert_cmpuint(made.reply[3], ==, 3);
    assert_refused(&unit, PLAN(&unit, 0x12, 1, 0xc0, 0, 255), 5, 0x24);
    made = PLAN(&unit, 0x03, 0, 0, 0, 18); /* the sense of that … */
    g_assert_true(made.reply[2] == 5 && made.reply[12] == 0x24);
    made = PLAN(&unit, 0x03, 0, 0, 0, 18); /* … once */
    g_assert_true(made.reply[2] == 0 && made.reply[12] == 0);
}

static void
test_transfers(void)
{
    ScsiUnit unit = disk();
    ScsiPlan made = PLAN(&unit, 0x28, 0, 0, 0, 1, 0, 0, 0, 8);

    g_assert_true(made.kind == SCSI_READ && made.offset == 256 * 512 && made.len == 8 * 512);
    made = PLAN(&unit, 0x2a, 0, 0, 0x1f, 0xff, 0xff, 0, 0, 1); /* the last block */
    g_assert_true(made.kind == SCSI_WRITE && made.offset == DISK_BYTES - 512);
    assert_refused(&unit, PLAN(&unit, 0x2a, 0, 0, 0x1f, 0xff, 0xff, 0, 0, 2), 5, 0x21);
    assert_refused(&unit, PLAN(&unit, 0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 1), 5, 0x21);
    /* sums that wrap */
    assert_refused(&unit, PLAN(&unit, 0x88, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255), 5, 0x21);
    assert_refused(&unit, PLAN(&unit, 0x88, 0, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1), 5, 0x21);
    made = PLAN(&unit, 0x28, 0, 0, 0, 0, 0, 0, 0, 0); /* none is no error */
    g_assert_true(made.kind == SCSI_NONE && !made.failed);
    made = PLAN(&unit, 0x08, 0xe0, 0, 1, 0); /* 6 bytes: 0 is 256, and the LUN is no address */
    g_assert_true(made.kind == SCSI_READ && made.offset == 512 && made.len == 256 * 512);
    made = PLAN(&unit, 0x35);
    g_assert_cmpint(made.kind, ==, SCSI_SYNC);
    unit.read_only = true;
    assert_refused(&unit, PLAN(&unit, 0x2a, 0, 0, 0, 0, 0, 0, 0, 1), 7, 0x27);
    made = PLAN(&unit, 0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 255);
    g_assert_cmphex(made.reply[3], ==, 0x90);                 /* write protected; DPO and FUA are known */
    g_assert_cmpint((PLAN(&unit, 0x35)).kind, ==, SCSI_NONE); /* there is nothing to be written */
    g_assert_false((PLAN(&unit, 0x28, 8, 0, 0, 0, 1, 0, 0, 1)).stable);
    assert_refused(&unit, PLAN(&unit, 0x43, 0, 0, 0, 0, 0, 0, 0, 255), 5, 0x20); /* a disk is no CD */
    assert_refused(&unit, PLAN(&unit, 0xfe), 5, 0x20);
}

/* Writes that are to be on stable storage, and the cache that makes the others not be (SBC-3, 4.15, 6.5.5). */
static void
test_stable(void)
{
    ScsiUnit unit = disk();
    ScsiPlan made;

    g_assert_false((PLAN(&unit, 0x2a, 0, 0, 0, 0, 1, 0, 0, 1)).stable);
    g_assert_true((PLAN(&unit, 0x2a, 8, 0, 0, 0, 1, 0, 0, 1)).stable);
    g_assert_true((PLAN(&unit, 0xaa, 8, 0, 0, 0, 1, 0, 0, 0, 1)).stable);
    g_assert_true((PLAN(&unit, 0x8a, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1)).stable);
    g_assert_true((PLAN(&unit, 0x28, 8, 0, 0, 0, 1, 0, 0, 1)).stable);
    g_assert_false((PLAN(&unit, 0x0a, 8, 0, 1, 1)).stable); /* an address there */

    made = PLAN(&unit, 0x5a, 0, 0x08, 0, 0, 0, 0, 0, 255);
    g_assert_true(made.reply_len == 28 && made.reply[3] == 0x10);
    g_assert_true(made.reply[8] == 0x08 && made.reply[9] == 18 && made.reply[10] == 4);
    made = PLAN(&unit, 0x1a, 0, 0x48, 0, 255); /* what can be changed of it … */
    g_assert_true(made.reply[4] == 0x08 && made.reply[5] == 18 && made.reply[6] == 4 && made.reply[7] == 0);
    made = PLAN(&unit, 0x1a, 0, 0x41, 0, 255); /* … and of the others */
    g_assert_true(made.reply[4] == 0x01 && made.reply[5] == 10 && made.reply[6] == 0);

    made = PLAN(&unit, 0x15, 0x10, 0, 0, 24); /* off, behind a page that does not matter */
    g_assert_true(made.kind == SCSI_MODES && made.len == 24);
    memcpy(made.reply, "\0\0\0\0\1\2\3\4\x08\x12\0", 11);
    g_assert_true(scsi_set_modes(&unit, &made, 24));
    g_assert_false(scsi_set_modes(&unit, &made, 24)); /* is off already */
    g_assert_true((PLAN(&unit, 0x2a, 0, 0, 0, 0, 1, 0, 0, 1)).stable);
    g_assert_true((PLAN(&unit, 0x0a, 0, 0, 1, 1)).stable);
    g_assert_false((PLAN(&unit, 0x28, 0, 0, 0, 0, 1, 0, 0, 1)).stable);
    made = PLAN(&unit, 0x1a, 0, 0x08, 0, 255);
    g_assert_cmphex(made.reply[6], ==, 0);

    made = PLAN(&unit, 0x55, 0x10, 0, 0, 0, 0, 0, 0, 36); /* on again, behind a block descriptor */
    memcpy(made.reply, "\0\0\0\0\0\0\0\x08********\x08\x12\4", 19);
    g_assert_false(scsi_set_modes(&unit, &made, 18)); /* cut off before it says so */
    g_assert_true(unit.write_through);
    g_assert_false(scsi_set_modes(&unit, &made, 36));
    g_assert_false(unit.write_through);
    unit.write_through = true;
    scsi_reset(&unit);
    g_assert_false(unit.write_through);
}

static void
test_capacity(void)
{
    ScsiUnit unit = disk();
    ScsiPlan made = PLAN(&unit, 0x25);

    g_assert_cmpmem(made.reply, made.reply_len, "\0\x1f\xff\xff\0\0\2\0", 8);
    scsi_medium_in(&unit, 1ull << 42);
    unit.changed = false;
    made = PLAN(&unit, 0x25);
    g_assert_cmpmem(made.reply, 4, "\xff\xff\xff\xff", 4);
    made = PLAN(&unit, 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32);
    g_assert_cmpmem(made.reply, 12, "\0\0\0\1\xff\xff\xff\xff\0\0\2\0", 12);
    unit = cd();
    made = PLAN(&unit, 0x25);
    g_assert_cmpmem(made.reply, made.reply_len, "\0\0\x13\x87\0\0\x08\0", 8);
}

static void
test_toc(void)
{
    ScsiUnit unit = cd();
    ScsiPlan made = PLAN(&unit, 0x43, 0, 0, 0, 0, 0, 0, 3, 0x24);

    g_assert_cmpmem(made.reply, made.reply_len,
                    "\0\x12\1\1"
                    "\0\x14\1\0\0\0\0\0"
                    "\0\x14\xaa\0\0\0\x13\x88",
                    20);
    made = PLAN(&unit, 0x43, 2, 0, 0, 0, 0, 0xaa, 0, 12); /* the lead-out, in minutes */
    g_assert_cmpmem(made.reply, made.reply_len,
                    "\0\x0a\1\1"
                    "\0\x14\xaa\0\0\1\x08\x32",
                    12);
    made = PLAN(&unit, 0x43, 0, 2, 0, 0, 0, 0, 1, 0);
    g_assert_cmpuint(made.reply_len, ==, 4 + 44);
    made = PLAN(&unit, 0x43, 0, 1, 0, 0, 0, 0, 1, 0);
    g_assert_cmpuint(made.reply_len, ==, 12);
    assert_refused(&unit, PLAN(&unit, 0x43, 0, 5, 0, 0, 0, 0, 1, 0), 5, 0x24);
    assert_refused(&unit, PLAN(&unit, 0x43, 0, 0, 0, 0, 0, 7, 1, 0), 5, 0x24);
    made = PLAN(&unit, 0xbe, 0, 0, 0, 0, 16, 0, 0, 2, 0x10); /* user data of two blocks */
    g_assert_true(made.kind == SCSI_READ && made.offset == 16 * 2048 && made.len == 4096);
    assert_refused(&unit, PLAN(&unit, 0xbe, 4, 0, 0, 0, 16, 0, 0, 2, 0x10), 5, 0x24); /* audio */
    assert_refused(&unit, PLAN(&unit, 0xbe, 0, 0, 0, 0, 16, 0, 0, 2, 0xf8), 5, 0x24); /* raw */
}

static void
test_configuration(void)
{
    ScsiUnit unit = cd();
    ScsiPlan made = PLAN(&unit, 0x46, 0, 0, 0, 0, 0, 0, 1, 0);

    g_assert_cmphex(made.reply[7], ==, 0x08); /* CD-ROM */
    unsigned at = 8, n = 0;
    for (; at < made.reply_len; at += 4 + made.reply[at + 3])
        n++;
    g_assert_true(at == made.reply_len && n == 7);
    scsi_medium_in(&unit, 4ull << 30);
    made = PLAN(&unit, 0x46, 2, 0, 3, 0, 0, 0, 1, 0);
    g_assert_cmphex(made.reply[7], ==, 0x10); /* DVD-ROM */
    g_assert_cmpuint(made.reply_len, ==, 8 + 8);
    made = PLAN(&unit, 0x5a, 0, 0x2a, 0, 0, 0, 0, 1, 0);
    g_assert_true(made.reply[8] == 0x2a && made.reply_len == 8 + 20);
    assert_refused(&unit, PLAN(&unit, 0x5a, 0, 0x1c, 0, 0, 0, 0, 1, 0), 5, 0x24);
    assert_refused(&unit, PLAN(&unit, 0x5a, 0, 0xff, 0, 0, 0, 0, 1, 0), 5, 0x39);
    made = PLAN(&unit, 0x1a, 0, 0x3f, 0, 255);
    g_assert_cmpuint(made.reply[0], ==, made.reply_len - 1);
}

static void
test_media(void)
{
    ScsiUnit unit = cd();
    ScsiPlan made;

    PLAN(&unit, 0x1e, 0, 0, 0, 1);
    g_assert_true(unit.locked);
    assert_refused(&unit, PLAN(&unit, 0x1b, 0, 0, 0, 2), 5, 0x53);
    PLAN(&unit, 0x1e, 0, 0, 0, 0);
    made = PLAN(&unit, 0x1b, 0, 0, 0, 2);
    g_assert_true(made.kind == SCSI_EJECT && unit.open);
    scsi_medium_out(&unit);
    assert_refused(&unit, PLAN(&unit, 0x00), 2, 0x3a);
    assert_refused(&unit, PLAN(&unit, 0x28, 0, 0, 0, 0, 0, 0, 0, 1), 2, 0x3a);
    assert_refused(&unit, PLAN(&unit, 0x25), 2, 0x3a);
    made = PLAN(&unit, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8);
    g_assert_true(made.reply[4] == 3 && made.reply[5] == 1); /* gone, and open */
    made = PLAN(&unit, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8);
    g_assert_true(made.reply[4] == 0);
    scsi_medium_in(&unit, CD_BYTES);
    made = PLAN(&unit, 0x12, 0, 0, 0, 36); /* no news for that */
    g_assert_false(made.failed);
    assert_refused(&unit, PLAN(&unit, 0x00), 6, 0x28); /* told once */
    g_assert_false((PLAN(&unit, 0x00)).failed);
    made = PLAN(&unit, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8);
    g_assert_true(made.reply[4] == 2 && made.reply[5] == 2);
    unit.event_request = true;
    made = PLAN(&unit, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8);
    g_assert_cmpuint(made.reply[4], ==, 1);
    assert_refused(&unit, PLAN(&unit, 0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8), 5, 0x24);
}

/* Every first byte with every filler: something comes of each, within bounds. */
static void
test_all_commands(void)
{
    static const uint8_t fillers[] = {0x00, 0x01, 0x3f, 0x7f, 0x80, 0xff};
    uint8_t block[SCSI_BLOCK_MAX];

    for (unsigned code = 0; code < 256; code++)
        for (size_t i = 0; i < G_N_ELEMENTS(fillers); i++)
            for (unsigned kind = 0; kind < 3; kind++) {
                ScsiUnit unit = kind ? cd() : disk();
                ScsiPlan made;
                if (kind == 2)
                    scsi_medium_out(&unit);
                memset(block, fillers[i], sizeof(block));
                block[0] = code;
                scsi_plan(&unit, block, 1 + i * 3, &made);
                g_assert_cmpuint(made.reply_len, <=, SCSI_REPLY_MAX);
                if (made.kind == SCSI_READ || made.kind == SCSI_WRITE)
                    g_assert_true(made.offset <= unit.bytes && made.len <= unit.bytes - made.offset);
            }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/scsi/inquiry", test_inquiry);
    g_test_add_func("/scsi/transfers", test_transfers);
    g_test_add_func("/scsi/stable", test_stable);
    g_test_add_func("/scsi/capacity", test_capacity);
    g_test_add_func("/scsi/all-commands", test_all_commands);
    g_test_add_func("/mmc/toc", test_toc);
    g_test_add_func("/mmc/configuration", test_configuration);
    g_test_add_func("/mmc/media", test_media);
    return g_test_run();
}
