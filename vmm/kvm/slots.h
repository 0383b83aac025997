/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which guest physical addresses KVM serves from memory by itself, without an exit: a list of slots, replaced as a whole.
 *
 * There are two address spaces: what processors see, and what those in system management mode see (SLOTS_SMM, where the
 * host has it). Whatever no slot holds is an access to a device. Only slots that differ are taken away and put back, so a
 * change leaves alone the memory that other processors run in meanwhile.
 *
 * slots_set(): any thread, serialised inside. The rest: main thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define SLOTS_MAX 48 /* of one space */

enum { SLOTS_ORDINARY, SLOTS_SMM, SLOTS_SPACES };

typedef struct {
    uint64_t gpa, size; /* multiples of 4 KiB */
    uint8_t *host;      /* not owned; stays mapped as long as the slot is there */
    bool read_only;     /* a write is an access to a device */
} MemorySlot;

typedef struct {
    MemorySlot slot;
    unsigned number; /* KVM's */
} PlacedSlot;

typedef struct {
    int vm_fd;
    GMutex lock;
    PlacedSlot placed[SLOTS_SPACES][SLOTS_MAX];
    unsigned n_placed[SLOTS_SPACES];
} Slots;

void slots_init(Slots *slots, int vm_fd);
void slots_finish(Slots *slots);

/*
 * Makes @list, @n slots that do not overlap, all there is in @space. 0, or a negative errno where the host will not have
 * one of them; those before it are there then.
 */
int slots_set(Slots *slots, unsigned space, const MemorySlot *list, unsigned n);
