/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Isochronous endpoints (xHCI 1.2, 4.10.3, 4.11.2.5): one transfer each service interval, whether the device has something to
 * say or not.
 *
 * The clock decides. While a ring holds something, a timer fires at each interval; if the host was late, the intervals that
 * passed are served at once. An empty ring ends it (Ring Underrun, Ring Overrun) until the next doorbell: then nothing ticks.
 */
#include "usb/xhci/private.h"

/* Intervals of one turn: a host that was away longer than that has lost what lies before. */
#define INTERVALS_A_TURN 256
/* How far ahead a frame id may lie, in frames of 1 ms (4.11.2.5: 895 ms); anything else is in the past. */
#define FRAMES_AHEAD 895

static int64_t
period(const XhciEndpoint *endpoint)
{
    return INT64_C(125000) << endpoint->context.interval;
}

static bool
may_serve(const XhciEndpoint *endpoint)
{
    const XhciSlot *slot = endpoint->slot;
    return endpoint->context.state == EP_RUNNING && !(slot->device && slot->device->resetting) &&
           xhci_may_run(slot->xhci);
}

static void
dry(XhciEndpoint *endpoint)
{
    bool in = xhci_endpoint_address(endpoint) & USB_DIR_IN;

    endpoint->streaming = false;
    xhci_event(endpoint->slot->xhci, 0, 0, (uint32_t)(in ? CC_RING_OVERRUN : CC_RING_UNDERRUN) << 24,
               TRB_TRANSFER_EVENT << TRB_TYPE_SHIFT | (uint32_t)endpoint->index << 16 |
                   (uint32_t)endpoint->slot_id << 24);
}

/* When the driver wants @td: how many intervals from now; below 0: it is too late. */
static int64_t
intervals_ahead(const XhciEndpoint *endpoint, const XhciTd *td)
{
    uint32_t control = td->trbs[0].control;

    if (control & TRB_SIA || xhci_trb_type(&td->trbs[0]) != TRB_ISOCH)
        return 0;
    int64_t now = (int64_t)endpoint->interval * period(endpoint) / 1000000;
    int64_t ahead = (TRB_FRAME(control) - now) & 0x7ff;
    if (ahead > FRAMES_AHEAD)
        return -1;
    return ahead * 1000000 / period(endpoint);
}

static void
on_done(UsbTransfer *transfer)
{
    ((XhciTd *)transfer)->back = true;
}

static void
carry_out(XhciEndpoint *endpoint, XhciTd *td)
{
    UsbDevice *device = endpoint->slot->device;

    td->transfer.device = device;
    td->transfer.endpoint = xhci_endpoint_address(endpoint);
    td->transfer.interval = endpoint->interval;
    td->transfer.period_us = period(endpoint) / 1000;
    td->transfer.done = on_done;
    if (device)
        device->ops->submit(device, &td->transfer);
    else
        usb_transfer_complete(&td->transfer, USB_GONE);
    g_assert(td->back); /* for an isochronous transfer there is no later */
    xhci_count(endpoint->slot->xhci, td);
    /* errors are told, and the next interval comes all the same (4.10.3) */
    xhci_endpoint_report(endpoint, td, td->transfer.actual, xhci_code_of(td->transfer.status));
}

/* Serves one interval. false: not now. */
static bool
serve_interval(XhciEndpoint *endpoint)
{
    XhciStream *stream = &endpoint->streams[0];
    XhciRing before = stream->ring;
    XhciTd *td = NULL;
    uint64_t where;

    switch (xhci_td_read(endpoint->slot->xhci->memory, &stream->ring, USB_ISOCHRONOUS,
                         xhci_endpoint_address(endpoint) & USB_DIR_IN, 0, &td, &where)) {
    case XHCI_TD_EMPTY:
        dry(endpoint);
        return false;
    case XHCI_TD_BROKEN:
        endpoint->streaming = false;
        xhci_complain(endpoint->slot->xhci, "an isochronous ring that makes no sense");
        xhci_endpoint_fail(endpoint, where, CC_TRB_ERROR, EP_ERROR);
        return false;
    case XHCI_TD_READY:
        break;
    }
    int64_t ahead = intervals_ahead(endpoint, td);
    if (ahead > 0) {
        stream->ring = before;
        endpoint->interval += ahead;
        xhci_td_free(td);
        return true;
    }
    if (ahead < 0)
        xhci_endpoint_report(endpoint, td, 0, CC_MISSED_SERVICE);
    else if (xhci_td_is_no_op(td))
        xhci_endpoint_report(endpoint, td, 0, CC_SUCCESS);
    else
        carry_out(endpoint, td);
    xhci_td_free(td);
    endpoint->interval += ahead == 0;
    return true;
}

/* Serves all that is due, and sets the timer for the next. */
static void
serve(XhciEndpoint *endpoint)
{
    Xhci *xhci = endpoint->slot->xhci;
    uint64_t now = clock_now(xhci->clock) / period(endpoint);
    unsigned left = INTERVALS_A_TURN;

    if (!may_serve(endpoint)) {
        endpoint->streaming = false; /* who lets it run again looks at it */
        return;
    }
    if (now - endpoint->interval < UINT64_MAX / 2 && now - endpoint->interval > INTERVALS_A_TURN)
        endpoint->interval = now;
    for (; left && endpoint->interval <= now && may_serve(endpoint); left--)
        if (!serve_interval(endpoint))
            return;
    clock_timer_set(endpoint->timer, (int64_t)MAX(endpoint->interval, now + !left) * period(endpoint));
}

static void
on_timer(void *user)
{
    XhciEndpoint *endpoint = user;

    if (endpoint->streaming)
        serve(endpoint);
}

void
xhci_isoch_begin(XhciEndpoint *endpoint)
{
    Xhci *xhci = endpoint->slot->xhci;

    if (endpoint->streaming || !may_serve(endpoint))
        return;
    if (!endpoint->timer)
        endpoint->timer = clock_timer_new(xhci->clock, on_timer, endpoint);
    endpoint->streaming = true;
    endpoint->interval = clock_now(xhci->clock) / period(endpoint) + 1;
    clock_timer_set(endpoint->timer, (int64_t)endpoint->interval * period(endpoint));
}

void
xhci_isoch_end(XhciEndpoint *endpoint)
{
    endpoint->streaming = false;
    if (endpoint->timer)
        clock_timer_set(endpoint->timer, CLOCK_NEVER);
}
