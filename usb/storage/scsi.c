/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that disks and CD-ROM drives have in common. */
#include "usb/storage/scsi_private.h"

#include <string.h>

/* SPC-4, SBC-3: operation codes. */
enum {
    TEST_UNIT_READY = 0x00,
    REQUEST_SENSE = 0x03,
    READ_6 = 0x08,
    WRITE_6 = 0x0a,
    INQUIRY = 0x12,
    MODE_SELECT_6 = 0x15,
    MODE_SENSE_6 = 0x1a,
    START_STOP_UNIT = 0x1b,
    PREVENT_ALLOW = 0x1e,
    READ_FORMAT_CAPACITIES = 0x23,
    READ_CAPACITY_10 = 0x25,
    READ_10 = 0x28,
    WRITE_10 = 0x2a,
    SEEK_10 = 0x2b,
    VERIFY_10 = 0x2f,
    SYNCHRONIZE_CACHE_10 = 0x35,
    MODE_SELECT_10 = 0x55,
    MODE_SENSE_10 = 0x5a,
    READ_16 = 0x88,
    WRITE_16 = 0x8a,
    SYNCHRONIZE_CACHE_16 = 0x91,
    SERVICE_ACTION_IN_16 = 0x9e,
    REPORT_LUNS = 0xa0,
    READ_12 = 0xa8,
    WRITE_12 = 0xaa,
};
#define SERVICE_READ_CAPACITY_16 0x10

#define TYPE_DISK 0x00
#define TYPE_CD 0x05

#define FUA 0x08 /* of reads and writes (SBC-3, 5.8) */

/* SPC-4, 7.5; SBC-3, 6.5 */
#define MODE_PROTECTED 0x80
#define MODE_DPO_FUA 0x10
#define PAGE_ERROR_RECOVERY 0x01
#define PAGE_CACHING 0x08
#define CACHING_WRITE 0x04 /* WCE: what is written may wait for a flush */

uint32_t
scsi_block_size(const ScsiUnit *unit)
{
    return unit->cd ? SCSI_CD_BLOCK : SCSI_DISK_BLOCK;
}

void
scsi_set_sense(ScsiUnit *unit, uint8_t key, uint8_t code, uint8_t qualifier)
{
    unit->sense = (ScsiSense){key, code, qualifier};
}

void
scsi_fail(ScsiUnit *unit, ScsiPlan *plan, uint8_t key, uint8_t code, uint8_t qualifier)
{
    scsi_set_sense(unit, key, code, qualifier);
    plan->kind = SCSI_NONE;
    plan->failed = true;
}

void
scsi_fail_field(ScsiUnit *unit, ScsiPlan *plan)
{
    scsi_fail(unit, plan, SCSI_SENSE_ILLEGAL, 0x24, 0);
}

void
scsi_reply(ScsiPlan *plan, uint32_t len, uint32_t room)
{
    g_assert(len <= SCSI_REPLY_MAX);
    plan->kind = SCSI_REPLY;
    plan->reply_len = MIN(len, room);
}

/* --- what it is -------------------------------------------------------------------------------------------------- */

static void
put_text(uint8_t *at, const char *text, size_t width)
{
    size_t len = MIN(strlen(text), width);

    memset(at, ' ', width);
    memcpy(at, text, len);
}

static void
inquiry_page(ScsiUnit *unit, const uint8_t *block, ScsiPlan *plan)
{
    uint8_t *reply = plan->reply;
    unsigned serial = strlen(unit->serial);
    uint32_t len;

    reply[1] = block[2];
    switch (block[2]) {
    case 0x00: /* supported pages */
        memcpy(reply + 4, (const uint8_t[]){0x00, 0x80, 0x83}, 3);
        len = 3;
        break;
    case 0x80: /* unit serial number */
        len = MIN(serial, 64);
        memcpy(reply + 4, unit->serial, len);
        break;
    case 0x83: /* identification: T10 vendor id based (SPC-4, 7.8.6.4) */
        len = 4 + 8 + MIN(serial, 64);
        memcpy(reply + 4, (const uint8_t[]){0x02, 0x01, 0x00, len - 4}, 4);
        put_text(reply + 8, "Carrel", 8);
        memcpy(reply + 16, unit->serial, len - 12);
        break;
    default:
        scsi_fail_field(unit, plan);
        return;
    }
    put16(reply + 2, len);
    scsi_reply(plan, 4 + len, get16(block + 3));
}

static void
inquiry(ScsiUnit *unit, const uint8_t *block, ScsiPlan *plan)
{
    uint8_t *reply = plan->reply;

    reply[0] = unit->cd ? TYPE_CD : TYPE_DISK;
    if (block[1] & 1) {
        inquiry_page(unit, block, plan);
        return;
    }
    if (block[2]) {
        scsi_fail_field(unit, plan);
        return;
    }
    reply[1] = unit->cd ? 0x80 : 0; /* removable */
    reply[2] = 5;                   /* SPC-3 */
    reply[3] = 2;
    reply[4] = 36 - 5;
    put_text(reply + 8, "Carrel", 8);
    put_text(reply + 16, unit->cd ? "CD-ROM" : "Disk", 16);
    put_text(reply + 32, "1.0", 4);
    scsi_reply(plan, 36, get16(block + 3));
}

static void
request_sense(ScsiUnit *unit, const uint8_t *block, ScsiPlan *plan)
{
    uint8_t *reply = plan->reply;

    reply[0] = 0x70; /* current, fixed format */
    reply[2] = unit->sense.key;
    reply[7] = 18 - 8;
    reply[12] = unit->sense.code;
    reply[13] = unit->sense.qualifier;
    unit->sense = (ScsiSense){0};
    scsi_reply(plan, 18, block[4]);
}

static void
report_luns(ScsiPlan *plan, const uint8_t *block)
{
    put32(plan->reply, 8); /* one, number 0 */
    scsi_reply(plan, 16, get32(block + 6));
}

/* --- modes -------------------------------------------------------------------------------------------------------- */

static unsigned
mode_page(const ScsiUnit *unit, unsigned page, uint8_t *to)
{
    switch (page) {
    case PAGE_ERROR_RECOVERY:
        to[0] = page;
        to[1] = 10;
        return 12;
    case PAGE_CACHING:
        to[0] = page;
        to[1] = 18;
        to[2] = unit->cd || unit->write_through ? 0 : CACHING_WRITE;
        return 20;
    default:
        return unit->cd ? mmc_mode_page(unit, page, to) : 0;
    }
}

/* The pages asked for, behind a header of @header bytes. 0: there is no such page. */
static uint32_t
mode_pages(const ScsiUnit *unit, unsigned page, unsigned header, uint8_t *reply)
{
    static const uint8_t all[] = {PAGE_ERROR_RECOVERY, PAGE_CACHING, 0x0e, 0x1a, 0x2a};
    uint32_t len = header;

    for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
        if (page == 0x3f || page == all[i])
            len += mode_page(unit, all[i], reply + len);
    return len == header && page != 0x3f ? 0 : len;
}

/* In place of pages, which of their bits a guest can change: a disk's write cache. */
static void
mask_pages(const ScsiUnit *unit, uint8_t *pages, uint32_t len)
{
    for (uint32_t at = 0, next; at < len; at = next) {
        next = at + 2 + pages[at + 1];
        memset(pages + at + 2, 0, pages[at + 1]);
        if (pages[at] == PAGE_CACHING && !unit->cd)
            pages[at + 2] = CACHING_WRITE;
    }
}

static void
mode_sense(ScsiUnit *unit, const uint8_t *block, ScsiPlan *plan, bool ten)
{
    unsigned page = block[2] & 0x3f, header = ten ? 8 : 4;
    uint8_t device = unit->cd ? 0 : MODE_DPO_FUA | (unit->read_only ? MODE_PROTECTED : 0);

    if (block[2] >> 6 == 3 || block[3]) { /* nothing is saved, and there are no subpages */
        scsi_fail(unit, plan, SCSI_SENSE_ILLEGAL, block[3] ? 0x24 : 0x39, 0);
        return;
    }
    uint32_t len = mode_pages(unit, page, header, plan->reply);
    if (!len) {
        scsi_fail_field(unit, plan);
        return;
    }
    if (block[2] >> 6 == 1)
        mask_pages(unit, plan->reply + header, len - header);
    if (ten) {
        put16(plan->reply, len - 2);
        plan->reply[3] = device;
    } else {
        plan->reply[0] = len - 1;
        plan->reply[2] = device;
    }
    scsi_reply(plan, len, ten ? get16(block + 7) : block[4]);
}

static void
mode_select(ScsiPlan *plan, uint32_t len, unsigned header)
{
    plan->len = len;
    plan->offset = header;
    plan->kind = len ? SCSI_MODES : SCSI_NONE;
}

/* What cannot be changed stays as it is, and nobody minds. */
bool
scsi_set_modes(ScsiUnit *unit, const ScsiPlan *plan, uint32_t len)
{
    const uint8_t *list = plan->reply;
    bool ten = plan->offset == 8, was_through = unit->write_through;
    uint32_t at = ten ? 8 : 4;

    len = MIN(len, SCSI_REPLY_MAX);
    if (unit->cd || len < at)
        return false;
    for (at += ten ? get16(list + 6) : list[3]; at + 3 <= len; at += 2 + list[at + 1])
        if ((list[at] & 0x7f) == PAGE_CACHING)
            unit->write_through = !(list[at + 2] & CACHING_WRITE);
    return unit->write_through && !was_through;
}

/* --- the medium --------------------------------------------------------------------------------------------------- */

static bool
medium_ready(ScsiUnit *unit, ScsiPlan *plan)
{
    if (unit->changed) {
        unit->changed = false;
        scsi_fail(unit, plan, SCSI_SENSE_ATTENTION, 0x28, 0);
        return false;
    }
    if (unit->present)
        return true;
    scsi_fail(unit, plan, SCSI_SENSE_NOT_READY, 0x3a, unit->open ? 2 : 1);
    return false;
}

static uint64_t
n_blocks(const ScsiUnit *unit)
{
    return unit->bytes / scsi_block_size(unit);
}

void
scsi_plan_transfer(ScsiUnit *unit, ScsiPlan *plan, ScsiKind kind, uint64_t block, uint64_t n)
{
    uint64_t blocks = n_blocks(unit);

    if (!medium_ready(unit, plan))
        return;
    if (block > blocks || n > blocks - block) {
        scsi_fail(unit, plan, SCSI_SENSE_ILLEGAL, 0x21, 0);
        return;
    }
    if (kind == SCSI_WRITE && unit->read_only) {
        scsi_fail(unit, plan, SCSI_SENSE_PROTECT, 0x27, 0);
        return;
    }
    plan->kind = n ? kind : SCSI_NONE;
    plan->offset = block * scsi_block_size(unit);
    plan->len = n * scsi_block_size(unit);
}

static void
read_capacity(ScsiUnit *unit, const uint8_t *block, ScsiPlan *plan, bool sixteen)
{
    uint64_t last = n_blocks(unit) - 1;

    if (!medium_ready(unit, plan))
        return;
    if (sixteen) {
        put64(plan->reply, last);
        put32(plan->reply + 8, scsi_block_size(unit));
        scsi_reply(plan, 32, get32(block + 10));
    } else {
        put32(plan->reply, MIN(last, UINT32_MAX));
        put32(plan->reply + 4, scsi_block_size(unit));
        scsi_reply(plan, 8, 8);
    }
}

static void
format_capacities(ScsiUnit *unit, const uint8_t *block, ScsiPlan *plan)
{
    plan->reply[3] = 8; /* one descriptor (MMC-6, 6.23) */
    put32(plan->reply + 4, MIN(n_blocks(unit), UINT32_MAX));
    put32(plan->reply + 8, scsi_block_size(unit));
    plan->reply[8] = unit->present ? 2 : 3;
    scsi_reply(plan, 12, get16(block + 7));
}

static void
start_stop(ScsiUnit *unit, const uint8_t *block, ScsiPlan *plan)
{
    bool load = block[4] & 2, start = block[4] & 1;

    if (!unit->cd && !start && !unit->read_only)
        plan->kind = SCSI_SYNC; /* SBC-3, 5.25: before it stops */
    if (!unit->cd || !load)
        return;
    if (start) {
        unit->open = false;
        return;
    }
    if (unit->locked) {
        scsi_fail(unit, plan, SCSI_SENSE_ILLEGAL, 0x53, 2);
        return;
    }
    unit->open = true;
    if (unit->present)
        plan->kind = SCSI_EJECT;
}

/* --- which command it is ------------------------------------------------------------------------------------------ */

/* SBC-3, 5.10: 0 is 256 here. */
static uint32_t
six_blocks(const uint8_t *block)
{
    return block[4] ? block[4] : 256;
}

static void
plan_move(ScsiUnit *unit, ScsiPlan *plan, ScsiKind kind, bool stable, uint64_t block, uint64_t n)
{
    scsi_plan_transfer(unit, plan, kind, block, n);
    plan->stable = !unit->read_only && (stable || (kind == SCSI_WRITE && unit->write_through));
}

/* Those about the medium. false: it is none of them. */
static bool
plan_transfer(ScsiUnit *unit, const uint8_t *block, ScsiPlan *plan)
{
    bool stable = block[1] & FUA;

    switch (block[0]) {
    case READ_6:
        plan_move(unit, plan, SCSI_READ, false, get24(block + 1) & 0x1fffff, six_blocks(block));
        return true;
    case WRITE_6:
        plan_move(unit, plan, SCSI_WRITE, false, get24(block + 1) & 0x1fffff, six_blocks(block));
        return true;
    case READ_10:
        plan_move(unit, plan, SCSI_READ, stable, get32(block + 2), get16(block + 7));
        return true;
    case WRITE_10:
        plan_move(unit, plan, SCSI_WRITE, stable, get32(block + 2), get16(block + 7));
        return true;
    case READ_12:
        plan_move(unit, plan, SCSI_READ, stable, get32(block + 2), get32(block + 6));
        return true;
    case WRITE_12:
        plan_move(unit, plan, SCSI_WRITE, stable, get32(block + 2), get32(block + 6));
        return true;
    case READ_16:
        plan_move(unit, plan, SCSI_READ, stable, get64(block + 2), get32(block + 10));
        return true;
    case WRITE_16:
        plan_move(unit, plan, SCSI_WRITE, stable, get64(block + 2), get32(block + 10));
        return true;
    case VERIFY_10: /* without a comparison, that the blocks are there */
        if (block[1] & 6)
            scsi_fail_field(unit, plan);
        else
            scsi_plan_transfer(unit, plan, SCSI_NONE, get32(block + 2), get16(block + 7));
        return true;
    case SEEK_10:
        scsi_plan_transfer(unit, plan, SCSI_NONE, get32(block + 2), 0);
        return true;
    case SYNCHRONIZE_CACHE_10:
    case SYNCHRONIZE_CACHE_16:
        if (medium_ready(unit, plan) && !unit->read_only)
            plan->kind = SCSI_SYNC;
        return true;
    case READ_CAPACITY_10:
        read_capacity(unit, block, plan, false);
        return true;
    case SERVICE_ACTION_IN_16:
        if ((block[1] & 0x1f) == SERVICE_READ_CAPACITY_16)
            read_capacity(unit, block, plan, true);
        else
            scsi_fail_field(unit, plan);
        return true;
    case TEST_UNIT_READY:
        medium_ready(unit, plan);
        return true;
    default:
        return false;
    }
}

static bool
plan_general(ScsiUnit *unit, const uint8_t *block, ScsiPlan *plan)
{
    switch (block[0]) {
    case REQUEST_SENSE:
        request_sense(unit, block, plan);
        return true;
    case INQUIRY:
        inquiry(unit, block, plan);
        return true;
    case MODE_SENSE_6:
        mode_sense(unit, block, plan, false);
        return true;
    case MODE_SENSE_10:
        mode_sense(unit, block, plan, true);
        return true;
    case MODE_SELECT_6:
        mode_select(plan, block[4], 4);
        return true;
    case MODE_SELECT_10:
        mode_select(plan, get16(block + 7), 8);
        return true;
    case START_STOP_UNIT:
        start_stop(unit, block, plan);
        return true;
    case PREVENT_ALLOW:
        unit->locked = block[4] & 1;
        return true;
    case READ_FORMAT_CAPACITIES:
        format_capacities(unit, block, plan);
        return true;
    case REPORT_LUNS:
        report_luns(plan, block);
        return true;
    default:
        return false;
    }
}

void
scsi_plan(ScsiUnit *unit, const uint8_t block[SCSI_BLOCK_MAX], unsigned len, ScsiPlan *plan)
{
    uint8_t whole[SCSI_BLOCK_MAX] = {0};

    memcpy(whole, block, MIN(len, SCSI_BLOCK_MAX));
    memset(plan, 0, sizeof(*plan));
    if (plan_general(unit, whole, plan) || plan_transfer(unit, whole, plan) ||
        (unit->cd && mmc_plan(unit, whole, plan)))
        return;
    scsi_fail(unit, plan, SCSI_SENSE_ILLEGAL, 0x20, 0); /* INVALID COMMAND OPERATION CODE */
}

/* --- media -------------------------------------------------------------------------------------------------------- */

void
scsi_medium_in(ScsiUnit *unit, uint64_t bytes)
{
    unit->present = unit->changed = unit->event_new = true;
    unit->open = unit->event_gone = unit->event_request = false;
    unit->bytes = bytes - bytes % scsi_block_size(unit);
}

void
scsi_medium_out(ScsiUnit *unit)
{
    unit->present = unit->changed = unit->locked = unit->event_new = unit->event_request = false;
    unit->event_gone = true;
    unit->bytes = 0;
}

void
scsi_reset(ScsiUnit *unit)
{
    unit->locked = unit->event_new = unit->event_gone = unit->event_request = unit->changed = false;
    unit->write_through = false;
    unit->sense = (ScsiSense){0};
}

static const StateField sense_fields[] = {
    STATE_UINT(ScsiSense, key, 1),
    STATE_UINT(ScsiSense, code, 1),
    STATE_UINT(ScsiSense, qualifier, 1),
    STATE_END,
};
static const StateTable sense_state = {.name = "scsi-sense", .version = 1, .oldest = 1, .fields = sense_fields};

static const StateField unit_fields[] = {
    STATE_BOOL(ScsiUnit, present, 1),
    STATE_BOOL(ScsiUnit, open, 1),
    STATE_BOOL(ScsiUnit, locked, 1),
    STATE_BOOL(ScsiUnit, changed, 1),
    STATE_BOOL(ScsiUnit, event_new, 1),
    STATE_BOOL(ScsiUnit, event_gone, 1),
    STATE_BOOL(ScsiUnit, event_request, 1),
    STATE_UINT(ScsiUnit, bytes, 1),
    STATE_STRUCT(ScsiUnit, sense, 1, &sense_state),
    STATE_BOOL(ScsiUnit, write_through, 2),
    STATE_END,
};
const StateTable scsi_unit_state = {.name = "scsi-unit", .version = 2, .oldest = 1, .fields = unit_fields};
