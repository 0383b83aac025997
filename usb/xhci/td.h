/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A transfer descriptor: the blocks of a ring that are one transfer (xHCI 1.2, 4.11.2), put together, and taken apart again
 * into the events that tell how it went.
 *
 * Owner: the USB thread.
 */
#pragma once

#include "usb/device.h"
#include "usb/xhci/ring.h"

#define XHCI_TD_TRBS_MAX 1024

typedef struct {
    UsbTransfer transfer; /* first: the device hands it back */
    void *endpoint;       /* of whom it is */
    XhciRing start, end;  /* the ring before and behind it */
    unsigned n_trbs;
    XhciTrb *trbs;
    struct iovec *iov; /* all of its data; the transfer's leaves out what was moved before */
    unsigned n_iov;
    uint32_t length; /* of all of it */
    uint32_t skip;   /* bytes moved before it was stopped and started again */
    bool back;       /* the device gave it back */
} XhciTd;

typedef enum {
    XHCI_TD_READY,
    XHCI_TD_EMPTY,  /* not all of it is there yet: the ring is where it was */
    XHCI_TD_BROKEN, /* no transfer that anybody could carry out (TRB Error) */
} XhciTdResult;

/*
 * Takes the next one. A control transfer's is its setup, data and status stages together. @skip: bytes of it that were
 * moved already. *@td is made, and freed by xhci_td_free(), for READY only; where it is BROKEN, *@where is the block.
 */
XhciTdResult xhci_td_read(GuestMemory *memory, XhciRing *ring, UsbTransferType type, bool in, uint32_t skip,
                          XhciTd **td, uint64_t *where);
void xhci_td_free(XhciTd *td);

/* Whether there is nothing for a device to do: No Op blocks only. */
bool xhci_td_is_no_op(const XhciTd *td);

/* A transfer event (xHCI 1.2, 6.4.2.1), less slot and endpoint. */
typedef struct {
    uint64_t parameter; /* the block's address, or an Event Data block's parameter */
    uint32_t length;    /* bytes of the block not moved, or moved in all where it is event data */
    XhciCode code;
    bool event_data;
    bool quiet; /* it interrupts nobody: more is to come */
    uint16_t interrupter;
} XhciTdEvent;

typedef void (*XhciTdEmit)(void *user, const XhciTdEvent *event);

/*
 * Tells what the driver wants to hear of it, @bytes in all (with the skipped) having been moved: CC_SUCCESS for short packets
 * too; any other code is an error's, told with the block where it happened.
 */
void xhci_td_report(const XhciTd *td, uint32_t bytes, XhciCode code, XhciTdEmit emit, void *user);
/* It was stopped after @bytes (xHCI 1.2, 4.6.9). */
void xhci_td_report_stopped(const XhciTd *td, uint32_t bytes, XhciTdEmit emit, void *user);
