/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slot and endpoint contexts (xHCI 1.2, 6.2.2, 6.2.3): between their words in guest memory and fields.
 *
 * Pure functions; input contexts are copied once, and what is checked is the copy.
 */
#pragma once

#include "usb/xhci/spec.h"

#include <stdbool.h>
#include <stdint.h>

#define XHCI_PACKET_MAX 1024 /* bytes, USB 3.2, 8.12.1.2 */
#define XHCI_MAX_PSA 3       /* MaxPSASize: 2^4 stream contexts, USB_STREAMS_MAX */
#define CONTEXT_WORDS (CONTEXT_SIZE / 4)

typedef struct {
    uint32_t route; /* hub ports below the root, four bits each, nearest the root lowest */
    uint8_t speed;  /* UsbSpeed */
    bool mtt, hub;
    uint8_t entries; /* index of the last valid endpoint context */
    uint16_t exit_latency;
    uint8_t root_port;
    uint8_t n_ports;
    uint8_t tt_slot, tt_port, tt_think;
    uint16_t interrupter;
    uint8_t address;
    uint8_t state; /* XhciSlotState */
} XhciSlotContext;

typedef struct {
    uint8_t state; /* XhciEndpointState */
    uint8_t mult;
    uint8_t max_streams; /* MaxPStreams: 0 none, n: 2^(n+1) stream contexts */
    bool linear;         /* LSA */
    uint8_t interval;    /* 2^n times 125 µs */
    uint8_t errors;      /* CErr */
    uint8_t type;        /* XhciEndpointType */
    bool initiate_disable;
    uint8_t max_burst;
    uint16_t packet_size;
    uint64_t dequeue; /* with the cycle bit; with streams, the stream context array */
    uint16_t average;
    uint32_t payload; /* Max ESIT Payload, bytes a service interval */
} XhciEndpointContext;

void xhci_slot_context_read(XhciSlotContext *context, const uint32_t words[CONTEXT_WORDS]);
void xhci_slot_context_write(const XhciSlotContext *context, uint32_t words[CONTEXT_WORDS]);
void xhci_endpoint_context_read(XhciEndpointContext *context, const uint32_t words[CONTEXT_WORDS]);
void xhci_endpoint_context_write(const XhciEndpointContext *context, uint32_t words[CONTEXT_WORDS]);

/*
 * Whether an endpoint may be like that at context index @index, 1 to 31, of a device of @speed (xHCI 1.2, 4.8.2): index 1 is
 * control, else even indexes are OUT and odd ones IN.
 */
bool xhci_endpoint_context_valid(const XhciEndpointContext *context, unsigned index, unsigned speed);
