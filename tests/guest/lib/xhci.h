/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver for one xHCI controller (xHCI 1.2), without interrupts of its own: whoever drives it looks for events. Calls say
 * what a driver would do, and what goes wrong is the caller's to see, as completion codes. Any mode, but for
 * xhci_find().
 */
#ifndef GUEST_XHCI_H
#define GUEST_XHCI_H

#include "pci.h"

#include <stdbool.h>
#include <stdint.h>

#define XHCI_BLOCKS 256 /* of a ring; the last is the link */

enum { XHCI_NORMAL = 1, XHCI_SETUP, XHCI_DATA, XHCI_STATUS, XHCI_ISOCH, XHCI_LINK, XHCI_EVENT_DATA, XHCI_NO_OP };
enum {
    XHCI_ENABLE_SLOT = 9,
    XHCI_DISABLE_SLOT,
    XHCI_ADDRESS,
    XHCI_CONFIGURE,
    XHCI_EVALUATE,
    XHCI_RESET_EP,
    XHCI_STOP_EP,
    XHCI_SET_DEQUEUE,
    XHCI_RESET_DEVICE,
    XHCI_NO_OP_COMMAND = 23
};
enum { XHCI_TRANSFER_EVENT = 32, XHCI_COMMAND_EVENT, XHCI_PORT_EVENT };
enum {
    XHCI_CONTROL_EP = 4,
    XHCI_ISOCH_OUT = 1,
    XHCI_BULK_OUT = 2,
    XHCI_ISOCH_IN = 5,
    XHCI_BULK_IN = 6,
    XHCI_INTERRUPT_IN = 7
};
#define XHCI_TYPE(type) ((uint32_t)(type) << 10)
#define XHCI_CHAIN (1u << 4)
#define XHCI_IOC (1u << 5)
#define XHCI_ISP (1u << 2)

enum { XHCI_SUCCESS = 1, XHCI_TRB_ERROR = 5, XHCI_STALL = 6, XHCI_SLOT_NOT_ENABLED = 11, XHCI_SHORT_PACKET = 13 };

typedef struct XhciTrb {
    uint64_t parameter;
    uint32_t status, control;
} XhciTrb;

typedef struct XhciRing {
    XhciTrb *blocks;
    unsigned at;
    uint32_t cycle;
} XhciRing;

/* A device at a root port. */
typedef struct XhciDevice {
    unsigned port, slot, speed; /* speed: 1 full, 2 low, 3 high, 4 super */
    XhciRing rings[32];         /* by device context index: endpoint number × 2, and 1 more for IN */
} XhciDevice;

typedef struct Xhci {
    PciDevice pci;
    uint64_t base, operational, runtime, doorbells; /* addresses of registers */
    unsigned n_ports;
    XhciRing commands;
} Xhci;

extern Xhci xhci;

/* Finds the controller and maps it. false: there is none. */
bool xhci_find(void);
/* Resets it and sets everything up anew. @interrupts: whether events make MSIs. */
bool xhci_start(bool interrupts);
bool xhci_wait_clear(uint64_t address, uint32_t bits);

XhciRing xhci_ring_new(void);
XhciTrb *xhci_ring_add(XhciRing *ring, uint64_t parameter, uint32_t status, uint32_t control);
/* Where the next block goes, with the cycle bit. */
uint64_t xhci_ring_place(const XhciRing *ring);
void xhci_doorbell(unsigned slot, unsigned target);

/* The next event, if there is one. The controller is told of events taken by xhci_events_taken(), before the ring is full. */
bool xhci_poll(XhciTrb *found);
void xhci_events_taken(void);
/* Waits for the next of @type; others are dropped. false: none came in 5 seconds. */
bool xhci_event(unsigned type, XhciTrb *found);
/* Carries out a command; its completion code, 0 where there was no answer. @done: its event, may be NULL. */
unsigned xhci_command(uint64_t parameter, uint32_t status, uint32_t control, XhciTrb *done);

bool xhci_connected(unsigned port);
/* Resets the port, enables a slot and addresses the device. */
bool xhci_address(XhciDevice *device, unsigned port);
/* Configures one endpoint more; @interval as in endpoint contexts (125 µs × 2^interval). Returns the completion code. */
unsigned xhci_add_endpoint(XhciDevice *device, unsigned index, unsigned type, unsigned packet, unsigned interval);

/* A transfer's completion code; *@left: bytes not moved, may be NULL. 0: it did not come. */
unsigned xhci_transfer_done(unsigned *left);
unsigned xhci_control(XhciDevice *device, uint8_t type, uint8_t request, uint16_t value, uint16_t index, void *data,
                      uint16_t length);
unsigned xhci_move(XhciDevice *device, unsigned index, void *data, uint32_t length, unsigned *left);

#endif
