/* SPDX-License-Identifier: Apache-2.0 */
/* Between scsi.c and mmc.c. */
#pragma once

#include "usb/storage/scsi.h"

/* Big-endian fields of a command block or a reply. */
static inline uint32_t
get16(const uint8_t *at)
{
    return at[0] << 8 | at[1];
}

static inline uint32_t
get24(const uint8_t *at)
{
    return (uint32_t)at[0] << 16 | at[1] << 8 | at[2];
}

static inline uint32_t
get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | get24(at + 1);
}

static inline uint64_t
get64(const uint8_t *at)
{
    return (uint64_t)get32(at) << 32 | get32(at + 4);
}

static inline void
put16(uint8_t *at, uint32_t value)
{
    at[0] = value >> 8;
    at[1] = value;
}

static inline void
put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value);
}

static inline void
put64(uint8_t *at, uint64_t value)
{
    put32(at, value >> 32);
    put32(at + 4, value);
}

/* @len bytes of the reply, or as many as the guest has room for. */
void scsi_reply(ScsiPlan *plan, uint32_t len, uint32_t room);
void scsi_fail(ScsiUnit *unit, ScsiPlan *plan, uint8_t key, uint8_t code, uint8_t qualifier);
/* INVALID FIELD IN CDB. */
void scsi_fail_field(ScsiUnit *unit, ScsiPlan *plan);
void scsi_plan_transfer(ScsiUnit *unit, ScsiPlan *plan, ScsiKind kind, uint64_t block, uint64_t n_blocks);

/* Commands of CD-ROM drives only. false: it is none. */
bool mmc_plan(ScsiUnit *unit, const uint8_t *block, ScsiPlan *plan);
/* Mode page @page of a CD-ROM drive at @to; returns its bytes, 0: there is none. */
unsigned mmc_mode_page(const ScsiUnit *unit, unsigned page, uint8_t *to);
