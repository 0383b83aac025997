/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What carrel-vmm is told of a desktop: its carrel-desktop.conf(5), a pure function of the desktop and of what was made
 * ready for this run. No path of the host's is in it but that of the firmware's variables: disks, cards and sockets are descriptors, named
 * here.
 */
#pragma once

#include "appliance/desktops/spec.h"

#include <sys/types.h>

/* A card as it was plugged in. */
typedef struct {
    const char *backend; /* "tap", "passt" */
    const char *mac;
    unsigned mtu; /* 0: nothing to tell */
} ConfCard;

typedef struct {
    const Spec *spec;
    const char *variables; /* the path of the UEFI variables; used with UEFI only */
    bool tpm;              /* whether its socket is there */
    const bool *discs;     /* by place: of a drive, whether a disc is in it */
    const ConfCard *cards; /* of each of the spec's cards */
    uid_t uid;             /* 0: as carrel-vmm chooses */
} ConfRun;

/* The names of descriptors. */
#define CONF_CONTROL_FD "control"
#define CONF_END_FD "end"
#define CONF_SPICE_FD "spice"
#define CONF_TPM_FD "tpm"
char *conf_disk_fd(unsigned place); /* "disk0": of disks and of discs in drives */
char *conf_card_fd(unsigned place); /* "net0" */
/* What the VMM calls them. */
char *conf_disk_name(const Spec *spec, unsigned place); /* "disk0", or of a drive "cdrom0" */
char *conf_card_name(unsigned place);

char *conf_text(const ConfRun *run);
