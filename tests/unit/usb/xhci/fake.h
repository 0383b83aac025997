/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device that does what the test says: answers at once, keeps a transfer, stalls, or hands things back late; and what tests of
 * the controller look at. Everything runs on the test's thread.
 */
#pragma once

#include "host.h"

typedef struct {
    UsbDevice device;
    bool keep;        /* what is submitted */
    bool cancel_late; /* what was cancelled comes back when the test says so */
    UsbStatus status; /* of what is answered at once */
    uint32_t moves;   /* bytes it moves at most */
    GPtrArray *kept;
    unsigned resets, submits, cancels, stops;
    bool reset_late;
    unsigned n_streams, depth;
    uint16_t last_stream;
    uint8_t state; /* saved */
} Fake;

/* Ends transfer @i of those kept. */
void fake_give_back(Fake *fake, guint i, uint32_t moved, UsbStatus status);
/* Plugged into the first port that is free; its id is "fake0", or @id. */
Fake *fake_plug(Host *host, UsbSpeed speed);
Fake *fake_plug_as(Host *host, UsbSpeed speed, const char *id);
/* Addressed in port 1, with a bulk endpoint in each direction at context indexes 2 and 3. */
Fake *fake_plug_configured(Host *host, unsigned *slot);

/* Of an endpoint, as the guest reads it. */
unsigned host_context_state(Host *host, unsigned slot, unsigned index);
uint64_t host_context_dequeue(Host *host, unsigned slot, unsigned index);

/* The next event is that of a transfer, with so many bytes not moved; or there is none. */
void assert_transfer_event(Host *host, uint64_t block, unsigned code, uint32_t left);
void assert_no_event(Host *host);

#define STOP(slot, index) (HOST_TYPE(TRB_STOP_ENDPOINT) | (slot) << 24 | (index) << 16)
#define RESET_EP(slot, index) (HOST_TYPE(TRB_RESET_ENDPOINT) | (slot) << 24 | (index) << 16)
#define SET_DEQUEUE(slot, index) (HOST_TYPE(TRB_SET_TR_DEQUEUE) | (slot) << 24 | (index) << 16)
