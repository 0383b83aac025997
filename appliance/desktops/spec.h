/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A desktop as the store has it: its row and its policy as a struct. A value; copied from what it is made of.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum { WANTED_STOPPED, WANTED_RUNNING, WANTED_SUSPENDED } Wanted;

typedef struct {
    bool cdrom;
    char *image;   /* what a disk begins as, the disc in a drive; NULL: nothing */
    uint64_t size; /* bytes of a disk; 0: its image's */
} SpecDisk;

typedef struct {
    char *network;
    char *mac; /* NULL: none was chosen */
} SpecCard;

typedef enum { WAY_NONE = 0, WAY_TO_DESKTOP = 1, WAY_FROM_DESKTOP = 2, WAY_BOTH = 3 } Way;

typedef struct {
    char *id, *name;
    char *template, *pool, *user, *host; /* each may be NULL */
    Wanted wanted;
    uint64_t memory; /* bytes */
    unsigned vcpus, monitors;
    char *firmware, *guest_os; /* as carrel-desktop.conf(5) has them */
    bool secure_boot, tpm;
    /* How much of the host it may take; 0: no limit, of the weight: as by its processors. */
    uint64_t cpu_weight, cpu_percent;
    uint64_t disk_read_bytes, disk_write_bytes, disk_read_ops, disk_write_ops; /* a second */
    GPtrArray *disks;                                                          /* SpecDisk *, by place */
    GPtrArray *cards;                                                          /* SpecCard *, by place */
    /* What its users may: nothing, where there is no policy. */
    char *usb; /* usbredir's rules; NULL: no device at all */
    Way clipboard, file_transfer;
} Spec;

/* @row: a desktop with its parts; @policy: its own or its pool's, or NULL. What is missing is as the store has it by default. */
Spec *spec_new(GVariant *row, GVariant *policy);
void spec_free(Spec *spec);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Spec, spec_free)

/* What a template and the desktops made from it have the same, by the store's names; but for disks and cards. */
#define SPEC_MACHINE_FIELDS                                                                                   \
    "memory", "vcpus", "firmware", "secure_boot", "tpm", "guest_os", "monitors", "cpu_weight", "cpu_percent", \
        "disk_read_mib", "disk_write_mib", "disk_read_ops", "disk_write_ops"

/* "none", "to-desktop", "from-desktop", "both"; for any other: nothing is allowed. */
Way way_parse(const char *word);
const char *way_word(Way way);
