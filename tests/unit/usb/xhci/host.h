/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's driver for the controller, as small as can be: memory, a clock that stands still, one event ring of one segment,
 * a command ring, and a ring for each endpoint that a test asks for. Everything runs on the test's thread.
 *
 * Guest memory: pages are handed out from HOST_FREE on and never taken back.
 */
#pragma once

#include "usb/xhci/private.h"
#include "fixture.h"

#define HOST_MEMORY (8u << 20)
#define HOST_DCBAA 0x10000
#define HOST_ERST 0x11000
#define HOST_EVENTS 0x12000
#define HOST_EVENTS_SIZE 256
#define HOST_COMMANDS 0x13000
#define HOST_COMMANDS_SIZE 200 /* then a link back */
#define HOST_FREE 0x100000

/* A ring as its producer sees it. */
typedef struct {
    uint64_t base, at;
    unsigned size;
    bool cycle;
} HostRing;

typedef struct {
    PciFixture pci;
    GuestMemory *memory;
    Clock *clock;
    UsbBus *bus;
    Xhci *xhci;
    uint64_t free;
    HostRing commands;
    uint64_t event; /* where the next is */
    bool event_cycle;
    HostRing rings[XHCI_ENDPOINTS]; /* of the slot at hand, by context index */
} Host;

/* @n_ports: of the bus. Not running yet. */
void host_init(Host *host, unsigned n_ports);
void host_finish(Host *host);
/* Rings set up, RS and INTE set. */
void host_start(Host *host);
/* Lets the USB thread's work be done, which the test's thread does. */
void host_pump(Host *host);

uint32_t host_get(Host *host, unsigned offset);
void host_put(Host *host, unsigned offset, uint32_t value);
#define HOST_OP(offset) (XHCI_CAPLENGTH + (offset))
#define HOST_PORT(n) HOST_OP(XHCI_PORTS + ((n) - 1) * XHCI_PORT_SIZE)
#define HOST_IR(n) (XHCI_RUNTIME + XHCI_INTERRUPTER * ((n) + 1))

uint64_t host_alloc(Host *host, unsigned bytes);
void *host_at(Host *host, uint64_t address);

HostRing host_ring_new(Host *host, unsigned size);
/* Adds a block, whose cycle bit is put right; returns where it is. */
uint64_t host_ring_add(Host *host, HostRing *ring, uint64_t parameter, uint32_t status, uint32_t control);
void host_doorbell(Host *host, unsigned slot, unsigned target);

/* The next event, taken; false: there is none. */
bool host_event(Host *host, XhciTrb *event);
#define event_code(event) ((event)->status >> 24)
#define event_slot(event) ((event)->control >> 24)

/* Carries out a command; other events that came before it are dropped. Returns its completion code; *@slot as answered. */
unsigned host_command(Host *host, uint64_t parameter, uint32_t status, uint32_t control, unsigned *slot);

#define HOST_TYPE(type) ((uint32_t)(type) << TRB_TYPE_SHIFT)

/* Resets root port @port (a register's number, from 1). */
void host_reset_port(Host *host, unsigned port);
/* Enables a slot and addresses the device at @port behind @route; its control ring is rings[1]. Returns the slot. */
unsigned host_address(Host *host, unsigned port, uint32_t route);
/* The same for one that is spoken to through port @tt_port of the hub in slot @tt_slot; *@code as answered. */
unsigned host_address_through(Host *host, unsigned port, uint32_t route, unsigned tt_slot, unsigned tt_port,
                              unsigned *code);
/* Adds one endpoint, of XhciEndpointType @type, at context index @index. Returns the completion code. */
unsigned host_configure(Host *host, unsigned slot, unsigned index, unsigned type, unsigned packet, unsigned interval);

/* A control transfer; returns its completion code and sets *@moved. @data may be NULL. */
unsigned host_control(Host *host, unsigned slot, uint8_t type, uint8_t request, uint16_t value, uint16_t index,
                      void *data, uint16_t length, uint32_t *moved);
/* One Normal TD with IOC and ISP on context index @index. */
uint64_t host_normal(Host *host, unsigned slot, unsigned index, uint64_t data, uint32_t length);
