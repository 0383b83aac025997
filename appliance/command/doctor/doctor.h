/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a machine can be a host of desktops: a table of looks, each of which says what it found and what to do about it.
 *
 * Owner: one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum {
    DOCTOR_FINE,
    DOCTOR_WARNING, /* desktops run, but worse than they could */
    DOCTOR_BAD,     /* they do not */
} DoctorGrade;

/* Zeroed before a look. */
typedef struct {
    DoctorGrade grade;
    char *found;  /* a sentence */
    char *remedy; /* what to do; NULL: nothing */
} DoctorFinding;

void doctor_finding_clear(DoctorFinding *finding);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DoctorFinding, doctor_finding_clear)

typedef struct {
    const char *what; /* "processor" */
    void (*look)(DoctorFinding *finding);
} DoctorLook;

/* guest.c: runs a guest of four instructions on /dev/kvm. */
void doctor_look_kvm(DoctorFinding *finding);
/* looks.c */
void doctor_look_processor(DoctorFinding *finding);
void doctor_look_apparmor(DoctorFinding *finding);
void doctor_look_memory(DoctorFinding *finding);
void doctor_look_huge_pages(DoctorFinding *finding);
void doctor_look_disk(DoctorFinding *finding);
void doctor_look_reflink(DoctorFinding *finding);
void doctor_look_port(DoctorFinding *finding);
void doctor_look_clock(DoctorFinding *finding);
void doctor_look_network(DoctorFinding *finding);
void doctor_look_programs(DoctorFinding *finding);

/* What looks are made of: figures in texts of the kernel's. KiB of a line of /proc/meminfo; 0: there is no such line. */
uint64_t doctor_meminfo(const char *text, const char *name);
/* Whether a processor of /proc/cpuinfo has a flag. */
bool doctor_cpu_flag(const char *text, const char *flag);
/* Whether a profile is in force (not only watching), in a text like securityfs's apparmor/profiles. */
bool doctor_profile_enforced(const char *text, const char *profile);
/* The inode of the socket that listens at @port, in a text like /proc/net/tcp or tcp6; 0: none does. */
uint64_t doctor_listener(const char *text, unsigned port);
