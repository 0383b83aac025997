/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SCSI commands of a disk (SPC-4, SBC-3) and of a CD-ROM drive (MMC-6): what a command block asks for, as a plan that a
 * transport carries out. Nothing here does I/O: a plan is bytes to be sent, a range of the medium to be moved, or neither.
 *
 * The command block is a guest's and hostile: it is a copy by the time it comes here.
 *
 * Owner: the USB thread.
 */
#pragma once

#include "vmm/state/state.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define SCSI_BLOCK_MAX 16 /* bytes of a command block */
#define SCSI_REPLY_MAX 512
#define SCSI_CD_BLOCK 2048u
#define SCSI_DISK_BLOCK 512u

/* Sense data (SPC-4, 4.5): key, additional code, qualifier; ready to be put together. */
typedef struct {
    uint8_t key, code, qualifier;
} ScsiSense;

#define SCSI_SENSE_NOT_READY 0x2
#define SCSI_SENSE_MEDIUM_ERROR 0x3
#define SCSI_SENSE_ILLEGAL 0x5
#define SCSI_SENSE_ATTENTION 0x6
#define SCSI_SENSE_PROTECT 0x7

typedef enum {
    SCSI_NONE,  /* nothing moves */
    SCSI_REPLY, /* .reply, .reply_len bytes */
    SCSI_READ,  /* .len bytes of the medium from .offset, to the guest */
    SCSI_WRITE, /* … from the guest */
    SCSI_TAKE,  /* .len bytes from the guest that mean nothing here */
    SCSI_SYNC,  /* what was written is to be on stable storage */
    SCSI_EJECT, /* the guest lets go of the medium */
    SCSI_MODES, /* .len bytes from the guest, the first of them to .reply; .offset: of the list's header. scsi_set_modes() */
} ScsiKind;

typedef struct {
    ScsiKind kind;
    bool failed; /* CHECK CONDITION: the sense is in the unit, and nothing moves */
    bool
        stable; /* WRITE: it ends when its data is on stable storage; READ: what was written goes there first (SBC-3, 4.15) */
    uint64_t offset, len;
    uint32_t reply_len;
    uint8_t reply[SCSI_REPLY_MAX];
} ScsiPlan;

/* A drive. */
typedef struct {
    bool cd;
    bool present; /* a medium is in it */
    bool read_only;
    bool open;          /* a CD drive's tray */
    bool locked;        /* the guest prevents removal */
    bool write_through; /* the guest has turned the write cache off: every write is a stable one */
    bool changed;       /* a medium came: to be told by UNIT ATTENTION */
    bool event_new, event_gone, event_request; /* to be told by GET EVENT STATUS (MMC-6, 6.7) */
    uint64_t bytes;                            /* of the medium, whole blocks */
    ScsiSense sense;                           /* of the last command that failed */
    const char *serial;
} ScsiUnit;

uint32_t scsi_block_size(const ScsiUnit *unit);
void scsi_plan(ScsiUnit *unit, const uint8_t block[SCSI_BLOCK_MAX], unsigned len, ScsiPlan *plan);
void scsi_set_sense(ScsiUnit *unit, uint8_t key, uint8_t code, uint8_t qualifier);
/* The guest's mode pages, @len bytes of them in plan->reply. Returns true if what was written is to be on stable storage now. */
bool scsi_set_modes(ScsiUnit *unit, const ScsiPlan *plan, uint32_t len);

/* A medium came or went. */
void scsi_medium_in(ScsiUnit *unit, uint64_t bytes);
void scsi_medium_out(ScsiUnit *unit);
/* Bus reset: locks, news and modes are forgotten. */
void scsi_reset(ScsiUnit *unit);

extern const StateTable scsi_unit_state;
