/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a ring of transfer request blocks that the guest writes (xHCI 1.2, 4.9): one block at a time, links followed.
 *
 * A ring is hostile: a link may lead to itself, out of memory, or to another ring. Each block is copied once. How many links
 * may follow one another is bounded; a ring without end made of valid blocks is bounded by who reads it.
 *
 * Owner: the USB thread. No state beyond the struct: a copy of it is a place to come back to.
 */
#pragma once

#include "usb/xhci/spec.h"
#include "vmm/kvm/memory.h"

#define XHCI_LINKS_MAX 16 /* in a row */

typedef struct {
    uint64_t address; /* of the next block, a multiple of 16 */
    bool cycle;       /* the cycle bit of a block that is valid */
} XhciRing;

typedef struct {
    uint64_t parameter;
    uint32_t status, control;
    uint64_t address; /* where it was */
} XhciTrb;

typedef enum {
    XHCI_RING_TRB,
    XHCI_RING_EMPTY,  /* the next block is not the controller's yet; the ring may stand behind a link now */
    XHCI_RING_BROKEN, /* it leads out of memory, or nowhere */
} XhciRingResult;

/* A pointer with its cycle bit in bit 0, as contexts and commands hold it. */
static inline XhciRing
xhci_ring_at(uint64_t pointer)
{
    return (XhciRing){.address = pointer & ~0xfull, .cycle = pointer & 1};
}

static inline uint64_t
xhci_ring_pointer(const XhciRing *ring)
{
    return ring->address | ring->cycle;
}

static inline XhciTrbType
xhci_trb_type(const XhciTrb *trb)
{
    return TRB_TYPE(trb->control);
}

/* Takes the next block that is no link. */
XhciRingResult xhci_ring_next(const GuestMemory *memory, XhciRing *ring, XhciTrb *trb);
