/* SPDX-License-Identifier: Apache-2.0 */
/* One block at a time. */
#include "usb/xhci/ring.h"

#include <string.h>

typedef struct {
    uint64_t parameter;
    uint32_t status, control;
} WireTrb;
G_STATIC_ASSERT(sizeof(WireTrb) == TRB_SIZE);

/*
 * Copies the block at @address. The control word, which holds the cycle bit, is read before the rest, as the driver writes
 * it after the rest: then the rest is as old as the cycle bit says.
 */
static bool
read_trb(const GuestMemory *memory, uint64_t address, XhciTrb *trb)
{
    const WireTrb *wire = (const WireTrb *)guest_memory_at(memory, address, TRB_SIZE);

    if (!wire)
        return false;
    trb->control = GUINT32_FROM_LE(__atomic_load_n(&wire->control, __ATOMIC_ACQUIRE));
    trb->parameter = GUINT64_FROM_LE(__atomic_load_n(&wire->parameter, __ATOMIC_RELAXED));
    trb->status = GUINT32_FROM_LE(__atomic_load_n(&wire->status, __ATOMIC_RELAXED));
    trb->address = address;
    return true;
}

XhciRingResult
xhci_ring_next(const GuestMemory *memory, XhciRing *ring, XhciTrb *trb)
{
    for (unsigned links = 0; links <= XHCI_LINKS_MAX; links++) {
        if (!read_trb(memory, ring->address, trb))
            return XHCI_RING_BROKEN;
        if ((bool)(trb->control & TRB_CYCLE) != ring->cycle)
            return XHCI_RING_EMPTY;
        if (xhci_trb_type(trb) != TRB_LINK) {
            ring->address += TRB_SIZE;
            return XHCI_RING_TRB;
        }
        ring->address = trb->parameter & ~0xfull;
        ring->cycle ^= (bool)(trb->control & TRB_TOGGLE);
    }
    return XHCI_RING_BROKEN;
}
