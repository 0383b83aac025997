/* SPDX-License-Identifier: Apache-2.0 */
/* Words and fields. Words are little endian, as on every host there is. */
#include "usb/xhci/context.h"
#include "usb/device.h"

#include <string.h>

#define FIELD(word, shift, bits) ((word) >> (shift) & ((1u << (bits)) - 1))

void
xhci_slot_context_read(XhciSlotContext *context, const uint32_t words[CONTEXT_WORDS])
{
    *context = (XhciSlotContext){
        .route = FIELD(words[0], 0, 20),
        .speed = FIELD(words[0], 20, 4),
        .mtt = FIELD(words[0], 25, 1),
        .hub = FIELD(words[0], 26, 1),
        .entries = FIELD(words[0], 27, 5),
        .exit_latency = FIELD(words[1], 0, 16),
        .root_port = FIELD(words[1], 16, 8),
        .n_ports = FIELD(words[1], 24, 8),
        .tt_slot = FIELD(words[2], 0, 8),
        .tt_port = FIELD(words[2], 8, 8),
        .tt_think = FIELD(words[2], 16, 2),
        .interrupter = FIELD(words[2], 22, 10),
        .address = FIELD(words[3], 0, 8),
        .state = FIELD(words[3], 27, 5),
    };
}

void
xhci_slot_context_write(const XhciSlotContext *context, uint32_t words[CONTEXT_WORDS])
{
    memset(words, 0, CONTEXT_SIZE);
    words[0] = context->route | (uint32_t)context->speed << 20 | (uint32_t)context->mtt << 25 |
               (uint32_t)context->hub << 26 | (uint32_t)context->entries << 27;
    words[1] = context->exit_latency | (uint32_t)context->root_port << 16 | (uint32_t)context->n_ports << 24;
    words[2] = context->tt_slot | (uint32_t)context->tt_port << 8 | (uint32_t)context->tt_think << 16 |
               (uint32_t)context->interrupter << 22;
    words[3] = context->address | (uint32_t)context->state << 27;
}

void
xhci_endpoint_context_read(XhciEndpointContext *context, const uint32_t words[CONTEXT_WORDS])
{
    *context = (XhciEndpointContext){
        .state = FIELD(words[0], 0, 3),
        .mult = FIELD(words[0], 8, 2),
        .max_streams = FIELD(words[0], 10, 5),
        .linear = FIELD(words[0], 15, 1),
        .interval = FIELD(words[0], 16, 8),
        .errors = FIELD(words[1], 1, 2),
        .type = FIELD(words[1], 3, 3),
        .initiate_disable = FIELD(words[1], 7, 1),
        .max_burst = FIELD(words[1], 8, 8),
        .packet_size = FIELD(words[1], 16, 16),
        .dequeue = words[2] | (uint64_t)words[3] << 32,
        .average = FIELD(words[4], 0, 16),
        .payload = FIELD(words[4], 16, 16) | FIELD(words[0], 24, 8) << 16,
    };
}

void
xhci_endpoint_context_write(const XhciEndpointContext *context, uint32_t words[CONTEXT_WORDS])
{
    memset(words, 0, CONTEXT_SIZE);
    words[0] = context->state | (uint32_t)context->mult << 8 | (uint32_t)context->max_streams << 10 |
               (uint32_t)context->linear << 15 | (uint32_t)context->interval << 16 | context->payload >> 16 << 24;
    words[1] = (uint32_t)context->errors << 1 | (uint32_t)context->type << 3 |
               (uint32_t)context->initiate_disable << 7 | (uint32_t)context->max_burst << 8 |
               (uint32_t)context->packet_size << 16;
    words[2] = (uint32_t)context->dequeue;
    words[3] = context->dequeue >> 32;
    words[4] = context->average | (context->payload & 0xffff) << 16;
}

bool
xhci_endpoint_context_valid(const XhciEndpointContext *context, unsigned index, unsigned speed)
{
    bool in = context->type >= EP_TYPE_CONTROL;
    bool bulk = context->type == EP_TYPE_BULK_IN || context->type == EP_TYPE_BULK_OUT;

    if (context->type == EP_TYPE_NONE || !context->packet_size || context->packet_size > XHCI_PACKET_MAX)
        return false;
    if (context->type == EP_TYPE_CONTROL ? index != 1 && context->max_streams : index == 1 || in != (index & 1))
        return false;
    if (context->interval > 15)
        return false;
    if (!context->max_streams)
        return context->dequeue >> 4;
    /* 2^(n+1) contexts in one array; a second level is not offered (HCCPARAMS1.NSS) */
    return bulk && speed == USB_SUPER && context->linear && context->max_streams <= XHCI_MAX_PSA;
}
