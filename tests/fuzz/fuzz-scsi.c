/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SCSI and MMC commands: the first byte says what kind of drive, then command blocks of sixteen bytes, one after the other on
 * the same drive; where it is to be given modes, the bytes behind are these. What is planned stays within the medium and the
 * reply.
 */
#include "tests/fuzz/fuzz.h"
#include "usb/storage/scsi.h"

#include <string.h>

#define CD 1
#define EMPTY 2
#define READ_ONLY 4

static void
check(const ScsiUnit *unit, const ScsiPlan *plan, const ScsiUnit *before)
{
    g_assert(plan->reply_len <= SCSI_REPLY_MAX);
    g_assert(!plan->failed || plan->kind == SCSI_NONE);
    g_assert(!plan->failed || unit->sense.key);
    if (plan->kind == SCSI_READ || plan->kind == SCSI_WRITE) {
        g_assert(unit->present && plan->len);
        g_assert(plan->offset <= unit->bytes && plan->len <= unit->bytes - plan->offset);
    }
    g_assert(plan->kind != SCSI_WRITE || !unit->read_only);
    g_assert(plan->kind != SCSI_EJECT || (unit->cd && !before->locked));
}

static void
take_modes(ScsiUnit *unit, ScsiPlan *plan, const uint8_t *bytes, size_t len)
{
    bool was_through = unit->write_through;
    uint32_t n = MIN(MIN(len, plan->len), SCSI_REPLY_MAX);

    memcpy(plan->reply, bytes, n);
    g_assert(scsi_set_modes(unit, plan, n) == (!was_through && unit->write_through));
    g_assert(!unit->cd || !unit->write_through);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (!len)
        return 0;
    uint8_t kind = bytes[0];
    ScsiUnit unit = {.cd = kind & CD, .read_only = kind & (CD | READ_ONLY), .serial = "serial"};

    if (!(kind & EMPTY))
        scsi_medium_in(&unit, (uint64_t)(kind | 8) << (kind >> 2));
    for (bytes++, len--; len; bytes += MIN(len, SCSI_BLOCK_MAX), len -= MIN(len, SCSI_BLOCK_MAX)) {
        uint8_t block[SCSI_BLOCK_MAX] = {0};
        ScsiUnit before = unit;
        ScsiPlan plan;

        memcpy(block, bytes, MIN(len, SCSI_BLOCK_MAX));
        scsi_plan(&unit, block, MIN(len, SCSI_BLOCK_MAX), &plan);
        check(&unit, &plan, &before);
        if (plan.kind == SCSI_EJECT)
            scsi_medium_out(&unit);
        if (plan.kind == SCSI_MODES)
            take_modes(&unit, &plan, bytes, len);
    }
    return 0;
}
