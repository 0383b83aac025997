/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-balloon (virtio 1.2, 5.5): memory the guest gives back to the host, when asked or because it is free.
 *
 * Asked: the host names a target, the guest gives pages until no more than that is left to it, and takes them back when the
 * target grows; under pressure of its own it takes them back unasked (deflate on OOM). Unasked: a guest that reports its
 * free pages has them discarded at once. Statistics the guest keeps are fetched on request only.
 *
 * Owner: the main thread.
 */
#pragma once

#include "vmm/virtio/device.h"

/* What the guest says of its memory, in bytes; nothing here is to be trusted. 0: it does not say. */
typedef struct {
    uint64_t total;
    uint64_t available; /* for new programs, without swapping (Linux's MemAvailable) */
    uint64_t free;
    uint64_t swapped_in, swapped_out; /* since the guest started */
    uint64_t major_faults;            /* a count */
} VirtioBalloonStatistics;

VirtioDevice *virtio_balloon_new(const char *id, GuestMemory *memory);

/* The guest is to make do with @bytes of its RAM; clamped to what it has. */
void virtio_balloon_set_target(VirtioDevice *balloon, uint64_t bytes);
uint64_t virtio_balloon_target(VirtioDevice *balloon);
/* Bytes the guest says it has kept. */
uint64_t virtio_balloon_actual(VirtioDevice *balloon);

/* The last statistics that came. */
void virtio_balloon_get_statistics(VirtioDevice *balloon, VirtioBalloonStatistics *statistics);
/* Asks the guest for new ones; they are there some time later. false where it cannot give any now. */
bool virtio_balloon_ask_statistics(VirtioDevice *balloon);
