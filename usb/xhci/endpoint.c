/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints (xHCI 1.2, 4.8): transfers taken from a ring, submitted, and reported in the ring's order.
 *
 * A queue of what is in flight, oldest first. What comes back is told to the guest from its head. Draining asks all of it
 * back; once it is, what was finished is told, and the ring goes back to the first that was not: so a pause, a save and Stop
 * Endpoint are one thing.
 */
#include "usb/xhci/private.h"

UsbTransferType
xhci_endpoint_type(const XhciEndpoint *endpoint)
{
    static const UsbTransferType types[] = {USB_CONTROL, USB_ISOCHRONOUS, USB_BULK, USB_INTERRUPT};
    return types[endpoint->context.type % 4];
}

uint8_t
xhci_endpoint_address(const XhciEndpoint *endpoint)
{
    if (endpoint->context.type == EP_TYPE_CONTROL)
        return endpoint->index / 2;
    return endpoint->index / 2 | (endpoint->context.type > EP_TYPE_CONTROL ? USB_DIR_IN : 0);
}

unsigned
xhci_endpoint_n_streams(const XhciEndpoint *endpoint)
{
    return endpoint->context.max_streams ? 2u << endpoint->context.max_streams : 0;
}

bool
xhci_endpoint_quiet(const XhciEndpoint *endpoint)
{
    return endpoint->in_flight.length == 0;
}

void
xhci_endpoint_free(XhciEndpoint *endpoint)
{
    clock_timer_free(endpoint->timer);
    g_free(endpoint);
}

/* --- what the guest reads ----------------------------------------------------------------------------------------- */

/* Streams have their dequeue pointers in their own contexts (6.2.4.1); the type of a ring is 1, a primary one. */
static void
tell_streams(XhciEndpoint *endpoint)
{
    uint64_t array = endpoint->context.dequeue & ~0xfull;

    for (unsigned id = 1; id < xhci_endpoint_n_streams(endpoint); id++) {
        XhciStream *stream = &endpoint->streams[id];
        uint64_t pointer = xhci_ring_pointer(&stream->ring) | 1 << 1;
        if (stream->valid)
            guest_memory_write(endpoint->slot->xhci->memory, array + id * STREAM_CONTEXT_SIZE, &pointer,
                               sizeof(pointer));
    }
}

void
xhci_endpoint_set_state(XhciEndpoint *endpoint, XhciEndpointState state)
{
    XhciSlot *slot = endpoint->slot;
    uint32_t words[CONTEXT_WORDS];

    endpoint->context.state = state;
    if (!endpoint->context.max_streams)
        endpoint->context.dequeue = xhci_ring_pointer(&endpoint->streams[0].ring);
    if (!slot->output)
        return;
    if (endpoint->context.max_streams)
        tell_streams(endpoint);
    xhci_endpoint_context_write(&endpoint->context, words);
    guest_memory_write(slot->xhci->memory, slot->output + endpoint->index * CONTEXT_SIZE, words, sizeof(words));
}

static void
emit(void *user, const XhciTdEvent *event)
{
    XhciEndpoint *endpoint = user;
    uint32_t status = event->length | (uint32_t)event->code << 24;
    uint32_t control = TRB_TRANSFER_EVENT << TRB_TYPE_SHIFT | (event->event_data ? TRB_EVENT_DATA : 0) |
                       (uint32_t)endpoint->index << 16 | (uint32_t)endpoint->slot_id << 24;

    (event->quiet ? xhci_event_quietly : xhci_event)(endpoint->slot->xhci, event->interrupter, event->parameter, status,
                                                     control);
}

void
xhci_endpoint_report(XhciEndpoint *endpoint, const XhciTd *td, uint32_t bytes, XhciCode code)
{
    xhci_td_report(td, bytes, code, emit, endpoint);
}

void
xhci_endpoint_fail(XhciEndpoint *endpoint, uint64_t where, XhciCode code, XhciEndpointState state)
{
    const XhciTdEvent event = {.parameter = where, .code = code};

    emit(endpoint, &event);
    xhci_endpoint_set_state(endpoint, state);
}

XhciCode
xhci_code_of(UsbStatus status)
{
    switch (status) {
    case USB_OK:
        return CC_SUCCESS;
    case USB_STALL:
        return CC_STALL;
    case USB_BABBLE:
        return CC_BABBLE;
    default:
        return CC_TRANSACTION_ERROR;
    }
}

void
xhci_count(Xhci *xhci, const XhciTd *td)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&xhci->lock);

    xhci->stats.transfers++;
    xhci->stats.bytes += td->transfer.actual;
    xhci->stats.errors += td->transfer.status != USB_OK;
}

/* --- coming back -------------------------------------------------------------------------------------------------- */

static uint32_t
moved(const XhciTd *td)
{
    return td->skip + td->transfer.actual;
}

static XhciStream *
stream_of(XhciEndpoint *endpoint, const XhciTd *td)
{
    return &endpoint->streams[td->transfer.stream];
}

/* The ring goes back to where @td begins, behind what was moved of it. A control transfer begins anew. */
static void
rewind_to(XhciEndpoint *endpoint, const XhciTd *td, uint32_t skip)
{
    stream_of(endpoint, td)->ring = td->start;
    stream_of(endpoint, td)->skip = td->transfer.type == USB_CONTROL ? 0 : skip;
}

/* Tells how @td, the head of the queue, went. false: it failed, and the endpoint is halted. */
static bool
finish_td(XhciEndpoint *endpoint, XhciTd *td)
{
    XhciCode code = xhci_code_of(td->transfer.status);

    xhci_count(endpoint->slot->xhci, td);
    xhci_endpoint_report(endpoint, td, moved(td), code);
    if (code == CC_SUCCESS)
        return true;
    rewind_to(endpoint, td, 0);
    return false;
}

static void
remove_head(XhciEndpoint *endpoint)
{
    xhci_td_free(g_queue_pop_head(&endpoint->in_flight));
    endpoint->slot->xhci->n_in_flight--;
}

/* All are back: tells of what went well, up to the first that was cancelled or failed; the ring goes back to there. */
static void
settle(XhciEndpoint *endpoint)
{
    bool halted = false;
    XhciTd *td;

    while ((td = g_queue_peek_head(&endpoint->in_flight))) {
        bool lost = td->transfer.status == USB_CANCELLED && !endpoint->slot->device;
        if (td->transfer.status == USB_CANCELLED && !lost)
            break;
        if (lost)
            td->transfer.status = USB_GONE;
        halted = !finish_td(endpoint, td);
        if (halted)
            break;
        remove_head(endpoint);
    }
    if (td && !halted && endpoint->tell_stopped)
        xhci_td_report_stopped(td, moved(td), emit, endpoint);
    /* last first, so that each ring ends up at its oldest */
    for (GList *link = endpoint->in_flight.tail; link; link = link->prev) {
        XhciTd *undone = link->data;
        rewind_to(endpoint, undone, halted || undone->transfer.status != USB_CANCELLED ? 0 : moved(undone));
    }
    while (!g_queue_is_empty(&endpoint->in_flight))
        remove_head(endpoint);
    endpoint->draining = endpoint->tell_stopped = false;
    if (halted)
        xhci_endpoint_set_state(endpoint, EP_HALTED);
}

static bool
all_back(const XhciEndpoint *endpoint)
{
    for (GList *link = endpoint->in_flight.head; link; link = link->next)
        if (!((XhciTd *)link->data)->back)
            return false;
    return true;
}

/* Tells of what is back at the head of the queue. Where one failed, the rest is asked back. */
static void
deliver(XhciEndpoint *endpoint)
{
    XhciTd *td;

    while ((td = g_queue_peek_head(&endpoint->in_flight)) && td->back) {
        if (td->transfer.status != USB_OK) {
            xhci_endpoint_drain(endpoint); /* settles, at once or later */
            return;
        }
        finish_td(endpoint, td);
        remove_head(endpoint);
    }
}

static void
on_done(UsbTransfer *transfer)
{
    XhciTd *td = (XhciTd *)transfer;
    XhciEndpoint *endpoint = td->endpoint;
    Xhci *xhci = endpoint->slot->xhci;

    g_assert(!td->back);
    td->back = true;
    if (transfer->status == USB_CANCELLED && transfer->length && transfer->actual == transfer->length)
        transfer->status = USB_OK; /* too late: nothing is left of it */
    if (endpoint->feeding)
        return; /* whoever submits or cancels looks */
    if (!endpoint->draining)
        deliver(endpoint);
    else if (all_back(endpoint))
        settle(endpoint);
    if (!xhci_is_waited_for(xhci)) {
        xhci_endpoint_feed(endpoint);
        return;
    }
    xhci_want(xhci, XHCI_WORK_ALL); /* not now: what waits may free the endpoint */
    if (xhci_endpoint_quiet(endpoint))
        xhci_fell_quiet(xhci);
}

bool
xhci_endpoint_drain(XhciEndpoint *endpoint)
{
    if (xhci_endpoint_quiet(endpoint))
        return true;
    if (!endpoint->draining) {
        bool feeding = endpoint->feeding;

        endpoint->draining = true;
        endpoint->feeding = true;
        /* the newest first: then none goes through behind one that was cancelled */
        for (GList *link = endpoint->in_flight.tail; link; link = link->prev) {
            XhciTd *td = link->data;
            if (!td->back)
                td->transfer.device->ops->cancel(td->transfer.device, &td->transfer);
        }
        endpoint->feeding = feeding;
    }
    if (!all_back(endpoint))
        return false;
    settle(endpoint);
    return true;
}

/* --- submitting --------------------------------------------------------------------------------------------------- */

/* The ring cannot be read. The block that is wrong is where it stays (4.10.2.2). */
static void
break_ring(XhciEndpoint *endpoint, uint64_t where)
{
    xhci_complain(endpoint->slot->xhci, "a transfer ring that makes no sense");
    xhci_endpoint_fail(endpoint, where, CC_TRB_ERROR, EP_ERROR);
}

/* SET_ADDRESS is the controller's (4.6.5). */
static bool
is_refused(const XhciTd *td)
{
    const UsbTransfer *transfer = &td->transfer;
    return transfer->type == USB_CONTROL && transfer->setup.request_type == 0 &&
           transfer->setup.request == USB_REQ_SET_ADDRESS;
}

static void
submit(XhciEndpoint *endpoint, XhciTd *td, unsigned stream)
{
    UsbDevice *device = endpoint->slot->device;

    td->endpoint = endpoint;
    td->transfer.device = device;
    td->transfer.endpoint = xhci_endpoint_address(endpoint);
    td->transfer.stream = stream;
    td->transfer.done = on_done;
    g_queue_push_tail(&endpoint->in_flight, td);
    endpoint->slot->xhci->n_in_flight++;
    if (device && !is_refused(td))
        device->ops->submit(device, &td->transfer);
    else
        usb_transfer_complete(&td->transfer, device ? USB_STALL : USB_GONE);
}

/* Takes one transfer of the stream's ring. false: there is none, or the endpoint does not go on. */
static bool
feed_one(XhciEndpoint *endpoint, unsigned id)
{
    XhciStream *stream = &endpoint->streams[id];
    bool in = xhci_endpoint_address(endpoint) & USB_DIR_IN;
    XhciTd *td = NULL;
    uint64_t where;

    switch (xhci_td_read(endpoint->slot->xhci->memory, &stream->ring, xhci_endpoint_type(endpoint), in, stream->skip,
                         &td, &where)) {
    case XHCI_TD_EMPTY:
        return false;
    case XHCI_TD_BROKEN:
        break_ring(endpoint, where);
        return false;
    case XHCI_TD_READY:
        break;
    }
    stream->skip = 0;
    if (!xhci_td_is_no_op(td)) {
        submit(endpoint, td, id);
        return true;
    }
    xhci_endpoint_report(endpoint, td, 0, CC_SUCCESS);
    xhci_td_free(td);
    return true;
}

static unsigned
depth(const XhciEndpoint *endpoint)
{
    const UsbDevice *device = endpoint->slot->device;

    if (!device || !device->ops->depth)
        return 1;
    return CLAMP(device->ops->depth((UsbDevice *)device, xhci_endpoint_address(endpoint)), 1, USB_IN_FLIGHT_MAX);
}

static bool
may_feed(const XhciEndpoint *endpoint, unsigned most)
{
    XhciSlot *slot = endpoint->slot;

    return endpoint->context.state == EP_RUNNING && !endpoint->draining && endpoint->in_flight.length < most &&
           !(slot->device && slot->device->resetting) && xhci_may_run(slot->xhci);
}

bool
xhci_endpoint_load_stream(XhciEndpoint *endpoint, unsigned id)
{
    XhciStream *stream = &endpoint->streams[id];
    uint64_t pointer;

    if (stream->valid)
        return true;
    if (!guest_memory_read(endpoint->slot->xhci->memory,
                           (endpoint->context.dequeue & ~0xfull) + id * STREAM_CONTEXT_SIZE, &pointer,
                           sizeof(pointer)) ||
        (pointer >> 1 & 7) != 1)
        return false;
    *stream = (XhciStream){.ring = xhci_ring_at(pointer), .valid = true};
    return true;
}

/* One of each stream in turn, so that none keeps the others waiting. */
static bool
feed_streams(XhciEndpoint *endpoint, unsigned most)
{
    bool any = false;

    for (unsigned id = 1; id < xhci_endpoint_n_streams(endpoint); id++)
        if (may_feed(endpoint, most) && xhci_endpoint_load_stream(endpoint, id))
            any |= feed_one(endpoint, id);
    return any;
}

void
xhci_endpoint_feed(XhciEndpoint *endpoint)
{
    unsigned left = XHCI_TDS_A_TURN, most = depth(endpoint);
    bool more = true;

    if (endpoint->feeding)
        return;
    if (xhci_endpoint_type(endpoint) == USB_ISOCHRONOUS) {
        xhci_isoch_begin(endpoint);
        return;
    }
    while (more && left && may_feed(endpoint, most)) {
        endpoint->feeding = true;
        more = endpoint->context.max_streams ? feed_streams(endpoint, most) : feed_one(endpoint, 0);
        endpoint->feeding = false;
        deliver(endpoint);
        left--;
    }
    if (!left)
        xhci_want(endpoint->slot->xhci, XHCI_WORK_ALL);
}

void
xhci_endpoint_ring(XhciEndpoint *endpoint)
{
    if (endpoint->context.state == EP_STOPPED)
        xhci_endpoint_set_state(endpoint, EP_RUNNING);
    xhci_endpoint_feed(endpoint);
}
