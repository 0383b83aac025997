/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands of CD-ROM drives (MMC-6): a disc of one session and one data track, as every ISO image is.
 */
#include "usb/storage/scsi_private.h"

#include <string.h>

enum {
    READ_SUBCHANNEL = 0x42,
    READ_TOC = 0x43,
    GET_CONFIGURATION = 0x46,
    GET_EVENT_STATUS = 0x4a,
    READ_DISC_INFORMATION = 0x51,
    READ_TRACK_INFORMATION = 0x52,
    SET_CD_SPEED = 0xbb,
    MECHANISM_STATUS = 0xbd,
    READ_CD = 0xbe,
};

#define PROFILE_CD_ROM 0x0008
#define PROFILE_DVD_ROM 0x0010
#define CD_BLOCKS_MAX (80 * 60 * 75) /* beyond it, the disc is a DVD */

#define LEAD_OUT 0xaa
#define DATA_TRACK 0x14 /* ADR 1, a data track that may not be copied */

static uint32_t
blocks_of(const ScsiUnit *unit)
{
    return MIN(unit->bytes / SCSI_CD_BLOCK, UINT32_MAX);
}

static unsigned
profile(const ScsiUnit *unit)
{
    if (!unit->present)
        return 0;
    return blocks_of(unit) > CD_BLOCKS_MAX ? PROFILE_DVD_ROM : PROFILE_CD_ROM;
}

/* An address as a block number, or in minutes, seconds and frames (4.2.3.7). */
static void
put_address(uint8_t *at, uint32_t block, bool msf)
{
    uint32_t frames = block + 150;

    if (!msf) {
        put32(at, block);
        return;
    }
    at[0] = 0;
    at[1] = MIN(frames / 75 / 60, 255);
    at[2] = frames / 75 % 60;
    at[3] = frames % 75;
}

static bool
ready(ScsiUnit *unit, ScsiPlan *plan)
{
    scsi_plan_transfer(unit, plan, SCSI_NONE, 0, 0);
    return !plan->failed;
}

/* --- tables (6.26) ------------------------------------------------------------------------------------------------- */

static uint32_t
put_toc_entry(uint8_t *at, uint8_t track, uint32_t block, bool msf)
{
    at[1] = DATA_TRACK;
    at[2] = track;
    put_address(at + 4, block, msf);
    return 8;
}

/* Format 2: the lead-in's own entries, without BCD (6.26.3.4). */
static uint32_t
put_full_toc(const ScsiUnit *unit, uint8_t *at)
{
    static const uint8_t points[] = {0xa0, 0xa1, 0xa2, 1};

    for (size_t i = 0; i < G_N_ELEMENTS(points); i++, at += 11) {
        at[0] = 1;
        at[1] = DATA_TRACK;
        at[3] = points[i];
        at[8] = 1; /* first and last track … */
        if (points[i] == 0xa2 || points[i] == 1)
            put_address(at + 7, points[i] == 1 ? 0 : blocks_of(unit), true);
    }
    return 11 * G_N_ELEMENTS(points);
}

static void
read_toc(ScsiUnit *unit, const uint8_t *block, ScsiPlan *plan)
{
    bool msf = block[1] & 2;
    unsigned format = block[2] & 0xf ? block[2] & 0xf : block[9] >> 6, track = block[6];
    uint8_t *reply = plan->reply;
    uint32_t len = 4;

    if (!ready(unit, plan))
        return;
    reply[2] = reply[3] = 1; /* first and last */
    if (format == 0 && (track <= 1 || track == LEAD_OUT)) {
        if (track <= 1)
            len += put_toc_entry(reply + len, 1, 0, msf);
        len += put_toc_entry(reply + len, LEAD_OUT, blocks_of(unit), msf);
    } else if (format == 1) {
        len += put_toc_entry(reply + len, 1, 0, msf);
    } else if (format == 2) {
        len += put_full_toc(unit, reply + len);
    } else {
        scsi_fail_field(unit, plan);
        return;
    }
    put16(reply, len - 2);
    scsi_reply(plan, len, get16(block + 7));
}

/* --- what the drive can do (5, 6.6) ----------------------------------------------------------------------------------- */

typedef struct {
    uint16_t code;
    uint8_t flags; /* version, persistent, current */
    uint8_t len;
    uint8_t bytes[8];
} Feature;

static const Feature features[] = {
    {0x0000, 0x03, 8, {0, 0x10, 0, 0, 0, 0x08, 0, 0}}, /* profiles: DVD-ROM, CD-ROM */
    {0x0001, 0x0b, 8, {0, 0, 0, 8, 1, 0, 0, 0}},       /* core: on USB */
    {0x0002, 0x07, 4, {2, 0, 0, 0}},                   /* morphing: events */
    {0x0003, 0x03, 4, {0x29, 0, 0, 0}},                /* removable: a tray, ejects, locks */
    {0x0010, 0x01, 8, {0, 0, 0x08, 0, 0, 1, 0, 0}},    /* random readable: blocks of 2048 */
    {0x001e, 0x09, 4, {0, 0, 0, 0}},                   /* CD read */
    {0x001f, 0x01, 0, {0}},                            /* DVD read */
};

static uint32_t
put_feature(const ScsiUnit *unit, const Feature *feature, uint8_t *at)
{
    put16(at, feature->code);
    at[2] = feature->flags;
    at[3] = feature->len;
    memcpy(at + 4, feature->bytes, feature->len);
    if (feature->code == 0) { /* which of them is the current one */
        at[4 + 2] = profile(unit) == PROFILE_DVD_ROM;
        at[4 + 6] = profile(unit) == PROFILE_CD_ROM;
    }
    if (!unit->present && feature->code >= 0x10)
        at[2] &= ~1;
    return 4 + feature->len;
}

static void
get_configuration(ScsiUnit *unit, const uint8_t *block, ScsiPlan *plan)
{
    unsigned which = block[1] & 3, first = get16(block + 2);
    uint32_t len = 8;

    for (size_t i = 0; i < G_N_ELEMENTS(features); i++) {
        bool current = unit->present || features[i].code < 0x10;
        bool wanted = which == 2 ? features[i].code == first : features[i].code >= first && (which == 0 || current);
        if (wanted)
            len += put_feature(unit, &features[i], plan->reply + len);
    }
    put32(plan->reply, len - 4);
    put16(plan->reply + 6, profile(unit));
    scsi_reply(plan, len, get16(block + 7));
}

unsigned
mmc_mode_page(const ScsiUnit *unit, unsigned page, uint8_t *to)
{
    static const uint8_t audio[] = {0x0e, 14, 4, 0, 0, 0, 0, 0, 1, 0xff, 2, 0xff, 0, 0, 0, 0};
    static const uint8_t power[] = {0x1a, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t abilities[] = {0x2a, 18, 0x3f, 0, 0x70, 0,    0x29, 0, 0x15, 0xa4,
                                        0,    2,  2,    0, 0x15, 0xa4, 0,    0, 0,    0};
    static const struct {
        const uint8_t *bytes;
        unsigned len;
    } pages[] = {{audio, sizeof(audio)}, {power, sizeof(power)}, {abilities, sizeof(abilities)}};

    for (size_t i = 0; i < G_N_ELEMENTS(pages); i++) {
        if (pages[i].bytes[0] != page)
            continue;
        memcpy(to, pages[i].bytes, pages[i].len);
        if (page == 0x2a && unit->locked)
            to[6] |= 2;
        return pages[i].len;
    }
    return 0;
}

/* --- events and state -------------------------------------------------------------------------------------------------- */

/* Media events (6.7.2.5), each told once. Only polled: a drive on USB has no way to interrupt. */
static void
get_event_status(ScsiUnit *unit, const uint8_t *block, ScsiPlan *plan)
{
    uint8_t *reply = plan->reply;
    uint8_t event = unit->event_request ? 1 : unit->event_new ? 2 : unit->event_gone ? 3 : 0;

    if (!(block[1] & 1)) {
        scsi_fail_field(unit, plan);
        return;
    }
    reply[3] = 1 << 4; /* the classes that there are */
    if (!(block[4] & 1 << 4)) {
        reply[2] = 0x80; /* none of those asked for */
        scsi_reply(plan, 4, get16(block + 7));
        put16(reply, 2);
        return;
    }
    put16(reply, 6);
    reply[2] = 4;
    reply[4] = event;
    reply[5] = (unit->present ? 2 : 0) | (unit->open ? 1 : 0);
    if (event == 1)
        unit->event_request = false;
    else if (event == 2)
        unit->event_new = false;
    else
        unit->event_gone = false;
    scsi_reply(plan, 8, get16(block + 7));
}

static void
disc_information(ScsiUnit *unit, const uint8_t *block, ScsiPlan *plan)
{
    uint8_t *reply = plan->reply;

    if (!ready(unit, plan))
        return;
    put16(reply, 32);
    reply[2] = 0x0e; /* complete, last session complete */
    reply[3] = reply[4] = reply[5] = reply[6] = 1;
    reply[7] = 0x20; /* for unrestricted use */
    memset(reply + 16, 0xff, 8);
    scsi_reply(plan, 34, get16(block + 7));
}

static void
track_information(ScsiUnit *unit, const uint8_t *block, ScsiPlan *plan)
{
    uint8_t *reply = plan->reply;

    if (!ready(unit, plan))
        return;
    put16(reply, 34);
    reply[2] = reply[3] = 1;
    reply[5] = 4; /* a data track … */
    reply[6] = 1; /* … of mode 1 */
    put32(reply + 24, blocks_of(unit));
    scsi_reply(plan, 36, get16(block + 7));
}

static void
mechanism_status(ScsiUnit *unit, const uint8_t *block, ScsiPlan *plan)
{
    plan->reply[1] = unit->open ? 0x10 : 0;
    plan->reply[5] = 1;
    scsi_reply(plan, 8, get16(block + 8));
}

static void
read_subchannel(ScsiUnit *unit, const uint8_t *block, ScsiPlan *plan)
{
    if (!ready(unit, plan))
        return;
    plan->reply[1] = 0x15; /* no audio */
    scsi_reply(plan, 4, get16(block + 7));
}

/* Blocks of user data only (6.20): nothing else is in an image. */
static void
read_cd(ScsiUnit *unit, const uint8_t *block, ScsiPlan *plan)
{
    unsigned type = block[1] >> 2 & 7;
    uint8_t what = block[9] & 0xf8;

    if ((type != 0 && type != 2) || (what != 0x10 && what != 0) || block[10] & 7)
        scsi_fail_field(unit, plan);
    else
        scsi_plan_transfer(unit, plan, SCSI_READ, get32(block + 2), what ? get24(block + 6) : 0);
}

bool
mmc_plan(ScsiUnit *unit, const uint8_t *block, ScsiPlan *plan)
{
    switch (block[0]) {
    case READ_SUBCHANNEL:
        read_subchannel(unit, block, plan);
        return true;
    case READ_TOC:
        read_toc(unit, block, plan);
        return true;
    case GET_CONFIGURATION:
        get_configuration(unit, block, plan);
        return true;
    case GET_EVENT_STATUS:
        get_event_status(unit, block, plan);
        return true;
    case READ_DISC_INFORMATION:
        disc_information(unit, block, plan);
        return true;
    case READ_TRACK_INFORMATION:
        track_information(unit, block, plan);
        return true;
    case MECHANISM_STATUS:
        mechanism_status(unit, block, plan);
        return true;
    case READ_CD:
        read_cd(unit, block, plan);
        return true;
    case SET_CD_SPEED:
        return true; /* it is as fast as it is */
    default:
        return false;
    }
}
