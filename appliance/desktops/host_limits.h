/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a desktop may take of its host, as numbers: from its spec, into systemd's properties or the words of cgroup v2's files, and
 * back from those files as the kernel has them.
 *
 * Disks: each limit is of a block device, so a desktop whose disks lie on one has it for all of them together. Of a file that is the
 * device its file system is on, of a thin volume that of its pool.
 */
#pragma once

#include "appliance/desktops/spec.h"

#include <sys/types.h>

/* 0: there is no such limit. */
typedef struct {
    uint64_t memory;     /* bytes */
    uint64_t tasks;      /* processes and threads */
    uint64_t cpu_weight; /* against others', 1 to 10000 */
    uint64_t cpu_us;     /* of processor time in a second: a million is one processor */
    uint64_t read_bytes, write_bytes, read_ops, write_ops; /* in a second */
} Limits;

/* Those that it should have: memory, tasks and cpu_weight always. */
void limits_of(const Spec *spec, Limits *limits);
bool limits_have_disks(const Limits *limits);

/* Adds to a(sv), properties of a scope. @disks: paths of the images or volumes, NULL-terminated; systemd finds their devices. */
void limits_add_properties(const Limits *limits, const char *const *disks, GVariantBuilder *properties);
/* For cpu.max, and for io.max of one device. */
char *limits_cpu_max(const Limits *limits);
char *limits_io_max(const Limits *limits, dev_t device);
/* The whole disk that an open image or volume is on, for io.max; false: it is on none (btrfs, NFS, …). */
bool limits_device(int disk, dev_t *device);

/* As they are in a cgroup's folder; of several devices the smallest. What cannot be read is no limit. */
void limits_read(const char *folder, Limits *limits);
/* Which of "memory", "cpu", "disk" @wanted limits more than @there does; NULL-terminated. */
#define LIMITS_KINDS 3
void limits_missing(const Limits *wanted, const Limits *there, const char *missing[LIMITS_KINDS + 1]);
