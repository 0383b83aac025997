/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the controller.
 *
 * Two owners. **The lock**: registers, ports, interrupters and their event rings, and what a vCPU asks for (.wanted, .rung);
 * vCPUs, timers and the USB thread take it, and call nothing that may block under it. **The USB thread**: slots, endpoints,
 * transfers, the command ring's place. A register write that means work sets a bit and wakes the USB thread's source; the
 * thread takes the bits, then works without the lock.
 *
 * Work waits for transfers to come back in four places: a command, a reset, a halt, and the machine coming to rest. Each is a
 * step that looks again whenever an endpoint fell quiet (xhci_fell_quiet()).
 */
#pragma once

#include "usb/xhci/context.h"
#include "usb/xhci/ring.h"
#include "usb/xhci/td.h"
#include "usb/xhci/xhci.h"

#define XHCI_SLOTS 64
#define XHCI_INTERRUPTERS 8
#define XHCI_ENDPOINTS 32 /* by context index; 0 is none */
#define XHCI_SEGMENTS 8   /* of an event ring */
#define XHCI_USB3_PORTS_MAX 15
#define XHCI_PORTS_MAX (USB_PORTS_MAX + XHCI_USB3_PORTS_MAX)
#define XHCI_DEVICE_ID_MAX 64

/* What one turn of the USB thread does at most before others have theirs. */
#define XHCI_TDS_A_TURN 64
#define XHCI_COMMANDS_A_TURN 32
/* Events that wait for room in a full ring; beyond it the guest is beyond help. */
#define XHCI_EVENTS_WAITING_MAX 65536

typedef struct {
    uint64_t parameter;
    uint32_t status, control;
} XhciEvent;

typedef struct {
    uint64_t address;
    uint32_t size; /* blocks */
} XhciSegment;

typedef struct {
    Xhci *xhci;
    unsigned index;
    uint32_t iman, imod, erstsz;
    uint64_t erstba, erdp;
    bool reload; /* the table is to be read before the next event */
    uint32_t n_segments;
    XhciSegment segments[XHCI_SEGMENTS];
    uint32_t segment, at; /* where the next event goes */
    bool cycle;
    bool full;                 /* told so, and events wait */
    GArray *waiting;           /* XhciEvent */
    int64_t last;              /* when it interrupted last */
    ClockTimer *timer;         /* for moderation */
    GByteArray *saved_waiting; /* what only a stream holds */
} XhciInterrupter;

typedef struct {
    uint32_t portsc;
    uint32_t pmsc;
    bool owed;  /* the guest is to be told of a change */
    bool reset; /* the USB thread is to reset the device … */
    bool warm;  /* … and this is how the guest put it */
} XhciPort;

typedef struct XhciSlot XhciSlot;

typedef struct {
    XhciRing ring; /* behind what is in flight */
    uint32_t skip; /* bytes moved of the next transfer before it was stopped */
    bool valid;
} XhciStream;

typedef struct {
    XhciSlot *slot;
    uint8_t slot_id, index;
    XhciEndpointContext context;
    XhciStream streams[USB_STREAMS_MAX]; /* 0 is the ring of an endpoint without */
    GQueue in_flight;                    /* XhciTd, in the order they were submitted */
    bool draining;                       /* all in flight were asked back */
    bool tell_stopped;                   /* Stop Endpoint: tell where it was stopped */
    bool feeding;
    ClockTimer *timer; /* isochronous */
    uint64_t interval; /* the next one to be served … */
    bool streaming;    /* … while it is */
} XhciEndpoint;

struct XhciSlot {
    Xhci *xhci;
    uint8_t id; /* from 1 */
    bool enabled;
    XhciSlotContext context;
    uint64_t output;                       /* device context in guest memory; 0: nothing is told */
    UsbDevice *device;                     /* NULL: none, or unplugged */
    char saved_device[XHCI_DEVICE_ID_MAX]; /* its id, in a stream */
    XhciEndpoint *endpoints[XHCI_ENDPOINTS];
};

/* What the USB thread is asked for; bits. */
typedef enum {
    XHCI_WORK_RESET = 1 << 0,
    XHCI_WORK_RUN = 1 << 1, /* USBCMD.RS changed */
    XHCI_WORK_COMMANDS = 1 << 2,
    XHCI_WORK_PORTS = 1 << 3,
    XHCI_WORK_EVENTS = 1 << 4, /* an event ring has room again */
    XHCI_WORK_ALL = 1 << 5,    /* look at every endpoint */
} XhciWork;

struct Xhci {
    PciDevice pci; /* first */
    UsbBus *bus;
    GuestMemory *memory;
    Clock *clock;
    GSource *source; /* wakes the USB thread */
    unsigned n_usb2, n_usb3;

    GMutex lock;
    uint32_t usbcmd, usbsts, dnctrl, config;
    uint64_t crcr;     /* the pointer as written, and CRR */
    bool crcr_written; /* the ring is to go on there */
    uint64_t dcbaap;
    bool kept; /* the driver had the controller keep its state (4.23.2), and it has not been reset since */
    XhciPort ports[XHCI_PORTS_MAX]; /* USB 2 first */
    XhciInterrupter interrupters[XHCI_INTERRUPTERS];
    unsigned n_full; /* interrupters whose ring is full */
    uint32_t wanted;
    uint32_t rung[XHCI_SLOTS + 1]; /* doorbells, by context index; the first for commands is in .wanted */
    ClockTimer *wrap_timer;        /* MFINDEX, while the guest wants to know */
    bool resting;                  /* the machine is: nothing touches the guest */
    GCond at_rest;
    bool is_at_rest;
    int64_t logged; /* when, in µs of the monotonic clock; 0: never */
    XhciStats stats;

    /* the USB thread's */
    XhciSlot slots[XHCI_SLOTS];
    XhciRing command_ring;
    bool command_begun; /* .command waits for transfers to come back */
    bool reset_waits;   /* so does the guest's reset … */
    bool halt_waits;    /* … or its halting of the controller */
    XhciTrb command;
    unsigned n_in_flight; /* of all endpoints */
    GPtrArray *resets;    /* UsbDevice whose transfers are to come back first */

    /* what only a stream holds */
    uint16_t saved_version;
    GByteArray *saved;
    GPtrArray *saved_endpoints; /* XhciEndpoint, not owned while saving */
    GPtrArray *saved_devices;
};

/* --- xhci.c ------------------------------------------------------------------------------------------------------ */

/* Any thread, the lock held or not: see to it that the USB thread looks. */
void xhci_wake(Xhci *xhci);
/* A vCPU has rung for an endpoint, and serves it by itself if it may. false: the USB thread is to be woken. */
bool xhci_ring_at_once(Xhci *xhci, unsigned slot_id, unsigned target);
/* The lock not held: has the USB thread do it. */
void xhci_want(Xhci *xhci, XhciWork work);
/* The lock held. The controller stops: the guest broke what only a reset mends. */
void xhci_break_locked(Xhci *xhci, const char *why);
void xhci_break(Xhci *xhci, const char *why);
/* A guest's mistake that is an endpoint's only; logged once until the next reset. */
void xhci_complain(Xhci *xhci, const char *why);
/* USB thread: whether transfers and commands may begin. */
bool xhci_may_run(Xhci *xhci);
/* USB thread: an endpoint has nothing in flight any more; what waits for that goes on. */
void xhci_fell_quiet(Xhci *xhci);
/* USB thread: whether anything waits for that. */
bool xhci_is_waited_for(Xhci *xhci);
/* USB thread: has every transfer back, or asks for it. */
bool xhci_drain_all(Xhci *xhci);

/* --- registers.c -------------------------------------------------------------------------------------------------- */

/* The lock held: as after a hardware reset. */
void xhci_registers_reset(Xhci *xhci);

/* --- interrupter.c; the lock held ----------------------------------------------------------------------------------- */

void xhci_interrupter_init(XhciInterrupter *interrupter, Xhci *xhci, unsigned index);
void xhci_interrupter_finish(XhciInterrupter *interrupter);
void xhci_interrupter_reset(XhciInterrupter *interrupter);
uint32_t xhci_interrupter_read(const XhciInterrupter *interrupter, unsigned offset);
void xhci_interrupter_write(XhciInterrupter *interrupter, unsigned offset, uint32_t value);
/* Puts an event into the ring of interrupter @index, and interrupts where that is due. */
void xhci_event_locked(Xhci *xhci, unsigned index, uint64_t parameter, uint32_t status, uint32_t control);
/* USBCMD.INTE changed, or a restore: brings lines and timers up to date. */
void xhci_interrupts_update(Xhci *xhci);
/* The driver put the registers back as they were: events go on where they ended. */
void xhci_interrupters_go_on(Xhci *xhci);
/* Takes the lock itself. */
void xhci_event(Xhci *xhci, unsigned index, uint64_t parameter, uint32_t status, uint32_t control);
/* The same, without an interrupt for it. */
void xhci_event_quietly(Xhci *xhci, unsigned index, uint64_t parameter, uint32_t status, uint32_t control);

/* --- port.c ------------------------------------------------------------------------------------------------------ */

/* The lock held. */
void xhci_port_reset_registers(Xhci *xhci, unsigned port);
uint32_t xhci_port_read(const Xhci *xhci, unsigned port, unsigned offset);
void xhci_port_write(Xhci *xhci, unsigned port, unsigned offset, uint32_t value);
/* USB thread: carries out the resets that the guest asked for; tells of changes that are owed. */
void xhci_ports_work(Xhci *xhci);
void xhci_ports_tell(Xhci *xhci);
/* USB thread: after a load, with the registers as saved: @restored tells which devices are the ones from then. */
void xhci_ports_restore(Xhci *xhci, bool (*restored)(void *user, const UsbDevice *device), void *user);
/* USB thread: the bus's calls. */
/* Has @device's transfers back, and resets it. */
void xhci_port_reset(void *xhci, UsbDevice *device);
void xhci_port_plugged(void *xhci, UsbDevice *device);
void xhci_port_unplugged(Xhci *xhci, UsbDevice *device);
void xhci_port_reset_done(void *xhci, UsbDevice *device);
void xhci_port_wake(void *xhci, UsbDevice *device);
/* USB thread: who is at root port register @port (from 1) behind @route; NULL where nobody is, or the port is off. */
UsbDevice *xhci_port_device(Xhci *xhci, unsigned port, uint32_t route);

/* --- slot.c; USB thread --------------------------------------------------------------------------------------------- */

XhciSlot *xhci_slot(Xhci *xhci, unsigned id); /* NULL where it is not enabled */
/* Writes the slot's context where the guest reads it, if it does. */
void xhci_slot_tell(XhciSlot *slot);
XhciEndpoint *xhci_slot_add_endpoint(XhciSlot *slot, unsigned index, const XhciEndpointContext *context);
/* The endpoint is quiet. */
void xhci_slot_drop_endpoint(XhciSlot *slot, unsigned index);
/* Asks for the transfers of the endpoints in @mask back; true once they are. */
bool xhci_slot_drain(XhciSlot *slot, uint32_t mask);
/* It is quiet: forgets all of it. */
void xhci_slot_free(XhciSlot *slot);
/* @device leaves: no slot points to it any more. */
void xhci_slots_forget(Xhci *xhci, UsbDevice *device);
/* Has the transfers of @device, and those behind it where it is a hub, back. */
bool xhci_slots_drain_device(Xhci *xhci, UsbDevice *device);

/* --- endpoint.c; USB thread ------------------------------------------------------------------------------------------ */

UsbTransferType xhci_endpoint_type(const XhciEndpoint *endpoint);
/* As a transfer has it: number and direction. */
uint8_t xhci_endpoint_address(const XhciEndpoint *endpoint);
void xhci_endpoint_free(XhciEndpoint *endpoint);
/* Its doorbell was rung. */
void xhci_endpoint_ring(XhciEndpoint *endpoint);
/* Submits what is there and may be. */
void xhci_endpoint_feed(XhciEndpoint *endpoint);
/* Asks for everything in flight back; true once it is, and what is to be told is told. */
bool xhci_endpoint_drain(XhciEndpoint *endpoint);
bool xhci_endpoint_quiet(const XhciEndpoint *endpoint);
/* Another state, told to the guest with where its ring is. */
void xhci_endpoint_set_state(XhciEndpoint *endpoint, XhciEndpointState state);
/* Reads where stream @id begins from the guest's array. */
bool xhci_endpoint_load_stream(XhciEndpoint *endpoint, unsigned id);
unsigned xhci_endpoint_n_streams(const XhciEndpoint *endpoint); /* 0: none */
/* Tells how a transfer went that is in no queue. */
void xhci_endpoint_report(XhciEndpoint *endpoint, const XhciTd *td, uint32_t bytes, XhciCode code);
/* It can not go on: a transfer event with @code and the block @where, then state @state. */
void xhci_endpoint_fail(XhciEndpoint *endpoint, uint64_t where, XhciCode code, XhciEndpointState state);
XhciCode xhci_code_of(UsbStatus status);
void xhci_count(Xhci *xhci, const XhciTd *td);

/* --- isoch.c; USB thread ---------------------------------------------------------------------------------------------- */

/* There may be something to do: begins to serve intervals. */
void xhci_isoch_begin(XhciEndpoint *endpoint);
void xhci_isoch_end(XhciEndpoint *endpoint);

/* --- command.c; USB thread --------------------------------------------------------------------------------------------- */

/* Carries out what is in the command ring, as far as may be. */
void xhci_commands_run(Xhci *xhci);

/* --- state.c ----------------------------------------------------------------------------------------------------- */

extern const StateTable xhci_state;
