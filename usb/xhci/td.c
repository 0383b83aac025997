/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks to a transfer, and a transfer's end to events. */
#include "usb/xhci/td.h"

#include <string.h>

/* --- putting together ------------------------------------------------------------------------------------------- */

static bool
carries_data(const XhciTrb *trb)
{
    XhciTrbType type = xhci_trb_type(trb);
    return type == TRB_NORMAL || type == TRB_DATA_STAGE || type == TRB_ISOCH;
}

/* Where in the reading of a control transfer's stages we are; the others know DATA only. */
typedef enum { STAGE_SETUP, STAGE_DATA, STAGE_STATUS, STAGE_END } Stage;

typedef struct {
    GuestMemory *memory;
    UsbTransferType type;
    bool in;
    Stage stage;
    GArray *trbs; /* XhciTrb */
    UsbSetup setup;
    bool no_op;
} Reader;

/* The setup packet lies in the block itself (xHCI 1.2, 6.4.1.2.1). */
static bool
take_setup(Reader *reader, const XhciTrb *trb)
{
    if (!(trb->control & TRB_IMMEDIATE) || TRB_LENGTH(trb->status) != 8 || trb->control & TRB_CHAIN)
        return false;
    reader->setup = (UsbSetup){
        .request_type = trb->parameter,
        .request = trb->parameter >> 8,
        .value = trb->parameter >> 16,
        .index = trb->parameter >> 32,
        .length = trb->parameter >> 48,
    };
    reader->in = reader->setup.request_type & USB_DIR_IN;
    return true;
}

/*
 * One block of a control endpoint. A stage ends with a block that is not chained. The stages' directions must be the
 * request's (xHCI 1.2, 4.11.2.2).
 */
static bool
take_control(Reader *reader, const XhciTrb *trb)
{
    XhciTrbType type = xhci_trb_type(trb);
    bool chained = trb->control & TRB_CHAIN, goes_on = false;
    const XhciTrb *before = reader->trbs->len > 1 ? &g_array_index(reader->trbs, XhciTrb, reader->trbs->len - 2) : NULL;
    bool inside = before && before->control & TRB_CHAIN;

    switch (reader->stage) {
    case STAGE_SETUP:
        if (type == TRB_NO_OP && !chained) {
            reader->no_op = true;
            reader->stage = STAGE_END;
            return true;
        }
        reader->stage = STAGE_DATA;
        return type == TRB_SETUP_STAGE && take_setup(reader, trb);
    case STAGE_DATA:
        if (inside)
            goes_on = type == TRB_NORMAL || type == TRB_EVENT_DATA_BLOCK;
        else if (type == TRB_DATA_STAGE)
            goes_on = (bool)(trb->control & TRB_DIR_IN) == reader->in;
        else if (type != TRB_STATUS_STAGE)
            return false;
        if (inside || type == TRB_DATA_STAGE) {
            reader->stage = chained ? STAGE_DATA : STAGE_STATUS;
            return goes_on;
        }
        G_GNUC_FALLTHROUGH; /* no data */
    case STAGE_STATUS:
        if (inside ? type != TRB_EVENT_DATA_BLOCK : type != TRB_STATUS_STAGE)
            return false;
        reader->stage = chained ? STAGE_STATUS : STAGE_END;
        return true;
    case STAGE_END:
        break;
    }
    g_assert_not_reached();
}

static bool
take_other(Reader *reader, const XhciTrb *trb)
{
    XhciTrbType type = xhci_trb_type(trb);
    bool first = reader->trbs->len == 1;

    if (!(trb->control & TRB_CHAIN))
        reader->stage = STAGE_END;
    if (type == TRB_NO_OP) {
        reader->no_op = first;
        return true;
    }
    reader->no_op = false;
    if (type == TRB_EVENT_DATA_BLOCK)
        return true;
    if (type == TRB_ISOCH)
        return reader->type == USB_ISOCHRONOUS && first;
    return type == TRB_NORMAL && (reader->type != USB_ISOCHRONOUS || !first);
}

/* Where a block's data is; NULL where it is not in memory. Immediate data is in the block itself. */
static uint8_t *
trb_data(const Reader *reader, const XhciTrb *trb)
{
    uint32_t len = TRB_LENGTH(trb->status);

    if (!(trb->control & TRB_IMMEDIATE))
        return guest_memory_at(reader->memory, trb->parameter, len);
    return reader->in || len > 8 ? NULL : guest_memory_at(reader->memory, trb->address, len);
}

/* All the data as iovecs, neighbours joined. false with *@where where a block's is not in memory, or there is too much. */
static bool
gather(const Reader *reader, XhciTd *td, uint64_t *where)
{
    td->iov = g_new(struct iovec, td->n_trbs);
    for (unsigned i = 0; i < td->n_trbs; i++) {
        const XhciTrb *trb = &td->trbs[i];
        uint32_t len = TRB_LENGTH(trb->status);
        if (!carries_data(trb) || !len)
            continue;
        uint8_t *data = trb_data(reader, trb);
        struct iovec *last = td->n_iov ? &td->iov[td->n_iov - 1] : NULL;
        if (!data || td->length + len > USB_TRANSFER_MAX) {
            *where = trb->address;
            return false;
        }
        td->length += len;
        if (last && (uint8_t *)last->iov_base + last->iov_len == data)
            last->iov_len += len;
        else
            td->iov[td->n_iov++] = (struct iovec){data, len};
    }
    return true;
}

/* Leaves out the first @skip bytes. */
static void
skip_bytes(UsbTransfer *transfer, uint32_t skip)
{
    transfer->length -= skip;
    while (skip && skip >= transfer->iov->iov_len) {
        skip -= transfer->iov->iov_len;
        transfer->iov++;
        transfer->n_iov--;
    }
    if (skip) {
        transfer->iov->iov_base = (uint8_t *)transfer->iov->iov_base + skip;
        transfer->iov->iov_len -= skip;
    }
}

static XhciTd *
make_td(Reader *reader, const XhciRing *start, const XhciRing *end, uint32_t skip, uint64_t *where)
{
    XhciTd *td = g_new0(XhciTd, 1);

    td->start = *start;
    td->end = *end;
    td->n_trbs = reader->trbs->len;
    td->trbs = g_array_steal(reader->trbs, NULL);
    if (!gather(reader, td, where)) {
        xhci_td_free(td);
        return NULL;
    }
    td->skip = MIN(skip, td->length);
    td->transfer = (UsbTransfer){
        .type = reader->type,
        .setup = reader->setup,
        .iov = td->iov,
        .n_iov = td->n_iov,
        .length = td->length,
        .memory = reader->memory,
    };
    if (reader->type == USB_CONTROL)
        td->transfer.length = MIN(td->transfer.length, reader->setup.length);
    else
        skip_bytes(&td->transfer, td->skip);
    return td;
}

XhciTdResult
xhci_td_read(GuestMemory *memory, XhciRing *ring, UsbTransferType type, bool in, uint32_t skip, XhciTd **td,
             uint64_t *where)
{
    g_autoptr(GArray) trbs = g_array_sized_new(FALSE, FALSE, sizeof(XhciTrb), 4);
    Reader reader = {.memory = memory, .type = type, .in = in, .trbs = trbs};
    XhciRing at = *ring;
    XhciTrb trb;

    while (reader.stage != STAGE_END) {
        XhciRingResult result = xhci_ring_next(memory, &at, &trb);
        if (result == XHCI_RING_EMPTY)
            return XHCI_TD_EMPTY;
        *where = result == XHCI_RING_BROKEN ? at.address : trb.address;
        if (result == XHCI_RING_BROKEN || trbs->len == XHCI_TD_TRBS_MAX)
            return XHCI_TD_BROKEN;
        g_array_append_val(trbs, trb);
        if (!(type == USB_CONTROL ? take_control(&reader, &trb) : take_other(&reader, &trb)))
            return XHCI_TD_BROKEN;
    }
    *td = make_td(&reader, ring, &at, skip, where);
    if (!*td)
        return XHCI_TD_BROKEN;
    *ring = at;
    return XHCI_TD_READY;
}

void
xhci_td_free(XhciTd *td)
{
    if (!td)
        return;
    g_free(td->trbs);
    g_free(td->iov);
    g_free(td);
}

bool
xhci_td_is_no_op(const XhciTd *td)
{
    for (unsigned i = 0; i < td->n_trbs; i++) {
        XhciTrbType type = xhci_trb_type(&td->trbs[i]);
        if (type != TRB_NO_OP && type != TRB_EVENT_DATA_BLOCK)
            return false;
    }
    return true;
}

/* --- taking apart ----------------------------------------------------------------------------------------------- */

/* Only what the driver asked to hear of by IOC can be told quietly (xHCI 1.2, 4.17.5), and no failure. */
static bool
is_quiet(const XhciTrb *trb, XhciCode code)
{
    XhciTrbType type = xhci_trb_type(trb);
    bool has_flag = type == TRB_NORMAL || type == TRB_ISOCH || type == TRB_EVENT_DATA_BLOCK;
    const uint32_t both = TRB_IOC | TRB_BEI;

    return has_flag && (trb->control & both) == both && (code == CC_SUCCESS || code == CC_SHORT_PACKET);
}

static void
emit_block(const XhciTrb *trb, uint32_t left, XhciCode code, XhciTdEmit emit, void *user)
{
    const XhciTdEvent event = {.parameter = trb->address,
                               .length = left,
                               .code = code,
                               .quiet = is_quiet(trb, code),
                               .interrupter = TRB_INTERRUPTER(trb->status)};
    emit(user, &event);
}

static void
emit_data(const XhciTrb *trb, uint32_t moved, XhciCode code, XhciTdEmit emit, void *user)
{
    const XhciTdEvent event = {
        .parameter = trb->parameter,
        .length = moved & 0xffffff,
        .code = code,
        .event_data = true,
        .quiet = is_quiet(trb, code),
        .interrupter = TRB_INTERRUPTER(trb->status),
    };
    emit(user, &event);
}

/*
 * The block that byte @bytes would have gone to, and the bytes of it not moved. Where nothing is left of the data: the last
 * block that is not event data, in a control transfer its status stage.
 */
static unsigned
block_at(const XhciTd *td, uint32_t bytes, uint32_t *left)
{
    unsigned last = 0;

    for (unsigned i = 0; i < td->n_trbs; i++) {
        uint32_t len = carries_data(&td->trbs[i]) ? TRB_LENGTH(td->trbs[i].status) : 0;
        if (bytes < len) {
            *left = len - bytes;
            return i;
        }
        bytes -= len;
        if (xhci_trb_type(&td->trbs[i]) != TRB_EVENT_DATA_BLOCK)
            last = i;
    }
    *left = 0;
    return last;
}

void
xhci_td_report_stopped(const XhciTd *td, uint32_t bytes, XhciTdEmit emit, void *user)
{
    uint32_t left;
    unsigned at = block_at(td, bytes, &left);
    emit_block(&td->trbs[at], left, CC_STOPPED, emit, user);
}

/* Blocks up to @end, which went well or were cut short (xHCI 1.2, 4.10.1.1). */
static void
report_blocks(const XhciTd *td, unsigned end, uint32_t bytes, XhciTdEmit emit, void *user)
{
    uint32_t moved = 0; /* since the last event data: EDTLA, 4.11.5.2 */
    bool is_short = false;

    for (unsigned i = 0; i < end; i++) {
        const XhciTrb *trb = &td->trbs[i];
        bool wanted = trb->control & TRB_IOC;
        uint32_t len = carries_data(trb) ? TRB_LENGTH(trb->status) : 0, part = MIN(len, bytes);
        bytes -= part;
        moved += part;
        if (part < len && !is_short) {
            is_short = true;
            wanted |= (bool)(trb->control & TRB_ISP);
        }
        if (xhci_trb_type(trb) == TRB_STATUS_STAGE)
            is_short = false; /* another descriptor by itself */
        XhciCode code = is_short ? CC_SHORT_PACKET : CC_SUCCESS;
        if (xhci_trb_type(trb) != TRB_EVENT_DATA_BLOCK) {
            if (wanted)
                emit_block(trb, len - part, code, emit, user);
            continue;
        }
        if (wanted)
            emit_data(trb, moved, code, emit, user);
        moved = 0;
    }
}

void
xhci_td_report(const XhciTd *td, uint32_t bytes, XhciCode code, XhciTdEmit emit, void *user)
{
    uint32_t left = 0;
    unsigned at = td->n_trbs;

    if (code != CC_SUCCESS)
        at = block_at(td, bytes, &left);
    report_blocks(td, at, bytes, emit, user);
    if (code != CC_SUCCESS)
        emit_block(&td->trbs[at], left, code, emit, user);
}
