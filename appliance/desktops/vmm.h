/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One carrel-vmm that runs: its process, its control socket, its end. Started by us or by a daemon before us, which makes no
 * difference but that the exit status of the latter is not to be had.
 *
 * Its process may have fallen to its guest: what it says is bounded and shown to people without what steers their screens, and
 * nothing waits for its answers. Owner: the main thread.
 */
#pragma once

#include "appliance/desktops/org.carrel.Vmm1.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct Vmm Vmm;

typedef enum { VMM_STARTING, VMM_RUNNING, VMM_PAUSED, VMM_STOPPED } VmmState;

/* All mandatory. */
typedef struct {
    /* Its control answers, once. */
    void (*connected)(void *user);
    /* How it is, from .connected on; @detail: a sentence, or "". */
    void (*state)(void *user, VmmState state, const char *detail);
    void (*clients)(void *user, unsigned n);
    /* The names by which sockets are connected to its SPICE server (socket.h): also once at the beginning. */
    void (*connections)(void *user, const char *const *names);
    /* It does not answer, and will not; it may run still. */
    void (*lost)(void *user, const char *why);
    /* The process is no more; the last of all. @status: as wait(2) tells it, or -1. */
    void (*ended)(void *user, int status);
} VmmOps;

/* @pidfd is taken. @folder: where the socket "control" is. */
Vmm *vmm_new(int pidfd, const char *folder, const VmmOps *ops, void *user);
/* It runs on. */
void vmm_free(Vmm *vmm);

/* NULL until .connected, and after .lost. */
CarrelVmm1 *vmm_control(const Vmm *vmm);
/* SIGTERM has it flush its disks and end. */
void vmm_signal(Vmm *vmm, int number);

/* Text of the VMM's or the guest's for people: one line without control characters, of a bounded length. Free it. */
char *vmm_sentence(const char *text);
/* The last line of a log, as such a sentence, without the program's name; NULL: it has none. */
char *vmm_last_words(const char *log);
