/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event rings and when to interrupt (xHCI 1.2, 4.9.4, 4.17).
 *
 * An event ring is segments of blocks that the controller writes and the guest reads. It is full while one block is left;
 * the last but one says so (Event Ring Full Error), later events wait here, and nothing new is begun until there is room.
 *
 * An interrupter that is not empty and whose handler is not at work (EHB) interrupts, but not sooner after the last time than
 * the guest's moderation says. The timer for that runs only while something waits for it.
 *
 * Everything under the controller's lock, on any thread.
 */
#include "usb/xhci/private.h"
#include "vmm/pci/msix.h"

#include <string.h>

#define SEGMENT_MIN 16 /* blocks, 6.5 */
#define SEGMENT_MAX 4096

/* --- interrupting ----------------------------------------------------------------------------------------------- */

static void
update_line(Xhci *xhci)
{
    bool high = false;

    if (xhci->usbcmd & USBCMD_INTE && !pci_msix_enabled(&xhci->pci))
        for (unsigned i = 0; i < XHCI_INTERRUPTERS; i++)
            high |= (xhci->interrupters[i].iman & (IMAN_IP | IMAN_IE)) == (IMAN_IP | IMAN_IE);
    pci_device_set_intx(&xhci->pci, high);
}

/* It is pending: tells the guest. A message takes the pending bit with it (5.5.2.1). */
static void
deliver(XhciInterrupter *interrupter)
{
    Xhci *xhci = interrupter->xhci;

    if (!(xhci->usbcmd & USBCMD_INTE))
        return;
    if (pci_msix_enabled(&xhci->pci)) {
        interrupter->iman &= ~IMAN_IP;
        xhci->stats.interrupts++;
        pci_msix_signal(&xhci->pci, interrupter->index);
    }
    update_line(xhci);
}

static uint64_t
place(const XhciInterrupter *interrupter, uint32_t segment, uint32_t at)
{
    return interrupter->segments[segment].address + (uint64_t)at * TRB_SIZE;
}

static bool
holds_events(const XhciInterrupter *interrupter)
{
    return interrupter->n_segments &&
           place(interrupter, interrupter->segment, interrupter->at) != (interrupter->erdp & ~0xfull);
}

static void
update(XhciInterrupter *interrupter)
{
    Xhci *xhci = interrupter->xhci;
    int64_t wait = (int64_t)(interrupter->imod & IMOD_INTERVAL) * 250;

    if (interrupter->iman & IMAN_IP) {
        deliver(interrupter);
        return;
    }
    if (!(interrupter->iman & IMAN_IE) || interrupter->erdp & ERDP_EHB || !holds_events(interrupter))
        return;
    int64_t now = clock_now(xhci->clock);
    if (wait && now - interrupter->last < wait) {
        clock_timer_set(interrupter->timer, interrupter->last + wait);
        return;
    }
    interrupter->last = now;
    interrupter->iman |= IMAN_IP;
    interrupter->erdp |= ERDP_EHB;
    xhci->usbsts |= USBSTS_EINT;
    deliver(interrupter);
}

static void
on_timer(void *user)
{
    XhciInterrupter *interrupter = user;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&interrupter->xhci->lock);

    update(interrupter);
}

void
xhci_interrupts_update(Xhci *xhci)
{
    for (unsigned i = 0; i < XHCI_INTERRUPTERS; i++)
        update(&xhci->interrupters[i]);
    update_line(xhci);
}

/* --- the ring ---------------------------------------------------------------------------------------------------- */

/* Copies the guest's table of segments (6.5). */
static void
load_segments(XhciInterrupter *interrupter)
{
    Xhci *xhci = interrupter->xhci;
    uint32_t n = MIN(interrupter->erstsz & 0xffff, XHCI_SEGMENTS);

    interrupter->reload = false;
    interrupter->n_segments = 0;
    interrupter->segment = interrupter->at = 0;
    interrupter->cycle = true;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t entry[4];
        if (!guest_memory_read(xhci->memory, (interrupter->erstba & ~0x3full) + i * sizeof(entry), entry,
                               sizeof(entry))) {
            xhci_break_locked(xhci, "an event ring's segment table is not in memory");
            return;
        }
        XhciSegment *segment = &interrupter->segments[i];
        segment->address = (entry[0] & ~0x3fu) | (uint64_t)entry[1] << 32;
        segment->size = entry[2] & 0xffff;
        if (segment->size < SEGMENT_MIN || segment->size > SEGMENT_MAX ||
            !guest_memory_at(xhci->memory, segment->address, segment->size * TRB_SIZE)) {
            xhci_break_locked(xhci, "an event ring's segment is not in memory, or of no size there is");
            return;
        }
    }
    interrupter->n_segments = n;
}

static void
advance(const XhciInterrupter *interrupter, uint32_t *segment, uint32_t *at)
{
    if (++*at < interrupter->segments[*segment].size)
        return;
    *at = 0;
    *segment = (*segment + 1) % interrupter->n_segments;
}

/* Free blocks, of which one always stays free: 0, 1 or 2 for more. */
static unsigned
room(const XhciInterrupter *interrupter)
{
    uint32_t segment = interrupter->segment, at = interrupter->at;

    for (unsigned n = 0; n < 2; n++) {
        advance(interrupter, &segment, &at);
        if (place(interrupter, segment, at) == (interrupter->erdp & ~0xfull))
            return n;
    }
    return 2;
}

static void
put(XhciInterrupter *interrupter, const XhciEvent *event)
{
    Xhci *xhci = interrupter->xhci;
    uint8_t *to = guest_memory_at(xhci->memory, place(interrupter, interrupter->segment, interrupter->at), TRB_SIZE);
    uint32_t control = event->control | (interrupter->cycle ? TRB_CYCLE : 0);

    memcpy(to, &event->parameter, 8);
    memcpy(to + 8, &event->status, 4);
    /* the word with the cycle bit last: then the guest may read the others */
    __atomic_store_n((uint32_t *)(to + 12), control, __ATOMIC_RELEASE);
    guest_memory_dirty(xhci->memory, to, TRB_SIZE);
    advance(interrupter, &interrupter->segment, &interrupter->at);
    if (!interrupter->segment && !interrupter->at)
        interrupter->cycle = !interrupter->cycle;
}

static void
wait_for_room(XhciInterrupter *interrupter, const XhciEvent *event)
{
    static const XhciEvent full = {.status = (uint32_t)CC_EVENT_RING_FULL << 24,
                                   .control = TRB_HOST_CONTROLLER_EVENT << TRB_TYPE_SHIFT};
    Xhci *xhci = interrupter->xhci;

    if (!interrupter->full) {
        interrupter->full = true;
        xhci->n_full++;
        if (room(interrupter))
            put(interrupter, &full);
    }
    if (interrupter->waiting->len >= XHCI_EVENTS_WAITING_MAX)
        xhci_break_locked(xhci, "an event ring stays full");
    else
        g_array_append_val(interrupter->waiting, *event);
}

/* The guest has read some. */
static void
put_waiting(XhciInterrupter *interrupter)
{
    guint done = 0;

    while (done < interrupter->waiting->len && room(interrupter) == 2)
        put(interrupter, &g_array_index(interrupter->waiting, XhciEvent, done++));
    if (done)
        g_array_remove_range(interrupter->waiting, 0, done);
    if (interrupter->waiting->len)
        return;
    interrupter->full = false;
    interrupter->xhci->n_full--;
    interrupter->xhci->wanted |= XHCI_WORK_EVENTS;
    xhci_wake(interrupter->xhci);
}

void
xhci_interrupters_go_on(Xhci *xhci)
{
    for (unsigned i = 0; i < XHCI_INTERRUPTERS; i++)
        xhci->interrupters[i].reload &= xhci->interrupters[i].n_segments == 0;
}

static XhciInterrupter *
interrupter_at(Xhci *xhci, unsigned index)
{
    return &xhci->interrupters[index < XHCI_INTERRUPTERS ? index : 0];
}

static void
add_event(XhciInterrupter *interrupter, const XhciEvent *event)
{
    if (interrupter->xhci->usbsts & (USBSTS_HCE | USBSTS_CNR))
        return; /* of no use to anybody, and during a reset not the ring's memory any more */
    if (interrupter->reload)
        load_segments(interrupter);
    if (!interrupter->n_segments)
        return; /* nobody wants to know */
    if (interrupter->full || room(interrupter) < 2)
        wait_for_room(interrupter, event);
    else
        put(interrupter, event);
}

void
xhci_event_locked(Xhci *xhci, unsigned index, uint64_t parameter, uint32_t status, uint32_t control)
{
    const XhciEvent event = {parameter, status, control};
    XhciInterrupter *interrupter = interrupter_at(xhci, index);

    add_event(interrupter, &event);
    update(interrupter);
}

void
xhci_event_quietly(Xhci *xhci, unsigned index, uint64_t parameter, uint32_t status, uint32_t control)
{
    const XhciEvent event = {parameter, status, control};
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&xhci->lock);

    add_event(interrupter_at(xhci, index), &event);
}

void
xhci_event(Xhci *xhci, unsigned index, uint64_t parameter, uint32_t status, uint32_t control)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&xhci->lock);
    xhci_event_locked(xhci, index, parameter, status, control);
}

/* --- registers (5.5.2) ------------------------------------------------------------------------------------------- */

uint32_t
xhci_interrupter_read(const XhciInterrupter *interrupter, unsigned offset)
{
    switch (offset) {
    case IR_IMAN:
        return interrupter->iman;
    case IR_IMOD:
        return interrupter->imod;
    case IR_ERSTSZ:
        return interrupter->erstsz;
    case IR_ERSTBA:
        return (uint32_t)interrupter->erstba;
    case IR_ERSTBA + 4:
        return interrupter->erstba >> 32;
    case IR_ERDP:
        return (uint32_t)interrupter->erdp;
    case IR_ERDP + 4:
        return interrupter->erdp >> 32;
    default:
        return 0;
    }
}

static void
set_half(uint64_t *place, bool high, uint32_t value)
{
    *place = high ? (uint32_t)*place | (uint64_t)value << 32 : (*place & ~(uint64_t)UINT32_MAX) | value;
}

/* The busy bit is the controller's, and cleared by writing 1. */
static void
write_dequeue(XhciInterrupter *interrupter, bool high, uint32_t value)
{
    uint64_t busy = interrupter->erdp & ERDP_EHB;

    if (!high && value & ERDP_EHB)
        busy = 0;
    set_half(&interrupter->erdp, high, high ? value : value & ~ERDP_EHB);
    interrupter->erdp |= busy;
    if (interrupter->full && !interrupter->reload)
        put_waiting(interrupter);
}

void
xhci_interrupter_write(XhciInterrupter *interrupter, unsigned offset, uint32_t value)
{
    switch (offset) {
    case IR_IMAN:
        interrupter->iman = (interrupter->iman & ~value & IMAN_IP) | (value & IMAN_IE);
        break;
    case IR_IMOD:
        interrupter->imod = value;
        break;
    case IR_ERSTSZ:
        interrupter->erstsz = value & 0xffff;
        interrupter->reload |= interrupter->n_segments == 0;
        break;
    case IR_ERSTBA:
    case IR_ERSTBA + 4:
        set_half(&interrupter->erstba, offset != IR_ERSTBA, offset == IR_ERSTBA ? value & ~0x3fu : value);
        interrupter->reload = true;
        break;
    case IR_ERDP:
    case IR_ERDP + 4:
        write_dequeue(interrupter, offset != IR_ERDP, value);
        break;
    default:
        return;
    }
    update(interrupter);
    update_line(interrupter->xhci);
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

void
xhci_interrupter_init(XhciInterrupter *interrupter, Xhci *xhci, unsigned index)
{
    interrupter->xhci = xhci;
    interrupter->index = index;
    interrupter->waiting = g_array_new(FALSE, FALSE, sizeof(XhciEvent));
    interrupter->timer = clock_timer_new(xhci->clock, on_timer, interrupter);
    xhci_interrupter_reset(interrupter);
}

void
xhci_interrupter_finish(XhciInterrupter *interrupter)
{
    clock_timer_free(interrupter->timer);
    g_array_unref(interrupter->waiting);
    g_clear_pointer(&interrupter->saved_waiting, g_byte_array_unref);
}

void
xhci_interrupter_reset(XhciInterrupter *interrupter)
{
    interrupter->iman = interrupter->erstsz = 0;
    interrupter->imod = IMOD_DEFAULT;
    interrupter->erstba = interrupter->erdp = 0;
    interrupter->reload = false;
    interrupter->n_segments = 0;
    interrupter->segment = interrupter->at = 0;
    interrupter->cycle = true;
    interrupter->last = 0;
    g_array_set_size(interrupter->waiting, 0);
    if (interrupter->full)
        interrupter->xhci->n_full--;
    interrupter->full = false;
    clock_timer_set(interrupter->timer, CLOCK_NEVER);
}
